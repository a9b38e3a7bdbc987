/* castell_taskbench.c - the Task Bench patterns on Castell. */
#include "bench/taskbench.h"

#include <castell.h>
#include <stdlib.h>

static int run_point(void *const *buffers, const void *argument)
{
    const struct taskbench_point *point = argument;

    taskbench_run(*point, buffers[0], buffers + 1);
    return 0;
}

static struct castell_kind kind = {.name = "point", .body = run_point};

static struct castell_access access_to(const struct taskbench_output *output,
                                       enum castell_mode mode)
{
    return (struct castell_access){
        .base = output,
        .size = sizeof(*output),
        .mode = mode,
    };
}

static void submit(struct taskbench_point point)
{
    struct castell_access accesses[1 + PATTERN_INPUTS_MAX];
    const struct pattern_inputs *inputs =
        taskbench_inputs(point.step, point.column);
    enum castell_status status;

    accesses[0] =
        access_to(taskbench_output(point.step, point.column), CASTELL_OUT);
    for (uint32_t i = 0; i < inputs->count; i++)
        accesses[1 + i] = access_to(
            taskbench_output(point.step - 1, inputs->columns[i]), CASTELL_IN);
    status = castell_task_submit(
        &(struct castell_submission){
            .kind = &kind,
            .accesses = accesses,
            .accesses_count = 1 + inputs->count,
            .argument = &point,
            .argument_size = sizeof(point),
        },
        NULL);
    if (status < 0)
        castell_must(status, "castell_task_submit");
}

static void submit_all(uint32_t steps)
{
    for (uint32_t step = 0; step < steps; step++)
        for (uint32_t column = 0; column < taskbench.pattern.width; column++)
            submit((struct taskbench_point){step, column});
    castell_must(castell_barrier(), "castell_barrier");
}

static void start(void)
{
    castell_must(castell_kind_declare(&kind), "castell_kind_declare");
    castell_start(NULL, NULL);
}

static void stop(void)
{
    if (castell_stop() != 0)
        exit(1);
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
