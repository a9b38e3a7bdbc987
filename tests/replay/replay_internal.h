/*
 * replay_internal.h - what the checker's files share.
 */
#ifndef CST_TEST_REPLAY_INTERNAL_H
#define CST_TEST_REPLAY_INTERNAL_H

#include "replay/replay.h"

enum { THREADS_NS = 300 }; /* threads of a process agree to about that */

struct check {
    const struct cst_history *history;
    struct replay *replay;
    bool alone; /* one process, which never was to have workers */
    bool *lost; /* was each task sent to a node that died? */
};

/* A rule was broken. */
void replay_wrong(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void replay_compare(struct check *check, const char *what, uint64_t counted,
                    uint64_t seen);

/* beside.c: copies, kernels and requests are sound; a node's devices have counted
   what its trace shows. */
void replay_check_beside(struct check *check);
void replay_check_depot(struct check *check, uint32_t node);

#endif
