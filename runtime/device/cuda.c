/*
 * The table for devices of CUDA, by its driver interface. The context is each
 * device's primary one, which the runtime interface of kernels in .cu files and
 * NVIDIA's libraries use too.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "castell_cuda.h"
#include "device/cuda_internal.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* ---- Failures ----------------------------------------------------------- */

/* After these nothing works in the context any more: the device is lost. */
bool cst_cuda_is_fatal(int code)
{
    return (code >= CST_CU_HARDWARE_STACK_ERROR &&
            code <= CST_CU_LAUNCH_FAILED) ||
           code == CST_CU_ILLEGAL_ADDRESS || code == CST_CU_LAUNCH_TIMEOUT ||
           code == CST_CU_ASSERT || code == CST_CU_ECC_UNCORRECTABLE ||
           code == CST_CU_NVLINK_UNCORRECTABLE || code == CST_CU_CONTAINED ||
           code == CST_CU_CONTEXT_IS_DESTROYED ||
           code == CST_CU_DEINITIALIZED || code == CST_CU_DEVICE_UNAVAILABLE;
}

enum castell_status cst_cuda_say(const struct cst_cuda *cuda,
                                 enum castell_status status, const char *what,
                                 int code)
{
    const char *name = NULL;
    const char *words = NULL;

    (void)cuda->cuGetErrorName(code, &name);
    (void)cuda->cuGetErrorString(code, &words);
    return cst_fail(status, "CUDA: %s: %s (%s, %d)", what,
                    words ? words : "a failure of its own",
                    name ? name : "unknown", code);
}

/* Whom does a failure hit? */
enum castell_status cst_cuda_fail(struct cst_cuda_device *device,
                                  const char *what, int code)
{
    enum castell_status status = CASTELL_ERR_SYSTEM;

    if (code == CST_CU_OUT_OF_MEMORY)
        status = CASTELL_ERR_NO_MEMORY;
    if (cst_cuda_is_fatal(code)) {
        atomic_store(&device->lost, code);
        cst_cuda_await_moves(device);
        status = CASTELL_ERR_NODE_LOST;
    }
    return cst_cuda_say(device->cuda, status, what, code);
}

enum castell_status cst_cuda_check(struct cst_cuda_device *device,
                                   const char *what, int code)
{
    return __builtin_expect(code == CST_CU_SUCCESS, 1)
               ? CASTELL_OK
               : cst_cuda_fail(device, what, code);
}

/* ---- What is current ---------------------------------------------------- */

/* One that cannot is broken: nobody could see any more what in it is over. */
enum castell_status cst_cuda_enter(struct cst_cuda_device *device)
{
    int lost = atomic_load_explicit(&device->lost, memory_order_relaxed);
    int code;

    if (__builtin_expect(lost != 0, 0))
        return cst_cuda_say(device->cuda, CASTELL_ERR_NODE_LOST, "it was lost",
                            lost);
    code = device->cuda->cuCtxPushCurrent_v2(device->context);
    if (__builtin_expect(code == CST_CU_SUCCESS, 1))
        return CASTELL_OK;
    atomic_store(&device->lost, code);
    return cst_cuda_say(device->cuda, CASTELL_ERR_NODE_LOST, "its context",
                        code);
}

void cst_cuda_leave(struct cst_cuda_device *device)
{
    struct CUctx_st *context;

    (void)device->cuda->cuCtxPopCurrent_v2(&context);
}

enum castell_status cst_cuda_done(struct cst_cuda_device *device,
                                  const char *what, int code)
{
    cst_cuda_leave(device);
    return cst_cuda_check(device, what, code);
}

/* ---- The driver --------------------------------------------------------- */

/* Where the address of each function goes. */
static const struct {
    const char *name;
    size_t offset;
} calls[] = {
#define CALL(name, ...) {#name, offsetof(struct cst_cuda, name)},
    CST_CUDA_CALLS(CALL)
#undef CALL
};

/* Returns the name of one that is missing, or NULL. */
static const char *load_calls(struct cst_cuda *cuda)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        void *symbol = dlsym(cuda->library, calls[i].name);

        if (!symbol)
            return calls[i].name;
        /* ISO C knows no cast from an object's pointer to a function's. */
        memcpy((char *)cuda + calls[i].offset, &symbol, sizeof(symbol));
    }
    return NULL;
}

static void driver_release(void *driver)
{
    /* The library stays: it has threads, and handlers for exit(). */
    cst_free(driver);
}

/* Begin to use the driver. CUDA_VISIBLE_DEVICES it heeds itself. */
static enum castell_status start(struct cst_cuda *cuda)
{
    const char *missing;
    int version = 0;
    int count = 0;
    int code;

    cuda->library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!cuda->library)
        return cst_fail(CASTELL_ERR_UNSATISFIABLE, "there is no libcuda.so.1");
    missing = load_calls(cuda);
    if (missing)
        return cst_fail(CASTELL_ERR_UNSATISFIABLE,
                        "libcuda.so.1 is too old: it has no %s", missing);
    code = cuda->cuDriverGetVersion(&version);
    if (code == CST_CU_SUCCESS && version < CST_CU_VERSION_MIN)
        return cst_fail(CASTELL_ERR_UNSATISFIABLE,
                        "the driver is for CUDA %d.%d; at least %d.%d is "
                        "needed",
                        version / 1000, version % 1000 / 10,
                        CST_CU_VERSION_MIN / 1000,
                        CST_CU_VERSION_MIN % 1000 / 10);
    if (code == CST_CU_SUCCESS)
        code = cuda->cuInit(0);
    if (code == CST_CU_SUCCESS)
        code = cuda->cuDeviceGetCount(&count);
    if (code != CST_CU_SUCCESS && code != CST_CU_NO_DEVICE)
        return cst_cuda_say(cuda, CASTELL_ERR_UNSATISFIABLE,
                            "it does not start", code);
    cuda->count = code == CST_CU_SUCCESS && count > 0 ? (uint32_t)count : 0;
    return CASTELL_OK;
}

static enum castell_status discover(void **ret_driver, uint32_t *ret_count)
{
    struct cst_cuda *cuda = cst_zalloc(sizeof(*cuda));
    enum castell_status status;

    if (!cuda)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for CUDA");
    status = start(cuda);
    if (status < 0) {
        driver_release(cuda);
        return status;
    }
    *ret_driver = cuda;
    *ret_count = cuda->count;
    return CASTELL_OK;
}

static int attribute(const struct cst_cuda *cuda, int device,
                     enum cst_cu_attribute which)
{
    int value = 0;

    if (cuda->cuDeviceGetAttribute(&value, (int)which, device) !=
        CST_CU_SUCCESS)
        return 0;
    return value;
}

static enum castell_status describe(void *driver, uint32_t index,
                                    struct cst_device_info *ret_info)
{
    const struct cst_cuda *cuda = driver;
    int device = 0;
    size_t memory = 0;
    int code = cuda->cuDeviceGet(&device, (int)index);

    memset(ret_info, 0, sizeof(*ret_info));
    if (code == CST_CU_SUCCESS)
        code = cuda->cuDeviceTotalMem_v2(&memory, device);
    if (code == CST_CU_SUCCESS)
        code = cuda->cuDeviceGetName(ret_info->name,
                                     (int)sizeof(ret_info->name), device);
    if (code != CST_CU_SUCCESS)
        return cst_cuda_say(cuda, CASTELL_ERR_SYSTEM,
                            "a device does not say what it is", code);
    if (cuda->cuDeviceGetPCIBusId(ret_info->bus, (int)sizeof(ret_info->bus),
                                  device) != CST_CU_SUCCESS)
        ret_info->bus[0] = '\0';
    /* As the system writes it. */
    for (char *c = ret_info->bus; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    (void)snprintf(ret_info->version, sizeof(ret_info->version), "%d.%d",
                   attribute(cuda, device, CST_CU_CAPABILITY_MAJOR),
                   attribute(cuda, device, CST_CU_CAPABILITY_MINOR));
    ret_info->memory = memory;
    ret_info->allocation_max = memory;
    ret_info->units = (uint32_t)attribute(cuda, device, CST_CU_MULTIPROCESSORS);
    ret_info->shares_memory = attribute(cuda, device, CST_CU_INTEGRATED) != 0;
    return CASTELL_OK;
}

/* ---- A device ----------------------------------------------------------- */

static void device_close(void *handle)
{
    struct cst_cuda_device *device = handle;

    if (!device)
        return;
    /* Of a lost one these fail, which changes nothing. */
    cst_pages_leave(&device->pinner);
    if (device->context)
        (void)device->cuda->cuCtxPushCurrent_v2(device->context);
    for (int i = 0; i < 2; i++)
        cst_cuda_ring_release(device, &device->rings[i]);
    if (device->context) {
        cst_cuda_drop_handles(device);
        cst_cuda_drop_sources(device);
        cst_cuda_drop_events(device);
        for (int i = 0; i < CST_DEVICE_QUEUES; i++)
            if (device->streams[i])
                (void)device->cuda->cuStreamDestroy_v2(device->streams[i]);
        cst_cuda_leave(device);
        (void)device->cuda->cuDevicePrimaryCtxRelease_v2(device->number);
    }
    (void)pthread_mutex_destroy(&device->lock);
    cst_free(device);
}

static enum castell_status device_open(void *driver, uint32_t index,
                                       void **ret_device)
{
    const struct cst_cuda *cuda = driver;
    struct cst_cuda_device *device = cst_zalloc(sizeof(*device));
    int code;

    if (!device)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a device");
    device->cuda = cuda;
    device->pinner.pin = cst_cuda_pin;
    device->pinner.unpin = cst_cuda_unpin;
    for (int i = 0; i < 2; i++)
        cst_cuda_ring_init(&device->rings[i]);
    (void)pthread_mutex_init(&device->lock, NULL);
    code = cuda->cuDeviceGet(&device->number, (int)index);
    if (code == CST_CU_SUCCESS)
        code = cuda->cuDevicePrimaryCtxRetain(&device->context, device->number);
    if (code == CST_CU_SUCCESS)
        code = cuda->cuCtxPushCurrent_v2(device->context);
    if (code == CST_CU_SUCCESS) {
        for (int i = 0; i < CST_DEVICE_LANE && code == CST_CU_SUCCESS; i++)
            code = cuda->cuStreamCreate(&device->streams[i],
                                        CST_CU_STREAM_NON_BLOCKING);
        cst_cuda_leave(device);
    }
    if (code != CST_CU_SUCCESS) {
        device_close(device);
        return cst_cuda_say(cuda,
                            code == CST_CU_OUT_OF_MEMORY ? CASTELL_ERR_NO_MEMORY
                                                         : CASTELL_ERR_SYSTEM,
                            "a device cannot be used", code);
    }
    cst_pages_join(&device->pinner);
    *ret_device = device;
    return CASTELL_OK;
}

/* ---- Bodies ------------------------------------------------------------- */

static enum castell_status enter(void *handle)
{
    return cst_cuda_enter(handle);
}

static enum castell_status leave(void *handle)
{
    struct cst_cuda_device *device = handle;

    /* Streams send off by themselves; a kernel that could not be started is
       the body's to see, and a broken context shows in the next event. */
    cst_cuda_leave(device);
    return CASTELL_OK;
}

const struct cst_device_ops cst_device_cuda = {
    .name = "cuda",
    .kind = CASTELL_CUDA,
    .discover = discover,
    .release = driver_release,
    .describe = describe,
    .open = device_open,
    .close = device_close,
    .unused = cst_cuda_unused,
    .allocate = cst_cuda_allocate,
    .free = cst_cuda_release,
    .copy_in = cst_cuda_copy_in,
    .copy_out = cst_cuda_copy_out,
    .copy_peer = cst_cuda_copy_peer,
    .lane = cst_cuda_lane,
    .record = cst_cuda_record,
    .event_destroy = cst_cuda_event_destroy,
    .queue_wait = cst_cuda_queue_wait,
    .event_query = cst_cuda_event_query,
    .event_wait = cst_cuda_event_wait,
    .event_elapsed_ns = cst_cuda_event_elapsed_ns,
    .enter = enter,
    .leave = leave,
    .finish = cst_cuda_finish,
};
