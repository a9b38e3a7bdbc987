/*
 * openmp_micro.c - the micro-benchmarks of bench.h as OpenMP tasks. Compiled
 * by gcc it runs on libgomp, by clang on libomp.
 *
 * A dependence clause is fixed in the source, so that there is one pragma for
 * each number of dependences; which one is a jump that is always predicted.
 */
#include "bench/bench.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

static void submit_independent(const struct bench *bench)
{
    for (size_t i = 0; i < bench->tasks; i++) {
#pragma omp task
        bench_nothing();
    }
}

static void submit_chains(const struct bench *bench)
{
    for (size_t i = 0; i < bench->tasks; i++) {
        char *cell = bench_cells[i % bench->width].bytes;

#pragma omp task depend(inout : *cell)
        bench_nothing();
    }
}

static void submit_in(char *const *c, unsigned width)
{
    switch (width) {
    case 1:
#pragma omp task depend(in : *c[0])
        bench_nothing();
        break;
    case 2:
#pragma omp task depend(in : *c[0], *c[1])
        bench_nothing();
        break;
    case 3:
#pragma omp task depend(in : *c[0], *c[1], *c[2])
        bench_nothing();
        break;
    case 4:
#pragma omp task depend(in : *c[0], *c[1], *c[2], *c[3])
        bench_nothing();
        break;
    case 5:
#pragma omp task depend(in : *c[0], *c[1], *c[2], *c[3], *c[4])
        bench_nothing();
        break;
    case 6:
#pragma omp task depend(in : *c[0], *c[1], *c[2], *c[3], *c[4], *c[5])
        bench_nothing();
        break;
    case 7:
#pragma omp task depend(in : *c[0], *c[1], *c[2], *c[3], *c[4], *c[5], *c[6])
        bench_nothing();
        break;
    default:
#pragma omp task depend(in                                                     \
                        : *c[0], *c[1], *c[2], *c[3], *c[4], *c[5], *c[6],     \
                          *c[7])
        bench_nothing();
        break;
    }
}

static void submit_inout(char *const *c, unsigned width)
{
    switch (width) {
    case 1:
#pragma omp task depend(inout : *c[0])
        bench_nothing();
        break;
    case 2:
#pragma omp task depend(inout : *c[0], *c[1])
        bench_nothing();
        break;
    case 3:
#pragma omp task depend(inout : *c[0], *c[1], *c[2])
        bench_nothing();
        break;
    case 4:
#pragma omp task depend(inout : *c[0], *c[1], *c[2], *c[3])
        bench_nothing();
        break;
    case 5:
#pragma omp task depend(inout : *c[0], *c[1], *c[2], *c[3], *c[4])
        bench_nothing();
        break;
    case 6:
#pragma omp task depend(inout : *c[0], *c[1], *c[2], *c[3], *c[4], *c[5])
        bench_nothing();
        break;
    case 7:
#pragma omp task depend(inout : *c[0], *c[1], *c[2], *c[3], *c[4], *c[5], *c[6])
        bench_nothing();
        break;
    default:
#pragma omp task depend(inout                                                  \
                        : *c[0], *c[1], *c[2], *c[3], *c[4], *c[5], *c[6],     \
                          *c[7])
        bench_nothing();
        break;
    }
}

static void submit_wide(const struct bench *bench)
{
    char *cells[BENCH_WIDTH_MAX];

    for (size_t i = 0; i < bench->tasks; i++) {
        for (unsigned k = 0; k < bench->width; k++)
            cells[k] = bench_cell_of(bench, i, k)->bytes;
        if (bench->shape == BENCH_IN)
            submit_in(cells, bench->width);
        else
            submit_inout(cells, bench->width);
    }
}

static void submit_flight(const struct bench *bench)
{
    char *gate = bench_gate_cell.bytes;

    for (size_t i = 0; i < bench->tasks; i++) {
        char *cell = bench_cells[i % BENCH_CELLS].bytes;

        if (i < BENCH_CELLS) {
#pragma omp task depend(in : *gate) depend(inout : *cell)
            bench_nothing();
        } else {
#pragma omp task depend(inout : *cell)
            bench_nothing();
        }
    }
}

static void submit_fan(const struct bench *bench)
{
    char *gate = bench_gate_cell.bytes;

    for (size_t i = 0; i < bench->tasks; i++) {
#pragma omp task depend(in : *gate)
        bench_nothing();
    }
}

static void submit_gate(void)
{
    char *gate = bench_gate_cell.bytes;

    if (omp_get_num_threads() < 2) {
        (void)fprintf(stderr, "a gate needs OMP_NUM_THREADS=2 or more\n");
        exit(2);
    }
    bench_gate_reset();
#pragma omp task depend(inout : *gate)
    bench_gate_hold();
    bench_gate_wait_held();
}

/* By one thread of the team. */
static void create_and_wait(const struct bench *bench,
                            struct bench_round *ret_round)
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
        submit_independent(bench);
        break;
    case BENCH_CHAINS:
        submit_chains(bench);
        break;
    case BENCH_IN:
    case BENCH_INOUT:
        submit_wide(bench);
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
#pragma omp taskwait
    ret_round->done_ns = bench_now_ns();
}

static void run_round(const struct bench *bench, struct bench_round *ret_round)
{
#pragma omp parallel
#pragma omp single
    create_and_wait(bench, ret_round);
}

/* The first parallel region makes the threads. */
static void start(void)
{
    int threads = 0;

#pragma omp parallel reduction(+ : threads)
    threads += 1;
    if (threads < 1)
        exit(1);
}

static void stop(void)
{
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
