/*
 * plan.h - which node runs a task, where its inputs come from, and what is
 * computed again when a node is lost.
 *
 * Layer: plan. May include base, graph, data, sched and ledger. Pure: no thread,
 * lock, clock or I/O.
 *
 * Owner: whoever holds the baton of the master, which alone has a plan.
 *
 * With several nodes the graph orders not the execution of main's tasks but
 * their *placing*: a task whose holds are satisfied is added here; once it is
 * placed on a node it leaves its places, and its successors may be placed
 * before it has run. What makes execution right is versions: ledger/ledger.h,
 * which also says what the plan wants done, and has what concerns data.
 */
#ifndef CST_PLAN_PLAN_H
#define CST_PLAN_PLAN_H

#include "castell.h"
#include "ledger/ledger.h"

#include <stdbool.h>
#include <stdint.h>

CASTELL_MUST_CHECK enum castell_status
cst_plan_create(const struct cst_plan_options *options,
                struct cst_plan **ret_plan);
/* Frees everything; ops->forget() for each task that it still has. */
void cst_plan_destroy(struct cst_plan *plan);

/* ---- Nodes ----------------------------------------------------------- */

/* limits is kept until the node has left. Node 0 first. */
CASTELL_MUST_CHECK enum castell_status
cst_plan_join(struct cst_plan *plan, uint32_t number,
              const struct cst_limits *limits);

/*
 * It is to leave, as soon as that costs nothing: it gets no more tasks, those
 * that have not started are called back, and what only it has is sent to others.
 * Then ops->drained(), once; unless all others are lost before. Fails with
 * CASTELL_ERR_INVALID: it is not there, or home, or the last that runs tasks.
 */
CASTELL_MUST_CHECK enum castell_status cst_plan_drain(struct cst_plan *plan,
                                                      uint32_t number);

/* It is dead or has left, and what it had is gone. */
void cst_plan_leave(struct cst_plan *plan, uint32_t number);

/* Could some node that is there ever run it? As cst_constraint_check(). */
CASTELL_MUST_CHECK enum castell_status
cst_plan_check(struct cst_plan *plan,
               const struct castell_constraint *constraint,
               const char *task_label, const char *where);

/* ---- Tasks ----------------------------------------------------------- */

/*
 * A task of main's whose holds are satisfied wants to be placed. Its accesses'
 * holds tell the fragments; they stay valid until ops->placed(). `choice` is
 * set by the plan. On CASTELL_ERR_NO_MEMORY nothing has happened.
 */
CASTELL_MUST_CHECK enum castell_status cst_plan_add(struct cst_plan *plan,
                                                    struct cst_task *task);

/* Cancel a task that was added, if its body has not started. */
void cst_plan_cancel(struct cst_plan *plan, struct cst_task *task);

/* Cancel those that have not started; NULL: all, for the run has failed. */
void cst_plan_cancel_those(struct cst_plan *plan,
                           bool (*is_meant)(const struct cst_task *task));

/* Place what can be placed now. Call it when something has happened. */
void cst_plan_go(struct cst_plan *plan, uint64_t now_ns);

/* ---- Reports of nodes ------------------------------------------------ */

enum cst_plan_outcome {
    CST_PLAN_DONE = 0,
    CST_PLAN_BODY_FAILED,     /* text says how */
    CST_PLAN_FAILURE_IGNORED, /* as well; but what it has made is there, as
                                 CST_PLAN_LAST says */
    CST_PLAN_OFF, /* the run has failed there: it has made nothing, and need not
                     be tried again */
};

struct cst_plan_report {
    uint32_t node;
    uint64_t id;
    uint32_t attempt;
    enum cst_plan_outcome outcome;
    const char *text;     /* of a failure; else NULL */
    uint64_t duration_ns; /* of the body */
};

/* Reports of other than the current attempt change nothing. */
void cst_plan_done(struct cst_plan *plan, const struct cst_plan_report *report);
void cst_plan_arrived(struct cst_plan *plan, uint32_t node, uint64_t version_id,
                      uint64_t duration_ns);
/* The version was sent to the node and is still to come: its bytes were lost. */
void cst_plan_not_come(struct cst_plan *plan, uint32_t node,
                       uint64_t version_id);
void cst_plan_recalled(struct cst_plan *plan, uint32_t node, uint64_t id,
                       uint32_t attempt);

/* A gang's lead has its inputs; another node keeps what it needs for it. */
void cst_plan_fired(struct cst_plan *plan, uint32_t node, uint64_t id,
                    uint32_t attempt);
void cst_plan_berthed(struct cst_plan *plan, uint32_t node, uint64_t id,
                      uint32_t attempt);

/* On such a node its body has failed, and others may wait for that one. */
void cst_plan_strayed(struct cst_plan *plan, uint32_t node, uint64_t id,
                      uint32_t attempt);

/* ---- Looking inside --------------------------------------------------- */

struct cst_plan_counters {
    uint64_t waiting;    /* added, not placed */
    uint64_t placed;     /* placed and not ended */
    uint64_t kept;       /* ended records */
    uint64_t versions;   /* structs */
    uint64_t recomputed; /* attempts made again for lost data */
    uint64_t pushed_bytes;
    uint64_t memory; /* bytes, of all of it */
};
void cst_plan_counters(const struct cst_plan *plan,
                       struct cst_plan_counters *ret_counters);

/* What a node has and had to do; all 0 when it is not there. */
struct cst_plan_load {
    uint64_t placed; /* there, and not reported as done */
    uint64_t done;   /* attempts that it has reported */
    bool drains;     /* it is to leave */
};
void cst_plan_load(const struct cst_plan *plan, uint32_t number,
                   struct cst_plan_load *ret_load);

/* ---- What waits, for who could get more nodes ----------------------------- */

enum { CST_PLAN_SORTS_MAX = 31, CST_PLAN_WORKS_MAX = 16 };

/* Tasks that the same sorts of node can run. */
struct cst_plan_work {
    uint32_t sorts;    /* bit s: sort s; bit sorts_count: nodes that are here,
                           and are of no sort */
    uint32_t nodes;    /* that are here can run it */
    double tasks;      /* that have not begun */
    double runnable;   /* of those, cores that they need whose inputs exist */
    double unmeasured; /* of those, tasks of which none has ended */
    double core_ns;    /* that the measured ones take */
    double running;    /* cores */
    double running_ns; /* core time that is left of what runs */
    double task_ns;    /* the longest of the measured ones */
    const char *label; /* of a kind of them; valid as long as the plan */
};

struct cst_plan_survey {
    const struct cst_limits *sorts; /* that the caller could get */
    uint32_t sorts_count;
    /* Of which sort is a node? sorts_count: of none. */
    uint32_t (*sort_of)(void *context, uint32_t node);
    void *context;
    struct cst_plan_work works[CST_PLAN_WORKS_MAX];
    uint32_t works_count;
};

/* Nodes like sorts[s] may come, where bit s of `open` is set: tasks that only
   those can run wait for them. `sorts` is kept. */
void cst_plan_expect(struct cst_plan *plan, const struct cst_limits *sorts,
                     uint32_t open);

/* Sum up what has not run: of many tasks, some are looked at. */
void cst_plan_survey(struct cst_plan *plan, struct cst_plan_survey *survey);

#endif
