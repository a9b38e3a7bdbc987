/*
 * A run on several nodes in which much goes wrong, for the tests of reports:
 * rounds of tasks on blocks until a file is there, bodies that fail at first, and
 * one that fails for good with what depends on it. Whoever runs it kills a node
 * meanwhile. Prints what castell_counters() says.
 *
 *   trouble FILE
 */
#include "castell.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCKS = 6,
    ALONE = 4,
    KEPT = 60,
    FILLS = 6,
    SIZE = 2048,
    ROUNDS = 10,
    ROUNDS_MAX = 2000,
    READERS = 3
};

static double blocks[BLOCKS][SIZE];
static double alone[ALONE][SIZE]; /* nobody but its next task reads it */
static double kept[KEPT][SIZE];   /* nobody reads them until the end */
static double spoilt[SIZE];

static void nap(void)
{
    const struct timespec time = {0, 500000};

    (void)nanosleep(&time, NULL);
}

static int mix(void *const *buffers, const void *argument)
{
    double *block = buffers[0];
    const double *other = buffers[1];

    (void)argument;
    for (int i = 0; i < SIZE; i++)
        block[i] = sqrt(block[i] + other[SIZE - 1 - i] + 1);
    nap();
    return 0;
}

static int step(void *const *buffers, const void *argument)
{
    double *block = buffers[0];

    (void)argument;
    for (int i = 0; i < SIZE; i++)
        block[i] = sqrt(block[i] + i);
    nap();
    return 0;
}

static int fill(void *const *buffers, const void *argument)
{
    double *block = buffers[0];

    (void)argument;
    for (int i = 0; i < SIZE; i++)
        block[i] = sqrt(i);
    nap();
    return 0;
}

static int shaky(void *const *buffers, const void *argument)
{
    if (castell_task_attempt() == 1)
        return 7;
    return mix(buffers, argument);
}

static int broken(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return 3;
}

static int look(void *const *buffers, const void *argument)
{
    (void)argument;
    return isnan(((const double *)buffers[0])[0]);
}

static struct castell_kind look_kind = {.name = "look", .body = look};

static struct castell_kind mix_kind = {.name = "mix", .body = mix};
static struct castell_kind step_kind = {.name = "step", .body = step};
static struct castell_kind fill_kind = {.name = "fill", .body = fill};
static struct castell_kind shaky_kind = {
    .name = "shaky", .body = shaky, .retries = 2};
static struct castell_kind broken_kind = {
    .name = "broken", .body = broken, .on_failure = CASTELL_CANCEL_SUCCESSORS};

static void submit(struct castell_kind *kind, const void *base,
                   enum castell_mode mode, const void *other)
{
    const struct castell_access accesses[] = {
        {.base = base, .size = sizeof(spoilt), .mode = mode},
        {.base = other, .size = sizeof(spoilt), .mode = CASTELL_IN},
    };
    const struct castell_submission submission = {
        .kind = kind, .accesses = accesses, .accesses_count = other ? 2 : 1};

    castell_must(castell_task_submit(&submission, NULL), NULL);
}

static void submit_round(int round)
{
    for (int i = 0; i < BLOCKS; i++)
        submit(i == round % BLOCKS ? &shaky_kind : &mix_kind, blocks[i],
               CASTELL_INOUT, blocks[(i + 1) % BLOCKS]);
    for (int i = 0; i < ALONE; i++)
        submit(&step_kind, alone[i], CASTELL_INOUT, NULL);
    /* Some of these lie on each node alone, whenever it dies. */
    for (int i = 0; round % ROUNDS == 0 && i < FILLS; i++)
        submit(&fill_kind, kept[(round / ROUNDS * FILLS + i) % KEPT],
               CASTELL_OUT, NULL);
}

int main(int argc, char **argv)
{
    struct castell_kind *kinds[] = {&look_kind, &mix_kind,   &step_kind,
                                    &fill_kind, &shaky_kind, &broken_kind};
    const struct castell_access first = {.base = blocks[0],
                                         .size = sizeof(blocks[0])};
    struct castell_counters counters;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        castell_must(castell_kind_declare(kinds[i]), NULL);
    castell_start(&argc, &argv);
    if (argc != 2)
        return 2;
    submit(&broken_kind, spoilt, CASTELL_OUT, NULL);
    for (int i = 0; i < READERS; i++)
        submit(&look_kind, spoilt, CASTELL_IN, NULL);
    for (int round = 0; round < ROUNDS_MAX && access(argv[1], F_OK) != 0;) {
        for (int i = 0; i < ROUNDS; i++)
            submit_round(round++);
        /* What is not home when a node dies has to be made again. */
        castell_must(castell_wait_on(&first, 1), NULL);
    }
    castell_must(castell_barrier(), NULL);
    castell_counters(&counters);
    (void)printf("{\"submitted\":%llu,\"finished\":%llu,\"failed\":%llu,"
                 "\"cancelled\":%llu,\"retried\":%llu}\n",
                 (unsigned long long)counters.submitted,
                 (unsigned long long)counters.finished,
                 (unsigned long long)counters.failed,
                 (unsigned long long)counters.cancelled,
                 (unsigned long long)counters.retried);
    return castell_stop();
}
