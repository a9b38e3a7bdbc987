/*
 * ledger.h - which versions of main's data there are, who makes and reads them,
 * and where they lie.
 *
 * Layer: ledger. May include base, graph, data and sched. Pure: no thread, lock,
 * clock or I/O.
 *
 * Owner: whoever holds the baton of the master, which alone has a plan.
 *
 * A version is the content that one task leaves in a fragment (or main, with no
 * producer); a copy is a version in one node's memory. A node fires a task when
 * the versions that it reads are there, and pushes what it makes to who needs it.
 * Which node runs what is the business of room plan, whose state lies here too.
 *
 * Nodes have the numbers of their processes; 0 is the master's own, whose
 * memory is the program's ("home").
 */
#ifndef CST_LEDGER_LEDGER_H
#define CST_LEDGER_LEDGER_H

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
    CST_PLAN_RETRIED = 1 << 4, /* because its body failed */
    CST_PLAN_RECOMPUTED = 1 << 5, /* it had been done, and what it had made was
                                     lost */
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

/* A gang that is to start. */
struct cst_plan_muster {
    uint64_t id;
    uint32_t attempt;
    const uint32_t *others; /* nodes, but the lead's */
    uint32_t others_count;
    bool
        inside; /* it may be run in processes that would be lost with it, for it
                    has not failed and has no timeout */
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
    /* Start it, together with others. */
    void (*muster)(void *context, uint32_t node,
                   const struct cst_plan_muster *muster);
    /* End it; it has failed, which the node reports as ever. */
    void (*disband)(void *context, uint32_t node, uint64_t id,
                    uint32_t attempt);

    /* Nobody needs that node any more: have it leave. */
    void (*drained)(void *context, uint32_t node);

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

/* Abort unless every invariant holds. Walks everything: for tests. */
void cst_plan_check_all(struct cst_plan *plan);

#endif
