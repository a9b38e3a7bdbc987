/* starpu_taskbench.c - the Task Bench patterns on StarPU. */
#include "bench/taskbench.h"

#include <starpu.h>
#include <stdio.h>
#include <stdlib.h>

static starpu_data_handle_t *handles;  /* of taskbench.cells */
static struct taskbench_point *points; /* arguments of tasks, [steps][width] */
static struct starpu_codelet codelets[PATTERN_INPUTS_MAX + 1]; /* by inputs */

static void must(int status, const char *what)
{
    if (status == 0)
        return;
    (void)fprintf(stderr, "%s: error %d\n", what, -status);
    exit(1);
}

static void run_point(void *buffers[], void *argument)
{
    const struct taskbench_point *point = argument;
    void *inputs[PATTERN_INPUTS_MAX];
    uint32_t count = taskbench_inputs(point->step, point->column)->count;

    for (uint32_t i = 0; i < count; i++)
        inputs[i] = (void *)STARPU_VARIABLE_GET_PTR(buffers[1 + i]);
    taskbench_run(
        *point, (struct taskbench_output *)STARPU_VARIABLE_GET_PTR(buffers[0]),
        inputs);
}

static starpu_data_handle_t handle_of(uint32_t step, uint32_t column)
{
    size_t field = step % TASKBENCH_FIELDS;

    return handles[field * taskbench.pattern.width + column];
}

static void submit(struct taskbench_point *point)
{
    const struct pattern_inputs *inputs =
        taskbench_inputs(point->step, point->column);
    struct starpu_task *task = starpu_task_create();

    task->cl = &codelets[inputs->count];
    task->cl_arg = point;
    task->cl_arg_size = sizeof(*point);
    task->handles[0] = handle_of(point->step, point->column);
    for (uint32_t i = 0; i < inputs->count; i++)
        task->handles[1 + i] = handle_of(point->step - 1, inputs->columns[i]);
    must(starpu_task_submit(task), "starpu_task_submit");
}

static void submit_all(uint32_t steps)
{
    for (size_t i = 0; i < (size_t)steps * taskbench.pattern.width; i++)
        submit(&points[i]);
    must(starpu_task_wait_for_all(), "starpu_task_wait_for_all");
}

static void register_cells(void)
{
    size_t cells = TASKBENCH_FIELDS * (size_t)taskbench.pattern.width;

    handles = calloc(cells, sizeof(starpu_data_handle_t));
    if (!handles)
        exit(1);
    for (size_t i = 0; i < cells; i++)
        starpu_variable_data_register(&handles[i], STARPU_MAIN_RAM,
                                      (uintptr_t)&taskbench.cells[i].output,
                                      sizeof(taskbench.cells[i].output));
}

static void start(void)
{
    uint32_t width = taskbench.pattern.width;

    must(starpu_init(NULL), "starpu_init");
    points = calloc((size_t)taskbench.steps * width, sizeof(*points));
    if (!points)
        exit(1);
    for (uint32_t i = 0; i < taskbench.steps * width; i++)
        points[i] = (struct taskbench_point){i / width, i % width};
    for (int count = 0; count <= PATTERN_INPUTS_MAX; count++) {
        starpu_codelet_init(&codelets[count]);
        codelets[count].cpu_funcs[0] = run_point;
        codelets[count].nbuffers = 1 + count;
        codelets[count].modes[0] = STARPU_W;
        for (int i = 0; i < count; i++)
            codelets[count].modes[1 + i] = STARPU_R;
    }
    register_cells();
}

static void stop(void)
{
    for (size_t i = 0; i < TASKBENCH_FIELDS * taskbench.pattern.width; i++)
        starpu_data_unregister(handles[i]);
    starpu_shutdown();
    free(handles);
    free(points);
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
