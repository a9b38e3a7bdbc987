/* Kernels of CUDA from sources, for bodies: built once a device. */
#include "base/fail.h"
#include "base/memory.h"
#include "castell_cuda.h"
#include "device/cuda_internal.h"

/* Of blocks in the second direction, and of threads in one. */
enum { BLOCKS_MAX = 65535, THREADS_MAX = 1024 };

/* Threads of a block, by directions, where nobody says how many. */
static const uint32_t usual[3][3] = {{256, 1, 1}, {32, 8, 1}, {32, 4, 2}};

static int attribute(const struct cst_cuda_device *device,
                     enum cst_cu_attribute which)
{
    int value = 0;

    (void)device->cuda->cuDeviceGetAttribute(&value, (int)which,
                                             device->number);
    return value;
}

/* ---- What was built; struct cst_sources_ops ------------------------------ */

static void *build(void *handle, const char *source)
{
    struct cst_cuda_device *device = handle;
    struct CUmod_st *module = NULL;
    char *code =
        cst_cuda_compile(source, attribute(device, CST_CU_CAPABILITY_MAJOR),
                         attribute(device, CST_CU_CAPABILITY_MINOR));
    int result;

    if (!code)
        return NULL;
    result = device->cuda->cuModuleLoadData(&module, code);
    cst_free(code);
    return cst_cuda_check(device, "a program of kernels", result) == CASTELL_OK
               ? module
               : NULL;
}

static void unload(void *handle, void *program)
{
    const struct cst_cuda_device *device = handle;

    (void)device->cuda->cuModuleUnload(program);
}

static void *find(void *handle, void *program, const char *name)
{
    struct cst_cuda_device *device = handle;
    struct CUfunc_st *kernel = NULL;
    int result = device->cuda->cuModuleGetFunction(&kernel, program, name);

    if (result == CST_CU_SUCCESS)
        return kernel;
    if (result == CST_CU_NOT_FOUND)
        cst_fail_text("CUDA: there is no kernel %s; is it extern \"C\" "
                      "__global__?",
                      name);
    else
        (void)cst_cuda_fail(device, name, result);
    return NULL;
}

static void release(void *handle, void *kernel)
{
    /* It goes with its module. */
    (void)handle;
    (void)kernel;
}

static const struct cst_sources_ops sources_ops = {build, unload, find,
                                                   release};

void cst_cuda_drop_sources(struct cst_cuda_device *device)
{
    cst_sources_drop(&device->sources, &sources_ops, device);
}

/* ---- For bodies ----------------------------------------------------------- */

struct CUfunc_st *castell_cuda_kernel(const char *source, const char *name)
{
    enum cst_device_queue queue;
    struct cst_cuda_device *device = cst_cuda_here(&queue);
    struct CUfunc_st *kernel;

    if (!device)
        return NULL;
    (void)pthread_mutex_lock(&device->lock);
    kernel = cst_sources_kernel(&device->sources, &sources_ops, device, source,
                                name);
    (void)pthread_mutex_unlock(&device->lock);
    return kernel;
}

/* CUDA takes fewer blocks in the other directions than in the first: then those
   that nobody has asked for become higher, and narrower. */
static void make_higher(size_t wanted, uint32_t blocks[3], uint32_t threads[3])
{
    while (blocks[1] > BLOCKS_MAX && threads[1] < THREADS_MAX) {
        threads[1] *= 2;
        threads[0] = threads[0] > 1 ? threads[0] / 2 : 1;
        blocks[1] = (uint32_t)((wanted - 1) / threads[1] + 1);
    }
}

/* Whole blocks, in which all threads that are wanted are. */
static bool cut(const struct castell_cuda_range *range, uint32_t blocks[3],
                uint32_t threads[3])
{
    if (range->dimensions < 1 || range->dimensions > 3)
        return false;
    for (uint32_t i = 0; i < 3; i++) {
        bool used = i < range->dimensions;
        size_t all = used ? range->global[i] : 1;
        size_t some = !used                 ? 1
                      : range->local[0] > 0 ? range->local[i]
                                            : usual[range->dimensions - 1][i];

        if (all == 0 || some == 0 || some > UINT32_MAX ||
            (all - 1) / some >= UINT32_MAX)
            return false;
        blocks[i] = (uint32_t)((all - 1) / some + 1);
        threads[i] = (uint32_t)some;
    }
    if (range->local[0] == 0 && range->dimensions == 2) {
        make_higher(range->global[1], blocks, threads);
        blocks[0] = (uint32_t)((range->global[0] - 1) / threads[0] + 1);
    }
    return true;
}

enum castell_status castell_cuda_launch(const char *source, const char *name,
                                        const struct castell_cuda_range *range,
                                        const void *const *arguments)
{
    enum cst_device_queue queue;
    struct cst_cuda_device *device = cst_cuda_here(&queue);
    struct CUfunc_st *kernel = castell_cuda_kernel(source, name);
    uint32_t blocks[3];
    uint32_t threads[3];
    int result;

    if (!kernel)
        return CASTELL_ERR_INVALID;
    if (!cut(range, blocks, threads))
        return cst_fail(CASTELL_ERR_INVALID,
                        "CUDA: kernel %s: a range has one to three directions, "
                        "with at least one thread in each",
                        name);
    result = device->cuda->cuLaunchKernel(
        kernel, blocks[0], blocks[1], blocks[2], threads[0], threads[1],
        threads[2], range->shared, device->streams[queue],
        /* It only reads them. */
        (void **)(uintptr_t)arguments, NULL);
    if (result == CST_CU_INVALID_VALUE)
        return cst_cuda_say(device->cuda, CASTELL_ERR_INVALID, name, result);
    return cst_cuda_check(device, name, result);
}
