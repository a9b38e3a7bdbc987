/*
 * worker.h - the hands of a node: threads that run tasks.
 *
 * Layer: worker.
 *
 * Executor 0 is the main thread while it waits; the others are threads of the
 * worker's, each bound to its core. Any other thread that waits helps as well:
 * it takes tasks from the executors' desks.
 */
#ifndef CST_WORKER_WORKER_H
#define CST_WORKER_WORKER_H

#include "castell.h"
#include "engine/engine.h"
#include "topo/topo.h"

struct cst_worker;

/* What the calling thread is to the runtime. */
struct cst_self {
    struct cst_worker *worker;
    struct cst_port *port;      /* NULL: the thread is unknown so far */
    struct cst_task *task;      /* whose body it runs; NULL outside of bodies */
    struct cst_group *group;    /* that its submissions belong to */
    struct group_frame *frames; /* of groups, innermost first; api's */
    void *escape;    /* innermost place that an exit() goes back to */
    char *stack_low; /* of what a nested body may use */
};

struct cst_self *cst_self(void);

/*
 * Start the executors. The calling thread becomes executor 0: main.
 * Fails with CASTELL_ERR_SYSTEM when a thread cannot be made.
 */
CASTELL_MUST_CHECK enum castell_status
cst_worker_start(struct cst_engine *engine, const struct cst_topo *topo,
                 uint32_t executors, struct cst_worker **ret_worker);

/* Stop them and free everything; all tasks have ended. */
void cst_worker_stop(struct cst_worker *worker);

/* Make the calling thread known, if it is not. */
CASTELL_MUST_CHECK enum castell_status
cst_worker_enter(struct cst_worker *worker, struct cst_self **ret_self);

/* Run tasks until the wait is over. */
void cst_worker_wait(struct cst_self *self, const struct cst_wait *wait);

/* Run one task, to its end, in this thread, and tell the engine. */
void cst_worker_run(struct cst_self *self, struct cst_task *task);

/*
 * The body that this thread runs is about to wait: others may have what it
 * holds, if it holds anything. Then, after the wait, it must regain that.
 */
bool cst_worker_lend(struct cst_self *self);
void cst_worker_regain(struct cst_self *self);

/* exit() was called: if it was in a body, it fails that and does not return. */
void cst_worker_exit(int status);

#endif
