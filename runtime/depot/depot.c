/*
 * The devices of a node: lost, closed.
 */
#include "depot/depot.h"

#include "base/fail.h"
#include "base/memory.h"
#include "depot/depot_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- Closing ------------------------------------------------------------- */

static void drop_all_locked(struct cst_depot *depot)
{
    struct cst_spans spans;

    for (uint32_t i = 0; i < depot->count; i++)
        for (struct cst_depot_copy *copy = depot->slots[i].leaves_first; copy;
             copy = copy->leaves_later)
            cst_copy_end_back_locked(depot, copy);
    for (uint32_t i = 0; i < depot->count; i++)
        cst_copy_see_off_locked(depot, &depot->slots[i]);
    if (cst_spans_list_locked(depot, NULL, &spans) != CASTELL_OK)
        return;
    for (size_t i = 0; i < spans.count; i++)
        for (uint32_t j = 0; j < depot->count; j++) {
            struct cst_depot_copy *copy = &spans.list[i]->copies[j];

            if (copy->out || copy->starting)
                cst_copy_end_back_locked(depot, copy);
            if (copy->in)
                cst_copy_end_in_locked(depot, copy);
            cst_copy_drop_locked(depot, copy);
        }
    cst_spans_drop_locked(depot, &spans);
}

void cst_depot_close(struct cst_depot *depot)
{
    if (!depot)
        return;
    cst_lock_take(&depot->lock);
    drop_all_locked(depot);
    for (uint32_t i = 0; i < depot->count; i++) {
        struct cst_depot_slot *slot = &depot->slots[i];

        cst_tales_drop(slot);
        cst_depot_pool_trim(&slot->pool);
        slot->device.ops->close(slot->device.handle);
    }
    cst_lock_drop(&depot->lock);
    for (uint32_t i = 0; i < depot->drivers_count; i++) {
        if (depot->drivers[i].driver)
            depot->drivers[i].ops->release(depot->drivers[i].driver);
        cst_free(depot->drivers[i].why);
    }
    cst_free(depot->found.list);
    (void)pthread_cond_destroy(&depot->changed);
    cst_lock_release(&depot->lock);
    cst_free(depot->slots);
    cst_free(depot);
}

/* ---- Devices ------------------------------------------------------------- */

uint32_t cst_depot_count(const struct cst_depot *depot)
{
    return depot->count;
}

struct cst_depot_device *cst_depot_at(struct cst_depot *depot, uint32_t number)
{
    CST_ASSERT(number < depot->count);
    return &depot->slots[number].device;
}

const char *cst_depot_why_not(const struct cst_depot *depot,
                              enum castell_device kind)
{
    for (uint32_t i = 0; i < depot->count; i++)
        if (depot->slots[i].device.ops->kind == kind &&
            !atomic_load(&depot->slots[i].device.lost))
            return NULL;
    for (uint32_t i = 0; i < depot->count; i++)
        if (depot->slots[i].device.ops->kind == kind)
            return depot->slots[i].device.words;
    for (uint32_t i = 0; i < depot->drivers_count; i++)
        if (depot->drivers[i].ops->kind == kind)
            return depot->drivers[i].why ? depot->drivers[i].why
                                         : "there is none";
    return "this Castell does not know them";
}

/* What was only there is gone. */
static void lose_all_locked(struct cst_depot *depot, uint32_t number)
{
    struct cst_spans spans;

    if (cst_spans_list_locked(depot, NULL, &spans) != CASTELL_OK)
        return; /* each is found to be lost when it is wanted */
    for (size_t i = 0; i < spans.count; i++) {
        struct cst_depot_copy *copy = &spans.list[i]->copies[number];

        copy->valid = false;
        if (copy->starting || copy->out)
            continue; /* perhaps it comes yet; who waits sees */
        copy->lost = copy->lost || copy->dirty;
        copy->dirty = false;
        if (copy->pins == 0)
            cst_copy_detach_locked(depot, copy);
    }
    cst_spans_drop_locked(depot, &spans);
}

void cst_depot_lose_locked(struct cst_depot *depot,
                           struct cst_depot_device *device)
{
    if (atomic_load(&device->lost))
        return;
    (void)snprintf(device->words, sizeof(device->words), "%s",
                   castell_error_text());
    atomic_store(&device->lost, true);
    lose_all_locked(depot, device->number);
}

void cst_depot_lose(struct cst_depot *depot, struct cst_depot_device *device)
{
    cst_lock_take(&depot->lock);
    cst_depot_lose_locked(depot, device);
    cst_lock_drop(&depot->lock);
}

void cst_depot_counters(struct cst_depot *depot,
                        struct cst_depot_counters *ret_counters)
{
    cst_lock_take(&depot->lock);
    *ret_counters = depot->counters;
    for (uint32_t i = 0; i < depot->count; i++)
        ret_counters->used += depot->slots[i].pool.size;
    cst_lock_drop(&depot->lock);
}

/* ---- Checking ------------------------------------------------------------ */

static void check_span(const struct cst_depot *depot,
                       const struct cst_span *span)
{
    uint32_t pins = 0;

    for (uint32_t i = 0; i < depot->count; i++) {
        const struct cst_depot_copy *copy = &span->copies[i];

        CST_ASSERT(copy->span == span);
        CST_ASSERT(!copy->valid || copy->block);
        CST_ASSERT(!copy->dirty || copy->valid || copy->out || copy->starting);
        CST_ASSERT(copy->pins >= copy->writers);
        pins += copy->pins;
    }
    CST_ASSERT(pins <= span->users);
}

static bool is_dirty(const struct cst_depot *depot, const struct cst_span *span)
{
    for (uint32_t i = 0; i < depot->count; i++)
        if (span->copies[i].dirty)
            return true;
    return false;
}

static void check_dirty(struct cst_depot *depot, const struct cst_span *span)
{
    if (!is_dirty(depot, span) ||
        cst_data_index_find(&depot->index, cst_span_region(span),
                            &depot->found) != CASTELL_OK)
        return;
    for (size_t i = 0; i < depot->found.count; i++) {
        const struct cst_span *other =
            (const struct cst_span *)(const void *)depot->found.list[i];

        CST_ASSERT(other == span || !is_dirty(depot, other));
    }
}

void cst_depot_check(struct cst_depot *depot)
{
    cst_lock_take(&depot->lock);
    cst_data_index_check(&depot->index);
    for (struct cst_span *span = depot->spans; span; span = span->next) {
        check_span(depot, span);
        check_dirty(depot, span);
    }
    for (uint32_t i = 0; i < depot->count; i++) {
        const struct cst_depot_slot *slot = &depot->slots[i];
        uint64_t bytes = 0;

        for (struct cst_block *block = slot->pool.free; block;
             block = block->next)
            bytes += block->size;
        for (struct cst_depot_copy *copy = slot->oldest; copy;
             copy = copy->newer)
            bytes += copy->block->size;
        CST_ASSERT(bytes == slot->pool.size);
        CST_ASSERT(bytes <= slot->device.capacity);
    }
    cst_lock_drop(&depot->lock);
}
