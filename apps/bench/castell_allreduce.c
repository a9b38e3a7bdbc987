/*
 * castell_allreduce.c - a reduction over nodes whose result all of them read,
 * beside MPI_Allreduce (mpi_plain). To be run by `castell run -n N
 * --no-master-tasks`, each worker with one core.
 *
 *     castell_allreduce NODES BYTES [BLOCK]
 *
 * In each step one task a node fills its private copy of the BYTES of floats,
 * and when they are combined one task a node reads the sum; in blocks of BLOCK
 * bytes (1 MiB), each a reduction of its own. Prints "allreduce TIME us", of a
 * step, the median of several, after some that take memory from the system;
 * exit status 1 when a sum is wrong.
 */
#include "bench/bench.h"

#include <castell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 25, NODES_MAX = 64, BLOCK = 1 << 20 };

static void zero(void *into, size_t count)
{
    memset(into, 0, count * sizeof(float));
}

/* Sixteen at a time, as castellcc writes it: gcc -O2 vectorizes no other. */
static void add_floats(float *restrict sum, const float *restrict more,
                       size_t count)
{
    for (; count >= 16; count -= 16, sum += 16, more += 16)
        for (size_t i = 0; i < 16; i++)
            sum[i] += more[i];
    for (size_t i = 0; i < count; i++)
        sum[i] += more[i];
}

static void add(void *into, const void *from, size_t count)
{
    add_floats(into, from, count);
}

static const struct castell_reduction sum_of = {
    .element_size = sizeof(float), .identity = zero, .combine = add};
static const struct castell_reduction *const reductions[] = {&sum_of, NULL};

/* buffers[0]: the block; the argument: its size and what to fill it with. */
struct filling {
    size_t count;
    float value;
};

static int run_fill(void *const *buffers, const void *argument)
{
    struct filling filling;
    float *block = buffers[0];

    memcpy(&filling, argument, sizeof(filling));
    for (size_t i = 0; i < filling.count; i++)
        block[i] = filling.value;
    return 0;
}

/* buffers[1]: what tells main that it has been read, and the first number. */
static int run_read(void *const *buffers, const void *argument)
{
    (void)argument;
    *(float *)buffers[1] = *(const float *)buffers[0];
    return 0;
}

static struct castell_kind fill = {.name = "fill",
                                   .body = run_fill,
                                   .reductions = reductions,
                                   .flags = CASTELL_DISTRIBUTED};
static struct castell_kind read_kind = {
    .name = "read", .body = run_read, .flags = CASTELL_DISTRIBUTED};

static void submit(struct castell_kind *kind,
                   const struct castell_access *accesses, size_t count,
                   const struct filling *filling)
{
    castell_must(castell_task_submit(
                     &(struct castell_submission){
                         .kind = kind,
                         .accesses = accesses,
                         .accesses_count = count,
                         .argument = filling,
                         .argument_size = filling ? sizeof(*filling) : 0,
                     },
                     NULL),
                 "castell_task_submit");
}

struct reducing {
    char *data;
    size_t size;
    size_t block;
    size_t nodes;
    float *seen; /* a cache line for each node and block */
};

enum { LINE = 64, PER_LINE = LINE / sizeof(float) };

static void submit_block(const struct reducing *bench, size_t at, float value)
{
    size_t size =
        bench->size - at < bench->block ? bench->size - at : bench->block;
    struct filling filling = {size / sizeof(float), value};
    struct castell_access accesses[2] = {
        {.base = bench->data + at,
         .size = size,
         .mode = CASTELL_REDUCTION,
         .reduction = &sum_of},
        {.size = LINE, .mode = CASTELL_OUT},
    };
    float *seen = bench->seen + at / bench->block * bench->nodes * PER_LINE;

    for (size_t i = 0; i < bench->nodes; i++)
        submit(&fill, accesses, 1, &filling);
    accesses[0].mode = CASTELL_IN;
    for (size_t i = 0; i < bench->nodes; i++) {
        accesses[1].base = seen + i * PER_LINE;
        submit(&read_kind, accesses, 2, NULL);
    }
}

static void wait_for(const struct reducing *bench)
{
    size_t blocks = (bench->size + bench->block - 1) / bench->block;
    const struct castell_access access = {.base = bench->seen,
                                          .size = blocks * bench->nodes * LINE,
                                          .mode = CASTELL_IN};

    castell_must(castell_wait_on(&access, 1), "castell_wait_on");
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

/* Steps of 1, 2, 3, ... added up by each node: what is there afterwards. */
static int measure(const struct reducing *bench)
{
    double times[STEPS] = {0};
    float want = 0;
    int cold = bench_cold_steps(bench->size);
    int wrong = 0;

    for (int step = -cold; step < STEPS; step++) {
        uint64_t begun_ns = bench_now_ns();

        for (size_t at = 0; at < bench->size; at += bench->block)
            submit_block(bench, at, (float)(step + cold + 1));
        wait_for(bench);
        if (step >= 0)
            times[step] = (double)(bench_now_ns() - begun_ns) / 1e3;
        want += (float)(step + cold + 1) * (float)bench->nodes;
        wrong += (long)bench->seen[0] != (long)want;
    }
    qsort(times, STEPS, sizeof(*times), compare);
    printf("allreduce %.1f us\n", times[STEPS / 2]);
    castell_must(castell_barrier(), "castell_barrier");
    for (size_t i = 0; i < bench->size / sizeof(float); i++)
        wrong += (long)((float *)(void *)bench->data)[i] != (long)want;
    return wrong;
}

int main(int argc, char **argv)
{
    struct reducing bench = {.block = BLOCK};
    int wrong;

    if (argc > 2) {
        bench.nodes = strtoul(argv[1], NULL, 10);
        bench.size = strtoul(argv[2], NULL, 10);
    }
    if (argc > 3)
        bench.block = strtoul(argv[3], NULL, 10);
    if (bench.nodes == 0 || bench.nodes > NODES_MAX || bench.size == 0 ||
        bench.block == 0 || bench.size % sizeof(float) ||
        bench.block % sizeof(float)) {
        (void)fprintf(stderr, "usage: castell_allreduce NODES BYTES [BLOCK]\n");
        return 2;
    }
    castell_must(castell_kind_declare(&fill), "castell_kind_declare");
    castell_must(castell_kind_declare(&read_kind), "castell_kind_declare");
    castell_start(NULL, NULL);
    bench.data = castell_alloc(bench.size);
    bench.seen =
        castell_alloc((bench.size / bench.block + 1) * bench.nodes * LINE);
    if (!bench.data || !bench.seen)
        return 1;
    memset(bench.data, 0, bench.size);
    wrong = measure(&bench);
    if (wrong > 0)
        (void)fprintf(stderr, "castell_allreduce: %d wrong\n", wrong);
    if (castell_stop() != 0 || wrong > 0)
        return 1;
    return fflush(stdout) == 0 ? 0 : 1;
}
