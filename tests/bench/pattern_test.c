/*
 * The patterns of Task Bench read what their definitions say, and the check of
 * a task's inputs finds a wrong step, a wrong column and a wrong result.
 */
#include "bench/kernel.h"
#include "bench/pattern.h"
#include "bench/taskbench.h"
#include "harness/tap.h"

#include <stdlib.h>

enum { RADIX = 5, STEPS = 40 };

static const uint32_t widths[] = {1, 2, 5, 32, 33};
enum { WIDTHS = sizeof(widths) / sizeof(widths[0]) };

static bool reads(const struct pattern *pattern, uint32_t step, uint32_t column,
                  uint32_t from)
{
    const struct pattern_inputs *inputs = pattern_inputs(pattern, step, column);

    for (uint32_t i = 0; i < inputs->count; i++)
        if (inputs->columns[i] == from)
            return true;
    return false;
}

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a < b ? b - a : a - b;
}

/* The definition, one pair at a time; not of random_nearest. */
static bool should_read(const struct pattern *pattern, uint32_t step,
                        uint32_t column, uint32_t from)
{
    uint32_t phases = 0;

    switch (pattern->type) {
    case PATTERN_STENCIL_1D:
        return distance(column, from) <= 1;
    case PATTERN_NEAREST:
        return distance(column, from) <= RADIX / 2;
    case PATTERN_FFT:
        for (uint32_t reach = 1; reach < pattern->width; reach *= 2)
            phases++;
        phases = phases > 0 ? phases : 1;
        return column == from ||
               distance(column, from) == 1U << ((step - 1) % phases);
    case PATTERN_TRIVIAL:
    case PATTERN_RANDOM_NEAREST:
        break;
    }
    return false;
}

static bool is_as_defined(const struct pattern *pattern)
{
    for (uint32_t step = 1; step < STEPS; step++)
        for (uint32_t to = 0; to < pattern->width; to++)
            for (uint32_t from = 0; from < pattern->width; from++)
                if (reads(pattern, step, to, from) !=
                    should_read(pattern, step, to, from))
                    return false;
    return true;
}

/* Ascending, so that none is there twice, and inside. */
static bool is_in_order(const struct pattern *pattern)
{
    for (uint32_t step = 1; step < STEPS; step++) {
        for (uint32_t to = 0; to < pattern->width; to++) {
            const struct pattern_inputs *in = pattern_inputs(pattern, step, to);
            int64_t last = -1;

            for (uint32_t i = 0; i < in->count; last = in->columns[i++])
                if (in->columns[i] >= pattern->width || in->columns[i] <= last)
                    return false;
        }
    }
    return true;
}

static void test_definitions(void)
{
    static const char *const names[] = {"trivial", "stencil_1d", "nearest",
                                        "fft", "random_nearest"};

    for (int i = 0; i < 5 * WIDTHS; i++) {
        const char *name = names[i / WIDTHS];
        uint32_t width = widths[i % WIDTHS];
        struct pattern pattern;
        enum pattern_type type;

        must(pattern_type_of(name, &type), "%s is a pattern", name);
        must(pattern_init(&pattern, type, width, RADIX), "it is made");
        ok(is_in_order(&pattern), "%s, width %u: in order", name, width);
        if (type != PATTERN_RANDOM_NEAREST)
            ok(is_as_defined(&pattern), "and as defined");
        pattern_release(&pattern);
    }
}

/* Own column always, none beyond the radius, others with probability 1/4,
   drawn anew in each of three steps. */
static void test_random_nearest(void)
{
    enum { WIDTH = 3000 };
    struct pattern pattern;
    uint32_t others = 0;
    uint32_t changed = 0;
    bool near = true;
    bool own = true;
    bool repeats = true;
    double share;

    must(pattern_init(&pattern, PATTERN_RANDOM_NEAREST, WIDTH, RADIX), "made");
    for (uint32_t to = 0; to < WIDTH; to++) {
        const struct pattern_inputs *in = pattern_inputs(&pattern, 1, to);

        own = own && reads(&pattern, 1, to, to);
        others += in->count - 1;
        for (uint32_t i = 0; i < in->count; i++)
            near = near && distance(to, in->columns[i]) <= RADIX / 2;
        repeats = repeats && in == pattern_inputs(&pattern, 4, to);
        changed += in->count != pattern_inputs(&pattern, 2, to)->count;
    }
    share = (double)others / (WIDTH * (RADIX - 1.0));
    ok(own, "a random task reads its own column");
    ok(near, "a random task reads no column beyond its radius");
    ok(share > 0.23 && share < 0.27, "it reads %.3f of the others", share);
    ok(repeats && changed > WIDTH / 4, "each of three steps is another draw");
    pattern_release(&pattern);
}

static void test_refusals(void)
{
    struct pattern pattern;
    enum pattern_type type;

    ok(!pattern_type_of("stencil", &type), "no such pattern");
    ok(!pattern_init(&pattern, PATTERN_NEAREST, 0, RADIX), "no width");
    ok(!pattern_init(&pattern, PATTERN_NEAREST, 8, PATTERN_INPUTS_MAX + 1),
       "too large a radius");
}

static void nothing(struct taskbench_output *input)
{
}

static void spoil_step(struct taskbench_output *input)
{
    input->step -= 2;
}

static void spoil_column(struct taskbench_output *input)
{
    input->column--;
}

static void spoil_result(struct taskbench_output *input)
{
    input->result += 1e-9;
}

/*
 * Run (1, 1) of a stencil of width 3, one of whose inputs is spoilt; the
 * inputs are where they belong, or elsewhere.
 */
static uint64_t errors_after(void (*spoil)(struct taskbench_output *input),
                             bool elsewhere)
{
    static struct taskbench_output copies[3];
    struct taskbench_output output;
    void *inputs[3];

    for (uint32_t column = 0; column < 3; column++)
        taskbench_run((struct taskbench_point){0, column},
                      taskbench_output(0, column), NULL);
    spoil(taskbench_output(0, 2));
    for (uint32_t column = 0; column < 3; column++) {
        copies[column] = *taskbench_output(0, column);
        inputs[column] = &copies[column];
        if (elsewhere)
            *taskbench_output(0, column) = (struct taskbench_output){0};
    }
    atomic_store(&taskbench.errors, 0);
    taskbench_run((struct taskbench_point){1, 1}, &output,
                  elsewhere ? inputs : NULL);
    return atomic_load(&taskbench.errors);
}

static void test_check(void)
{
    must(pattern_init(&taskbench.pattern, PATTERN_STENCIL_1D, 3, RADIX),
         "made");
    taskbench.steps = 3;
    taskbench.iterations = 10;
    taskbench.check = true;
    taskbench.cells =
        calloc((size_t)TASKBENCH_FIELDS * 3, sizeof(*taskbench.cells));
    must(taskbench.cells != NULL, "memory");

    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        ok(errors_after(nothing, elsewhere) == 0, "right inputs are right");
        ok(errors_after(spoil_step, elsewhere) == 1, "a wrong step is found");
        ok(errors_after(spoil_column, elsewhere) == 1, "a wrong column is");
        ok(errors_after(spoil_result, elsewhere) == 1, "a wrong result is");
    }
    free(taskbench.cells);
    pattern_release(&taskbench.pattern);
}

static void test_kernel(void)
{
    double few = kernel_run(10, 3);
    double many = kernel_run(1000000, 3);

    ok(few > kernel_run(11, 3), "the kernel counts its iterations");
    ok(many > KERNEL_LANES - 1e-6 && many < KERNEL_LANES + 1e-6,
       "and stays finite: %g", many);
}

int main(void)
{
    test_definitions();
    test_random_nearest();
    test_refusals();
    test_check();
    test_kernel();
    return tap_done();
}
