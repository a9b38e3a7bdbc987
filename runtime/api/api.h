/*
 * api.h - include/castell.h implemented: what its files share.
 *
 * Layer: api.
 *
 * Threads: the run is made and ended by the main thread; all else by any.
 */
#ifndef CST_API_API_H
#define CST_API_API_H

#include "base/arena.h"
#include "castell.h"
#include "cluster/cluster.h"
#include "engine/engine.h"
#include "topo/topo.h"
#include "trace/progress.h"
#include "trace/trace.h"
#include "worker/worker.h"

/* All of a run. Immutable between castell_start() and castell_stop(). */
struct cst_run {
    uint64_t number;        /* 1 for the first of the process */
    struct cst_self *owner; /* the thread that has started it: main */
    struct cst_topo *topo;
    struct cst_engine *engine;
    struct cst_worker *worker;
    struct cst_cluster *cluster; /* NULL: one process */
    uint32_t node;               /* its number; 0 with one process */
    struct cst_arena *arena;
    struct cst_limits limits;
    struct cst_kind free_kind;
    char *features;
    struct cst_trace *trace; /* NULL: none */
    struct cst_progress *progress;
};

/* The run, or NULL before castell_start(). */
struct cst_run *cst_run(void);

/*
 * The calling thread's connection to the run.
 * Fails with CASTELL_ERR_INVALID before castell_start(): the text names `call`.
 */
CASTELL_MUST_CHECK enum castell_status
cst_api_enter(const char *call, struct cst_self **ret_self);

/* The run has failed: record its text as this thread's, and return how. */
enum castell_status cst_api_status(void);

/*
 * Check an access and write it in its internal form; `number` is for messages.
 * Fails with CASTELL_ERR_INVALID.
 */
CASTELL_MUST_CHECK enum castell_status
cst_access_check(const struct castell_access *from, size_t number,
                 struct cst_access *ret_access);

/* No two accesses overlap where one is written. Fails likewise. */
CASTELL_MUST_CHECK enum castell_status
cst_accesses_disjoint(const struct cst_access *accesses, size_t count);

/* The one address that stands for a file's path in this run; NULL: no memory */
const char *cst_file_name(const char *path);
/* Is it one of those? Any thread. */
bool cst_file_is_name(const void *base);
void cst_file_names_release(void);

/* Count a task as its parent's, and tell the engine. */
void cst_api_tell(struct cst_self *self, struct cst_task *task, bool counts);

/* A task of this thread's, its parent set; NULL: no memory. */
struct cst_task *cst_api_task(struct cst_self *self, uint32_t accesses_count,
                              size_t argument_size, int64_t leaves);

/* Wait; meanwhile others may have what the calling body holds. */
void cst_api_wait(struct cst_self *self, _Atomic(uint64_t) *word,
                  uint64_t value);

/* The value of a task's generation once it has ended. */
uint64_t cst_task_after(const struct cst_task *task);

/* What the program gets for that value: another one in another run. */
uint64_t cst_task_handle(uint64_t after);

/* The value of a handle; false: it is of another run. */
bool cst_task_of_handle(uint64_t handle, uint64_t *ret_after);

/* Wait until nothing of the program's is unfinished but open reductions. */
void cst_api_wait_for_all(struct cst_self *self);

/* Of castell_alloc(); nothing uses it any more. Any thread. */
void cst_api_release_block(void *memory);

/* Wait until all news told so far was read, and reductions were closed. */
CASTELL_MUST_CHECK enum castell_status cst_api_sync(struct cst_self *self);

#endif
