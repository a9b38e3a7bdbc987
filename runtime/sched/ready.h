/*
 * ready.h - the tasks that may run, in the order in which they should.
 *
 * Layer: sched. May include base, graph. Pure.
 *
 * Owner: whoever holds the baton.
 *
 * First those with a deadline, the earliest first; then by priority, the
 * highest first; then by age. Tasks with neither are many and need no heap:
 * they wait in a list of their own.
 */
#ifndef CST_SCHED_READY_H
#define CST_SCHED_READY_H

#include "castell.h"
#include "graph/task.h"

struct cst_ready_entry {
    uint64_t deadline_ns; /* absolute; UINT64_MAX: none */
    int32_t priority;
    uint64_t order;
    struct cst_task *task;
};

struct cst_ready {
    struct cst_task_list plain;
    size_t plain_count;
    struct cst_ready_entry *heap;
    size_t heap_count;
    size_t heap_max;
    uint64_t order;       /* of the youngest */
    uint64_t order_again; /* of the oldest that was added again */
};

void cst_ready_init(struct cst_ready *ready);
void cst_ready_release(struct cst_ready *ready);

static inline void cst_ready_add_plain(struct cst_ready *ready,
                                       struct cst_task *task)
{
    cst_task_list_append(&ready->plain, task);
    ready->plain_count++;
}

/* Put a plain task before all other plain ones. */
static inline void cst_ready_add_first(struct cst_ready *ready,
                                       struct cst_task *task)
{
    task->next = ready->plain.first;
    ready->plain.first = task;
    if (!ready->plain.last)
        ready->plain.last = task;
    ready->plain_count++;
}

/*
 * Add a task with a deadline (absolute, or UINT64_MAX) or a priority. Where
 * memory for its place in the order is refused it becomes a plain one.
 */
void cst_ready_add_ordered(struct cst_ready *ready, struct cst_task *task,
                           uint64_t deadline_ns);

/*
 * Add a task that was taken, and is older than all of its priority. Else the
 * same.
 */
void cst_ready_add_again(struct cst_ready *ready, struct cst_task *task,
                         uint64_t deadline_ns);

/* Move all tasks with that flag to a list. Looks at each. */
void cst_ready_take_flagged(struct cst_ready *ready, uint32_t flag,
                            struct cst_task_list *list);

/* Take the task that should run first, or NULL. */
struct cst_task *cst_ready_take(struct cst_ready *ready);

static inline bool cst_ready_is_ordered(const struct cst_ready *ready)
{
    return ready->heap_count > 0;
}

static inline size_t cst_ready_count(const struct cst_ready *ready)
{
    return ready->plain_count + ready->heap_count;
}

#endif
