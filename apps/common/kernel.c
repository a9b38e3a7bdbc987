#include "common/kernel.h"

#include "common/app.h"
#include "common/cuda.h"

#include <castell_cuda.h>
#include <castell_opencl.h>
#include <stdint.h>
#include <stdio.h>

void app_put(struct app_call *call, const void *value, size_t size)
{
    if (call->count == APP_CALL_MAX)
        app_die(1, "a kernel has %d arguments at most", APP_CALL_MAX);
    call->values[call->count] = value;
    call->sizes[call->count++] = size;
}

static int said(const char *name, enum castell_status status)
{
    if (status >= 0)
        return 0;
    (void)fprintf(stderr, "kernel %s: %s\n", name, castell_error_text());
    return 1;
}

static int launch_opencl(const struct app_kernels *source, const char *name,
                         int width, int height, const struct app_call *call)
{
    const struct castell_opencl_range range = {
        2, {(size_t)width, (size_t)height}, {0}};
    struct castell_opencl_argument arguments[APP_CALL_MAX];

    for (int i = 0; i < call->count; i++)
        arguments[i] =
            (struct castell_opencl_argument){call->sizes[i], call->values[i]};
    return said(name, castell_opencl_launch(source->opencl, name, &range,
                                            arguments, (uint32_t)call->count));
}

static int launch_cuda(const struct app_kernels *source, const char *name,
                       int width, int height, const struct app_call *call)
{
    /* Blocks are whole: one of a kernel of a line must not be several high. */
    const struct castell_cuda_range range = {
        height > 1 ? 2 : 1, {(size_t)width, (size_t)height}, {0}, 0};

    return said(name,
                castell_cuda_launch(source->cuda, name, &range, call->values));
}

/* A plain loop for each number. */
static const struct app_kernels kernels_product = APP_KERNELS(
    kernel void product(int rows, int columns, int inner, int turned,
                        buffer const float *a, long a_at, buffer const float *b,
                        long b_at, buffer float *c, long c_at) {
        int j = get_global_id(0);
        int i = get_global_id(1);
        long a_step = turned & 1 ? rows : 1;
        long b_step = turned & 2 ? 1 : columns;
        float sum = 0;

        if (j >= columns || i >= rows)
            return;
        a_at += turned & 1 ? i : (long)i * inner;
        b_at += turned & 2 ? (long)j * inner : j;
        for (int k = 0; k < inner; k++)
            sum += a[a_at + k * a_step] * b[b_at + k * b_step];
        c[c_at + (long)i * columns + j] = sum;
    });

static int multiply_opencl(const struct app_product *what, struct app_place a,
                           struct app_place b, struct app_place c)
{
    int turned = what->a_turned + 2 * what->b_turned;
    struct app_call call = {.count = 0};

    APP_PUT(&call, what->rows);
    APP_PUT(&call, what->columns);
    APP_PUT(&call, what->inner);
    APP_PUT(&call, turned);
    APP_PUT(&call, a.memory);
    APP_PUT(&call, a.at);
    APP_PUT(&call, b.memory);
    APP_PUT(&call, b.at);
    APP_PUT(&call, c.memory);
    APP_PUT(&call, c.at);
    return launch_opencl(&kernels_product, "product", what->columns, what->rows,
                         &call);
}

/* By rows, which is the product of the transposed ones by columns. */
static int multiply_cuda(const struct app_product *what, struct app_place a,
                         struct app_place b, struct app_place c)
{
    const struct app_cuda_sgemm by_columns = {.m = what->columns,
                                              .n = what->rows,
                                              .k = what->inner,
                                              .a_turned = what->b_turned,
                                              .b_turned = what->a_turned};

    if (app_cuda_sgemm(&by_columns, b.memory + b.at, a.memory + a.at,
                       (float *)(uintptr_t)(c.memory + c.at)) == 0)
        return 0;
    (void)fprintf(stderr, "cublasSgemm fails\n");
    return 1;
}

const struct app_device app_device_opencl = {launch_opencl, multiply_opencl};
const struct app_device app_device_cuda = {launch_cuda, multiply_cuda};
