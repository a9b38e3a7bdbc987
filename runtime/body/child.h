/*
 * child.h - run a body in a child process.
 *
 * Layer: body. May include base and topo.
 *
 * Threads: any thread, many at once; the caller is blocked, without using its
 * core, until the child is gone.
 *
 * The child is a copy of the whole process, memory and all, in which only the
 * body runs, in a thread of its own: OpenMP and OpenBLAS, whose threads were
 * not copied, start new ones for it. What the body writes is its own copy;
 * when it returns 0, and only then, the regions it was to write are brought
 * over. Standard output and standard error are the parent's. The body must
 * flush other streams itself.
 *
 * The child is the leader of a process group of its own, and dies with the
 * process that called.
 */
#ifndef CST_BODY_CHILD_H
#define CST_BODY_CHILD_H

#include "base/rows.h"
#include "castell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cst_child_request {
    castell_body *body;
    void *const *buffers; /* for the body; and for the report of a crash */
    size_t buffers_count;
    const void *argument;
    const struct cst_rows *written; /* valid ones; brought over on success */
    size_t written_count;
    uint64_t timeout_ns; /* 0: none */
    uint32_t cores;      /* threads of OpenMP and OpenBLAS in the body */
    const char *label;   /* of the task, for messages */
    bool may_decline;    /* CST_CHILD_DECLINED may be the outcome */
};

enum cst_child_outcome {
    CST_CHILD_RETURNED,    /* the body did; `number` is what it returned */
    CST_CHILD_SIGNAL,      /* signal `number` ended it */
    CST_CHILD_EXITED,      /* it called exit() or the like with `number`; -1
                              when that cannot be known */
    CST_CHILD_TIMED_OUT,   /* it was killed, with its process group */
    CST_CHILD_DECLINED,    /* cst_child_decline() was called */
    CST_CHILD_NOT_STARTED, /* the system did not give what it takes; the error
                              text says what */
};

struct cst_child_result {
    enum cst_child_outcome outcome;
    int number;
};

/*
 * Run the body and wait for it. Every outcome but a return is also said on
 * standard error; for a crash with the task's label, the addresses of its
 * buffers, the signal, the address that it was about, and a backtrace, as one
 * block that nothing comes between.
 */
void cst_child_run(const struct cst_child_request *request,
                   struct cst_child_result *ret_result);

/* Is the caller in such a child? */
bool cst_child_inside(void);

/* The body needs what the process alone has. Ends a child that may decline; in
   another it returns. */
void cst_child_decline(void);

#endif
