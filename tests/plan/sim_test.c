/*
 * Random programs on random nodes, with faults and without: what main sees is
 * what its program comes to when it is run one after another, each attempt runs
 * once, nothing is kept in the end, and it ends.
 *
 *     --seed N    the first history; alone: only that one, and print it
 *     --count N   how many
 *     --class N   only that kind of history, of 0 to 3
 */
#include "harness/tap.h"
#include "plan/sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t playing;

/* An assertion of the plan's that fails has to say in which history. */
static void say_history(int signal)
{
    (void)signal;
    /* The process ends anyhow. */
    printf("Bail out! in history %llu\n", /* NOLINT(bugprone-signal-handler) */
           (unsigned long long)playing);
    (void)fflush(stdout); /* NOLINT(bugprone-signal-handler) */
}

#ifdef __SANITIZE_THREAD__
enum { HISTORIES = 300 }; /* of one thread */
#else
enum { HISTORIES = 6000 };
#endif
enum { CLASSES = 4 };

int main(int argc, char **argv)
{
    uint64_t seed = 1;
    uint64_t count = 0;
    uint64_t steps = 0;
    uint64_t bad = 0;
    bool seeded = false;

    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);

        if (strcmp(argv[i], "--seed") == 0) {
            seed = value;
            seeded = true;
        } else if (strcmp(argv[i], "--count") == 0) {
            count = value;
        } else {
            tap_bail("usage: [--seed N] [--count N]");
        }
    }
    if (count == 0)
        count = seeded ? 1 : HISTORIES;
    (void)signal(SIGABRT, say_history);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (uint64_t i = 0; i < count && bad < 3; i++) {
        struct sim_options options = {
            .seed = seed + i,
            .tasks = 4 + (uint32_t)((seed + i) / CLASSES % 40),
            .joined_modes = (seed + i) % 2 == 0,
            .failing = (seed + i) % CLASSES == 3,
            .faults = (seed + i) % CLASSES >= 2,
            .gangs = (seed + i) / CLASSES % 3 == 0,
            .replicated = (seed + i) / CLASSES % 5 == 0,
            .last_nodes = (seed + i) % (6 * CLASSES) == 3,
            .drains = (seed + i) / CLASSES % 7 < 2,
            .print = count == 1,
        };
        const char *wrong;

        playing = seed + i;
        wrong = sim_play(&options, &steps);

        if (!wrong)
            continue;
        bad++;
        ok(false, "history %llu: %s", (unsigned long long)(seed + i), wrong);
    }
    ok(bad == 0, "%llu histories from %llu on, %llu steps",
       (unsigned long long)count, (unsigned long long)seed,
       (unsigned long long)steps);
    return tap_done();
}
