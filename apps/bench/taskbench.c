#include "bench/taskbench.h"

#include "bench/bench.h"
#include "bench/kernel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WIDTH_DEFAULT = 32,
    STEPS_DEFAULT = 1000,
    RADIX_DEFAULT = 5,
    WARM_UP_STEPS = 50,
    STEPS_MAX = 1000000,
};

struct taskbench taskbench;

static uint32_t seed_of(struct taskbench_point point)
{
    return point.step * 31 + point.column;
}

/* Exactly: the kernel gives the same bits in every thread. */
static bool same(double a, double b)
{
    return !(a < b || a > b);
}

static void check_input(struct taskbench_point expected,
                        const struct taskbench_output *input)
{
    if (input->step != expected.step || input->column != expected.column ||
        !same(input->result,
              kernel_run(taskbench.iterations, seed_of(expected))))
        atomic_fetch_add(&taskbench.errors, 1);
}

static void check_inputs(struct taskbench_point point, void *const *inputs)
{
    const struct pattern_inputs *expected =
        taskbench_inputs(point.step, point.column);

    for (uint32_t i = 0; i < expected->count; i++) {
        struct taskbench_point from = {point.step - 1, expected->columns[i]};

        check_input(from, inputs ? inputs[i]
                                 : taskbench_output(from.step, from.column));
    }
    atomic_fetch_add(&taskbench.ran, 1);
}

void taskbench_run(struct taskbench_point point,
                   struct taskbench_output *output, void *const *inputs)
{
    double result = kernel_run(taskbench.iterations, seed_of(point));

    /* After the kernel, so that a task that starts too early has time to
       find its inputs not yet written, and one that writes too early to
       overwrite them. */
    if (taskbench.check)
        check_inputs(point, inputs);
    *output = (struct taskbench_output){
        .step = point.step,
        .column = point.column,
        .result = result,
    };
}

static bool parse_number(const char *text, uint64_t max, uint64_t *ret_value)
{
    char *end = NULL;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' ||
        value > max)
        return false;
    *ret_value = value;
    return true;
}

static int usage(const char *program)
{
    (void)fprintf(stderr,
                  "usage: %s trivial | stencil_1d | nearest | fft | "
                  "random_nearest ITERATIONS [-w WIDTH] [-s STEPS] [-r RADIX] "
                  "[-c]\n",
                  program);
    return 2;
}

static bool parse_options(int argc, char **argv, uint64_t *width,
                          uint64_t *radix)
{
    uint64_t steps = STEPS_DEFAULT;
    bool good = true;

    for (int option; good && (option = getopt(argc, argv, "w:s:r:c")) != -1;) {
        switch (option) {
        case 'w':
            good = parse_number(optarg, PATTERN_WIDTH_MAX, width);
            break;
        case 's':
            good = parse_number(optarg, STEPS_MAX, &steps);
            break;
        case 'r':
            good = parse_number(optarg, PATTERN_INPUTS_MAX, radix);
            break;
        case 'c':
            taskbench.check = true;
            break;
        default:
            good = false;
        }
    }
    taskbench.steps = (uint32_t)steps;
    return good && steps > 0;
}

static bool parse(int argc, char **argv)
{
    enum pattern_type type;
    uint64_t width = WIDTH_DEFAULT;
    uint64_t radix = RADIX_DEFAULT;

    if (!parse_options(argc, argv, &width, &radix) || argc - optind != 2 ||
        !pattern_type_of(argv[optind], &type) ||
        !parse_number(argv[optind + 1], UINT64_MAX, &taskbench.iterations))
        return false;
    return pattern_init(&taskbench.pattern, type, (uint32_t)width,
                        (uint32_t)radix);
}

static bool allocate_cells(void)
{
    size_t size = TASKBENCH_FIELDS * (size_t)taskbench.pattern.width *
                  sizeof(*taskbench.cells);

    taskbench.cells = aligned_alloc(TASKBENCH_CELL_ALIGNMENT, size);
    if (!taskbench.cells)
        return false;
    memset(taskbench.cells, 0xff, size);
    return true;
}

/* Every task ran, found what it was to find, and the last ones were last. */
static bool check_end(uint64_t tasks)
{
    uint32_t last = taskbench.steps - 1;

    for (uint32_t i = 0; i < taskbench.pattern.width; i++)
        check_input((struct taskbench_point){last, i},
                    taskbench_output(last, i));
    if (atomic_load(&taskbench.ran) != tasks ||
        atomic_load(&taskbench.errors) != 0) {
        (void)fprintf(stderr,
                      "%" PRIu64 " of %" PRIu64 " tasks ran, %" PRIu64
                      " wrong inputs\n",
                      (uint64_t)atomic_load(&taskbench.ran), tasks,
                      (uint64_t)atomic_load(&taskbench.errors));
        return false;
    }
    return true;
}

int taskbench_main(int argc, char **argv,
                   const struct taskbench_runtime *runtime)
{
    uint64_t tasks;
    uint64_t begun_ns;
    uint64_t elapsed_ns;
    bool good = true;

    if (!parse(argc, argv))
        return usage(argv[0]);
    if (!allocate_cells()) {
        (void)fprintf(stderr, "%s: no memory\n", argv[0]);
        return 1;
    }
    tasks = (uint64_t)taskbench.steps * taskbench.pattern.width;

    runtime->start();
    runtime->submit_all(taskbench.steps < WARM_UP_STEPS ? taskbench.steps
                                                        : WARM_UP_STEPS);
    atomic_store(&taskbench.ran, 0);
    begun_ns = bench_now_ns();
    runtime->submit_all(taskbench.steps);
    elapsed_ns = bench_now_ns() - begun_ns;
    runtime->stop();

    if (taskbench.check)
        good = check_end(tasks);
    printf("elapsed %.9f s\n", (double)elapsed_ns / 1e9);
    printf("tasks %" PRIu64 " tasks\n", tasks);
    printf("flops %.0f flop\n",
           (double)KERNEL_FLOPS * (double)tasks * (double)taskbench.iterations);
    free(taskbench.cells);
    pattern_release(&taskbench.pattern);
    return good && fflush(stdout) == 0 ? 0 : 1;
}
