/*
 * grow.h - a run that asks SLURM for nodes when work waits, and gives them back.
 *
 * Layer: grow. May include base, trace, watch, slurm, elastic, sched, plan,
 * engine and cluster. Says to the policy (elastic) what the plan has and SLURM
 * says, and does what it answers.
 *
 * Threads: one of its own, in the master; it never has the baton.
 */
#ifndef CST_GROW_GROW_H
#define CST_GROW_GROW_H

#include "castell.h"
#include "cluster/cluster.h"
#include "engine/engine.h"
#include "sched/kind.h"

#include <stdbool.h>

struct cst_grow;
struct cst_progress_view;
struct cst_watch_picture;

/*
 * Start, if the environment says that the run may grow: CASTELL_MAX_NODES, and
 * CASTELL_MIN_NODES, CASTELL_ELASTIC (classes, one a line),
 * CASTELL_MAX_NODE_HOURS, CASTELL_GROW (jobs or expand); else *ret_grow is NULL.
 * limits are those of this node, and are kept.
 * Fails with CASTELL_ERR_INVALID when one of them makes no sense, or as
 * cst_slurm_create() does.
 */
CASTELL_MUST_CHECK enum castell_status
cst_grow_start(struct cst_cluster *cluster, struct cst_engine *engine,
               const struct cst_limits *limits, struct cst_grow **ret_grow);

/* No more is asked for; before the cluster stops. NULL is allowed. */
void cst_grow_stop(struct cst_grow *grow);
/* Cancel what is left, and free it; when the cluster is gone, and with it the
   workers. NULL is allowed. */
void cst_grow_destroy(struct cst_grow *grow);

/*
 * Any thread: from now on so many nodes are wanted at least, whatever there is
 * to do; 0: as at the start. Fails with CASTELL_ERR_INVALID (more than the run
 * may have; grow is NULL: it cannot grow).
 */
CASTELL_MUST_CHECK enum castell_status cst_grow_want(struct cst_grow *grow,
                                                     const char *nodes);

/* Any thread: the nodes that were asked for and are not over, in the picture;
   false: no memory. */
bool cst_grow_look(struct cst_grow *grow, struct cst_watch_picture *picture);

/* Any thread: how many of them have not come, and why one waits. */
void cst_grow_progress(struct cst_grow *grow, struct cst_progress_view *view);

#endif
