/*
 * worker_internal.h - the worker's state, for its own files.
 */
#ifndef CST_WORKER_WORKER_INTERNAL_H
#define CST_WORKER_WORKER_INTERNAL_H

#include "body/child.h"
#include "trace/trace.h"
#include "worker/worker.h"

#include <pthread.h>
#include <setjmp.h>

struct cst_worker {
    struct cst_engine *engine;
    struct cst_trace *trace; /* NULL: none */
    const struct cst_topo *topo;
    uint64_t run; /* its number */
    uint32_t executors;
    uint32_t threads_count;
    pthread_t *threads;
    uint32_t hands_count; /* threads of devices */
    pthread_t *hands;
    _Atomic(uint64_t) stop;   /* a wait of the executors is for this */
    _Atomic(int32_t) seekers; /* threads that wait for the first desk */
};

/* Where exit() in a body lands, and why. */
struct cst_escape {
    jmp_buf point;
    int exit_status;
    struct cst_task *task;
};

enum {
    CST_LOOK_EVERY = 32,   /* rounds of waiting before others' desks are read */
    CST_YIELD_EVERY = 512, /* for who is to run on this core: with the baton */
    CST_AWAY_NS =
        1000000, /* between two looks: who looks next yields at once */
    CST_ROUNDS_MAX = 20000, /* before it sleeps: some 100 us */
};

/* together.c: a body of several nodes is no thread of the run: it submits
   nothing. */
void cst_gang_hide_run(bool begins);

/* Run a body on several nodes, or fail, saying how. */
bool cst_run_in_gang(struct cst_self *self, struct cst_task *task,
                     void *const *buffers, char *how, size_t how_size);

/* serve.c: run tasks until the wait is over. */
void cst_serve(struct cst_self *self, const struct cst_wait *wait);

/* Sleep until the wait is over, or there is something to do; `works`: tasks to
   run are. May return for no reason. */
void cst_serve_sleep(struct cst_self *self, const struct cst_wait *wait,
                     bool works);

/* worker.c: the lowest address that nested bodies of this thread may reach. */
char *cst_worker_stack_low(void);

/* seat.c: sit down at the first desk, if it is free. */
bool cst_seat_try(struct cst_self *self, enum cst_serves how);

/* Sit down there to serve, and bind the thread to its core, as soon as it is
   free; or the wait is over: false. */
bool cst_seat_take(struct cst_self *self, const struct cst_wait *wait);
void cst_seat_leave(struct cst_self *self);

/* The first desk is free: who waits for it may look. */
void cst_seat_offer(struct cst_worker *worker);

/* claim.c: the desk's thread is to take part in a task of several cores. */
void cst_claim_attend(struct cst_self *self, struct cst_claim *claim);
void cst_claim_end(struct cst_self *self, struct cst_claim *claim);

/* ---- run.c --------------------------------------------------------------- */

/* Parts of running a task, for who runs those of a device. */
void cst_run_started(struct cst_self *self, const struct cst_task *task);
void cst_run_event(struct cst_self *self, enum cst_trace_event event,
                   const struct cst_task *task, int value);
/* The body of the chosen implementation; false, with a sentence: it failed. */
bool cst_run_body(struct cst_self *self, struct cst_task *task, void **buffers,
                  char *how, size_t how_size);
/* It was, and is tried again. */
void cst_run_retried(struct cst_self *self, const struct cst_task *task,
                     const char *how);
/* It has failed for good: say so, and keep it for main(). */
void cst_run_report(struct cst_self *self, struct cst_task *task,
                    const char *how);
/* Cancelled, or the run has failed since it was given to us; what is the
   engine's own still has to be done then. */
bool cst_run_is_off(struct cst_self *self, const struct cst_task *task);

/* ---- hand.c -------------------------------------------------------------- */

/* The threads of the node's devices; their ports are there. */
CASTELL_MUST_CHECK enum castell_status
cst_hands_start(struct cst_worker *worker);
void cst_hands_stop(struct cst_worker *worker);

/* A task is about to run on a core: main memory gets what devices have of what
   it names. False, with a sentence: some of that is lost. */
bool cst_hands_to_main(struct cst_self *self, struct cst_task *task, char *how,
                       size_t how_size);

/* run.c: the body of a task called exit(), and was left for cst_serve(), which
   had begun on top of `below`. */
void cst_run_exited(struct cst_self *self, struct cst_task *task, int status,
                    struct cst_task *below, struct cst_frame *frames);

/* ---- around.c ------------------------------------------------------------ */

/* How a child ended; false, with a sentence, if not well. */
bool cst_describe_end(const struct cst_kind *kind,
                      const struct cst_child_result *result, char *how,
                      size_t how_size);
/* Before and after each attempt; false, with a sentence: it has failed. */
bool cst_run_open_files(struct cst_task *task, void **buffers, char *how,
                        size_t how_size);
bool cst_run_close_files(struct cst_task *task, char *how, size_t how_size);
/* After all attempts. */
void cst_run_settle_files(struct cst_task *task, bool good);

#endif
