/*
 * castell_micro.c - the micro-benchmarks of bench.h on Castell, written by
 * hand against its header.
 */
#include "bench/bench.h"

#include <castell.h>
#include <stdio.h>
#include <stdlib.h>

static int run_nothing(void *const *buffers, const void *argument)
{
    return 0;
}

static int run_gate(void *const *buffers, const void *argument)
{
    bench_gate_hold();
    return 0;
}

static struct castell_kind nothing = {.name = "nothing", .body = run_nothing};
static struct castell_kind gate = {.name = "gate", .body = run_gate};

static void submit(struct castell_kind *kind,
                   const struct castell_access *accesses, size_t count)
{
    enum castell_status status = castell_task_submit(
        &(struct castell_submission){
            .kind = kind,
            .accesses = accesses,
            .accesses_count = count,
        },
        NULL);

    if (status < 0)
        castell_must(status, "castell_task_submit");
}

static struct castell_access access_to(const struct bench_cell *cell,
                                       enum castell_mode mode)
{
    return (struct castell_access){
        .base = cell,
        .size = sizeof(*cell),
        .mode = mode,
    };
}

static void submit_chains(const struct bench *bench)
{
    for (size_t i = 0; i < bench->tasks; i++) {
        struct castell_access access =
            access_to(&bench_cells[i % bench->width], CASTELL_INOUT);

        submit(&nothing, &access, 1);
    }
}

static void submit_wide(const struct bench *bench, enum castell_mode mode)
{
    struct castell_access accesses[BENCH_WIDTH_MAX];

    for (size_t i = 0; i < bench->tasks; i++) {
        for (unsigned k = 0; k < bench->width; k++)
            accesses[k] = access_to(bench_cell_of(bench, i, k), mode);
        submit(&nothing, accesses, bench->width);
    }
}

static void submit_flight(const struct bench *bench)
{
    struct castell_access accesses[2] = {
        [1] = access_to(&bench_gate_cell, CASTELL_IN),
    };

    for (size_t i = 0; i < bench->tasks; i++) {
        accesses[0] = access_to(&bench_cells[i % BENCH_CELLS], CASTELL_INOUT);
        submit(&nothing, accesses, i < BENCH_CELLS ? 2 : 1);
    }
}

static void submit_fan(const struct bench *bench)
{
    struct castell_access access = access_to(&bench_gate_cell, CASTELL_IN);

    for (size_t i = 0; i < bench->tasks; i++)
        submit(&nothing, &access, 1);
}

static void submit_gate(void)
{
    struct castell_access access = access_to(&bench_gate_cell, CASTELL_INOUT);

    if (castell_executors_count() < 2) {
        (void)fprintf(stderr, "a gate needs CASTELL_CORES=2 or more\n");
        exit(2);
    }
    bench_gate_reset();
    submit(&gate, &access, 1);
    bench_gate_wait_held();
}

static void run_round(const struct bench *bench, struct bench_round *ret_round)
{
    bool gated = bench->shape == BENCH_FLIGHT || bench->shape == BENCH_FAN;

    if (gated) {
        submit_gate();
        ret_round->memory_before = bench_memory();
    }

    ret_round->begun_ns = bench_now_ns();
    switch (bench->shape) {
    case BENCH_START:
        break;
    case BENCH_INDEPENDENT:
        for (size_t i = 0; i < bench->tasks; i++)
            submit(&nothing, NULL, 0);
        break;
    case BENCH_CHAINS:
        submit_chains(bench);
        break;
    case BENCH_IN:
        submit_wide(bench, CASTELL_IN);
        break;
    case BENCH_INOUT:
        submit_wide(bench, CASTELL_INOUT);
        break;
    case BENCH_FLIGHT:
        submit_flight(bench);
        break;
    case BENCH_FAN:
        submit_fan(bench);
        break;
    }
    ret_round->created_ns = bench_now_ns();

    if (gated) {
        ret_round->memory_created = bench_memory();
        bench_gate_open();
    }
    castell_must(castell_barrier(), "castell_barrier");
    ret_round->done_ns = bench_now_ns();
}

static void start(void)
{
    castell_must(castell_kind_declare(&nothing), "castell_kind_declare");
    castell_must(castell_kind_declare(&gate), "castell_kind_declare");
    castell_start(NULL, NULL);
}

static void stop(void)
{
    if (castell_stop() != 0)
        exit(1);
}

int main(int argc, char **argv)
{
    return bench_main(argc, argv,
                      &(struct bench_runtime){
                          .start = start,
                          .stop = stop,
                          .round = run_round,
                      });
}
