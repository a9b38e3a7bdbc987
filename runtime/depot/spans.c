/*
 * Regions that are in devices, found by address, and their copies.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "depot/depot_internal.h"

#include <string.h>

/* ---- Events -------------------------------------------------------------- */

enum castell_status cst_event_record(struct cst_depot_device *device,
                                     enum cst_device_queue queue,
                                     struct cst_depot_event **ret_event)
{
    struct cst_depot_event *event = cst_zalloc(sizeof(*event));
    enum castell_status status;

    if (!event)
        return cst_fail(CASTELL_ERR_SYSTEM, "no memory for an event");
    status = device->ops->record(device->handle, queue, &event->event);
    if (status != CASTELL_OK) {
        cst_free(event);
        return status;
    }
    event->device = device;
    event->users = 1;
    *ret_event = event;
    return CASTELL_OK;
}

void cst_event_unref_locked(struct cst_depot_event **event)
{
    struct cst_depot_event *gone = *event;

    *event = NULL;
    while (gone && --gone->users == 0) {
        struct cst_depot_event *begin = gone->begin; /* of nobody else */

        gone->device->ops->event_destroy(gone->device->handle, gone->event);
        cst_free(gone);
        gone = begin;
    }
}

/* ---- Copies -------------------------------------------------------------- */

uint32_t cst_copy_number(const struct cst_depot_copy *copy)
{
    return (uint32_t)(copy - copy->span->copies);
}

static struct cst_depot_slot *slot_of(struct cst_depot *depot,
                                      const struct cst_depot_copy *copy)
{
    return &depot->slots[cst_copy_number(copy)];
}

static void unlink_copy(struct cst_depot_slot *slot,
                        struct cst_depot_copy *copy)
{
    if (copy->older)
        copy->older->newer = copy->newer;
    else if (slot->oldest == copy)
        slot->oldest = copy->newer;
    if (copy->newer)
        copy->newer->older = copy->older;
    else if (slot->newest == copy)
        slot->newest = copy->older;
    copy->older = copy->newer = NULL;
}

void cst_copy_touch_locked(struct cst_depot *depot, struct cst_depot_copy *copy)
{
    struct cst_depot_slot *slot = slot_of(depot, copy);

    if (slot->newest == copy)
        return;
    unlink_copy(slot, copy);
    copy->older = slot->newest;
    if (slot->newest)
        slot->newest->newer = copy;
    else
        slot->oldest = copy;
    slot->newest = copy;
}

/* Who gets the block next waits, on the device, for what still copies it. */
void cst_copy_detach_locked(struct cst_depot *depot,
                            struct cst_depot_copy *copy)
{
    struct cst_depot_slot *slot = slot_of(depot, copy);
    struct cst_block *block = copy->block;

    copy->valid = false;
    if (!block)
        return;
    CST_ASSERT(copy->pins == 0);
    unlink_copy(slot, copy);
    copy->block = NULL;
    cst_event_unref_locked(&block->after);
    if (copy->out) {
        block->after = copy->out;
        block->after->users++;
    } else if (copy->in) {
        block->after = copy->in;
        block->after->users++;
    }
    cst_event_unref_locked(&copy->in);
    cst_depot_pool_put(&slot->pool, block);
}

/* ---- Spans --------------------------------------------------------------- */

static struct cst_span *span_of(struct cst_data_node *node)
{
    return (struct cst_span *)(void *)node;
}

static struct cst_span *make_span(struct cst_depot *depot,
                                  const struct cst_region *region)
{
    struct cst_span *span = cst_alloc_aligned(
        CST_CACHE_LINE,
        (sizeof(*span) + depot->count * sizeof(span->copies[0]) +
         CST_CACHE_LINE - 1) /
            CST_CACHE_LINE * CST_CACHE_LINE);

    if (!span)
        return NULL;
    memset(span, 0, sizeof(*span) + depot->count * sizeof(span->copies[0]));
    span->node.fragment.region = *region;
    span->node.base = region->base;
    for (uint32_t i = 0; i < depot->count; i++)
        span->copies[i].span = span;
    cst_data_index_add(&depot->index, &span->node);
    span->next = depot->spans;
    if (depot->spans)
        depot->spans->previous = span;
    depot->spans = span;
    atomic_fetch_add(&depot->spans_count, 1);
    return span;
}

struct cst_span *cst_span_find_locked(struct cst_depot *depot,
                                      const struct cst_region *region,
                                      bool make)
{
    struct cst_data_node *node = depot->index.root;

    /* Those of one first address lie together, on both sides of the first. */
    while (node && node->base != region->base)
        node = node->child[region->base > node->base];
    if (node && cst_region_equal(&node->fragment.region, region))
        return span_of(node);
    if (node &&
        cst_data_index_find(&depot->index, region, &depot->found) == CASTELL_OK)
        for (size_t i = 0; i < depot->found.count; i++)
            if (cst_region_equal(&depot->found.list[i]->fragment.region,
                                 region))
                return span_of(depot->found.list[i]);
    return make ? make_span(depot, region) : NULL;
}

static bool is_needed(const struct cst_depot *depot,
                      const struct cst_span *span)
{
    if (span->users > 0)
        return true;
    for (uint32_t i = 0; i < depot->count; i++) {
        const struct cst_depot_copy *copy = &span->copies[i];

        if (copy->block || copy->out || copy->starting || copy->lost)
            return true;
        CST_ASSERT(!copy->dirty && copy->pins == 0 && !copy->in);
    }
    return false;
}

void cst_span_settle_locked(struct cst_depot *depot, struct cst_span *span)
{
    if (is_needed(depot, span))
        return;
    cst_data_index_remove(&depot->index, &span->node);
    if (span->previous)
        span->previous->next = span->next;
    else
        depot->spans = span->next;
    if (span->next)
        span->next->previous = span->previous;
    cst_free(span);
    atomic_fetch_sub(&depot->spans_count, 1);
}

static enum castell_status list_all(struct cst_depot *depot,
                                    struct cst_spans *ret_spans)
{
    size_t count = 0;

    ret_spans->list =
        cst_alloc((atomic_load(&depot->spans_count) + 1) * sizeof(void *));
    if (!ret_spans->list)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory to look through devices");
    for (struct cst_span *span = depot->spans; span; span = span->next)
        ret_spans->list[count++] = span;
    ret_spans->count = count;
    return CASTELL_OK;
}

enum castell_status cst_spans_list_locked(struct cst_depot *depot,
                                          const struct cst_region *region,
                                          struct cst_spans *ret_spans)
{
    enum castell_status status;

    *ret_spans = (struct cst_spans){NULL, 0};
    if (!region) {
        status = list_all(depot, ret_spans);
    } else {
        status = cst_data_index_find(&depot->index, region, &depot->found);
        if (status != CASTELL_OK || depot->found.count == 0)
            return status;
        ret_spans->list = cst_alloc(depot->found.count * sizeof(void *));
        if (!ret_spans->list)
            return cst_fail(CASTELL_ERR_NO_MEMORY,
                            "no memory to look through devices");
        for (size_t i = 0; i < depot->found.count; i++)
            ret_spans->list[i] = span_of(depot->found.list[i]);
        ret_spans->count = depot->found.count;
    }
    for (size_t i = 0; i < ret_spans->count; i++)
        ret_spans->list[i]->users++;
    return status;
}

void cst_spans_drop_locked(struct cst_depot *depot, struct cst_spans *spans)
{
    for (size_t i = 0; i < spans->count; i++) {
        spans->list[i]->users--;
        cst_span_settle_locked(depot, spans->list[i]);
    }
    cst_free(spans->list);
    *spans = (struct cst_spans){NULL, 0};
}
