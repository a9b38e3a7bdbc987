/*
 * graph.h - which task waits for which, and what becomes ready when.
 *
 * Layer: graph. May include base. Knows nothing of regions, threads or nodes.
 *
 * Owner: whoever holds the baton. No function here locks, allocates, blocks or
 * calls back.
 *
 * Dependences are not edges between tasks but queues at places. A place stands
 * for bytes that are always accessed as a whole (data/ decides which). Its
 * queue is a list of epochs; an epoch is a set of holds that may be satisfied
 * together: any number of readers, or one writer, or any number of concurrent,
 * commutative or reduction accesses. The first epoch, the head, is the active
 * one: its holds are satisfied and only counted. The later ones wait, linked
 * through the holds themselves. When the head's count falls to zero the next
 * epoch becomes the head, and each of its tasks waits for one hold less. So
 * joining costs O(1), and leaving O(the holds that it satisfies), whatever the
 * number of readers.
 *
 * The graph has no cycle because a hold waits only for holds that joined
 * before it.
 */
#ifndef CST_GRAPH_GRAPH_H
#define CST_GRAPH_GRAPH_H

#include "castell.h"

#include <stdbool.h>
#include <stdint.h>

struct cst_task;
struct cst_hold;

/* What the holds of an epoch do. Only equal kinds share an epoch. */
enum cst_epoch {
    CST_EPOCH_NONE = 0, /* of a place whose queue is empty */
    CST_EPOCH_READ,
    CST_EPOCH_WRITE, /* never shared */
    CST_EPOCH_CONCURRENT,
    CST_EPOCH_COMMUTATIVE,
    CST_EPOCH_REDUCTION,
    CST_EPOCH_FOLLOW, /* pieces of a split place, see cst_place_follow() */
};

/*
 * The queue of one place.
 *
 * Invariants, checked by cst_place_check():
 *   - active == 0 exactly when the queue is empty: then waiting == NULL and
 *     head_epoch == CST_EPOCH_NONE;
 *   - waiting is the opener of the second epoch; tail the opener of the last
 *     waiting epoch and tail_last the last hold in it; NULL together;
 *   - split is true exactly when the last epoch is one of followers.
 */
struct cst_place {
    uint32_t active;    /* unfinished holds of the head epoch */
    uint8_t head_epoch; /* enum cst_epoch */
    bool taken;         /* a commutative hold of the head has the place */
    bool poisoned;      /* the last writer was cancelled or failed */
    bool recent;        /* joined since data/ last cleared this */
    bool split;         /* into pieces that follow; nothing joins any more */
    uint32_t reduction; /* the engine's: number of the open reduction whose
                           accesses are the last in the queue; 0: none.
                           Followers inherit it */
    struct cst_hold *waiting;
    struct cst_hold *tail;
    struct cst_hold *tail_last;
    struct cst_task *wanting; /* satisfied commutative tasks that did not get
                                 the place, linked through next */
};

/* One access of one task at one place. Lives in the task. */
struct cst_hold {
    struct cst_place *place;
    struct cst_hold *next;  /* the next hold of the same waiting epoch */
    struct cst_hold *later; /* openers: the opener of the next epoch */
    struct cst_task *task;
    uint8_t epoch;  /* enum cst_epoch */
    bool reads : 1; /* what the place held before */
    bool writes : 1;
    uint8_t pointer; /* of castell_access; the graph reads neither this */
    uint8_t mode;    /* nor this: enum castell_mode */
    uint32_t user;   /* free for the owner of the hold */
};

/* A list of tasks, linked through cst_task.next, oldest first. */
struct cst_task_list {
    struct cst_task *first;
    struct cst_task *last;
};

void cst_place_init(struct cst_place *place);

/* Is the queue empty, so that the place may be forgotten? */
static inline bool cst_place_idle(const struct cst_place *place)
{
    return place->active == 0;
}

/*
 * Join the queue. Returns whether the hold is satisfied at once; if not, the
 * caller has counted it in the task's waits_for. place, task, epoch, reads
 * and writes are set by the caller; hold is kept until it leaves.
 */
bool cst_place_join(struct cst_place *place, struct cst_hold *hold);

/*
 * A satisfied hold ends. Appends to ready the tasks that now wait for nothing.
 * `poison`: what it was to write was not written.
 */
void cst_place_leave(struct cst_place *place, struct cst_hold *hold,
                     bool poison, struct cst_task_list *ready);

/*
 * Make `place`, whose queue is empty, follow `old`: all that joins it from now
 * on waits until old's queue has ended, and it inherits old's poison. Only
 * readers that come first to `place` run together with readers that come last
 * to old. Call it for each piece of a place that is split; nothing but
 * followers may join old again. follower is kept until old is idle. Where old
 * is idle already nothing has to wait, and follower is not used.
 */
void cst_place_follow(struct cst_place *old, struct cst_place *place,
                      struct cst_hold *follower);

/*
 * Take all commutative places of a task that waits for nothing any more, or
 * none: then it is put to the first place that another task has, and comes
 * back in the `ready` of cst_place_leave() when it may try again. `ready` gets
 * the tasks that may try because this one gave way.
 */
bool cst_task_take_places(struct cst_task *task, struct cst_task_list *ready);

/* Abort unless the invariants of struct cst_place hold. */
void cst_place_check(const struct cst_place *place);

#endif
