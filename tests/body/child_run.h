/*
 * child_run.h - run a request and keep what was said meanwhile.
 */
#ifndef CST_TEST_DEVICE_CHILD_RUN_H
#define CST_TEST_DEVICE_CHILD_RUN_H

#include "body/child.h"

/* Run with standard error in a file, to see what was said. */
struct cst_child_result run(const struct cst_child_request *request);

/* Did the last run say that? */
bool said(const char *what);

/* All that it said; may be changed. */
char *all_said(void);

/* Of a clock that never goes back. */
double seconds(void);

#endif
