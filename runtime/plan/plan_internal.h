/*
 * plan_internal.h - what the files of plan/ share.
 *
 * Layer: plan, private to it. What they work on is in ledger/records.h.
 */
#ifndef CST_PLAN_PLAN_INTERNAL_H
#define CST_PLAN_PLAN_INTERNAL_H

#include "ledger/records.h"
#include "plan/plan.h"

/* ---- bind.c ----------------------------------------------------------- */

/* Name what a record that was never placed reads and makes. */
CASTELL_MUST_CHECK enum castell_status
cst_record_bind(struct cst_plan *plan, struct cst_plan_record *record);
/* Does it read what is poisoned? Of one that is not bound. */
bool cst_record_reads_poison(struct cst_plan *plan,
                             struct cst_plan_record *record);
/* The use at that place of the record is one of the version, ... */
void cst_record_add_use(struct cst_plan *plan, struct cst_plan_record *record,
                        uint32_t at, struct cst_version *version,
                        uint32_t access);
void cst_record_add_output(struct cst_plan_record *record, uint32_t at,
                           struct cst_version *version, uint32_t access);

/* ---- order.c ---------------------------------------------------------- */

/* Place a bound record on a node, and give all orders for that. */
void cst_record_place(struct cst_plan *plan, struct cst_plan_record *record,
                      struct cst_plan_node *node);
/* It is not on its node any more. */
void cst_record_unplace(struct cst_plan *plan, struct cst_plan_record *record);
/*
 * The same for one that has not run to its end: what it was to make will not be
 * there, what it was to consume is as before, or is dropped.
 */
void cst_record_give_up(struct cst_plan *plan, struct cst_plan_record *record,
                        bool intact);

/* ---- plan.c ----------------------------------------------------------- */

/* Does a task with that constraint wait in vain when no node fits it? */
bool cst_plan_is_final(const struct cst_plan *plan,
                       const struct castell_constraint *constraint);
bool cst_node_runs_tasks(const struct cst_plan *plan,
                         const struct cst_plan_node *node);
/* ... and has run what has to run there before. */
bool cst_node_is_open(const struct cst_plan *plan,
                      const struct cst_plan_node *node);

/* ---- place.c ---------------------------------------------------------- */

/* Could the node run it, were it idle? */
bool cst_record_suits(const struct cst_plan *plan,
                      struct cst_plan_record *record,
                      const struct cst_plan_node *node);

/* ---- survey.c --------------------------------------------------------- */

/* May a node come that can run it? */
bool cst_record_may_wait(const struct cst_plan *plan,
                         const struct cst_plan_record *record);

/* ---- balance.c -------------------------------------------------------- */

void cst_plan_balance(struct cst_plan *plan);
/* Nodes that have joined get their turns of what is placed already. */
void cst_plan_share(struct cst_plan *plan);
void cst_plan_save_some(struct cst_plan *plan);

/* ---- drain.c ---------------------------------------------------------- */

/* Would a task or main miss it, if it were nowhere? */
bool cst_version_read(const struct cst_version *version);
/* Go on with nodes that are to leave. */
void cst_drains_go(struct cst_plan *plan);

/* ---- gang.c ----------------------------------------------------------- */

/* Are there enough others for it, of its kind, where it matters? */
bool cst_gang_may_lead(const struct cst_plan *plan,
                       const struct cst_plan_node *node,
                       const struct castell_constraint *constraint);
/* Choose the nodes of those that wait for them. */
void cst_gangs_go(struct cst_plan *plan);
/* The record is leaving its node: so do the others of its gang theirs. */
void cst_gang_leave(struct cst_plan *plan, struct cst_plan_record *record);
void cst_gangs_drop(struct cst_plan *plan);
/* The node is lost, for the gangs that it does not lead. */
void cst_gangs_lose(struct cst_plan *plan, struct cst_plan_node *node);

/* ---- report.c --------------------------------------------------------- */

/* It has run on its node, which may be lost. `text`: of a failure that is
   ignored, or NULL. */
void cst_record_succeed(struct cst_plan *plan, struct cst_plan_record *record,
                        const char *text);
/* It is placed, or to be placed again, and will not run any more. */
void cst_record_withdraw(struct cst_plan *plan, struct cst_plan_record *record);

/* It has failed for good: so do all that read what it was to make. It is in no
   list. */
void cst_record_fail(struct cst_plan *plan, struct cst_plan_record *record,
                     const char *text);
/* It will not run, and so neither will its readers. In no list. */
void cst_record_cancel(struct cst_plan *plan, struct cst_plan_record *record);

/* ---- revive.c --------------------------------------------------------- */

/* Have a version that is needed and has no copy made again. */
void cst_version_revive(struct cst_plan *plan, struct cst_version *version);

#endif
