/*
 * Random programs on random clusters, with faults and without: what main sees
 * is what its program comes to when it is run one after another, each attempt
 * runs once, nothing is kept in the end, and it ends.
 *
 *     --seed N    the first history; alone: only that one, and print it
 *     --count N   how many
 *     --ops N     so long are all programs
 */
#include "harness/tap.h"
#include "sim/sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_THREAD__
enum { HISTORIES = 300 }; /* of one thread */
#elif defined(__SANITIZE_ADDRESS__)
enum { HISTORIES = 6000 };
#else
enum { HISTORIES = 20000 };
#endif
enum { CLASSES = 4, ERRORS_MAX = 1 << 20 };

static uint64_t playing;

/* An assertion that fails has to say in which history. */
static void say_history(int signal)
{
    (void)signal;
    /* The process ends anyhow. */
    printf("Bail out! in history %llu\n", /* NOLINT(bugprone-signal-handler) */
           (unsigned long long)playing);
    (void)fflush(stdout); /* NOLINT(bugprone-signal-handler) */
    (void)fflush(stderr); /* NOLINT(bugprone-signal-handler) */
}

static struct sim_options options_of(uint64_t seed, uint32_t ops, bool print)
{
    return (struct sim_options){
        .seed = seed,
        .ops = ops > 0 ? ops : 4 + (uint32_t)(seed / CLASSES % 40),
        .joint = seed % 2 == 0,
        .failing = seed % CLASSES == 3,
        .faults = seed % CLASSES >= 2,
        .leaves = seed % 5 == 0,
        .gangs = seed / CLASSES % 3 == 0,
        .wide = seed / CLASSES % 3 == 1,
        .replicas = seed % 3 == 0,
        .fatal = seed % (8 * CLASSES) == 3,
        .print = print,
    };
}

static const char *play(const struct sim_options *options, uint64_t *steps)
{
    const char *wrong;

    playing = options->seed;
    wrong = sim_play(options, steps);
    __fpurge(stderr); /* what was said of nodes and tasks that were lost */
    return wrong;
}

/* The shortest program of that seed with which anything goes wrong. */
static void shrink(uint64_t seed)
{
    uint64_t steps = 0;

    for (uint32_t ops = 1; ops < OPS_MAX; ops++) {
        struct sim_options options = options_of(seed, ops, false);
        const char *wrong = play(&options, &steps);

        if (!wrong)
            continue;
        printf("# also with --seed %llu --ops %u: %s\n",
               (unsigned long long)seed, ops, wrong);
        return;
    }
}

/* Nodes that are lost take what they have along, here as elsewhere: for leaks of
   the run itself see leak.c. The sanitizer asks this. NOLINTBEGIN */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}
/* NOLINTEND */

int main(int argc, char **argv)
{
    static char errors[ERRORS_MAX];
    uint64_t seed = 1;
    uint64_t count = 0;
    uint64_t steps = 0;
    uint64_t bad = 0;
    uint32_t ops = 0;
    bool seeded = false;

    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);

        if (strcmp(argv[i], "--seed") == 0) {
            seed = value;
            seeded = true;
        } else if (strcmp(argv[i], "--count") == 0) {
            count = value;
        } else if (strcmp(argv[i], "--ops") == 0 && value < OPS_MAX) {
            ops = (uint32_t)value;
        } else {
            tap_bail("usage: [--seed N] [--count N] [--ops N]");
        }
    }
    if (count == 0)
        count = seeded ? 1 : HISTORIES;
    (void)signal(SIGABRT, say_history);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)setvbuf(stderr, errors, _IOFBF, sizeof(errors));
    sim_kinds_declare();
    for (uint64_t i = 0; i < count && bad < 20; i++) {
        struct sim_options options = options_of(seed + i, ops, count == 1);
        const char *wrong = play(&options, &steps);

        if (!wrong)
            continue;
        bad++;
        ok(false, "history %llu: %s", (unsigned long long)(seed + i), wrong);
        if (count > 1)
            shrink(seed + i);
    }
    ok(bad == 0, "%llu histories from %llu on, %llu steps",
       (unsigned long long)count, (unsigned long long)seed,
       (unsigned long long)steps);
    return tap_done();
}
