/*
 * process.h - run another program.
 *
 * Layer: common.
 */
#ifndef CST_COMMON_PROCESS_H
#define CST_COMMON_PROCESS_H

#include "common/text.h"

/* What to do with a child's standard streams; NULL: as ours. */
struct cst_process_streams {
    const struct cst_text *in; /* bytes it reads */
    struct cst_text *out;      /* receives what it writes */
    struct cst_text *err;
};

/*
 * Run argv, found in $PATH, and wait for it. Returns its exit status, 128 +
 * the signal that ended it, or 127 when it cannot be started, which is then
 * also said on standard error.
 */
int cst_process_run(const char *const *argv,
                    const struct cst_process_streams *streams);

/* Become another program; returns, with 127, only when that fails. */
int cst_process_become(const char *const *argv);

#endif
