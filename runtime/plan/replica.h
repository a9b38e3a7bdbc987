/*
 * replica.h - tasks whose bodies run on every node; see replica.c.
 *
 * Layer: plan, private to it.
 */
#ifndef CST_PLAN_REPLICA_H
#define CST_PLAN_REPLICA_H

#include "plan/plan_internal.h"

/* A bound record of a replicated kind is to run on all nodes that are there, on
   `node` last; it is in plan->again then. */
void cst_record_replicate(struct cst_plan *plan, struct cst_plan_record *record,
                          const struct cst_plan_node *node);
/* May it be placed there, for all that its being replicated says, and that the
   node is to leave? */
bool cst_record_may_go(const struct cst_plan *plan,
                       const struct cst_plan_record *record,
                       const struct cst_plan_node *node);
/* Does it wait for its replicas? */
bool cst_record_awaits(const struct cst_plan_record *record);
/* The node is not open: does it wait for the record before it is? */
bool cst_record_opens(const struct cst_plan_record *record,
                      const struct cst_plan_node *node);
/* A replica has ended, however. */
void cst_replica_ended(struct cst_plan *plan, struct cst_plan_record *record);
/* The record leaves the plan, or will not run. */
void cst_replica_release(struct cst_plan *plan, struct cst_plan_record *record);
/* It is to leave, and nothing there counts on what has not run yet: others do
   not wait for its replicas. */
void cst_replicas_let_go(struct cst_plan *plan,
                         const struct cst_plan_node *node);

/* The node has joined: what was replicated runs there as well. */
void cst_replicas_join(struct cst_plan *plan, struct cst_plan_node *node);
/* Forget those in plan->again that were to run there. */
void cst_replicas_leave(struct cst_plan *plan,
                        const struct cst_plan_node *node);

#endif
