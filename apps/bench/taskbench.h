/*
 * taskbench.h - what the Task Bench programs of all runtimes share.
 *
 *     PROGRAM PATTERN ITERATIONS [-w WIDTH] [-s STEPS] [-r RADIX] [-c]
 *
 * runs steps x width tasks, each of which reads what some tasks of the step
 * before wrote (pattern.h), runs the kernel for ITERATIONS and writes an output
 * of 16 bytes. Outputs are double buffered: a step's tasks write the field that
 * the step before last wrote. With -c each task checks that each of its inputs
 * is of the right step and column and holds the kernel's right result, and the
 * program that every task ran once; it then fails when something was wrong.
 *
 * Prints "elapsed SECONDS s", "tasks N tasks" and "flops F flop". Elapsed is
 * from before the first submission until all are done, after a warm-up of a
 * few steps.
 */
#ifndef CASTELL_BENCH_TASKBENCH_H
#define CASTELL_BENCH_TASKBENCH_H

#include "bench/pattern.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { TASKBENCH_FIELDS = 2, TASKBENCH_CELL_ALIGNMENT = 64 };

/* What a task writes. */
struct taskbench_output {
    uint32_t step;
    uint32_t column;
    double result;
};

/* One on each cache line, for every runtime. */
struct taskbench_cell {
    alignas(TASKBENCH_CELL_ALIGNMENT) struct taskbench_output output;
};

/* What a task is told. */
struct taskbench_point {
    uint32_t step;
    uint32_t column;
};

struct taskbench {
    struct pattern pattern;
    uint32_t steps;
    uint64_t iterations;
    bool check;
    struct taskbench_cell *cells; /* [TASKBENCH_FIELDS][width] */
    atomic_uint_fast64_t ran;     /* tasks, and what was wrong: with check */
    atomic_uint_fast64_t errors;
};

/* The one of this process; immutable while tasks run, but for the atomics. */
extern struct taskbench taskbench;

static inline struct taskbench_output *taskbench_output(uint32_t step,
                                                        uint32_t column)
{
    size_t field = step % TASKBENCH_FIELDS;

    return &taskbench.cells[field * taskbench.pattern.width + column].output;
}

/* What the task reads; count is 0 in the first step. */
static inline const struct pattern_inputs *taskbench_inputs(uint32_t step,
                                                            uint32_t column)
{
    static const struct pattern_inputs none;

    return step == 0 ? &none : pattern_inputs(&taskbench.pattern, step, column);
}

/*
 * The body. inputs[i] is where the runtime says that the i-th input is, or
 * inputs is NULL: where taskbench_output() says.
 */
void taskbench_run(struct taskbench_point point,
                   struct taskbench_output *output, void *const *inputs);

/*
 * The whole of main(): returns its exit status. submit_all() submits all tasks
 * of the steps below its argument, in order, and waits for them.
 */
struct taskbench_runtime {
    void (*start)(void);
    void (*stop)(void);
    void (*submit_all)(uint32_t steps);
};
int taskbench_main(int argc, char **argv,
                   const struct taskbench_runtime *runtime);

#endif
