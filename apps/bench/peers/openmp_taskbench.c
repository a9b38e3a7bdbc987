/*
 * openmp_taskbench.c - the Task Bench patterns as OpenMP tasks, on libgomp or
 * libomp, after the compiler. One pragma for each number of inputs.
 */
#include "bench/taskbench.h"

#include <stddef.h>

static void submit(struct taskbench_point point)
{
    const struct pattern_inputs *inputs =
        taskbench_inputs(point.step, point.column);
    struct taskbench_output *to = taskbench_output(point.step, point.column);
    struct taskbench_output *f[PATTERN_INPUTS_MAX];

    for (uint32_t i = 0; i < inputs->count; i++)
        f[i] = taskbench_output(point.step - 1, inputs->columns[i]);
    switch (inputs->count) {
    case 0:
#pragma omp task depend(out : *to)
        taskbench_run(point, to, NULL);
        break;
    case 1:
#pragma omp task depend(out : *to) depend(in : *f[0])
        taskbench_run(point, to, NULL);
        break;
    case 2:
#pragma omp task depend(out : *to) depend(in : *f[0], *f[1])
        taskbench_run(point, to, NULL);
        break;
    case 3:
#pragma omp task depend(out : *to) depend(in : *f[0], *f[1], *f[2])
        taskbench_run(point, to, NULL);
        break;
    case 4:
#pragma omp task depend(out : *to) depend(in : *f[0], *f[1], *f[2], *f[3])
        taskbench_run(point, to, NULL);
        break;
    case 5:
#pragma omp task depend(out                                                    \
                        : *to) depend(in                                       \
                                      : *f[0], *f[1], *f[2], *f[3], *f[4])
        taskbench_run(point, to, NULL);
        break;
    case 6:
#pragma omp task depend(out                                                    \
                        : *to)                                                 \
    depend(in                                                                  \
           : *f[0], *f[1], *f[2], *f[3], *f[4], *f[5])
        taskbench_run(point, to, NULL);
        break;
    default:
#pragma omp task depend(out                                                    \
                        : *to)                                                 \
    depend(in                                                                  \
           : *f[0], *f[1], *f[2], *f[3], *f[4], *f[5], *f[6])
        taskbench_run(point, to, NULL);
        break;
    }
}

static void submit_all(uint32_t steps)
{
#pragma omp parallel
#pragma omp single
    {
        for (uint32_t step = 0; step < steps; step++)
            for (uint32_t i = 0; i < taskbench.pattern.width; i++)
                submit((struct taskbench_point){step, i});
#pragma omp taskwait
    }
}

/* The warm-up makes the threads. */
static void start(void)
{
}

static void stop(void)
{
}

int main(int argc, char **argv)
{
    return taskbench_main(argc, argv,
                          &(struct taskbench_runtime){
                              .start = start,
                              .stop = stop,
                              .submit_all = submit_all,
                          });
}
