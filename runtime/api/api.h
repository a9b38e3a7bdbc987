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
#include "depot/depot.h"
#include "engine/engine.h"
#include "grow/grow.h"
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
    struct cst_grow *grow;       /* NULL: it has the nodes that it began with */
    uint32_t node;               /* its number; 0 with one process */
    struct cst_arena *arena;
    struct cst_limits limits;
    struct cst_depot *depot; /* NULL: no task wants a device */
    _Atomic(bool) lost;      /* results that were only in a device */
    struct cst_kind free_kind;
    char *features;
    struct cst_trace *trace; /* NULL: none */
    struct cst_progress *progress;
    struct cst_watch *watch;     /* NULL: nobody may look */
    struct cst_port *watch_port; /* of its thread; NULL: nobody has looked */
    uint64_t start_ns;
};

/* Let others look at the run, until cst_watch_stop(). Fails as
   cst_watch_start() does. */
CASTELL_MUST_CHECK enum castell_status cst_api_be_seen(struct cst_run *run);

/* recall.c: what earlier runs measured of implementations; and for the next. */
void cst_api_recall(struct cst_run *run);
void cst_api_remember(struct cst_run *run);

/* The run, or NULL before castell_start(). */
struct cst_run *cst_run(void);

/*
 * The calling thread's connection to the run.
 * Fails with CASTELL_ERR_INVALID before castell_start(): the text names `call`.
 */
CASTELL_MUST_CHECK enum castell_status
cst_api_enter(const char *call, struct cst_self **ret_self);

/* What lies in devices comes to main memory, for the caller to use: some
   regions; or all that no task is at, for NULL. Fails with TASK_FAILED. */
CASTELL_MUST_CHECK enum castell_status
cst_api_to_main(const struct castell_access *regions, size_t regions_count);

/* Is there such a device in this build? A node may still have none. */
bool cst_api_is_built(enum castell_device device);

/* They have been deleted. */
void cst_api_forget(const struct castell_access *regions, size_t regions_count);

/* Find the node's devices, if the program wants any. */
CASTELL_MUST_CHECK enum castell_status
cst_api_devices_begin(struct cst_run *run);

/* Can some node of the run ever run it? Fails as castell_task_submit(). */
CASTELL_MUST_CHECK enum castell_status
cst_api_check_possible(const struct cst_kind *kind,
                       const struct castell_submission *from);

/* The run has failed: record its text as this thread's, and return how. */
enum castell_status cst_api_status(void);

/*
 * Check an access and make it that one of the task. Fails with
 * CASTELL_ERR_INVALID; of files also with SYSTEM and what a wait fails with.
 */
CASTELL_MUST_CHECK enum castell_status
cst_access_check(const struct castell_access *from, size_t number,
                 struct cst_task *task);

/*
 * split.c: on several nodes, the submission with its large reductions in parts,
 * and memory of theirs to be freed by cst_free(), or NULL: there is none that is
 * large. Fails with CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_api_split(const struct castell_submission *from,
              struct castell_submission *ret_split,
              struct castell_access **ret_memory);

/* Tell the engine which of the task's reductions were made parts so. */
void cst_api_mark_parts(const struct castell_submission *from,
                        struct cst_task *task);
bool cst_api_reduces(const struct castell_submission *submission);

/* No two accesses overlap where one is written. Fails likewise. */
CASTELL_MUST_CHECK enum castell_status
cst_accesses_disjoint(const struct cst_access *accesses, size_t count);

/* name.c: the same of an access that is a file; its hold says how. */
CASTELL_MUST_CHECK enum castell_status
cst_api_name_file(const struct castell_access *from, size_t number,
                  struct cst_task *task, struct cst_access *access);
/* main() has waited for these, or for all (NULL): put the files in place. */
CASTELL_MUST_CHECK enum castell_status
cst_api_publish(struct cst_self *self, const struct castell_access *regions,
                size_t regions_count);
CASTELL_MUST_CHECK enum castell_status
cst_api_files_begin(const struct cst_limits *limits);

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
