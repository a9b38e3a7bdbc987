/*
 * What the trace is told of devices. Nobody waits here for a copy: with two
 * events of the device around it, it is told, in the order of its queue, when
 * somebody comes by and it is over. How long it took the device's clock says;
 * where in time it was, the host: not before it was put in the queue, nor before
 * the one in front of it was over, nor later than it was seen to be.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "depot/depot_internal.h"
#include "trace/trace.h"

enum { DEVICE_BITS = 16 };

/* ---- Around what is put in a queue ----------------------------------------- */

static void drop_event(struct cst_depot_device *device, void **event)
{
    if (*event)
        device->ops->event_destroy(device->handle, *event);
    *event = NULL;
}

void cst_tale_drop(struct cst_depot_device *device, struct cst_depot_told *told)
{
    drop_event(device, &told->from);
    drop_event(device, &told->to);
}

/* A failure is nobody's: it is seen by who does the work. */
static void mark(struct cst_depot_device *device, enum cst_device_queue queue,
                 void **event)
{
    if (device->ops->record(device->handle, queue, event) != CASTELL_OK)
        *event = NULL;
}

void cst_tale_begin(const struct cst_depot *depot,
                    struct cst_depot_device *device,
                    enum cst_device_queue queue, struct cst_depot_told *told)
{
    *told = (struct cst_depot_told){NULL, NULL, 0};
    if (!depot->trace)
        return;
    if (device->ops->event_elapsed_ns)
        mark(device, queue, &told->from);
    told->begin_ns = cst_clock_ns();
}

void cst_tale_end(const struct cst_depot *depot,
                  struct cst_depot_device *device, enum cst_device_queue queue,
                  struct cst_depot_told *told)
{
    if (depot->trace)
        mark(device, queue, &told->to);
}

/* By the device's own clock; 0: it does not say. */
static uint64_t elapsed(struct cst_depot_device *device,
                        const struct cst_depot_told *told)
{
    return told->from && told->to ? device->ops->event_elapsed_ns(
                                        device->handle, told->from, told->to)
                                  : 0;
}

/* ---- Copies --------------------------------------------------------------- */

static void tell(struct cst_depot *depot, struct cst_depot_slot *slot,
                 struct cst_tales *tales, struct cst_tale *tale)
{
    struct cst_depot_device *device = &slot->device;
    uint64_t now_ns = cst_clock_ns();
    uint64_t begin_ns = tale->told.begin_ns > tales->end_ns
                            ? tale->told.begin_ns
                            : tales->end_ns;
    uint64_t took_ns = elapsed(device, &tale->told);
    struct cst_trace_record what = {
        .task = tale->base,
        .event = (uint16_t)tale->what,
        .value = (int32_t)(tale->peer << DEVICE_BITS | device->number),
    };

    if (begin_ns > now_ns)
        begin_ns = now_ns;
    if (took_ns == 0 || took_ns > now_ns - begin_ns)
        took_ns = now_ns - begin_ns;
    tales->end_ns = begin_ns + took_ns;
    cst_trace_lasted(depot->trace, &what, tale->bytes, begin_ns, took_ns);
    cst_tale_drop(device, &tale->told);
    cst_free(tale);
}

static bool is_over(struct cst_depot_device *device,
                    const struct cst_tale *tale)
{
    bool over = true;

    /* One that has failed is over too. */
    if (tale->told.to && device->ops->event_query(device->handle, tale->told.to,
                                                  &over) != CASTELL_OK)
        return true;
    return over;
}

static void tell_queue(struct cst_depot *depot, struct cst_depot_slot *slot,
                       struct cst_tales *tales)
{
    while (tales->first && is_over(&slot->device, tales->first)) {
        struct cst_tale *tale = tales->first;

        tales->first = tale->next;
        if (!tales->first)
            tales->last = NULL;
        tell(depot, slot, tales, tale);
    }
}

void cst_tales_tell_locked(struct cst_depot *depot, struct cst_depot_slot *slot)
{
    for (int queue = 0; depot->trace && queue < CST_DEVICE_QUEUES; queue++)
        if (slot->tales[queue].first)
            tell_queue(depot, slot, &slot->tales[queue]);
}

void cst_tales_drop(struct cst_depot_slot *slot)
{
    for (int queue = 0; queue < CST_DEVICE_QUEUES; queue++)
        while (slot->tales[queue].first) {
            struct cst_tale *tale = slot->tales[queue].first;

            slot->tales[queue].first = tale->next;
            cst_tale_drop(&slot->device, &tale->told);
            cst_free(tale);
        }
}

void cst_tale_add_locked(struct cst_depot *depot,
                         struct cst_depot_device *device,
                         const struct cst_tale *tale)
{
    struct cst_depot_slot *slot = &depot->slots[device->number];
    struct cst_tales *tales =
        &slot->tales[tale->what == CST_TRACE_COPY_OUT ? CST_DEVICE_OUT
                                                      : CST_DEVICE_IN];
    struct cst_tale *kept;

    if (!depot->trace)
        return;
    kept = cst_alloc(sizeof(*kept));
    if (!kept) { /* then the count in the trace tells that it is missing */
        struct cst_depot_told told = tale->told;

        cst_tale_drop(device, &told);
        return;
    }
    *kept = *tale;
    kept->next = NULL;
    if (tales->last)
        tales->last->next = kept;
    else
        tales->first = kept;
    tales->last = kept;
}

/* ---- What bodies have done ---------------------------------------------------- */

void cst_depot_run_begin(struct cst_depot *depot,
                         struct cst_depot_device *device,
                         enum cst_device_queue queue,
                         struct cst_depot_told *told)
{
    cst_tale_begin(depot, device, queue, told);
}

void cst_depot_run_end(struct cst_depot *depot, struct cst_depot_device *device,
                       enum cst_device_queue queue, struct cst_depot_told *told)
{
    cst_tale_end(depot, device, queue, told);
}

/* What runs is looked at all the time: so that it is over is seen soon, and when
   it began follows. */
void cst_depot_run_over(struct cst_depot *depot,
                        struct cst_depot_device *device,
                        struct cst_depot_told *told, uint64_t task,
                        uint32_t kind) CST_UNCHECKED
{
    struct cst_depot_slot *slot = &depot->slots[device->number];
    struct cst_trace_record what = {
        .task = task,
        .event = CST_TRACE_KERNEL,
        .kind = kind < CST_TRACE_KIND_MAX ? (uint16_t)kind : CST_TRACE_KIND_MAX,
        .value = (int32_t)device->number};
    uint64_t now_ns = depot->trace ? cst_clock_ns() : 0;
    uint64_t took_ns = depot->trace ? elapsed(device, told) : 0;
    uint64_t first_ns;

    cst_lock_take(&depot->lock);
    depot->counters.kernels++;
    if (depot->trace) {
        first_ns =
            told->begin_ns > slot->ran_ns ? told->begin_ns : slot->ran_ns;
        if (first_ns > now_ns)
            first_ns = now_ns;
        if (took_ns == 0 || took_ns > now_ns - first_ns)
            took_ns = now_ns - first_ns;
        slot->ran_ns = now_ns;
        cst_trace_lasted(depot->trace, &what, 0, now_ns - took_ns, took_ns);
    }
    cst_lock_drop(&depot->lock);
    cst_tale_drop(device, told);
}

/* ---- Memory, and the end -------------------------------------------------------- */

void cst_tale_memory(struct cst_pool *pool)
{
    cst_trace_event(pool->trace, CST_TRACE_DEVICE_MEMORY, pool->size, 0,
                    (int32_t)pool->device->number);
}

void cst_depot_trace(struct cst_depot *depot, struct cst_trace *trace)
{
    depot->trace = trace;
    for (uint32_t i = 0; i < depot->count; i++) {
        struct cst_depot_device *device = &depot->slots[i].device;
        const struct cst_trace_device told = {
            .memory = device->capacity,
            .kind = (uint32_t)device->ops->kind,
            .units = device->info.units,
        };

        depot->slots[i].pool.trace = trace;
        cst_trace_device(trace, i, &told, device->info.name);
    }
}

/* Wait for the last of each queue, without the lock; the first of them then are
   over too. */
static void wait_for_copies(struct cst_depot_slot *slot)
{
    for (int queue = 0; queue < CST_DEVICE_QUEUES; queue++) {
        const struct cst_tale *last = slot->tales[queue].last;

        if (last && last->told.to)
            (void)slot->device.ops->event_wait(slot->device.handle,
                                               last->told.to);
    }
}

void cst_depot_tell_all(struct cst_depot *depot) CST_UNCHECKED
{
    struct cst_trace_depot counted;

    if (!depot || !depot->trace)
        return;
    for (uint32_t i = 0; i < depot->count; i++)
        wait_for_copies(&depot->slots[i]);
    cst_lock_take(&depot->lock);
    for (uint32_t i = 0; i < depot->count; i++)
        cst_tales_tell_locked(depot, &depot->slots[i]);
    counted = (struct cst_trace_depot){
        .in = depot->counters.in,
        .in_bytes = depot->counters.in_bytes,
        .out = depot->counters.out,
        .out_bytes = depot->counters.out_bytes,
        .peer = depot->counters.peer,
        .peer_bytes = depot->counters.peer_bytes,
        .kernels = depot->counters.kernels,
        .evicted = depot->counters.evicted,
    };
    cst_lock_drop(&depot->lock);
    cst_trace_depot(depot->trace, &counted);
}
