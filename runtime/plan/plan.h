/*
 * plan.h - which node runs a task, where its inputs come from, and what is
 * computed again when a node is lost.
 *
 * Layer: plan. May include base, graph, data and sched. Pure: no thread, lock,
 * clock or I/O.
 *
 * Owner: whoever holds the baton of the master, which alone has a plan.
 *
 * With several nodes the graph orders not the execution of main's tasks but
 * their *placing*: a task whose holds are satisfied is added here; once it is
 * placed on a node it leaves its places, and its successors may be placed
 * before it has run. What makes execution right is versions. A version is the
 * content that one task leaves in a fragment (or main, with no producer); a
 * copy is a version in one node's memory. A node fires a task when the versions
 * that it reads are there, and pushes what it makes to who needs it.
 *
 * Nodes have the numbers of their processes; 0 is the master's own, whose
 * memory is the program's ("home").
 */
#ifndef CST_PLAN_PLAN_H
#define CST_PLAN_PLAN_H

#include "castell.h"
#include "data/data.h"
#include "graph/task.h"
#include "sched/kind.h"

#include <stdbool.h>
#include <stdint.h>

struct cst_plan;
struct cst_plan_record; /* a placed task, and what it reads and makes */

/* A part of memory as one version has it. */
struct cst_plan_piece {
    uint64_t version; /* never 0 */
    struct cst_region region;
    bool consumed; /* an input that only this task wants at that node: it may be
                      overwritten in place by the output of the same region
                      (once the node's earlier orders have been served), and is
                      gone there when the task has run */
};

/* What one access of a placed task reads and makes, in order of addresses. */
struct cst_plan_access {
    const struct cst_plan_piece *inputs;
    const struct cst_plan_piece *outputs;
    uint32_t inputs_count;
    uint32_t outputs_count;
};

enum cst_plan_flags {
    CST_PLAN_KEEP = 1 << 0,    /* leave the inputs as they are: a retry may
                                  need them */
    CST_PLAN_SUSPECT = 1 << 1, /* it ran when a node died: in a child process */
    CST_PLAN_LAST = 1 << 2,    /* it is not tried again when it fails; what it
                                  has made stays where failures are ignored */
    CST_PLAN_GANG = 1 << 3,    /* it runs on several nodes together: its node
                                  leads, tells when it has its inputs, and
                                  starts it on ops->muster() */
};

/* One attempt to run a task. Valid during the call that gets it. */
struct cst_plan_assignment {
    struct cst_task *task; /* kept by the plan until ops->forget() */
    uint64_t id;           /* task->id */
    uint32_t attempt;      /* from 1 */
    uint32_t node;
    uint32_t flags;                         /* enum cst_plan_flags */
    const struct cst_plan_access *accesses; /* task->accesses_count of them */
};

/* How a task ended for good. */
enum cst_plan_end {
    CST_PLAN_ENDED,     /* it ran, or its failure is ignored */
    CST_PLAN_FAILED,    /* after all attempts */
    CST_PLAN_CANCELLED, /* it never ran, or what it read was poisoned */
};

/* What is in few tasks, and not in struct cst_task. All zero: nothing. */
struct cst_plan_needs {
    uint64_t deadline_ns; /* absolute; 0: none */
    double cost;          /* abstract units, 0: unknown */
    const struct castell_constraint *constraint; /* of its own, for every body;
                                                    NULL: that of the body */
};

/*
 * What the plan wants done. Called from within the calls below; must not call
 * back. Orders to one node must reach it in the order in which they are given.
 */
struct cst_plan_ops {
    void (*assign)(void *context, const struct cst_plan_assignment *assignment);
    /* `from` is to send the version to `to`, as soon as it has it. */
    void (*push)(void *context, uint32_t from, uint32_t to,
                 const struct cst_plan_piece *piece);
    /* Nobody will want that copy any more but the orders given before. If it is
       not there yet it will not be: forget those that wait for it, but tasks,
       and that it was to be cut. */
    void (*drop)(void *context, uint32_t node, uint64_t version);
    /* `child` is a part of `origin`, wherever and whenever that is there. */
    void (*cut)(void *context, uint32_t node,
                const struct cst_plan_piece *child, uint64_t origin);
    /*
     * Give the task back if it has not started: cst_plan_recalled(). Then what
     * it was to consume is there as before, and what it was to make is not
     * expected there any more; so too after a failure or ops->cancel().
     */
    void (*recall)(void *context, uint32_t node, uint64_t id, uint32_t attempt);
    /* Do not start it, or stop it; nobody wants its result. */
    void (*cancel)(void *context, uint32_t node, uint64_t id, uint32_t attempt);

    /* Of node 0: what lies in main's memory there is this version now. */
    void (*root)(void *context, const struct cst_plan_piece *piece);
    /* Of node 0: bring a version that it has elsewhere to main's memory, where
       nothing is wanted any more, and then call cst_plan_home_filled(). */
    void (*home)(void *context, const struct cst_plan_piece *piece);
    /* Of node 0: copy a version from main's memory to a buffer, before granted()
       or home(), which follows, lets something else overwrite it. */
    void (*save)(void *context, const struct cst_plan_piece *piece);

    /* Keep cores, memory and storage for an attempt that another node leads, as
       for a task, and say when they are kept; until unberth(). */
    void (*berth)(void *context, uint32_t node, uint64_t id, uint32_t attempt,
                  const struct castell_constraint *constraint);
    void (*unberth)(void *context, uint32_t node, uint64_t id,
                    uint32_t attempt);
    /* Start it, together with these nodes. */
    void (*muster)(void *context, uint32_t node, uint64_t id, uint32_t attempt,
                   const uint32_t *others, uint32_t others_count);
    /* End it; it has failed, which the node reports as ever. */
    void (*disband)(void *context, uint32_t node, uint64_t id,
                    uint32_t attempt);

    /* What the task asks for besides; NULL: nothing. */
    void (*needs)(void *context, struct cst_task *task,
                  struct cst_plan_needs *ret_needs);
    /*
     * Which reduction the access is a part of: 0 for none, else the same for
     * its leaves and for the task that folds it (whose access is an INOUT). A
     * leaf has no inputs and one output of the whole region, which is no part
     * of any fragment; the inputs of the fold are the current pieces and then
     * the leaves' versions by number. *ret_leaf is the number of a leaf. NULL:
     * there are no reductions.
     */
    uint64_t (*reduction)(void *context, struct cst_task *task, uint32_t access,
                          uint32_t *ret_leaf);

    /* The task leaves its places now. */
    void (*placed)(void *context, struct cst_task *task);
    /* It has ended for main; its outputs exist or are poisoned. `text` says
       what failed it, or is NULL. */
    void (*ended)(void *context, struct cst_task *task, enum cst_plan_end end,
                  const char *text);
    /* It will never have to run again: its memory is the owner's. */
    void (*forget)(void *context, struct cst_task *task);
    /* What a wish asked for is at home (or poisoned). */
    void (*granted)(void *context, void *wish, bool poisoned);
    /* Something is lost for good: the run fails. */
    void (*lost)(void *context, enum castell_status status, const char *text);
};

enum cst_plan_policy {
    CST_PLAN_EARLIEST_FINISH = 0,
    CST_PLAN_LOCALITY, /* where most of its bytes are */
    CST_PLAN_FIFO,     /* to the nodes in turn */
};

struct cst_plan_options {
    const struct cst_plan_ops *ops; /* kept */
    void *context;
    struct cst_kinds *kinds; /* kept: measures of durations */
    enum cst_plan_policy policy;
    bool home_runs;       /* node 0 runs tasks too */
    bool more_come;       /* nodes may join later: wait for what none now has */
    uint64_t records_max; /* finished tasks kept for recomputation; 0: the
                               default */
    uint32_t losses_max;  /* nodes that a task may be lost with; 0: 3 */
};

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

/* It is dead, and what it had is gone. */
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
    CST_PLAN_BODY_FAILED, /* text says how */
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

/* ---- Main's memory --------------------------------------------------- */

/*
 * Bring what these fragments now hold home, as of all tasks placed so far;
 * the owner has exclusive holds (CST_EPOCH_WRITE) on their places until it is
 * granted, so that readers submitted before have been placed as well, and what
 * main writes then is not hidden by a version that one of them made of main's
 * memory. Then ops->granted(user) and main may read and write it until a task uses it
 * again. NULL, 0: everything that any task wrote. May grant at once.
 */
CASTELL_MUST_CHECK enum castell_status
cst_plan_wish(struct cst_plan *plan, struct cst_fragment *const *fragments,
              size_t fragments_count, void *user);

/* Nobody will read it again; its place is idle. */
void cst_plan_delete(struct cst_plan *plan, struct cst_fragment *fragment);

/*
 * For node 0's store, when a task starts that makes the version, or its bytes
 * come: may they go to main's memory, because nobody wants what lies there? Then
 * home is that version's from now on. To be asked only when node 0 has obeyed
 * all orders given to it so far, save() above all; and what uses main's memory
 * by orders given before, a task that reads it for one, the store knows.
 */
bool cst_plan_home_claim(struct cst_plan *plan, uint64_t version_id);
/* It does not go there after all: the task was recalled, cancelled or failed, or
   the bytes do not come. Home is again that of what the task was to consume. */
void cst_plan_home_unclaimed(struct cst_plan *plan, uint64_t version_id);
/* What ops->home() asked for is done. */
void cst_plan_home_filled(struct cst_plan *plan, uint64_t version_id);

/* ---- Hooks of data ---------------------------------------------------- */

/* What cst_data_hooks ask and tell; see data.h. split() cannot fail when
   reserve() has not. */
CASTELL_MUST_CHECK enum castell_status cst_plan_reserve(struct cst_plan *plan,
                                                        size_t pieces_count);
/* `piece` was cut from `old`, which nobody names any more. */
void cst_plan_split(struct cst_plan *plan, struct cst_fragment *old,
                    struct cst_fragment *piece);
/* May the idle fragment be forgotten: is its content at home and main's? */
bool cst_plan_may_forget(struct cst_plan *plan, struct cst_fragment *fragment);
void cst_plan_forgotten(struct cst_plan *plan, struct cst_fragment *fragment);
/* The four as data wants them, of domain 0; the context is the plan. */
extern const struct cst_data_hooks cst_plan_hooks;

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

/* Abort unless every invariant holds. Walks everything: for tests. */
void cst_plan_check_all(struct cst_plan *plan);

#endif
