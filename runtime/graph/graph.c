#include "graph/graph.h"

#include "base/fail.h"
#include "graph/task.h"

#include <string.h>

void cst_place_init(struct cst_place *place)
{
    memset(place, 0, sizeof(*place));
}

static bool joins_tail(const struct cst_place *place,
                       const struct cst_hold *hold)
{
    enum cst_epoch tail = place->tail ? place->tail->epoch : place->head_epoch;

    return tail == hold->epoch && tail != CST_EPOCH_WRITE;
}

static void append(struct cst_place *place, struct cst_hold *hold)
{
    hold->next = NULL;
    hold->later = NULL;
    if (place->tail && joins_tail(place, hold)) {
        place->tail_last->next = hold;
    } else {
        if (place->tail)
            place->tail->later = hold;
        else
            place->waiting = hold;
        place->tail = hold;
    }
    place->tail_last = hold;
}

bool cst_place_join(struct cst_place *place, struct cst_hold *hold)
{
    place->recent = true;
    if (place->active == 0) {
        place->active = 1;
        place->head_epoch = hold->epoch;
        return true;
    }
    if (!place->waiting && joins_tail(place, hold)) {
        place->active++;
        return true;
    }
    append(place, hold);
    return false;
}

/*
 * Followers, linked through `later`, whose places are to hear what happened to
 * the one that was split. A list, since they may have been split as well.
 */
struct news {
    struct cst_hold *reading; /* it is only read any more, so read with it */
    struct cst_hold *ended;
};

static void tell(const struct cst_place *old, struct cst_hold *followers,
                 struct cst_hold **list)
{
    for (struct cst_hold *hold = followers; hold; hold = hold->next) {
        hold->place->poisoned = old->poisoned;
        hold->later = *list;
        *list = hold;
    }
}

static struct cst_hold *hear(struct cst_hold **list)
{
    struct cst_hold *hold = *list;

    *list = hold->later;
    hold->later = NULL;
    return hold;
}

/* Does nothing come any more but readers, and then the followers? */
static bool is_only_read(const struct cst_place *place)
{
    return place->split && place->head_epoch == CST_EPOCH_READ &&
           place->waiting && place->waiting->epoch == CST_EPOCH_FOLLOW;
}

/* Let the first waiting epoch be the head, or join it. */
/*
 * With many tasks in flight the next in a queue was last touched when it was
 * submitted, and is in no cache. Its turn comes when the ones before have run:
 * time enough to bring it. A task lies before its first access.
 */
static void bring(const struct cst_hold *next)
{
    __builtin_prefetch((const char *)next - sizeof(struct cst_task), 1);
    __builtin_prefetch((const char *)next - sizeof(struct cst_task) / 2, 1);
    __builtin_prefetch(next, 1);
}

static void open_next(struct cst_place *place, struct news *news,
                      struct cst_task_list *ready)
{
    struct cst_hold *opener = place->waiting;

    place->waiting = opener->later;
    if (place->waiting)
        bring(place->waiting);
    else
        place->tail = place->tail_last = NULL;
    if (opener->epoch == CST_EPOCH_FOLLOW) {
        place->split = false;
        tell(place, opener, &news->ended);
        return;
    }
    place->head_epoch = opener->epoch;
    for (struct cst_hold *hold = opener; hold; hold = hold->next) {
        place->active++;
        if (--hold->task->waits_for == 0)
            cst_task_list_append(ready, hold->task);
    }
    if (is_only_read(place))
        tell(place, place->waiting, &news->reading);
}

/* The place before this one has come to its last readers. */
static void read_along(struct cst_place *place, struct news *news,
                       struct cst_task_list *ready)
{
    CST_ASSERT(place->head_epoch == CST_EPOCH_FOLLOW && place->active == 1);
    place->head_epoch = CST_EPOCH_READ;
    if (place->waiting && place->waiting->epoch == CST_EPOCH_READ)
        open_next(place, news, ready);
    else if (is_only_read(place))
        tell(place, place->waiting, &news->reading);
}

/* One hold of the head has ended. */
static void end_one(struct cst_place *place, struct news *news,
                    struct cst_task_list *ready)
{
    if (--place->active > 0)
        return;
    place->head_epoch = CST_EPOCH_NONE;
    if (place->waiting)
        open_next(place, news, ready);
}

/* Let one of the tasks that did not get a place try again. */
static void retry_one(struct cst_place *place, struct cst_task_list *ready)
{
    struct cst_task *task = place->wanting;

    if (!task)
        return;
    place->wanting = task->next;
    cst_task_list_append(ready, task);
}

void cst_place_leave(struct cst_place *place, struct cst_hold *hold,
                     bool poison, struct cst_task_list *ready)
{
    struct news news = {NULL, NULL};

    if (hold->writes) {
        if (poison)
            place->poisoned = true;
        else if (!hold->reads)
            place->poisoned = false;
    }
    if (hold->epoch == CST_EPOCH_COMMUTATIVE) {
        if (hold->task->flags & CST_TASK_TAKEN)
            place->taken = false;
        /* Also for one that did not take it: it may have come back to try in
           place of another, and be cancelled now. */
        if (!place->taken)
            retry_one(place, ready);
    }
    end_one(place, &news, ready);
    while (news.reading || news.ended)
        if (news.reading)
            read_along(hear(&news.reading)->place, &news, ready);
        else
            end_one(hear(&news.ended)->place, &news, ready);
}

void cst_place_follow(struct cst_place *old, struct cst_place *place,
                      struct cst_hold *follower)
{
    CST_ASSERT(place->active == 0 && !place->waiting);
    place->reduction = old->reduction;
    place->poisoned = old->poisoned;
    if (old->active == 0)
        return;
    *follower = (struct cst_hold){.place = place, .epoch = CST_EPOCH_FOLLOW};
    append(old, follower);
    old->split = true;
    place->active = 1;
    place->head_epoch = is_only_read(old) ? CST_EPOCH_READ : CST_EPOCH_FOLLOW;
}

/* Visit the commutative holds of a task: all that are its own, then `more`. */
static struct cst_place *next_commutative(struct cst_task *task, uint32_t *at,
                                          struct cst_hold_chunk **chunk)
{
    for (;;) {
        uint32_t count = *chunk ? (*chunk)->count : task->accesses_count;
        struct cst_hold *hold;

        if (*at == count) {
            *chunk = *chunk ? (*chunk)->next : task->more;
            *at = 0;
            if (!*chunk)
                return NULL;
            continue;
        }
        hold =
            *chunk ? &(*chunk)->holds[*at] : &cst_task_accesses(task)[*at].hold;
        (*at)++;
        if (hold->epoch == CST_EPOCH_COMMUTATIVE)
            return hold->place;
    }
}

bool cst_task_take_places(struct cst_task *task, struct cst_task_list *ready)
{
    struct cst_hold_chunk *chunk = NULL;
    struct cst_place *busy = NULL;
    struct cst_place *place;
    uint32_t at = 0;

    while (!busy && (place = next_commutative(task, &at, &chunk)))
        if (place->taken)
            busy = place;
    at = 0;
    chunk = NULL;
    while ((place = next_commutative(task, &at, &chunk))) {
        if (!busy)
            place->taken = true;
        else if (!place->taken)
            retry_one(place, ready); /* this task gives way */
    }
    if (busy) {
        task->next = busy->wanting;
        busy->wanting = task;
        return false;
    }
    task->flags |= CST_TASK_TAKEN;
    return true;
}

static uint32_t check_epoch(const struct cst_hold *opener,
                            const struct cst_hold **ret_last)
{
    uint32_t count = 0;

    for (const struct cst_hold *hold = opener; hold; hold = hold->next) {
        CST_ASSERT(hold->epoch == opener->epoch);
        CST_ASSERT(hold == opener || !hold->later);
        CST_ASSERT(!hold->task == (hold->epoch == CST_EPOCH_FOLLOW));
        *ret_last = hold;
        count++;
    }
    return count;
}

void cst_place_check(const struct cst_place *place)
{
    const struct cst_hold *tail = NULL;
    const struct cst_hold *last = NULL;

    CST_ASSERT((place->active == 0) == (place->head_epoch == CST_EPOCH_NONE));
    CST_ASSERT(place->active > 0 || !place->waiting);
    CST_ASSERT(!place->taken || place->head_epoch == CST_EPOCH_COMMUTATIVE);
    for (const struct cst_hold *hold = place->waiting; hold;
         hold = hold->later) {
        uint32_t count = check_epoch(hold, &last);

        CST_ASSERT(count == 1 || hold->epoch != CST_EPOCH_WRITE);
        CST_ASSERT(hold->epoch != CST_EPOCH_FOLLOW || !hold->later);
        tail = hold;
    }
    CST_ASSERT(place->split == (tail && tail->epoch == CST_EPOCH_FOLLOW));
    CST_ASSERT(!place->wanting || place->head_epoch == CST_EPOCH_COMMUTATIVE);
    CST_ASSERT(place->tail == tail);
    CST_ASSERT(place->tail_last == last);
}
