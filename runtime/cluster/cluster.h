/*
 * cluster.h - a run on several nodes: the plan of the master, the store of each
 * node, and what they tell one another.
 *
 * Layer: cluster. May include base, wire, net, watch, graph, data, sched, plan, store,
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
#include "plan/plan.h"
#include "sched/kind.h"
#include "watch/watch.h"

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
    uint32_t ticket;       /* worker: by which it was asked for; 0: none */
    bool home_runs;        /* master: its node runs tasks too */
    bool mpi;              /* use MPI where started under it */
    bool gangs_inside;     /* ... also for tasks of several nodes */
    bool shm;              /* share memory with processes of this machine */
    uint64_t dead_ns;      /* silent so long, a node is dead; 0: the default */
    uint64_t join_ns;      /* wait that long for the master; 0: the default */
    const char *policy;    /* of placement; NULL: the default */
    /* What cst_cluster_free() was given is not used any more. */
    void (*release)(void *memory);
};

/*
 * What the environment says: CASTELL_ROLE, CASTELL_RUN_DIR, CASTELL_WORKERS,
 * CASTELL_MASTER_TASKS, CASTELL_CARRIER, CASTELL_GANGS, CASTELL_POLICY,
 * CASTELL_DEAD_MS, CASTELL_TICKET. Fails with CASTELL_ERR_INVALID when it makes
 * no sense.
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

/*
 * Master, one thread at a time, and none that is an executor: add to a picture
 * of this node what there is to see of the others. Waits for their answers, for
 * 0.3 s at most. Fails with CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_cluster_look(struct cst_cluster *cluster, struct cst_port *port,
                 struct cst_watch_picture *picture);

/*
 * The same threads: have a worker leave the run, by its number or the name of its
 * host, as soon as nothing has to be computed again for that; returns when that
 * has begun. Fails with CASTELL_ERR_INVALID (no such worker, or several; it is
 * the last that runs tasks) or CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status
cst_cluster_drain(struct cst_cluster *cluster, struct cst_port *port,
                  const char *name);

/* A node, as who asks for more of them sees it. */
struct cst_cluster_node {
    uint32_t number;
    uint32_t
        ticket; /* by which it was asked for; 0: it was there at the start */
    uint32_t cores;
    bool drains;
    bool idle; /* it has no task */
    char name[CST_WATCH_NAME_MAX];
};

/*
 * What there is to do, on which nodes. The caller gives the sorts of node that
 * it tells apart: those that could be asked for; a node of none of them is of
 * sort sorts_count.
 */
struct cst_cluster_survey {
    struct cst_plan_survey plan;
    struct cst_cluster_node *nodes; /* nodes_max of them */
    size_t nodes_max;
    size_t nodes_count;
    const char *end;            /* why the run has to end; NULL: it goes on */
    uint32_t drain;             /* a node to be drained; 0: none */
    enum castell_status status; /* of that */
    char why[CST_WATCH_TEXT_MAX];
};

/*
 * Any thread: nodes like sorts[s] may come, where bit s of `open` is set; so
 * tasks that only such can run may be submitted, and wait. sorts, at most 31, are
 * kept.
 */
void cst_cluster_expect(struct cst_cluster *cluster,
                        const struct cst_limits *sorts, uint32_t open);

/* Any thread: what a node can give; its texts are copied to `texts`, of
   texts_size bytes. False: it is not there, or they do not fit. */
CASTELL_MUST_CHECK bool cst_cluster_limits(struct cst_cluster *cluster,
                                           uint32_t number, char *texts,
                                           size_t texts_size,
                                           struct cst_limits *ret_limits);

/* One thread at a time, none an executor: fill it in. Fails with
   CASTELL_ERR_SYSTEM: the run does not look. */
CASTELL_MUST_CHECK enum castell_status
cst_cluster_survey(struct cst_cluster *cluster, struct cst_port *port,
                   struct cst_cluster_survey *survey);

/* A kind as pictures have it. */
struct cst_watch_kind cst_cluster_kind(const struct cst_kind_counts *counts);

/* The number of this node. */
uint32_t cst_cluster_self(const struct cst_cluster *cluster);

/* The master, any thread: how many nodes the run has now. */
uint32_t cst_cluster_present(struct cst_cluster *cluster);

/* What this node has counted; when its thread has ended. */
struct cst_cluster_counters {
    uint64_t recomputed; /* the master: tasks done again, for lost data */
    uint64_t came;       /* data from other nodes, so often */
    uint64_t came_bytes;
};
void cst_cluster_counters(const struct cst_cluster *cluster,
                          struct cst_cluster_counters *ret_counters);

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
 * Any thread: can a node that is there, and has such a device, give what the
 * constraint demands? As cst_constraint_check().
 */
CASTELL_MUST_CHECK enum castell_status
cst_cluster_check(struct cst_cluster *cluster, enum castell_device device,
                  const struct castell_constraint *constraint,
                  const char *task_label, const char *where);

/* The same of a task that runs on constraint->nodes of them together. */
CASTELL_MUST_CHECK enum castell_status
cst_cluster_check_gang(struct cst_cluster *cluster,
                       const struct castell_constraint *constraint,
                       const char *task_label, const char *where);

#endif
