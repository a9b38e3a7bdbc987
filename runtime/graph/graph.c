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
 * Make the next epoch of a place whose head has ended its head. Followers that
 * this satisfies are put before `ended`, linked through later, and the whole
 * list is returned.
 */
static struct cst_hold *open_next(struct cst_place *place,
                                  struct cst_hold *ended,
                                  struct cst_task_list *ready)
{
    struct cst_hold *opener = place->waiting;
    struct cst_hold *next;

    place->head_epoch = CST_EPOCH_NONE;
    if (!opener)
        return ended;
    place->waiting = opener->later;
    if (!place->waiting)
        place->tail = place->tail_last = NULL;
    place->head_epoch = opener->epoch;

    for (struct cst_hold *hold = opener; hold; hold = next) {
        next = hold->next;
        if (!hold->task) { /* a follower: hold->place follows this place */
            hold->place->poisoned = place->poisoned;
            hold->later = ended;
            ended = hold;
            continue;
        }
        place->active++;
        if (--hold->task->waits_for == 0)
            cst_task_list_append(ready, hold->task);
    }
    if (place->active == 0)
        place->head_epoch = CST_EPOCH_NONE;
    return ended;
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
    struct cst_hold *ended = NULL;

    if (hold->writes) {
        if (poison)
            place->poisoned = true;
        else if (!hold->reads)
            place->poisoned = false;
    }
    if (hold->epoch == CST_EPOCH_COMMUTATIVE &&
        (hold->task->flags & CST_TASK_TAKEN)) {
        place->taken = false;
        retry_one(place, ready);
    }
    if (--place->active > 0)
        return;

    for (;;) {
        ended = open_next(place, ended, ready);
        if (!ended)
            return;
        place = ended->place;
        ended = ended->later;
        CST_ASSERT(place->active == 1);
        place->active = 0;
    }
}

void cst_place_follow(struct cst_place *old, struct cst_place *place,
                      struct cst_hold *follower)
{
    CST_ASSERT(place->active == 0);
    place->reduction = old->reduction;
    if (old->active == 0) {
        place->poisoned = old->poisoned;
        return;
    }
    memset(follower, 0, sizeof(*follower));
    follower->place = place;
    follower->epoch = CST_EPOCH_FOLLOW;
    place->active = 1;
    place->head_epoch = CST_EPOCH_FOLLOW;
    /* Where the head already consists of nothing but followers, old would be
       idle: open_next() never leaves it so. */
    append(old, follower);
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
        tail = hold;
    }
    CST_ASSERT(place->tail == tail);
    CST_ASSERT(place->tail_last == last);
}
