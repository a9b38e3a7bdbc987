/*
 * replay.h - prove from its trace that a run did what it had to.
 *
 * The rules are found from what tasks access alone (history/depend.c), and the
 * times from what executors wrote: nothing here asks the engine.
 */
#ifndef CST_TEST_REPLAY_H
#define CST_TEST_REPLAY_H

#include "history/history.h"

#include <stddef.h>

/* What was looked at, so that a test can see that it was not nothing. */
struct replay {
    size_t tasks;
    size_t attempts;
    size_t orders;  /* pairs of tasks of which one must be before the other */
    size_t moments; /* at which cores and memory were summed up */
    size_t copies;  /* of devices */
    size_t kernels;
    size_t requests; /* for nodes */
    size_t wrong;    /* rules that were broken */
};

/*
 * Check that each task ran once in each attempt, after what it reads was
 * written, alone where it has to be, and never more at one time than there are
 * cores and memory. Says on standard output, as TAP comments, what is wrong.
 */
void replay_check(const struct cst_history *history, struct replay *ret_replay);

#endif
