/*
 * worker_internal.h - the worker's state, for its own files.
 */
#ifndef CST_WORKER_WORKER_INTERNAL_H
#define CST_WORKER_WORKER_INTERNAL_H

#include "trace/trace.h"
#include "worker/worker.h"

#include <pthread.h>
#include <setjmp.h>

struct cst_worker {
    struct cst_engine *engine;
    struct cst_trace *trace; /* NULL: none */
    const struct cst_topo *topo;
    uint32_t executors;
    uint32_t threads_count;
    pthread_t *threads;
    _Atomic(uint64_t) stop; /* a wait of the executors is for this */
};

/* Where exit() in a body lands, and why. */
struct cst_escape {
    jmp_buf point;
    int exit_status;
    struct cst_task *task;
};

/* serve.c: run tasks until the wait is over. */
void cst_serve(struct cst_self *self, const struct cst_wait *wait);

/* claim.c: the desk's thread is to take part in a task of several cores. */
void cst_claim_attend(struct cst_self *self);
void cst_claim_end(struct cst_self *self, struct cst_claim *claim);

/* run.c: the body of a task called exit(). */
void cst_run_exited(struct cst_self *self, struct cst_task *task, int status);

#endif
