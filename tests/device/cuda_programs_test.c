/*
 * Random programs on two GPUs that are none, which do late what they are told.
 */
#include "castell_cuda.h"
#include "device/cuda_internal.h"
#include "device/fake_cuda.h"
#include "device/programs.h"
#include "harness/tap.h"

#include <stdlib.h>
#include <string.h>

struct work {
    uint32_t *buffers[PROGRAMS_USES_MAX];
    struct programs_shape shape;
};

static int kernel(void *argument)
{
    struct work *work = argument;

    programs_compute(&work->shape, work->buffers);
    free(work);
    return 0;
}

static int enqueue(void *const *buffers, const struct programs_shape *shape)
{
    struct work *work = malloc(sizeof(*work));

    if (!work)
        return 1;
    work->shape = *shape;
    for (uint32_t i = 0; i < shape->count; i++)
        work->buffers[i] = buffers[i];
    return fake_cuda_launch(castell_cuda_stream(), kernel, work);
}

/* In every other run copies of more than a row go in pieces of about one. */
static void vary(uint64_t seed)
{
    bool staged = seed / 500 % 2 != 0;

    cst_cuda_stage_sizes(staged ? 65 : 0, staged ? 72 : 0);
}

int main(int argc, char **argv)
{
    static const struct programs_device device = {"cuda", CASTELL_CUDA, 10000,
                                                  enqueue, vary};

    return programs_main(&device, argc, argv);
}
