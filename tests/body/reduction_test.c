/*
 * Rules of reductions: the result is that of the one tree that the numbers of
 * the leaves make, to the last bit, whoever ends first and in whatever thread;
 * a leaf that failed contributes nothing; memory stays bounded when leaves end
 * nearly in order. First by hand, then against a model that builds the tree by
 * plain recursion over its definition.
 */
#include "base/memory.h"
#include "body/reduction.h"
#include "harness/tap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LEAVES_MAX = 300, ELEMENTS = 5, ROWS = 3, PITCH = 7, THREADS = 4 };

static void float_identity(void *into, size_t count)
{
    memset(into, 0, count * sizeof(float));
}

static void float_add(void *into, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((float *)into)[i] += ((const float *)from)[i];
}

/* Not commutative, not associative: any change of the tree shows. */
static void float_mix(void *into, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((float *)into)[i] =
            1.25f * ((float *)into)[i] - 0.5f * ((const float *)from)[i];
}

static const struct castell_reduction add = {sizeof(float), float_identity,
                                             float_add};
static const struct castell_reduction mix = {sizeof(float), float_identity,
                                             float_mix};

static unsigned random_next(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static float share(uint64_t leaf, size_t row, size_t element)
{
    unsigned state = (unsigned)(leaf * 7919 + row * 131 + element * 17 + 1);

    (void)random_next(&state);
    (void)random_next(&state);
    return (float)state / 1000.0f;
}

/* What a body does with its buffer. */
static void contribute(void *buffer, uint64_t leaf, size_t rows)
{
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < ELEMENTS; i++)
            ((float *)buffer)[row * PITCH + i] += share(leaf, row, i);
    }
}

/* One node of the tree as its definition says, level by level from the leaves:
   values[i] with there[i] for leaf first + i, count a power of two. */
static bool model_node(float *values, bool *there, size_t count,
                       const struct castell_reduction *operation)
{
    for (; count > 1; count /= 2) {
        for (size_t i = 0; i < count / 2; i++) {
            float left = values[2 * i];

            if (there[2 * i] && there[2 * i + 1])
                operation->combine(&left, &values[2 * i + 1], 1);
            else if (there[2 * i + 1])
                left = values[2 * i + 1];
            there[i] = there[2 * i] || there[2 * i + 1];
            values[i] = left;
        }
    }
    return there[0];
}

/* What element (row, i) of the region must become. */
static float model(float before, uint64_t leaves, const bool *ends, size_t row,
                   size_t element, const struct castell_reduction *operation)
{
    float values[LEAVES_MAX];
    bool there[LEAVES_MAX];
    uint64_t first = 0;
    bool any = false;
    float sum = 0;

    for (uint64_t size = 512; size > 0; size /= 2) {
        if (!(leaves & size))
            continue;
        for (uint64_t i = 0; i < size; i++) {
            there[i] = ends[first + i];
            values[i] = share(first + i, row, element);
        }
        first += size;
        if (!model_node(values, there, size, operation))
            continue;
        if (any)
            operation->combine(&sum, &values[0], 1);
        else
            sum = values[0];
        any = true;
    }
    if (any)
        operation->combine(&before, &sum, 1);
    return before;
}

/* One reduction whose leaves end in the order given, by several threads. */
struct run {
    struct cst_reduction *reduction;
    const uint64_t *order;
    uint64_t leaves;
    size_t rows;
    const bool *ends;
    atomic_ullong next;
};

static void *run_leaves(void *argument)
{
    struct run *run = argument;

    for (;;) {
        uint64_t at = atomic_fetch_add(&run->next, 1);
        void *buffer = NULL;

        if (at >= run->leaves)
            return NULL;
        if (cst_reduction_begin(run->reduction, &buffer) < 0)
            tap_bail("no memory");
        contribute(buffer, run->order[at], run->rows);
        if (run->ends[run->order[at]])
            cst_reduction_end(run->reduction, run->order[at], buffer);
        else
            cst_reduction_drop(run->reduction, buffer);
    }
}

static bool same_bits(float a, float b)
{
    uint32_t bits_a, bits_b;

    memcpy(&bits_a, &a, sizeof(a));
    memcpy(&bits_b, &b, sizeof(b));
    return bits_a == bits_b;
}

static bool result_right(const float *region, const struct run *run,
                         const struct castell_reduction *operation)
{
    bool right = true;

    for (size_t row = 0; row < run->rows; row++) {
        for (size_t i = 0; i < PITCH; i++) {
            float before = (float)(row * PITCH + i);
            float want = before;

            if (i < ELEMENTS)
                want = model(before, run->leaves, run->ends, row, i, operation);
            right = right && same_bits(region[row * PITCH + i], want);
        }
    }
    return right;
}

/* Make, run in `threads` threads and check one. */
static bool try(unsigned *seed, uint64_t leaves, int threads, bool failures)
{
    const struct castell_reduction *operation =
        random_next(seed) % 2 ? &add : &mix;
    float region[ROWS * PITCH];
    struct cst_rows into = {region, ELEMENTS * sizeof(float),
                            1 + random_next(seed) % ROWS,
                            PITCH * sizeof(float)};
    static uint64_t order[LEAVES_MAX];
    static bool ends[LEAVES_MAX];
    struct run run = {
        .order = order, .leaves = leaves, .rows = into.rows, .ends = ends};
    pthread_t others[THREADS];
    bool right;

    for (int i = 0; i < ROWS * PITCH; i++)
        region[i] = (float)i;
    for (uint64_t i = 0; i < leaves; i++) {
        uint64_t with = random_next(seed) % (i + 1);

        order[i] = order[with];
        order[with] = i;
        ends[i] = !failures || random_next(seed) % 4 > 0;
    }
    if (cst_reduction_create(&into, operation, &run.reduction) < 0)
        tap_bail("no memory");
    for (int i = 1; i < threads; i++)
        (void)pthread_create(&others[i], NULL, run_leaves, &run);
    (void)run_leaves(&run);
    for (int i = 1; i < threads; i++)
        (void)pthread_join(others[i], NULL);
    cst_reduction_finish(run.reduction, leaves);
    right = result_right(region, &run, operation) &&
            cst_reduction_buffers(run.reduction) == 0;
    cst_reduction_destroy(run.reduction);
    return right;
}

static void test_random(int threads, bool failures)
{
    unsigned seed = 42 + (unsigned)threads;
    int wrong = 0;

    for (uint64_t leaves = 0; leaves < 40; leaves++)
        wrong += !try(&seed, leaves, threads, failures);
    for (int i = 0; i < 60; i++)
        wrong +=
            !try(&seed, random_next(&seed) % LEAVES_MAX, threads, failures);
    ok(wrong == 0, "100 reductions by %d threads%s give the bits of the tree",
       threads, failures ? ", some leaves failing," : "");
}

static void test_memory(void)
{
    float region[4] = {0};
    struct cst_rows into = {region, sizeof(region), 0, 0};
    struct cst_reduction *reduction = NULL;
    size_t most = 0;

    must(cst_reduction_create(&into, &add, &reduction) == CASTELL_OK, "made");
    for (uint64_t leaf = 0; leaf < 100000; leaf++) {
        void *buffer = NULL;

        if (cst_reduction_begin(reduction, &buffer) < 0)
            tap_bail("no memory");
        ((float *)buffer)[0] = 1;
        if ((uintptr_t)buffer % 64 != 0)
            tap_bail("not aligned");
        cst_reduction_end(reduction, leaf, buffer);
        if (cst_reduction_buffers(reduction) > most)
            most = cst_reduction_buffers(reduction);
    }
    ok(most <= 18, "100,000 leaves in order take %zu buffers", most);
    cst_reduction_finish(reduction, 100000);
    ok(same_bits(region[0], 100000) && same_bits(region[1], 0),
       "and are summed");
    cst_reduction_destroy(reduction);
    cst_reduction_destroy(NULL);
}

/* Leaves of more than a part, in rows, by both ways. */
static bool combines_alike(size_t leaves_count, size_t rows)
{
    enum { LONG = 5000, GAP = 24 };
    size_t pitch = (LONG + GAP) * sizeof(float);
    size_t size = rows * (LONG + GAP) * sizeof(float);
    float *one = cst_zalloc(size);
    float *other = cst_zalloc(size);
    struct cst_rows into = {one, LONG * sizeof(float), rows, pitch};
    struct cst_reduction *reduction = NULL;
    void *leaves[40];
    bool same;

    must(one && other && leaves_count <= 40, "room");
    must(cst_reduction_create(&into, &mix, &reduction) == CASTELL_OK, "made");
    for (size_t i = 0; i < leaves_count; i++) {
        void *buffer = NULL;

        leaves[i] = cst_zalloc(size);
        must(leaves[i] && cst_reduction_begin(reduction, &buffer) == CASTELL_OK,
             "a leaf");
        for (size_t row = 0; row < rows; row++) {
            float *values = (float *)leaves[i] + row * (LONG + GAP);

            for (size_t e = 0; e < LONG; e++)
                values[e] = share(i, row, e);
            memcpy((char *)buffer + row * pitch, values, LONG * sizeof(float));
        }
        cst_reduction_end(reduction, i, buffer);
    }
    cst_reduction_finish(reduction, leaves_count);
    into.base = other;
    same = cst_reduction_combine(&into, &mix, leaves, leaves_count) ==
               CASTELL_OK &&
           memcmp(one, other, size) == 0;
    for (size_t i = 0; i < leaves_count; i++)
        cst_free(leaves[i]);
    cst_reduction_destroy(reduction);
    cst_free(one);
    cst_free(other);
    return same;
}

static void test_combine(void)
{
    int wrong = 0;

    for (size_t leaves = 0; leaves <= 40; leaves++)
        wrong += !combines_alike(leaves, 1 + leaves % 3);
    ok(wrong == 0, "leaves that are all there are combined to the same bits");
}

static void test_again(void)
{
    float region[1] = {1};
    struct cst_rows into = {region, sizeof(region), 1, 0};
    struct cst_reduction *reduction = NULL;
    void *buffer = NULL;

    must(cst_reduction_create(&into, &add, &reduction) == CASTELL_OK, "made");
    cst_reduction_finish(reduction, 5);
    ok(same_bits(region[0], 1), "no leaf ended: nothing changes");
    for (int i = 0; i < 2; i++) {
        must(cst_reduction_begin(reduction, &buffer) == CASTELL_OK, "begun");
        *(float *)buffer += 3;
        cst_reduction_end(reduction, 0, buffer);
        cst_reduction_finish(reduction, 1);
    }
    ok(same_bits(region[0], 7), "a finished reduction can go on");
    must(cst_reduction_begin(reduction, &buffer) == CASTELL_OK, "begun");
    cst_reduction_end(reduction, 3, buffer);
    cst_reduction_destroy(reduction);
}

static void test_gaps(void)
{
    const size_t pitch = (size_t)1 << 24, rows = 40;
    char *matrix = calloc(rows, pitch);
    struct cst_rows into = {matrix, sizeof(float), rows, pitch};
    struct cst_reduction *reduction = NULL;
    void *buffer = NULL;
    bool right = true;

    must(matrix && cst_reduction_create(&into, &add, &reduction) == CASTELL_OK,
         "a thin column of a wide matrix");
    for (uint64_t leaf = 0; leaf < 8; leaf++) {
        must(cst_reduction_begin(reduction, &buffer) == CASTELL_OK,
             "a copy whose gaps take no memory");
        for (size_t i = 0; i < rows; i++)
            *(float *)(void *)((char *)buffer + i * pitch) += (float)i;
        cst_reduction_end(reduction, leaf, buffer);
    }
    cst_reduction_finish(reduction, 8);
    for (size_t i = 0; i < rows; i++)
        right = right &&
                same_bits(*(float *)(void *)(matrix + i * pitch), 8 * (float)i);
    ok(right, "is reduced");
    cst_reduction_destroy(reduction);
    free(matrix);
}

static void test_refusals(void)
{
    float region[2] = {0};
    struct cst_rows into = {region, sizeof(region), 1, 0};
    struct cst_rows odd = {region, 6, 1, 0};
    struct cst_reduction *reduction = (struct cst_reduction *)(void *)region;
    struct castell_reduction none = {sizeof(float), NULL, float_add};

    ok(cst_reduction_create(&into, &none, &reduction) == CASTELL_ERR_INVALID,
       "no identity: %s", castell_error_text());
    ok(cst_reduction_create(&odd, &add, &reduction) == CASTELL_ERR_INVALID,
       "a part of an element: %s", castell_error_text());
    ok(reduction == (void *)region, "a refusal leaves its ret_ alone");
}

/* One attempt at a reduction of 50 leaves, out of order, so that the table
   grows; what fails is tried again. Returns how often something failed. */
static int reduce_stubbornly(float *ret_region)
{
    float region = 1;
    struct cst_rows into = {&region, sizeof(region), 1, 0};
    struct cst_reduction *reduction = NULL;
    int failures = 0;

    while (cst_reduction_create(&into, &add, &reduction) != CASTELL_OK)
        failures++;
    for (uint64_t leaf = 0; leaf < 100; leaf++) {
        void *buffer = NULL;

        if (leaf % 2 == 1)
            continue;
        while (cst_reduction_begin(reduction, &buffer) != CASTELL_OK)
            failures++;
        *(float *)buffer += 1;
        cst_reduction_end(reduction, leaf, buffer);
    }
    cst_reduction_finish(reduction, 100);
    cst_reduction_destroy(reduction);
    *ret_region = region;
    return failures;
}

static void test_no_memory(void)
{
    int failures = 0;
    uint64_t n = 0;
    bool right = true;

    do {
        float region;

        cst_alloc_fail_after(++n);
        failures += reduce_stubbornly(&region);
        right = right && same_bits(region, 51);
    } while (!cst_alloc_fail_pending());
    cst_alloc_fail_after(0);
    ok(right && n > 50, "each of %ju allocations may fail", (uintmax_t)n - 1);
    /* The table of what waits does without. */
    ok(failures >= 50 && failures < (int)n - 1, "%d of them are told",
       failures);
}

int main(void)
{
    test_refusals();
    test_combine();
    test_again();
    test_memory();
    test_gaps();
    test_no_memory();
    test_random(1, false);
    test_random(1, true);
    test_random(THREADS, false);
    test_random(THREADS, true);
    return tap_done();
}
