/*
 * left.h - what a plan still has when all of a simulated run has ended.
 */
#ifndef CST_TEST_PLAN_LEFT_H
#define CST_TEST_PLAN_LEFT_H

#include "ledger/records.h"

static inline size_t left_in_use(const struct cst_plan_pool *pool)
{
    return pool->things - pool->free_count;
}

/* A sentence that says what should not be there; NULL: nothing. Where a task
   has failed, the versions that it poisoned may be. */
const char *left_in_plan(const struct cst_plan *plan);

#endif
