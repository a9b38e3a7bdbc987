/*
 * replay DIR: check the run whose traces are there; for the tests of
 * applications. Exits with 0 when all is right.
 */
#include "base/fail.h"
#include "replay/replay.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct cst_history *history = NULL;
    struct replay replay;

    if (argc != 2 || cst_history_open(argv[1], &history) < 0) {
        (void)printf("%s\n",
                     argc != 2 ? "usage: replay DIR" : castell_error_text());
        return EXIT_FAILURE;
    }
    replay_check(history, &replay);
    (void)printf("# %zu nodes, %zu tasks, %zu attempts, %zu orders, %zu "
                 "moments, %zu copies, %zu kernels, %zu requests: %zu wrong\n",
                 history->nodes_count, replay.tasks, replay.attempts,
                 replay.orders, replay.moments, replay.copies, replay.kernels,
                 replay.requests, replay.wrong);
    cst_history_close(history);
    return replay.wrong == 0 && replay.tasks > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
