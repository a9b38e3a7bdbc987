/* Tasks of device(opencl), run for real: by PoCL where there is no GPU. */
#include "castell.h"
#include "castell_opencl.h"
#include "harness/tap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 1024, ROUNDS = 50 };

static const char source[] =
    "kernel void advance(global uint *x, uint by)\n"
    "{\n"
    "    size_t i = get_global_id(0);\n"
    "    x[i] = x[i] * 3 + by;\n"
    "}\n"
    "kernel void shift(global uint *x, uint pitch, uint by)\n"
    "{\n"
    "    x[get_global_id(1) * pitch + get_global_id(0)] += by;\n"
    "}\n";

struct step {
    uint32_t by;
    uint32_t words;
};

static int step_core(void *const *buffers, const void *argument)
{
    const struct step *step = argument;
    uint32_t *x = buffers[0];

    for (uint32_t i = 0; i < step->words; i++)
        x[i] = x[i] * 3 + step->by;
    return 0;
}

static _Atomic(uint32_t) on_device;

static int step_device(void *const *buffers, const void *argument)
{
    const struct step *step = argument;
    const struct castell_opencl_argument arguments[] = {
        {sizeof(void *), &buffers[0]}, {sizeof(uint32_t), &step->by}};
    const struct castell_opencl_range range = {1, {step->words}, {0}};

    on_device++;
    return castell_opencl_launch(source, "advance", &range, arguments, 2) < 0;
}

static int block_device(void *const *buffers, const void *argument)
{
    const struct step *step = argument;
    uint32_t pitch = (uint32_t)(castell_device_pitch(0) / sizeof(uint32_t));
    const struct castell_opencl_argument arguments[] = {
        {sizeof(void *), &buffers[0]},
        {sizeof(uint32_t), &pitch},
        {sizeof(uint32_t), &step->by}};
    const struct castell_opencl_range range = {
        2, {step->words, step->words}, {0}};

    return castell_opencl_launch(source, "shift", &range, arguments, 3) < 0;
}

static int fails_device(void *const *buffers, const void *argument)
{
    (void)buffers, (void)argument;
    return castell_opencl_kernel("kernel void x( {", "x") ? 0 : 7;
}

static struct castell_kind on_core = {.name = "on_core", .body = step_core};
static struct castell_kind on_opencl = {
    .name = "on_opencl", .body = step_device, .device = CASTELL_OPENCL};
static struct castell_kind enqueues = {.name = "enqueues",
                                       .body = step_device,
                                       .device = CASTELL_OPENCL,
                                       .flags = CASTELL_ASYNC};
static struct castell_kind of_block = {
    .name = "of_block", .body = block_device, .device = CASTELL_OPENCL};
static struct castell_kind on_both = {.name = "on_both", .body = step_core};
static struct castell_kind fails = {.name = "fails",
                                    .body = fails_device,
                                    .device = CASTELL_OPENCL,
                                    .on_failure = CASTELL_IGNORE};
static const struct castell_implementation both = {
    .name = "on_both_opencl",
    .body = step_device,
    .device = CASTELL_OPENCL,
    .flags = CASTELL_ASYNC,
};

static void submit(struct castell_kind *kind, const uint32_t *x, uint32_t words,
                   uint32_t by)
{
    const struct castell_access access = {
        .base = x, .size = words * sizeof(*x), .mode = CASTELL_INOUT};
    const struct step step = {by, words};
    const struct castell_submission submission = {
        .kind = kind,
        .accesses = &access,
        .accesses_count = 1,
        .argument = &step,
        .argument_size = sizeof(step),
    };

    if (castell_task_submit(&submission, NULL) < 0)
        tap_bail(castell_error_text());
}

static bool wait_for(const uint32_t *x, uint32_t words)
{
    const struct castell_access access = {.base = x,
                                          .size = words * sizeof(*x)};

    return castell_wait_on(&access, 1) == CASTELL_OK;
}

static void start(void)
{
    if (castell_start_with(NULL) < 0)
        tap_bail(castell_error_text());
}

/* Steps in turn here and there; the sum of all is known. */
static void test_turns(void)
{
    static uint32_t x[WORDS];
    static uint32_t expected[WORDS];
    bool right = true;

    for (uint32_t i = 0; i < WORDS; i++)
        x[i] = expected[i] = i;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct castell_kind *kinds[] = {&on_core, &on_opencl, &enqueues,
                                        &on_both};

        submit(kinds[round % 7 % 4], x, WORDS, round);
        for (uint32_t i = 0; i < WORDS; i++)
            expected[i] = expected[i] * 3 + round;
        if (round % 16 == 15) {
            right = wait_for(x, WORDS) && right &&
                    memcmp(x, expected, sizeof(x)) == 0;
            x[round] += 5; /* main's own */
            expected[round] += 5;
        }
    }
    ok(castell_barrier() == CASTELL_OK, "tasks on cores and on the device");
    ok(right && memcmp(x, expected, sizeof(x)) == 0,
       "each sees what the one before left, main() too");
}

/* Blocks of a matrix, whose rows are far apart in main memory. */
static void test_blocks(void)
{
    enum { N = 64, B = 16 };
    static uint32_t matrix[N][N];
    bool right = true;

    for (uint32_t round = 1; round <= 3; round++)
        for (uint32_t i = 0; i < N; i += B)
            for (uint32_t j = 0; j < N; j += B) {
                const struct castell_access access = {
                    .base = &matrix[i][j],
                    .size = B * sizeof(uint32_t),
                    .rows = B,
                    .pitch = sizeof(matrix[0]),
                    .mode = CASTELL_INOUT};
                const struct step step = {i * N + j, B};
                const struct castell_submission submission = {
                    .kind = &of_block,
                    .accesses = &access,
                    .accesses_count = 1,
                    .argument = &step,
                    .argument_size = sizeof(step),
                };

                if (castell_task_submit(&submission, NULL) < 0)
                    tap_bail(castell_error_text());
            }
    ok(castell_barrier() == CASTELL_OK, "tasks on blocks of a matrix");
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < N; j++)
            right = right && matrix[i][j] == 3 * (i / B * B * N + j / B * B);
    ok(right, "each block has been written where it is");
}

/* More data than the device may hold. */
static void test_eviction(void)
{
    enum { COUNT = 24, STEPS = 4 };
    static uint32_t x[COUNT][WORDS];
    bool right = true;

    for (uint32_t step = 0; step < STEPS; step++)
        for (uint32_t i = 0; i < COUNT; i++)
            submit(step % 2 ? &enqueues : &on_opencl, x[i], WORDS, i);
    ok(castell_barrier() == CASTELL_OK, "data that do not fit");
    for (uint32_t i = 0; i < COUNT; i++)
        right = right && x[i][0] == 40 * i && x[i][WORDS - 1] == 40 * i;
    ok(right, "are right after they were evicted and brought back");
}

static void test_failures(void)
{
    static uint32_t big[16 * WORDS];
    struct castell_counters counters;

    submit(&fails, big, 1, 0);
    ok(castell_barrier() == CASTELL_OK, "a kernel that cannot be built");
    castell_counters(&counters);
    ok(counters.failed == 1, "fails its task");
    submit(&on_both, big, 16 * WORDS, 2);
    ok(wait_for(big, 16 * WORDS) && big[16 * WORDS - 1] == 2,
       "what never fits in the device runs on a core");
    for (uint32_t i = 0; i < 8; i++)
        submit(&on_both, big, 16 * WORDS, 2);
    ok(castell_barrier() == CASTELL_OK && big[0] == big[16 * WORDS - 1],
       "again and again");
}

/* One step of the device, or the sentence why not. */
static bool is_there(void)
{
    static uint32_t one;
    const struct castell_access access = {
        .base = &one, .size = sizeof(one), .mode = CASTELL_INOUT};
    const struct step step = {1, 1};
    const struct castell_submission submission = {
        .kind = &on_opencl,
        .accesses = &access,
        .accesses_count = 1,
        .argument = &step,
        .argument_size = sizeof(step),
    };

    return castell_task_submit(&submission, NULL) != CASTELL_ERR_UNSATISFIABLE;
}

int main(void)
{
    struct castell_kind *const kinds[] = {&on_core,  &on_opencl, &enqueues,
                                          &of_block, &on_both,   &fails};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (castell_kind_declare(kinds[i]) < 0)
            tap_bail(castell_error_text());
    if (castell_kind_implement("on_both", &both) < 0)
        tap_bail(castell_error_text());
    (void)setenv("CASTELL_DEVICES", "opencl", 1);
    start();
    if (!is_there()) {
        tap_skip("devices of OpenCL", castell_error_text());
        (void)castell_stop();
        return tap_done();
    }
    test_turns();
    test_blocks();
    ok(castell_stop() == 0, "the run ends well");
    ok(on_device > 0, "some ran on the device");
    (void)setenv("CASTELL_DEVICE_MEMORY", "24KiB", 1);
    start();
    test_turns();
    test_eviction();
    test_failures();
    ok(castell_stop() == 0, "so does one in a small device");
    return tap_done();
}
