/*
 * A run with something of everything, for the tests of reports: children,
 * tasks of several cores, commutative and reduction accesses, regions that
 * overlap in part, attempts that fail, one task that fails for good and is
 * ignored, marks. Prints how many tasks it submitted, and of those 1 failed.
 */
#include "castell.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 8, PART = 512, SIZE = PARTS * PART, ROUNDS = 6 };

static double data[SIZE];
static double sum;
static atomic_int tries;
static int submitted;

static int fill(void *const *buffers, const void *argument)
{
    double *part = buffers[0];

    (void)argument;
    for (int i = 0; i < PART; i++)
        part[i] += i;
    return 0;
}

static int look(void *const *buffers, const void *argument)
{
    const double *all = buffers[0];
    volatile double total = 0;

    (void)argument;
    for (int i = 0; i < SIZE; i++)
        total = total + all[i];
    return 0;
}

static int count(void *const *buffers, const void *argument)
{
    double *into = buffers[0];

    (void)argument;
    *into += 1;
    return 0;
}

static int try_again(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return ++tries % 2 == 1 ? 7 : 0;
}

static int never(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    castell_mark("now it fails </script>");
    return 3;
}

static void identity(void *into, size_t elements)
{
    memset(into, 0, elements * sizeof(double));
}

static void combine(void *into, const void *from, size_t elements)
{
    double *to = into;
    const double *part = from;

    for (size_t i = 0; i < elements; i++)
        to[i] += part[i];
}

static const struct castell_reduction plus = {sizeof(double), identity,
                                              combine};

static struct castell_kind fill_kind = {.name = "fill", .body = fill};
static struct castell_kind look_kind = {
    .name = "look", .body = look, .constraint = {.cores = 2}};
static struct castell_kind count_kind = {.name = "count", .body = count};
static struct castell_kind again_kind = {
    .name = "try again", .body = try_again, .retries = 2};
static struct castell_kind never_kind = {.name = "never",
                                         .label = "\"never\", <it>",
                                         .body = never,
                                         .on_failure = CASTELL_IGNORE};

static void submit(struct castell_kind *kind, const void *base, size_t size,
                   enum castell_mode mode)
{
    const struct castell_access access = {
        .base = base,
        .size = size,
        .mode = mode,
        .reduction = mode == CASTELL_REDUCTION ? &plus : NULL,
    };
    const struct castell_submission submission = {
        .kind = kind, .accesses = &access, .accesses_count = size > 0};

    castell_must(castell_task_submit(&submission, NULL), NULL);
    submitted++;
}

static int split(void *const *buffers, const void *argument)
{
    double *all = buffers[0];

    (void)argument;
    for (int i = 0; i < PARTS; i++)
        submit(&fill_kind, all + (size_t)i * PART, PART * sizeof(double),
               CASTELL_INOUT);
    castell_must(castell_barrier(), NULL);
    submit(&fill_kind, all, PART * sizeof(double), CASTELL_INOUT);
    return 0;
}

static struct castell_kind split_kind = {.name = "split", .body = split};

int main(void)
{
    castell_start(NULL, NULL);
    castell_mark("it begins");
    castell_mark("loss = 0.75");
    castell_mark("loss = -2.5e-3");
    castell_mark("loss = none");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PARTS; i++)
            submit(&fill_kind, data + (size_t)i * PART, PART * sizeof(double),
                   CASTELL_INOUT);
        submit(&look_kind, data, sizeof(data), CASTELL_IN);
        submit(&fill_kind, data + PART / 2, PART * sizeof(double),
               CASTELL_INOUT);
        submit(&split_kind, data, sizeof(data), CASTELL_INOUT);
        for (int i = 0; i < PARTS; i++)
            submit(&count_kind, &sum, sizeof(sum),
                   round % 2 ? CASTELL_REDUCTION : CASTELL_COMMUTATIVE);
        submit(&again_kind, NULL, 0, CASTELL_IN);
        castell_must(castell_barrier(), NULL);
    }
    submit(&never_kind, NULL, 0, CASTELL_IN);
    castell_must(castell_barrier(), NULL);
    printf("%d tasks, sum %g\n", submitted, sum);
    return castell_stop();
}
