/*
 * A task of a device gets its copies, with their content on its way, and gives
 * them back.
 */
#include "base/fail.h"
#include "depot/depot_internal.h"

struct acquire {
    struct cst_depot *depot;
    struct cst_depot_slot *slot;
    struct cst_depot_device *device;
};

/* ---- Blocks -------------------------------------------------------------- */

/* Free the block that was used least lately. */
static enum castell_status evict_one(const struct acquire *acquire)
{
    struct cst_depot *depot = acquire->depot;
    struct cst_depot_copy *copy = acquire->slot->oldest;
    struct cst_span *span;

    while (copy && copy->pins > 0)
        copy = copy->newer;
    if (!copy)
        return CASTELL_ERR_LIMIT;
    depot->counters.evicted++;
    span = copy->span;
    if (copy->dirty && !copy->out) {
        span->users++;
        cst_copy_start_back_locked(depot, copy);
        span->users--;
        if (copy->pins > 0) /* somebody wants it after all */
            return CASTELL_OK;
    }
    cst_copy_detach_locked(depot, copy);
    cst_copy_leave_locked(depot, copy);
    cst_span_settle_locked(depot, span);
    return CASTELL_OK;
}

/* What is done in its place waits until its last content has been copied. */
static enum castell_status begin_block(const struct acquire *acquire,
                                       struct cst_block *block)
{
    struct cst_depot_device *device = acquire->device;
    enum castell_status status;

    if (!block->after)
        return CASTELL_OK;
    status = device->ops->queue_wait(device->handle, CST_DEVICE_IN,
                                     block->after->event);
    if (status == CASTELL_OK)
        status = device->ops->queue_wait(device->handle, CST_DEVICE_RUN,
                                         block->after->event);
    if (status == CASTELL_OK)
        cst_event_unref_locked(&block->after);
    return status;
}

static enum castell_status get_block(const struct acquire *acquire,
                                     struct cst_depot_use *use)
{
    struct cst_depot_copy *copy = use->copy;
    size_t size = cst_pool_round(cst_region_bytes(&use->region));
    enum castell_status status = CASTELL_OK;
    struct cst_block *block = NULL;

    while (!copy->block) {
        status = cst_depot_pool_take(&acquire->slot->pool, size, &block);
        if (status == CASTELL_ERR_LIMIT)
            status = evict_one(acquire);
        if (status != CASTELL_OK)
            return status;
        if (!block)
            continue;
        copy->block = block;
        status = begin_block(acquire, block);
    }
    cst_copy_touch_locked(acquire->depot, copy);
    use->memory = copy->block->memory;
    use->pitch = use->region.size;
    return status;
}

/* ---- Content ------------------------------------------------------------- */

static bool is_same(const struct cst_depot_use *use,
                    const struct cst_depot_copy *copy)
{
    return copy == use->copy;
}

/* Must somebody wait, or something be dropped, before it may be used so? */
static bool disturbs(const struct cst_depot_use *use,
                     const struct cst_depot_copy *copy)
{
    bool brings = use->reads && !use->copy->valid;

    if (is_same(use, copy))
        return (use->writes && (copy->starting || copy->out)) ||
               (brings && (copy->starting || copy->out || copy->lost)) ||
               (use->writes && copy->lost);
    if (use->writes)
        return copy->block || copy->starting || copy->out || copy->lost;
    return brings && (copy->dirty || copy->starting || copy->out || copy->lost);
}

/* Would this one do? */
static bool is_peer(const struct acquire *acquire,
                    const struct cst_depot_use *use,
                    const struct cst_depot_copy *copy)
{
    const struct cst_depot_device *device =
        &acquire->depot->slots[cst_copy_number(copy)].device;

    return !is_same(use, copy) && copy->span == use->copy->span &&
           copy->valid && !copy->in && copy->block && !use->copy->valid &&
           use->reads && device->ops == acquire->device->ops &&
           device->ops->copy_peer && !atomic_load(&device->lost);
}

/* From device to device; the source keeps what it has. */
static enum castell_status bring_peer(const struct acquire *acquire,
                                      struct cst_depot_use *use,
                                      struct cst_depot_copy *from) CST_UNCHECKED
{
    struct cst_depot *depot = acquire->depot;
    struct cst_depot_device *device = acquire->device;
    const struct cst_depot_device *other =
        &depot->slots[cst_copy_number(from)].device;
    size_t bytes = cst_region_bytes(&use->region);
    struct cst_tale tale = {.what = CST_TRACE_COPY_PEER,
                            .base = use->region.base,
                            .bytes = bytes,
                            .peer = other->number};
    enum castell_status status;

    from->pins++;
    cst_lock_drop(&depot->lock);
    cst_tale_begin(depot, device, CST_DEVICE_IN, &tale.told);
    status = device->ops->copy_peer(device->handle, use->memory, other->handle,
                                    from->block->memory, bytes);
    cst_tale_end(depot, device, CST_DEVICE_IN, &tale.told);
    /* Its source must not go meanwhile. */
    if (status == CASTELL_OK)
        status = device->ops->finish(device->handle, CST_DEVICE_IN);
    cst_lock_take(&depot->lock);
    from->pins--;
    if (status != CASTELL_OK) {
        cst_tale_drop(device, &tale.told);
        return status;
    }
    use->copy->valid = true;
    depot->counters.peer++;
    depot->counters.peer_bytes += bytes;
    cst_tale_add_locked(depot, device, &tale);
    return CASTELL_OK;
}

static enum castell_status say_lost(const struct acquire *acquire,
                                    const struct cst_depot_copy *copy)
{
    const struct cst_depot_device *device =
        &acquire->depot->slots[cst_copy_number(copy)].device;

    return cst_fail(CASTELL_ERR_TASK_FAILED,
                    "what it reads was lost with %s: %.160s", device->info.name,
                    device->words[0] ? device->words : "a copy of it failed");
}

/* Another copy has, or had, some of its bytes. */
static enum castell_status calm(const struct acquire *acquire,
                                struct cst_depot_use *use,
                                struct cst_depot_copy *copy)
{
    struct cst_depot *depot = acquire->depot;
    bool covered =
        cst_region_includes(&use->region, cst_span_region(copy->span));
    bool wanted = (use->reads && !use->copy->valid) || !covered;

    if (is_peer(acquire, use, copy)) {
        enum castell_status status = bring_peer(acquire, use, copy);

        if (status != CASTELL_ERR_SYSTEM && status != CASTELL_OK)
            return status;
        if (!use->writes && status == CASTELL_OK)
            return CASTELL_OK;
        wanted = wanted && status != CASTELL_OK;
        /* It is the only one from now on. */
        if (status == CASTELL_OK && copy->dirty)
            use->copy->dirty = true;
    }
    if (copy->dirty && wanted && !copy->out && !copy->starting)
        cst_copy_start_back_locked(depot, copy);
    if (copy->starting || copy->out)
        cst_copy_end_back_locked(depot, copy);
    if (copy->lost && wanted)
        return say_lost(acquire, copy);
    if (use->writes && copy->in && !is_same(use, copy))
        cst_copy_end_in_locked(depot, copy);
    if (use->writes && !is_same(use, copy))
        cst_copy_drop_locked(depot, copy);
    else if (use->writes)
        copy->lost = false;
    return CASTELL_OK;
}

/* See to all that overlaps; nearly always that is the copy itself. */
static enum castell_status calm_all(const struct acquire *acquire,
                                    struct cst_depot_use *use)
{
    struct cst_depot *depot = acquire->depot;
    enum castell_status status;
    struct cst_spans spans;

    status = cst_spans_list_locked(depot, &use->region, &spans);
    for (size_t i = 0; i < spans.count && status == CASTELL_OK; i++)
        for (uint32_t j = 0; j < depot->count && status == CASTELL_OK; j++) {
            struct cst_depot_copy *copy = &spans.list[i]->copies[j];

            if (disturbs(use, copy) || is_peer(acquire, use, copy))
                status = calm(acquire, use, copy);
        }
    cst_spans_drop_locked(depot, &spans);
    return status;
}

static bool is_calm(const struct acquire *acquire,
                    const struct cst_depot_use *use)
{
    struct cst_depot *depot = acquire->depot;

    if (cst_data_index_find(&depot->index, &use->region, &depot->found) !=
        CASTELL_OK)
        return false;
    for (size_t i = 0; i < depot->found.count; i++) {
        struct cst_span *span = (struct cst_span *)(void *)depot->found.list[i];

        for (uint32_t j = 0; j < depot->count; j++)
            if (disturbs(use, &span->copies[j]) ||
                is_peer(acquire, use, &span->copies[j]))
                return false;
    }
    return true;
}

static enum castell_status bring(const struct acquire *acquire,
                                 struct cst_depot_use *use) CST_UNCHECKED
{
    struct cst_depot *depot = acquire->depot;
    struct cst_depot_device *device = acquire->device;
    const struct cst_device_rows rows = {
        .memory = use->memory,
        .memory_pitch = use->region.size,
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): it was made of one */
        .host = (void *)use->region.base,
        .host_pitch = use->region.pitch,
        .size = use->region.size,
        .rows = use->region.rows,
    };
    struct cst_tale tale = {.what = CST_TRACE_COPY_IN,
                            .base = use->region.base,
                            .bytes = rows.size * rows.rows};
    enum castell_status status;
    struct cst_depot_event *begin =
        cst_rate_begin(depot, acquire->slot, tale.bytes);
    struct cst_depot_event *event = NULL;

    cst_lock_drop(&depot->lock);
    cst_tale_begin(depot, device, CST_DEVICE_IN, &tale.told);
    status = device->ops->copy_in(device->handle, &rows);
    cst_tale_end(depot, device, CST_DEVICE_IN, &tale.told);
    /* Without an event it must be over now: nobody could wait for it. */
    if (status == CASTELL_OK &&
        cst_event_record(device, CST_DEVICE_IN, &event) != CASTELL_OK)
        status = device->ops->finish(device->handle, CST_DEVICE_IN);
    cst_lock_take(&depot->lock);
    if (event) {
        event->begin = begin;
        event->bytes = tale.bytes;
    } else {
        cst_event_unref_locked(&begin);
    }
    if (status != CASTELL_OK) {
        cst_tale_drop(device, &tale.told);
        return status;
    }
    cst_event_unref_locked(&use->copy->in);
    use->copy->in = event;
    use->copy->valid = true;
    depot->counters.in++;
    depot->counters.in_bytes += tale.bytes;
    cst_tale_add_locked(depot, device, &tale);
    return CASTELL_OK;
}

/* What it had is to stay in main memory, too. */
static void keep(const struct acquire *acquire, struct cst_depot_use *use)
{
    struct cst_depot *depot = acquire->depot;

    for (uint32_t i = 0; i < depot->count; i++) {
        struct cst_depot_copy *copy = &use->copy->span->copies[i];

        if (copy->dirty && !copy->out && !copy->starting)
            cst_copy_start_back_locked(depot, copy);
        if (copy->out || copy->starting)
            cst_copy_end_back_locked(depot, copy);
    }
}

static enum castell_status get_content(const struct acquire *acquire,
                                       struct cst_depot_use *use)
{
    struct cst_depot_device *device = acquire->device;
    enum castell_status status = CASTELL_OK;

    if (use->keeps && use->reads && use->writes)
        keep(acquire, use);
    if (!is_calm(acquire, use))
        status = calm_all(acquire, use);
    if (status == CASTELL_OK && use->reads && !use->copy->valid)
        status = bring(acquire, use);
    if (status == CASTELL_OK && use->copy->in)
        status = device->ops->queue_wait(device->handle, CST_DEVICE_RUN,
                                         use->copy->in->event);
    return status;
}

/* ---- The whole ----------------------------------------------------------- */

static void unpin(struct cst_depot *depot, struct cst_depot_use *uses,
                  uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct cst_depot_copy *copy = uses[i].copy;

        if (!copy)
            continue;
        uses[i].copy = NULL;
        copy->pins--;
        copy->writers -= uses[i].writes;
        copy->span->users--;
        if (copy->pins == 0 && !copy->valid && !copy->starting)
            cst_copy_detach_locked(depot, copy);
        cst_span_settle_locked(depot, copy->span);
    }
}

static enum castell_status pin(struct cst_depot *depot, uint32_t number,
                               struct cst_depot_use *use)
{
    struct cst_span *span;

    use->copy = NULL;
    if (use->passed)
        return CASTELL_OK;
    span = cst_span_find_locked(depot, &use->region, true);
    if (!span)
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "no memory to keep account of a device's");
    use->copy = &span->copies[number];
    span->users++;
    use->copy->pins++;
    use->copy->writers += use->writes;
    return CASTELL_OK;
}

/* The same region twice takes one block. */
static uint64_t bytes_of(const struct cst_depot_use *uses, uint32_t count)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < count; i++) {
        bool again = uses[i].passed;

        for (uint32_t j = 0; j < i && !again; j++)
            again = cst_region_equal(&uses[i].region, &uses[j].region);
        if (!again)
            bytes += cst_pool_round(cst_region_bytes(&uses[i].region));
    }
    return bytes;
}

enum castell_status cst_depot_acquire(struct cst_depot *depot,
                                      struct cst_depot_device *device,
                                      struct cst_depot_use *uses,
                                      uint32_t uses_count)
{
    const struct acquire acquire = {depot, &depot->slots[device->number],
                                    device};
    enum castell_status status = CASTELL_OK;
    uint32_t pinned = 0;

    if (atomic_load(&device->lost))
        return cst_fail(CASTELL_ERR_NODE_LOST, "%s", device->words);
    cst_lock_take(&depot->lock);
    cst_copy_see_off_locked(depot, acquire.slot);
    cst_tales_tell_locked(depot, acquire.slot);
    for (; pinned < uses_count && status == CASTELL_OK; pinned++)
        status = pin(depot, device->number, &uses[pinned]);
    for (uint32_t i = 0; i < uses_count && status == CASTELL_OK; i++)
        if (!uses[i].passed)
            status = get_block(&acquire, &uses[i]);
    for (uint32_t i = 0; i < uses_count && status == CASTELL_OK; i++)
        if (!uses[i].passed)
            status = get_content(&acquire, &uses[i]);
    if (status != CASTELL_OK)
        unpin(depot, uses, pinned);
    cst_lock_drop(&depot->lock);
    if (status == CASTELL_ERR_LIMIT &&
        bytes_of(uses, uses_count) > device->capacity)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "it needs %llu bytes of device memory at one time, and "
                        "of %s tasks may have %llu",
                        (unsigned long long)bytes_of(uses, uses_count),
                        device->info.name,
                        (unsigned long long)device->capacity);
    return status;
}

static void end_use(struct cst_depot_slot *slot, struct cst_depot_use *use,
                    enum cst_depot_end end, bool lost)
{
    struct cst_depot_copy *copy = use->copy;

    if (!copy)
        return;
    if (end == CST_DEPOT_DONE && copy->in && !lost)
        cst_rate_measured_locked(slot, copy->in);
    if (end != CST_DEPOT_NOT_RUN && copy->in)
        cst_event_unref_locked(&copy->in); /* it was waited for */
    if (end == CST_DEPOT_DONE && use->writes)
        copy->valid = copy->dirty = !lost;
    if (end == CST_DEPOT_DONE && use->writes && lost)
        copy->lost = true;
    if (end == CST_DEPOT_UNDONE && use->writes)
        copy->valid = copy->dirty = false;
    if (end == CST_DEPOT_DONE && use->deletes)
        copy->dirty = copy->valid = false;
}

void cst_depot_release(struct cst_depot *depot, struct cst_depot_device *device,
                       struct cst_depot_use *uses, uint32_t uses_count,
                       enum cst_depot_end end)
{
    bool lost = atomic_load(&device->lost);

    cst_lock_take(&depot->lock);
    for (uint32_t i = 0; i < uses_count; i++)
        end_use(&depot->slots[device->number], &uses[i], end, lost);
    unpin(depot, uses, uses_count);
    cst_tales_tell_locked(depot, &depot->slots[device->number]);
    cst_lock_drop(&depot->lock);
}

uint64_t cst_depot_missing(struct cst_depot *depot,
                           const struct cst_depot_device *device,
                           const struct cst_depot_use *uses,
                           uint32_t uses_count)
{
    uint64_t bytes = 0;

    cst_lock_take(&depot->lock);
    for (uint32_t i = 0; i < uses_count; i++) {
        const struct cst_span *span;
        uint64_t own = cst_region_bytes(&uses[i].region);

        if (uses[i].passed || !uses[i].reads)
            continue;
        span = cst_span_find_locked(depot, &uses[i].region, false);
        if (span && span->copies[device->number].valid)
            continue;
        bytes += own;
        for (uint32_t j = 0; span && j < depot->count; j++)
            bytes += span->copies[j].dirty ? own : 0;
    }
    cst_lock_drop(&depot->lock);
    return bytes;
}
