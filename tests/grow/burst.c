/*
 * A program for tests of runs that grow: bursts of tasks that sleep, and what
 * they return added up.
 *
 *   burst COUNT TASKS MS PAUSE_MS [FEATURE]
 *
 * So many bursts, of tasks that each take so long, with pauses between; with a
 * FEATURE they can run only where that is.
 */
#include <castell.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TASKS_MAX = 100000 };

static void nap(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

static int work_body(void *const *buffers, const void *argument)
{
    uint32_t *result = buffers[0];
    int32_t ms;

    memcpy(&ms, argument, sizeof(ms));
    nap(ms);
    *result += 1;
    return 0;
}

static struct castell_kind work_kind = {.name = "burst:work",
                                        .body = work_body};

static void submit(const uint32_t *result, int32_t ms, const char *feature)
{
    const struct castell_constraint constraint = {.cores = 1,
                                                  .feature = feature};
    const struct castell_access access = {
        .base = result, .size = sizeof(*result), .mode = CASTELL_INOUT};
    const struct castell_submission submission = {
        .kind = &work_kind,
        .accesses = &access,
        .accesses_count = 1,
        .constraint = feature ? &constraint : NULL,
        .argument = &ms,
        .argument_size = sizeof(ms)};

    castell_must(castell_task_submit(&submission, NULL), NULL);
}

static double clock_s(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void burst(long tasks, long ms, const char *feature)
{
    static uint32_t results[TASKS_MAX];
    double begin = clock_s();
    long right = 0;

    memset(results, 0, sizeof(results));
    for (long i = 0; i < tasks; i++)
        submit(&results[i], (int32_t)ms, feature);
    castell_must(castell_barrier(), NULL);
    for (long i = 0; i < tasks; i++)
        right += results[i] == 1;
    (void)printf("%ld of %ld right, in %.2f s\n", right, tasks,
                 clock_s() - begin);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 5 || strtol(argv[2], NULL, 10) > TASKS_MAX)
        return 2;
    castell_must(castell_kind_declare(&work_kind), NULL);
    castell_start(&argc, &argv);
    for (long i = 0; i < strtol(argv[1], NULL, 10); i++) {
        burst(strtol(argv[2], NULL, 10), strtol(argv[3], NULL, 10),
              argc > 5 ? argv[5] : NULL);
        nap(strtol(argv[4], NULL, 10));
    }
    return castell_stop();
}
