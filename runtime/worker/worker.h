/*
 * worker.h - the hands of a node: threads that run tasks.
 *
 * Layer: worker.
 *
 * Each executor has a desk. Those from 1 on are threads of the worker's, each
 * bound to its core. At the first desk sits the main thread, or another of the
 * program, while it waits; where several wait, the others just wait.
 */
#ifndef CST_WORKER_WORKER_H
#define CST_WORKER_WORKER_H

#include "castell.h"
#include "engine/engine.h"
#include "topo/topo.h"

struct cst_worker;

/* A group that was begun and not yet ended. */
struct cst_frame {
    struct cst_frame *outer;
    struct cst_group *group; /* that was in force before */
    struct cst_task *task;   /* whose body began it, or NULL */
};

/* What the calling thread is to the runtime. */
struct cst_self {
    uint64_t run; /* number of the run that the rest is of; 0: none */
    struct cst_worker *worker;
    struct cst_port *port;
    struct cst_port *seat;    /* whose desk it serves at; or NULL */
    struct cst_task *task;    /* whose body it runs; NULL outside of bodies */
    struct cst_group *group;  /* that its submissions belong to */
    struct cst_frame *frames; /* of groups, innermost first */
    void *escape;             /* innermost place that an exit() goes back to */
    char *stack_low;          /* of what a nested body may use */
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

/* Of the worker's run: 1 for the first of the process, 2 for the next. */
uint64_t cst_worker_run_number(const struct cst_worker *worker);

/* Free what groups the thread has begun since `outer`, and not ended. */
void cst_worker_drop_frames(struct cst_self *self, struct cst_frame *outer);

/* Make the calling thread known, which is not. */
CASTELL_MUST_CHECK enum castell_status
cst_worker_enter(struct cst_worker *worker, struct cst_self **ret_self);

/* Run tasks until the wait is over. */
void cst_worker_wait(struct cst_self *self, const struct cst_wait *wait);

/* Run one task, to its end, in this thread, and tell the engine. */
void cst_worker_run(struct cst_self *self, struct cst_task *task);

/* The same for an undeferred one, that waits for nothing but what it needs. */
void cst_worker_run_inline(struct cst_self *self, struct cst_task *task);

/* If there is a free desk, run some tasks that executors would come to late. */
void cst_worker_help(struct cst_self *self);

/*
 * The body that this thread runs is about to wait: others may have what it
 * holds, or what a task holds that it was called from undeferred. Returns that
 * task, which must regain it after the wait; NULL when nothing is held.
 */
struct cst_task *cst_worker_lend(struct cst_self *self);
void cst_worker_regain(struct cst_self *self, struct cst_task *task);

/* exit() was called: if it was in a body, it fails that and does not return. */
void cst_worker_exit(int status);

#endif
