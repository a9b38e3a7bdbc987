/*
 * dot.h - the graph of tasks as a file for Graphviz.
 *
 * Layer: trace. May include base.
 *
 * Owner: whoever holds the baton. Output is buffered; a disk that is full ends
 * the drawing with one warning and never the run.
 *
 * Kinds have colours that people with any colour vision tell apart, and a
 * legend; a task is t<its number>, so that graphs of two runs can be compared.
 */
#ifndef CST_TRACE_DOT_H
#define CST_TRACE_DOT_H

#include "castell.h"

#include <stdint.h>

struct cst_dot;

/* Why a task waits for another. */
enum cst_dot_edge {
    CST_DOT_FLOW = 0, /* it reads what the other wrote */
    CST_DOT_ANTI,     /* it overwrites what the other reads */
    CST_DOT_OUTPUT,   /* it overwrites what the other wrote */
    CST_DOT_MUTEX,    /* they exclude each other: commutative */
    CST_DOT_CHILD,    /* its body submitted the other */
    CST_DOT_ORDER,    /* some of these */
    CST_DOT_EDGES_COUNT,
};

/* What became of a task, where it is not the usual. */
enum cst_dot_outcome { CST_DOT_FAILED = 0, CST_DOT_CANCELLED };

/* Fails with CASTELL_ERR_SYSTEM, naming the file, or CASTELL_ERR_NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status cst_dot_open(const char *path,
                                                    struct cst_dot **ret_dot);

/* Finish the file. NULL is allowed. */
void cst_dot_close(struct cst_dot *dot);

/*
 * Draw a task. kind_name, kept until close, chooses the colour; label is what
 * it says (NULL: kind_name) before its number; where, "file.c:12" or NULL, shows in a tooltip.
 */
void cst_dot_task(struct cst_dot *dot, uint64_t task, const char *kind_name,
                  const char *label, const char *where);

/*
 * Draw that `to` waits for `from`. Of several reasons the first in the list is
 * drawn, when all edges to a task come together.
 */
void cst_dot_edge(struct cst_dot *dot, uint64_t from, uint64_t to,
                  enum cst_dot_edge why);

void cst_dot_outcome(struct cst_dot *dot, uint64_t task,
                     enum cst_dot_outcome outcome);

#endif
