/*
 * cluster.h - a run on several nodes: the plan of the master, the store of each
 * node, and what they tell one another.
 *
 * Layer: cluster. May include base, wire, net, graph, data, sched, plan, store,
 * device and engine.
 *
 * Owner: the holder of the engine's baton, but for what is said otherwise. The
 * cluster hooks into the engine (struct cst_engine_many); one thread of its own
 * polls the net when nobody else does.
 */
#ifndef CST_CLUSTER_CLUSTER_H
#define CST_CLUSTER_CLUSTER_H

#include "castell.h"
#include "engine/engine.h"
#include "sched/kind.h"

struct cst_cluster;

enum cst_cluster_role {
    CST_CLUSTER_NONE = 0, /* one process, no cluster */
    CST_CLUSTER_MASTER,
    CST_CLUSTER_WORKER,
};

struct cst_cluster_options {
    enum cst_cluster_role role;
    const char *directory; /* of the run */
    uint32_t workers;      /* master: to wait for at start */
    bool home_runs;        /* master: its node runs tasks too */
    bool mpi;              /* use MPI where started under it */
    uint64_t dead_ns;      /* silent so long, a node is dead; 0: the default */
    const char *policy;    /* of placement; NULL: the default */
    /* Does an access that begins there stand for the file of that name? */
    bool (*is_file)(const void *base);
    /* What cst_cluster_free() was given is not used any more. */
    void (*release)(void *memory);
};

/*
 * What the environment says: CASTELL_ROLE, CASTELL_RUN_DIR, CASTELL_WORKERS,
 * CASTELL_MASTER_TASKS, CASTELL_CARRIER, CASTELL_POLICY, CASTELL_DEAD_MS. Fails
 * with CASTELL_ERR_INVALID when it makes no sense.
 */
CASTELL_MUST_CHECK enum castell_status
cst_cluster_environment(struct cst_cluster_options *ret_options);

/*
 * Open the net, or join it, and hook into the engine, whose executors do not run
 * yet. The master waits for its workers, at most for a minute.
 * Fails as cst_net_open() and cst_net_join() do.
 */
CASTELL_MUST_CHECK enum castell_status
cst_cluster_start(const struct cst_cluster_options *options,
                  struct cst_engine *engine, const struct cst_limits *limits,
                  struct cst_cluster **ret_cluster);

/*
 * Master: memory that no task will name any more. It is released, by
 * options->release() from any thread, when all tasks have ended and nothing on
 * its way to or from here uses it: at the end of a barrier, or never.
 */
void cst_cluster_free(struct cst_cluster *cluster, void *memory, size_t size);

/* The number of this node. */
uint32_t cst_cluster_self(const struct cst_cluster *cluster);

/* Tasks that were done and had to be done again; when its thread has ended. */
uint64_t cst_cluster_recomputed(const struct cst_cluster *cluster);

/* Start the thread that polls, when the executors run. */
CASTELL_MUST_CHECK enum castell_status
cst_cluster_watch(struct cst_cluster *cluster);

/* Worker: the word that becomes 1 when its stay is over. */
_Atomic(uint64_t) *cst_cluster_over(struct cst_cluster *cluster);

/* ... and whether it is over as it should be; else why, in a sentence, or NULL
   when the master has said it. */
bool cst_cluster_left_well(const struct cst_cluster *cluster,
                           const char **ret_why);

/* Has this node no task? When its stay is over and its thread has ended. */
bool cst_cluster_is_idle(const struct cst_cluster *cluster);

/* All tasks have ended: end the thread, while the executors still run. */
void cst_cluster_stop(struct cst_cluster *cluster);

/* Close the net, which ends the master's workers, and free it: when no executor
   runs, and before the engine. NULL is allowed. */
void cst_cluster_destroy(struct cst_cluster *cluster);

/*
 * Any thread: can a node that is there give what the constraint demands? As
 * cst_constraint_check().
 */
CASTELL_MUST_CHECK enum castell_status
cst_cluster_check(struct cst_cluster *cluster,
                  const struct castell_constraint *constraint,
                  const char *task_label, const char *where);

/* The same of a task that runs on constraint->nodes of them together. */
CASTELL_MUST_CHECK enum castell_status
cst_cluster_check_gang(struct cst_cluster *cluster,
                       const struct castell_constraint *constraint,
                       const char *task_label, const char *where);

#endif
