/*
 * bench.h - what the benchmark programs of all runtimes share: the command
 * line, the clock, the rounds and the form of the output.
 *
 * Each runtime has one file, NAME_micro.c, with its own loops, so that no call
 * through a table stands between the loop and the runtime. A program measures
 * one benchmark a process:
 *
 *     PROGRAM NAME [TASKS [ROUNDS]]
 *
 * and prints lines "name value unit". Bodies are empty. A time is the wall time
 * from before the first submission until all tasks are done, divided by the
 * tasks. The first round, in which a runtime takes its memory from the system,
 * is reported as NAME.cold; NAME is the median of the others.
 */
#ifndef CASTELL_BENCH_H
#define CASTELL_BENCH_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BENCH_WIDTH_MAX = 8, /* dependences of one task */
    BENCH_CELLS = 4096,  /* addresses that tasks depend on */
    BENCH_CELL_SIZE = 64,
};

/* What the tasks of a benchmark look like. */
enum bench_shape {
    BENCH_START,       /* start the runtime and stop it; no task */
    BENCH_INDEPENDENT, /* no dependence */
    BENCH_CHAINS,      /* task i is inout on cell i mod width */
    BENCH_IN,          /* each reads the next `width` cells: no edges */
    BENCH_INOUT,       /* each writes the next `width` cells, in a ring */
    BENCH_FLIGHT,      /* a gate is held while all are created: BENCH_CELLS
                          tasks read it and write a cell each, the rest queue
                          behind these */
    BENCH_FAN,         /* a gate is held while all are created: its readers */
};

struct bench {
    const char *name; /* as typed: "inout-8" */
    enum bench_shape shape;
    unsigned width; /* dependences of a task, or number of chains */
    size_t tasks;
    size_t rounds; /* timed, after the first */
};

/* One round, in order; all from bench_now_ns() and bench_memory(). */
struct bench_round {
    uint64_t begun_ns;
    uint64_t created_ns; /* the last submission has returned */
    uint64_t done_ns;
    size_t memory_before; /* read by the shapes with a gate only */
    size_t memory_created;
};

/* What a runtime's file gives. start() and stop() are called once. */
struct bench_runtime {
    void (*start)(void);
    void (*stop)(void);
    void (*round)(const struct bench *bench, struct bench_round *ret_round);
};

/* Data that tasks depend on: neighbours, each with a cache line of its own. */
struct bench_cell {
    alignas(BENCH_CELL_SIZE) char bytes[BENCH_CELL_SIZE];
};
extern struct bench_cell bench_cells[BENCH_CELLS];
extern struct bench_cell bench_gate_cell;

/* The whole of main(): returns its exit status. */
int bench_main(int argc, char **argv, const struct bench_runtime *runtime);

/* Read a command line; fails (false) with a sentence on standard error. */
bool bench_parse(int argc, char **argv, struct bench *ret_bench);

/*
 * The empty body where the compiler sees the body: a call, so that it cannot
 * leave the task out.
 */
void bench_nothing(void);

/* Monotonic. */
uint64_t bench_now_ns(void);

/* Resident bytes of this process. */
size_t bench_memory(void);

/*
 * Steps of reducing so many bytes that are not measured: until then the runtime
 * takes new memory, for it keeps 128 MiB of what a lost node would have to
 * compute again.
 */
static inline int bench_cold_steps(size_t size)
{
    return 5 + (int)(((size_t)160 << 20) / size);
}

/* The k-th cell of task i, for BENCH_IN and BENCH_INOUT. */
static inline struct bench_cell *bench_cell_of(const struct bench *bench,
                                               size_t i, unsigned k)
{
    return &bench_cells[(i * bench->width + k) % BENCH_CELLS];
}

/*
 * The gate: the body of the first task of a shape with a gate holds it, in an
 * executor that is not the one that creates tasks. The creator waits until it
 * is held before it creates the others, and opens it after the last.
 */
void bench_gate_reset(void);
void bench_gate_hold(void); /* the body */
void bench_gate_wait_held(void);
void bench_gate_open(void);

#endif
