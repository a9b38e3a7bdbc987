/*
 * near.c - which of our CPUs are near a device.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "topo/topo_internal.h"

#include <stdio.h>
#include <string.h>

static unsigned long *mask_of(const struct cst_topo *topo, uint32_t device)
{
    return topo->device_masks + device * topo->mask_words;
}

static const unsigned long *whole(const struct cst_topo *topo)
{
    return topo->masks + topo->executors_count * topo->mask_words;
}

/* What is near and ours; where nothing is, the mask is all that is ours. */
static void settle(struct cst_topo *topo, uint32_t device,
                   const struct cst_topo_around *around)
{
    struct cst_topo_near *near = &topo->devices[device];
    unsigned long *mask = mask_of(topo, device);

    near->is_known = around->is_known;
    near->numa_node = around->numa_node;
    for (size_t i = 0; around->is_known && i < topo->mask_words; i++) {
        mask[i] = whole(topo)[i] & around->cpus.words[i];
        near->cpus_count += (uint32_t)__builtin_popcountl(mask[i]);
    }
    if (near->cpus_count == 0)
        memcpy(mask, whole(topo), topo->mask_words * sizeof(*mask));
}

enum castell_status cst_topo_find_devices(struct cst_topo *topo,
                                          const char *const *buses,
                                          uint32_t count)
{
    struct cst_topo_around *arounds;

    CST_ASSERT(topo->devices_count == 0);
    if (count == 0)
        return CASTELL_OK;
    arounds = cst_zalloc(count * sizeof(*arounds));
    topo->devices = cst_zalloc(count * sizeof(*topo->devices));
    topo->device_masks =
        cst_zalloc(count * topo->mask_words * sizeof(*topo->device_masks));
    if (!arounds || !topo->devices || !topo->device_masks) {
        cst_free(arounds);
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for %u devices",
                        count);
    }
    topo->devices_count = count;
    cst_topo_look_around(topo, buses, count, arounds);
    for (uint32_t i = 0; i < count; i++)
        settle(topo, i, &arounds[i]);
    cst_free(arounds);
    return CASTELL_OK;
}

void cst_topo_bind_near(const struct cst_topo *topo, uint32_t device)
{
    if (device < topo->devices_count && topo->devices[device].cpus_count > 0)
        cst_topo_set_mask(topo, mask_of(topo, device));
    else
        cst_topo_unbind(topo);
}

const char *cst_topo_near_text(const struct cst_topo *topo, uint32_t device,
                               char *text, size_t text_size)
{
    const struct cst_topo_near *near;

    CST_ASSERT(device < topo->devices_count && text_size > 0);
    near = &topo->devices[device];
    if (!near->is_known) {
        (void)snprintf(text, text_size, "no NUMA node that is known");
        return text;
    }
    (void)snprintf(text, text_size, "NUMA node %u, %s", near->numa_node,
                   near->cpus_count > 0 ? "CPUs " : "where no CPU is ours");
    return near->cpus_count > 0
               ? cst_topo_mask_text(topo, mask_of(topo, device), text,
                                    text_size)
               : text;
}
