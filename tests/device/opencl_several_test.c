/*
 * Bodies that get two devices of OpenCL, or half of one, run for real: by PoCL, which can be two
 * devices. (Where there are GPUs, it takes two of them.)
 */
#include "castell_device.h"
#include "castell_opencl.h"
#include "harness/tap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS = 256, PAIRS = 20, ONES = 80, BLOCKS = 4, HANGS_S = 120 };

static const char source[] = "kernel void advance(global uint *x, uint by)\n"
                             "{\n"
                             "    size_t i = get_global_id(0);\n"
                             "    x[i] = x[i] * 3 + by;\n"
                             "}\n"
                             "kernel void nothing(local uint *x)\n"
                             "{\n"
                             "    x[get_local_id(0)] = 1;\n"
                             "}\n";

static uint32_t data[BLOCKS][WORDS];
static uint32_t wanted[BLOCKS][WORDS];
static _Atomic(int) pairs, ones;

static int advance(void *const *buffers, const void *argument)
{
    const struct castell_opencl_argument arguments[] = {
        {sizeof(void *), &buffers[0]}, {sizeof(uint32_t), argument}};
    const struct castell_opencl_range range = {1, {WORDS}, {0}};

    return castell_opencl_launch(source, "advance", &range, arguments, 2) < 0;
}

static int on_one(void *const *buffers, const void *argument)
{
    ones++;
    return advance(buffers, argument) || castell_device_count() != 1;
}

/* On the second one a kernel that needs no memory of it; then the first. */
static int on_two(void *const *buffers, const void *argument)
{
    const struct castell_opencl_argument local = {sizeof(uint32_t) * 8, NULL};
    const struct castell_opencl_range range = {1, {64}, {8}};
    const struct _cl_command_queue *queue = castell_opencl_queue();
    const struct _cl_context *context = castell_opencl_context();
    const struct _cl_device_id *device = castell_opencl_device();
    int number = castell_device_number();

    pairs++;
    if (castell_device_count() != 2 || castell_device_use(1) != CASTELL_OK ||
        castell_opencl_queue() == queue ||
        castell_opencl_context() == context ||
        castell_opencl_device() == device || castell_device_number() == number)
        return 1;
    if (castell_opencl_launch(source, "nothing", &range, &local, 1) < 0)
        return 2;
    if (castell_device_use(2) != CASTELL_ERR_INVALID ||
        castell_device_use(0) != CASTELL_OK || castell_opencl_queue() != queue)
        return 3;
    return advance(buffers, argument);
}

static struct castell_kind one = {.name = "one",
                                  .body = on_one,
                                  .device = CASTELL_OPENCL,
                                  .flags = CASTELL_ASYNC};
static struct castell_kind two = {.name = "two",
                                  .body = on_two,
                                  .device = CASTELL_OPENCL,
                                  .constraint = {.gpus = 2}};

static struct castell_kind half = {.name = "half",
                                   .body = on_one,
                                   .device = CASTELL_OPENCL,
                                   .constraint = {.gpus = 0.5f}};

static enum castell_status submit(struct castell_kind *kind, uint32_t block,
                                  uint32_t by)
{
    const struct castell_access access = {
        .base = data[block], .size = sizeof(data[0]), .mode = CASTELL_INOUT};
    const struct castell_submission task = {.kind = kind,
                                            .accesses = &access,
                                            .accesses_count = 1,
                                            .argument = &by,
                                            .argument_size = sizeof(by)};

    for (uint32_t i = 0; i < WORDS; i++)
        wanted[block][i] = wanted[block][i] * 3 + by;
    return castell_task_submit(&task, NULL);
}

int main(void)
{
    enum castell_status status = CASTELL_OK;

    (void)alarm(HANGS_S);
    must(setenv("CASTELL_DEVICES", "opencl", 1) == 0 &&
             setenv("POCL_DEVICES", "pthread pthread", 1) == 0 &&
             castell_kind_declare(&one) == CASTELL_OK &&
             castell_kind_declare(&half) == CASTELL_OK &&
             castell_kind_declare(&two) == CASTELL_OK &&
             castell_start_with(NULL) == CASTELL_OK,
         "it starts: %s", castell_error_text());
    if (submit(&two, 0, 1) == CASTELL_ERR_UNSATISFIABLE) {
        tap_skip("two devices of OpenCL", castell_error_text());
        (void)castell_stop();
        return tap_done();
    }
    for (uint32_t i = 1; i < PAIRS && status == CASTELL_OK; i++) {
        status = submit(&two, i % BLOCKS, i);
        for (uint32_t j = 0; j < ONES / PAIRS && status == CASTELL_OK; j++)
            status = submit(i % 3 ? &half : &one, (i + j) % BLOCKS, j);
    }
    ok(status == CASTELL_OK && castell_barrier() == CASTELL_OK,
       "all are run: %s", castell_error_text());
    ok(memcmp(data, wanted, sizeof(data)) == 0, "and are right");
    ok(pairs == PAIRS && ones > 0, "%d with two devices", pairs);
    ok(castell_stop() == 0, "the run ends well");
    return tap_done();
}
