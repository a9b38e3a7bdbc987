/*
 * starpu_micro.c - the micro-benchmarks of bench.h on StarPU. Tasks are made
 * by hand, not with starpu_task_insert(), which costs more.
 */
#include "bench/bench.h"

#include <starpu.h>
#include <stdio.h>
#include <stdlib.h>

static starpu_data_handle_t cell_handles[BENCH_CELLS];
static starpu_data_handle_t gate_handle;

/* One codelet for each list of modes: the modes are part of it. */
static struct starpu_codelet read_codelets[BENCH_WIDTH_MAX + 1];
static struct starpu_codelet write_codelets[BENCH_WIDTH_MAX + 1];
static struct starpu_codelet queue_codelet; /* writes a cell, reads the gate */
static struct starpu_codelet gate_codelet;

static void run_nothing(void *buffers[], void *argument)
{
}

static void run_gate(void *buffers[], void *argument)
{
    bench_gate_hold();
}

static void must(int status, const char *what)
{
    if (status == 0)
        return;
    (void)fprintf(stderr, "%s: error %d\n", what, -status);
    exit(1);
}

static struct starpu_task *new_task(struct starpu_codelet *codelet)
{
    struct starpu_task *task = starpu_task_create();

    task->cl = codelet;
    return task;
}

static void submit(struct starpu_task *task)
{
    must(starpu_task_submit(task), "starpu_task_submit");
}

static void submit_one(struct starpu_codelet *codelet,
                       starpu_data_handle_t handle)
{
    struct starpu_task *task = new_task(codelet);

    task->handles[0] = handle;
    submit(task);
}

static void submit_wide(const struct bench *bench,
                        struct starpu_codelet *codelet)
{
    for (size_t i = 0; i < bench->tasks; i++) {
        struct starpu_task *task = new_task(codelet);

        for (unsigned k = 0; k < bench->width; k++)
            task->handles[k] =
                cell_handles[bench_cell_of(bench, i, k) - bench_cells];
        submit(task);
    }
}

static void submit_flight(const struct bench *bench)
{
    for (size_t i = 0; i < bench->tasks; i++) {
        struct starpu_task *task =
            new_task(i < BENCH_CELLS ? &queue_codelet : &write_codelets[1]);

        task->handles[0] = cell_handles[i % BENCH_CELLS];
        if (i < BENCH_CELLS)
            task->handles[1] = gate_handle;
        submit(task);
    }
}

static void submit_gate(void)
{
    if (starpu_worker_get_count() < 1)
        exit(2);
    bench_gate_reset();
    submit_one(&gate_codelet, gate_handle);
    bench_gate_wait_held();
}

static void init_codelet(struct starpu_codelet *codelet, starpu_cpu_func_t body,
                         int buffers, enum starpu_data_access_mode mode)
{
    starpu_codelet_init(codelet);
    codelet->cpu_funcs[0] = body;
    codelet->nbuffers = buffers;
    for (int k = 0; k < buffers; k++)
        codelet->modes[k] = mode;
}

static starpu_data_handle_t new_handle(struct bench_cell *cell)
{
    starpu_data_handle_t handle;

    starpu_variable_data_register(&handle, STARPU_MAIN_RAM, (uintptr_t)cell,
                                  sizeof(*cell));
    return handle;
}

/* Not a part of starting, which is measured alone. */
static void register_cells(void)
{
    for (size_t i = 0; i < BENCH_CELLS; i++)
        cell_handles[i] = new_handle(&bench_cells[i]);
    gate_handle = new_handle(&bench_gate_cell);
}

static void run_round(const struct bench *bench, struct bench_round *ret_round)
{
    bool gated = bench->shape == BENCH_FLIGHT || bench->shape == BENCH_FAN;

    if (!gate_handle)
        register_cells();
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
            submit(new_task(&read_codelets[0]));
        break;
    case BENCH_CHAINS:
        for (size_t i = 0; i < bench->tasks; i++)
            submit_one(&write_codelets[1], cell_handles[i % bench->width]);
        break;
    case BENCH_IN:
        submit_wide(bench, &read_codelets[bench->width]);
        break;
    case BENCH_INOUT:
        submit_wide(bench, &write_codelets[bench->width]);
        break;
    case BENCH_FLIGHT:
        submit_flight(bench);
        break;
    case BENCH_FAN:
        for (size_t i = 0; i < bench->tasks; i++)
            submit_one(&read_codelets[1], gate_handle);
        break;
    }
    ret_round->created_ns = bench_now_ns();

    if (gated) {
        ret_round->memory_created = bench_memory();
        bench_gate_open();
    }
    must(starpu_task_wait_for_all(), "starpu_task_wait_for_all");
    ret_round->done_ns = bench_now_ns();
}

static void start(void)
{
    must(starpu_init(NULL), "starpu_init");
    for (int k = 0; k <= BENCH_WIDTH_MAX; k++) {
        init_codelet(&read_codelets[k], run_nothing, k, STARPU_R);
        init_codelet(&write_codelets[k], run_nothing, k, STARPU_RW);
    }
    init_codelet(&queue_codelet, run_nothing, 2, STARPU_R);
    queue_codelet.modes[0] = STARPU_RW;
    init_codelet(&gate_codelet, run_gate, 1, STARPU_RW);
}

static void stop(void)
{
    for (size_t i = 0; gate_handle && i < BENCH_CELLS; i++)
        starpu_data_unregister(cell_handles[i]);
    if (gate_handle)
        starpu_data_unregister(gate_handle);
    starpu_shutdown();
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
