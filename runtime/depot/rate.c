/*
 * How fast copies get to a device: now and then one that is long enough is
 * measured on the device, between two events. The median of the last few counts,
 * so that one that was disturbed means nothing.
 */
#include "depot/depot_internal.h"

#include <string.h>

enum {
    LONG = 65536, /* bytes: of less, most is latency */
    EVERY = 8,    /* copies, once the first few were measured */
    NS_PER_US = 1000,
};

struct cst_depot_event *cst_rate_begin(const struct cst_depot *depot,
                                       struct cst_depot_slot *slot,
                                       size_t bytes)
{
    struct cst_depot_device *device = &slot->device;
    struct cst_depot_event *begin = NULL;

    if (bytes < LONG || !device->ops->event_elapsed_ns ||
        (slot->rates_count >= CST_RATES && depot->counters.in % EVERY != 0) ||
        cst_event_record(device, CST_DEVICE_IN, &begin) != CASTELL_OK)
        return NULL;
    return begin;
}

static uint64_t median_of(const struct cst_depot_slot *slot)
{
    uint32_t count =
        slot->rates_count < CST_RATES ? slot->rates_count : CST_RATES;
    uint64_t sorted[CST_RATES] = {0};

    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = i;

        for (; j > 0 && sorted[j - 1] > slot->rates[i]; j--)
            sorted[j] = sorted[j - 1];
        sorted[j] = slot->rates[i];
    }
    return sorted[count / 2];
}

void cst_rate_measured_locked(struct cst_depot_slot *slot,
                              const struct cst_depot_event *end)
{
    struct cst_depot_device *device = &slot->device;
    uint64_t ns;
    uint64_t rate;

    if (!end->begin)
        return;
    ns = device->ops->event_elapsed_ns(device->handle, end->begin->event,
                                       end->event);
    rate = ns > 0 ? end->bytes * NS_PER_US / ns : 0;
    if (rate == 0)
        return;
    slot->rates[slot->rates_count % CST_RATES] = rate;
    slot->rates_count++;
    if (slot->rates_count >= CST_RATES)
        atomic_store(&device->bytes_per_us, median_of(slot));
}
