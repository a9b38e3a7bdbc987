/*
 * Reductions: the same bits for any number of executors, in any company.
 */
#include "api/program.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { COUNT = 64, RUNS = 3, RESULTS = 8 };

/* ---- sums of floats, which depend on the order of additions ------------- */

static void zero(void *into, size_t count)
{
    memset(into, 0, count * sizeof(float));
}

static void add(void *into, const void *from, size_t count)
{
    float *sums = into;
    const float *others = from;

    for (size_t i = 0; i < count; i++)
        sums[i] += others[i];
}

static const struct castell_reduction plus = {sizeof(float), zero, add};

static void lowest(void *into, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((long *)into)[i] = INT64_MIN;
}

static void highest(void *into, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (((const long *)from)[i] > ((long *)into)[i])
            ((long *)into)[i] = ((const long *)from)[i];
}

static const struct castell_reduction maximum = {sizeof(long), lowest, highest};

static int contribute(void *const *buffers, const void *argument)
{
    float *sums = buffers[0];
    int number;

    memcpy(&number, argument, sizeof(number));
    for (int i = 0; i < COUNT; i++)
        sums[i] +=
            sinf((float)(number * 31 + i)) * powf(10, (float)(number % 7));
    return 0;
}

static int contribute_two(void *const *buffers, const void *argument)
{
    long number;
    int small;

    memcpy(&small, argument, sizeof(small));
    number = small * 7919L % 1009;
    (void)contribute(buffers, argument);
    if (number > *(long *)buffers[1])
        *(long *)buffers[1] = number;
    return 0;
}

static int contribute_or_fail(void *const *buffers, const void *argument)
{
    int number;

    memcpy(&number, argument, sizeof(number));
    (void)contribute(buffers, argument);
    return number % 5 == 3;
}

static int copy_sums(void *const *buffers, const void *argument)
{
    (void)argument;
    memcpy(buffers[1], buffers[0], COUNT * sizeof(float));
    return 0;
}

static int halve(void *const *buffers, const void *argument)
{
    float *sums = buffers[0];

    (void)argument;
    for (int i = 0; i < COUNT; i++)
        sums[i] *= 0.5f;
    return 0;
}

static struct castell_kind one_kind = {.name = "one", .body = contribute};
static struct castell_kind two_kind = {.name = "two", .body = contribute_two};
static struct castell_kind failing_kind = {.name = "failing",
                                           .body = contribute_or_fail,
                                           .on_failure = CASTELL_IGNORE};
static struct castell_kind retried_kind = {.name = "retried",
                                           .body = contribute_or_fail,
                                           .retries = 2,
                                           .on_failure = CASTELL_IGNORE};
static struct castell_kind isolated_kind = {
    .name = "alone", .body = contribute, .flags = CASTELL_ISOLATED};
static struct castell_kind copy_kind = {.name = "copy", .body = copy_sums};
static struct castell_kind halve_kind = {.name = "halve", .body = halve};

#define REDUCE(pointer, count, how)                                            \
    {                                                                          \
        .base = (pointer), .size = (count) * sizeof(*(pointer)),               \
        .mode = CASTELL_REDUCTION, .reduction = &(how)                         \
    }

static float sums[COUNT];
static float seen[RESULTS][COUNT];
static long most;

static void reduce(struct castell_kind *kind, int from, int to)
{
    for (int number = from; number < to; number++)
        SUBMIT(*kind, number, REDUCE(sums, COUNT, plus));
}

/* ---- programs; each leaves what it found in sums and seen --------------- */

static void program_plain(void)
{
    reduce(&one_kind, 0, 333);
    GO(castell_wait_on(&(struct castell_access)ACCESS(IN, sums), 1));
}

static void program_readers_between(void)
{
    for (int i = 0; i < RESULTS; i++) {
        reduce(&one_kind, i * 20, i * 20 + 20);
        SUBMIT_PLAIN(copy_kind, ACCESS(IN, sums), ACCESS(OUT, seen[i]));
        if (i % 2 == 1)
            SUBMIT_PLAIN(halve_kind, ACCESS(INOUT, sums));
    }
    GO(castell_barrier());
}

static void program_two_regions(void)
{
    for (int number = 0; number < 200; number++)
        SUBMIT(two_kind, number, REDUCE(sums, COUNT, plus),
               REDUCE(&most, 1, maximum));
    GO(castell_barrier());
    seen[0][0] = (float)most;
}

/* Half of the region is read, and reduced alone: each opens and closes. */
static int contribute_half(void *const *buffers, const void *argument)
{
    float *half = buffers[0];
    int number;

    memcpy(&number, argument, sizeof(number));
    for (int i = 0; i < COUNT / 2; i++)
        half[i] += cosf((float)(number + i)) * powf(10, (float)(number % 5));
    return 0;
}

static struct castell_kind half_kind = {.name = "half",
                                        .body = contribute_half};

static void program_overlapping(void)
{
    for (int number = 0; number < 60; number++) {
        SUBMIT(one_kind, number, REDUCE(sums, COUNT, plus));
        if (number % 6 == 5)
            SUBMIT(half_kind, number,
                   REDUCE(sums + COUNT / 4, COUNT / 2, plus));
        if (number % 9 == 8)
            SUBMIT_PLAIN(halve_kind, ACCESS(INOUT, sums));
    }
    GO(castell_barrier());
}

static void program_failing(void)
{
    reduce(&failing_kind, 0, 40);
    reduce(&retried_kind, 40, 60);
    GO(castell_barrier());
}

static void program_isolated(void)
{
    reduce(&one_kind, 0, 5);
    reduce(&isolated_kind, 5, 9);
    reduce(&one_kind, 9, 14);
    GO(castell_barrier());
}

static int nested_body(void *const *buffers, const void *argument)
{
    int number;

    (void)buffers;
    memcpy(&number, argument, sizeof(number));
    for (int i = 0; i < 16; i++) {
        int mine = number * 16 + i;

        SUBMIT(one_kind, mine, REDUCE(sums, COUNT, plus));
    }
    if (number % 2 == 0)
        GO(castell_barrier());
    return 0;
}

static struct castell_kind nested_kind = {.name = "nested",
                                          .body = nested_body};

static void program_nested(void)
{
    for (int number = 0; number < 12; number++)
        SUBMIT(nested_kind, number, ACCESS(INOUT, sums));
    GO(castell_barrier());
}

/* ---- all of them for several numbers of executors ----------------------- */

struct outcome {
    float sums[COUNT];
    float seen[RESULTS][COUNT];
};

static void test_same_bits(void (*program)(void), const char *name)
{
    static const uint32_t cores[RUNS] = {1, 2, 7};
    static struct outcome outcomes[RUNS];
    bool same = true;
    float total = 0;

    for (int run = 0; run < RUNS; run++) {
        memset(sums, 0, sizeof(sums));
        memset(seen, 0, sizeof(seen));
        most = 0;
        start(cores[run]);
        program();
        stop();
        memcpy(outcomes[run].sums, sums, sizeof(sums));
        memcpy(outcomes[run].seen, seen, sizeof(seen));
        same = same &&
               memcmp(&outcomes[run], &outcomes[0], sizeof(outcomes[0])) == 0;
    }
    for (int i = 0; i < COUNT; i++)
        total += fabsf(sums[i]);
    ok(same && total > 0, "%s: the same bits for 1, 2 and 7 executors", name);
}

/* ---- the number itself -------------------------------------------------- */

static int count_up(void *const *buffers, const void *argument)
{
    (void)argument;
    *(float *)buffers[0] += 1;
    return 0;
}

static struct castell_kind count_kind = {.name = "count", .body = count_up};

static void test_exact(void)
{
    float counted = 5;
    struct castell_access region = ACCESS(IN, counted);

    start(3);
    for (int i = 0; i < 1000; i++)
        SUBMIT_PLAIN(count_kind, REDUCE(&counted, 1, plus));
    GO(castell_wait_on(&region, 1));
    ok(fabsf(counted - 1005) < 0.5f,
       "1000 leaves and what was there before: %g", (double)counted);
    /* The ends of reductions are tasks too, and must not spoil the counts of
       what is unfinished. */
    for (int i = 0; i < 3000; i++) {
        SUBMIT_PLAIN(count_kind, REDUCE(&counted, 1, plus));
        if (i % 3 == 0)
            GO(castell_barrier());
    }
    GO(castell_barrier());
    ok(fabsf(counted - 4005) < 0.5f, "1000 reductions one after another: %g",
       (double)counted);
    stop();
}

int main(void)
{
    test_exact();
    test_same_bits(program_plain, "one region");
    test_same_bits(program_readers_between, "readers and writers between");
    test_same_bits(program_two_regions, "two regions");
    test_same_bits(program_overlapping, "regions that overlap");
    test_same_bits(program_failing, "leaves that fail");
    if (may_fork())
        test_same_bits(program_isolated, "leaves in child processes");
    test_same_bits(program_nested, "in nested tasks");
    return tap_done();
}
