/*
 * task.h - one submitted call, as every room sees it.
 *
 * Layer: graph.
 *
 * Owner: the thread that submits fills a task in; from then on whoever holds
 * the baton owns it, except that the executor that runs it reads it while it
 * is CST_TASK_RUNNING and writes `result`.
 *
 * In memory a task is this struct, then accesses_count accesses, then the
 * argument, aligned to 16.
 */
#ifndef CST_GRAPH_TASK_H
#define CST_GRAPH_TASK_H

#include "castell.h"
#include "graph/graph.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct cst_kind;       /* sched/kind.h */
struct cst_group;      /* engine */
struct cst_task_extra; /* engine: what few tasks have */

enum cst_task_state {
    CST_TASK_FREE = 0,
    CST_TASK_SUBMITTED, /* filled in; not yet seen by the engine */
    CST_TASK_WAITING,   /* for holds */
    CST_TASK_READY,     /* for an executor, or for resources */
    CST_TASK_RUNNING,   /* given to an executor */
    CST_TASK_RETURNED,  /* its body has; its children have not */
};

/* How the last task of a slot ended. */
enum cst_task_end {
    CST_TASK_ENDED = 0,
    CST_TASK_ENDED_CANCELLED = 1,
    CST_TASK_ENDED_FAILED = 2,
    CST_TASK_ENDED_IGNORED = 3, /* it failed; what it wrote is there */
    CST_TASK_END_MASK = 3,
};

enum cst_task_flags {
    CST_TASK_CANCELLED = 1 << 0,   /* its body is not to run (any more) */
    CST_TASK_FAILED = 1 << 1,      /* for good */
    CST_TASK_POISONS = 1 << 2,     /* what it was to write is poisoned */
    CST_TASK_EXCLUSIVE = 1 << 3,   /* has commutative accesses */
    CST_TASK_REDUCES = 1 << 4,     /* has reduction accesses */
    CST_TASK_FINAL = 1 << 5,       /* what its body submits is undeferred */
    CST_TASK_SIGNAL = 1 << 6,      /* no body: tells a waiting thread */
    CST_TASK_ORDERED = 1 << 7,     /* has a priority or a deadline */
    CST_TASK_CONSTRAINED = 1 << 8, /* needs more than one core of any node */
    CST_TASK_TAKEN = 1 << 9,       /* holds its commutative places */
    CST_TASK_INLINE = 1 << 10,     /* undeferred: its submitter runs it */
    CST_TASK_INTERNAL = 1 << 11,   /* the engine's own; nobody counts it */
    CST_TASK_DELETES = 1 << 12,    /* has IN_DELETE accesses */
    CST_TASK_ADMITTED = 1 << 13,   /* holds what its constraint demands */
    CST_TASK_GATHERS = 1 << 14,    /* needs several cores */
    CST_TASK_LENDS = 1 << 15,      /* has lent what it held, while it waits */
    CST_TASK_CHOSEN = 1 << 16,     /* its choice was counted */
    CST_TASK_GUEST = 1 << 17,   /* the plan sent it here: it has no holds, and
                                      one attempt */
    CST_TASK_SUSPECT = 1 << 18, /* a guest that may crash: in a child process */
    CST_TASK_RECALLED = 1 << 20, /* a guest that is to go back */
    CST_TASK_HOME = 1 << 19,     /* SIGNAL: for all that tasks wrote */
    CST_TASK_FILES = 1 << 21,    /* names files: extra->uses */
};

/* One access of a task: what it names, and its hold on (the first) place. */
struct cst_access {
    struct cst_hold hold; /* hold.user is the number of rows; that of further
                             holds, in `more`, the number of the access */
    void *base;           /* what the body gets in buffers[] */
    size_t size;
    size_t pitch;
};

struct cst_task {
    struct cst_task *next; /* in the one list it is in */
    uint32_t waits_for;    /* holds not yet satisfied */
    uint32_t flags;        /* enum cst_task_flags */
    struct cst_kind *kind;
    struct cst_task *parent; /* the body that submitted it, or the root */
    uint64_t id;             /* unique in the run; never 0 */
    struct cst_group *group; /* NULL: in none */
    uint32_t accesses_count;
    int32_t priority;
    uint8_t state;                /* enum cst_task_state */
    uint8_t size_class;           /* of its memory */
    uint8_t depth;                /* of nesting; 0 for the root */
    uint8_t choice;               /* which implementation of its kind */
    uint32_t attempt;             /* that runs, from 1 */
    struct cst_task_extra *extra; /* NULL: has none of it */
    struct cst_hold_chunk *more;  /* holds on further places */
    const char *where;            /* it was submitted, "file.c:31"; or NULL */
    /* The tasks that its body submitted, and the ends of their reductions.
       The body's thread writes the first, the baton's holder the others. The
       root's are counted by the engine, for several threads submit them. */
    uint32_t children_submitted;
    uint32_t folds_submitted;
    uint32_t argument_size;
    /* From here on atomic, and readable for ever: a thread whose wait is over
       may be looked at once more. The first two only ever grow. */
    _Atomic(uint64_t) generation; /* 4 x the tasks that have ended in this
                                     slot + enum cst_task_end of the last */
    _Atomic(uint64_t) go;         /* times that it was told to go on */
    _Atomic(uint64_t) children_finished;
};

/* Holds of a task beyond one an access: for regions of several fragments. */
struct cst_hold_chunk {
    struct cst_hold_chunk *next;
    uint32_t count;
    struct cst_hold holds[];
};

static inline struct cst_access *cst_task_accesses(struct cst_task *task)
{
    return (struct cst_access *)(void *)(task + 1);
}

/* From the start of a task to its argument. Tasks are aligned to 16 or more. */
static inline size_t cst_task_argument_offset(size_t accesses_count)
{
    size_t end =
        sizeof(struct cst_task) + accesses_count * sizeof(struct cst_access);

    return (end + 15) & ~(size_t)15;
}

static inline void *cst_task_argument(struct cst_task *task)
{
    return (char *)task + cst_task_argument_offset(task->accesses_count);
}

static inline void cst_task_list_append(struct cst_task_list *list,
                                        struct cst_task *task)
{
    task->next = NULL;
    if (list->last)
        list->last->next = task;
    else
        list->first = task;
    list->last = task;
}

static inline struct cst_task *cst_task_list_take(struct cst_task_list *list)
{
    struct cst_task *task = list->first;

    if (task) {
        list->first = task->next;
        if (!list->first)
            list->last = NULL;
    }
    return task;
}

#endif
