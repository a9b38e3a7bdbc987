/*
 * Copies are written back to main memory, by a queue of their own. Two may wait
 * for one: the first who sees that it is over says so.
 */
#include "base/fail.h"
#include "depot/depot_internal.h"

static void rows_of(const struct cst_depot_copy *copy,
                    struct cst_device_rows *ret_rows)
{
    const struct cst_region *region = cst_span_region(copy->span);

    *ret_rows = (struct cst_device_rows){
        .memory = copy->block->memory,
        .memory_pitch = region->size,
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): it was made of one */
        .host = (void *)region->base,
        .host_pitch = region->pitch,
        .size = region->size,
        .rows = region->rows,
    };
}

/* Its content cannot be had any more. */
static void lose_locked(struct cst_depot_copy *copy)
{
    copy->lost = copy->lost || copy->dirty;
    copy->dirty = copy->valid = false;
}

void cst_copy_start_back_locked(struct cst_depot *depot,
                                struct cst_depot_copy *copy) CST_UNCHECKED
{
    struct cst_depot_device *device =
        &depot->slots[cst_copy_number(copy)].device;
    struct cst_depot_event *event = NULL;
    struct cst_tale tale = {.what = CST_TRACE_COPY_OUT};
    struct cst_device_rows rows;
    enum castell_status status;
    bool over;

    CST_ASSERT(copy->dirty && copy->block && !copy->out && !copy->starting);
    rows_of(copy, &rows);
    copy->starting = true;
    copy->pins++;
    copy->span->users++;
    tale.base = cst_span_region(copy->span)->base;
    tale.bytes = rows.size * rows.rows;
    cst_lock_drop(&depot->lock);
    cst_tale_begin(depot, device, CST_DEVICE_OUT, &tale.told);
    status = device->ops->copy_out(device->handle, &rows);
    cst_tale_end(depot, device, CST_DEVICE_OUT, &tale.told);
    over = status == CASTELL_OK &&
           cst_event_record(device, CST_DEVICE_OUT, &event) != CASTELL_OK;
    if (over) /* nobody could wait for it later */
        status = device->ops->finish(device->handle, CST_DEVICE_OUT);
    if (status != CASTELL_OK)
        cst_depot_lose(depot, device); /* it can do nothing for us any more */
    cst_lock_take(&depot->lock);
    copy->span->users--;
    copy->pins--;
    copy->starting = false;
    copy->out = event;
    if (status != CASTELL_OK)
        lose_locked(copy);
    else if (over)
        copy->dirty = false;
    depot->counters.out++;
    depot->counters.out_bytes += tale.bytes;
    cst_tale_add_locked(depot, device, &tale);
    (void)pthread_cond_broadcast(&depot->changed);
}

/* Wait for an event, without the lock; it is used meanwhile. */
static enum castell_status
wait_locked(struct cst_depot *depot,
            struct cst_depot_event *event) CST_UNCHECKED
{
    struct cst_depot_device *device = event->device;
    enum castell_status status;

    event->users++;
    cst_lock_drop(&depot->lock);
    status = device->ops->event_wait(device->handle, event->event);
    if (status == CASTELL_ERR_NODE_LOST)
        cst_depot_lose(depot, device);
    cst_lock_take(&depot->lock);
    return status;
}

void cst_copy_end_back_locked(struct cst_depot *depot,
                              struct cst_depot_copy *copy)
{
    struct cst_depot_event *event;
    enum castell_status status;

    copy->span->users++;
    while (copy->starting)
        (void)pthread_cond_wait(&depot->changed, &depot->lock.mutex);
    event = copy->out;
    if (event) {
        status = wait_locked(depot, event);
        if (copy->out == event) { /* we are the first to see it */
            if (status == CASTELL_OK)
                copy->dirty = false;
            else
                lose_locked(copy);
            cst_event_unref_locked(&copy->out);
        }
        cst_event_unref_locked(&event);
        cst_tales_tell_locked(depot, &depot->slots[cst_copy_number(copy)]);
    }
    copy->span->users--;
}

void cst_copy_end_in_locked(struct cst_depot *depot,
                            struct cst_depot_copy *copy)
{
    struct cst_depot_event *event = copy->in;

    copy->span->users++;
    if (wait_locked(depot, event) != CASTELL_OK)
        copy->valid = false;
    if (copy->in == event)
        cst_event_unref_locked(&copy->in);
    cst_event_unref_locked(&event);
    copy->span->users--;
}

void cst_copy_leave_locked(struct cst_depot *depot, struct cst_depot_copy *copy)
{
    struct cst_depot_slot *slot = &depot->slots[cst_copy_number(copy)];

    if (!copy->out || copy->leaves)
        return;
    copy->leaves = true;
    copy->leaves_later = NULL;
    copy->span->users++;
    if (slot->leaves_last)
        slot->leaves_last->leaves_later = copy;
    else
        slot->leaves_first = copy;
    slot->leaves_last = copy;
}

/* Has it been written back, or is it known that it cannot be? */
static bool has_left(struct cst_depot *depot, struct cst_depot_copy *copy)
{
    struct cst_depot_event *event = copy->out;
    bool over = false;
    enum castell_status status;

    if (copy->starting)
        return false;
    if (!event)
        return true;
    status = event->device->ops->event_query(event->device->handle,
                                             event->event, &over);
    if (status == CASTELL_ERR_NODE_LOST)
        cst_depot_lose_locked(depot, event->device);
    if (status != CASTELL_OK)
        lose_locked(copy);
    else if (over)
        copy->dirty = false;
    else
        return false;
    cst_event_unref_locked(&copy->out);
    return true;
}

void cst_copy_see_off_locked(struct cst_depot *depot,
                             struct cst_depot_slot *slot)
{
    struct cst_depot_copy *copy;

    while ((copy = slot->leaves_first) && has_left(depot, copy)) {
        slot->leaves_first = copy->leaves_later;
        if (!slot->leaves_first)
            slot->leaves_last = NULL;
        copy->leaves = false;
        copy->span->users--;
        cst_span_settle_locked(depot, copy->span);
    }
}

void cst_copy_drop_locked(struct cst_depot *depot, struct cst_depot_copy *copy)
{
    copy->dirty = copy->valid = copy->lost = false;
    if (copy->pins == 0)
        cst_copy_detach_locked(depot, copy);
}
