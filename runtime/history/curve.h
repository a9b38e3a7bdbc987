/*
 * load.h - how many tasks are in some state, over the time of a trace.
 *
 * Private to history. Changes may come in any order; memory is fixed: the time
 * is cut into steps, and the mean of each is exact.
 */
#ifndef CST_HISTORY_CURVE_H
#define CST_HISTORY_CURVE_H

#include "castell.h"

#include <stdbool.h>
#include <stdint.h>

enum { CST_HISTORY_CURVE_STEPS = 4096 };

struct cst_history_curve;

struct cst_history_curve_point {
    uint64_t ns; /* where the step begins */
    double mean; /* never below 0 */
};

/* For a time of total_ns. Fails with CASTELL_ERR_NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
cst_history_curve_create(uint64_t total_ns,
                         struct cst_history_curve **ret_load);
void cst_history_curve_destroy(struct cst_history_curve *load);

/* From then on there are `change` more. */
void cst_history_curve_add(struct cst_history_curve *load, uint64_t ns,
                           int change);

/* After the last change: the next step, until false. */
bool cst_history_curve_next(struct cst_history_curve *load,
                            struct cst_history_curve_point *ret_point);

#endif
