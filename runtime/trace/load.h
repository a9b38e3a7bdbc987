/*
 * load.h - how many tasks are in some state, over the time of a trace.
 *
 * Private to trace. Changes may come in any order; memory is fixed: the time
 * is cut into steps, and the mean of each is exact.
 */
#ifndef CST_TRACE_LOAD_H
#define CST_TRACE_LOAD_H

#include "castell.h"

#include <stdbool.h>
#include <stdint.h>

enum { CST_TRACE_LOAD_STEPS = 4096 };

struct cst_trace_load;

struct cst_trace_load_point {
    uint64_t ns; /* where the step begins */
    double mean; /* never below 0 */
};

/* For a time of total_ns. Fails with CASTELL_ERR_NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
cst_trace_load_create(uint64_t total_ns, struct cst_trace_load **ret_load);
void cst_trace_load_destroy(struct cst_trace_load *load);

/* From then on there are `change` more. */
void cst_trace_load_add(struct cst_trace_load *load, uint64_t ns, int change);

/* After the last change: the next step, until false. */
bool cst_trace_load_next(struct cst_trace_load *load,
                         struct cst_trace_load_point *ret_point);

#endif
