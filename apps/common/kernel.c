#include "common/kernel.h"

#include "common/app.h"
#include "common/cuda.h"

#include <castell_cuda.h>
#include <castell_opencl.h>
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

static int multiply_cuda(const struct app_product *what, const float *a,
                         const float *b, float *c)
{
    return app_cuda_sgemm(what, a, b, c);
}

const struct app_device app_device_opencl = {launch_opencl, NULL};
const struct app_device app_device_cuda = {launch_cuda, multiply_cuda};
