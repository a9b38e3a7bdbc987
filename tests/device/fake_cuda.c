/*
 * A libcuda.so.1 without a GPU; see fake_cuda.h.
 */
#include "device/fake_internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES_MAX = 8, DEPTH_MAX = 16, NAME_SIZE = 64 };

pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER;
static struct CUctx_st contexts[DEVICES_MAX];
int fake_left;
static struct {
    char call[NAME_SIZE];
    int code, after, times;
} plan;
static _Thread_local struct CUctx_st *stack[DEPTH_MAX];
static _Thread_local int depth;

static size_t setting(const char *name, size_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* What the call is to fail with; 0: with nothing. */
int fake_planned(const char *call)
{
    if (strcmp(plan.call, call) != 0 || plan.times == 0)
        return 0;
    if (plan.after > 0) {
        plan.after--;
        return 0;
    }
    plan.times--;
    return plan.code;
}

struct CUctx_st *fake_current(void)
{
    return depth > 0 ? stack[depth - 1] : NULL;
}

/* With the lock: what every call begins with that needs a context. */
/* After these nothing works in a context any more. */
static bool is_fatal(int code)
{
    return code == CST_CU_ILLEGAL_ADDRESS || code == CST_CU_ASSERT ||
           code == CST_CU_LAUNCH_FAILED;
}

int fake_begin(const char *call)
{
    struct CUctx_st *context = fake_current();
    int code;

    (void)pthread_mutex_lock(&fake_lock);
    code = fake_planned(call);
    if (code == 0)
        code = context ? context->fatal : INVALID_CONTEXT;
    if (context && is_fatal(code))
        context->fatal = code;
    return code;
}

int fake_end(int code)
{
    (void)pthread_mutex_unlock(&fake_lock);
    return code;
}

/* ---- Which devices -------------------------------------------------------- */

static int there(void)
{
    return (int)setting("FAKE_CUDA_DEVICES", 2);
}

/*
 * The device behind a number, as the real driver heeds CUDA_VISIBLE_DEVICES: a
 * list of numbers, of which those count that come before the first that is
 * none. -1: there is no such number.
 */
static int behind(int number)
{
    const char *list = getenv("CUDA_VISIBLE_DEVICES");

    if (!list)
        return number < there() ? number : -1;
    for (int i = 0; i <= number; i++) {
        char *end;
        long device = strtol(list, &end, 10);

        if (end == list || device < 0 || device >= there())
            return -1;
        if (i == number)
            return (int)device;
        if (*end != ',')
            return -1;
        list = end + 1;
    }
    return -1;
}

/* ---- The driver ----------------------------------------------------------- */

int cuInit(unsigned int flags)
{
    (void)flags;
    return fake_planned("cuInit");
}

int cuDriverGetVersion(int *version)
{
    int code = fake_planned("cuDriverGetVersion");

    *version = code == -1 ? 10020 : 12040; /* -1: say that it is old */
    return code == -1 ? 0 : code;
}

int cuDeviceGetCount(int *count)
{
    *count = 0;
    while (*count < DEVICES_MAX && behind(*count) >= 0)
        ++*count;
    return fake_planned("cuDeviceGetCount");
}

int cuDeviceGet(int *device, int number)
{
    *device = number;
    return number < DEVICES_MAX ? fake_planned("cuDeviceGet") : 101;
}

int cuDeviceGetName(char *name, int size, int device)
{
    (void)snprintf(name, (size_t)size, "Fake %d", behind(device));
    return fake_planned("cuDeviceGetName");
}

int cuDeviceGetPCIBusId(char *name, int size, int device)
{
    (void)snprintf(name, (size_t)size, "0000:%02X:00.0",
                   0x3Au + (unsigned)behind(device));
    return fake_planned("cuDeviceGetPCIBusId");
}

int cuDeviceTotalMem_v2(size_t *size, int device)
{
    (void)device;
    *size = setting("FAKE_CUDA_MEMORY", (size_t)64 << 20);
    return fake_planned("cuDeviceTotalMem_v2");
}

int cuDeviceGetAttribute(int *value, int which, int device)
{
    (void)device;
    *value = which == CST_CU_CAPABILITY_MAJOR  ? 9
             : which == CST_CU_MULTIPROCESSORS ? 132
                                               : 0;
    return fake_planned("cuDeviceGetAttribute");
}

int cuDeviceCanAccessPeer(int *can, int device, int peer)
{
    *can = device != peer;
    return fake_planned("cuDeviceCanAccessPeer");
}

int cuDevicePrimaryCtxRetain(struct CUctx_st **context, int device)
{
    int code;

    (void)pthread_mutex_lock(&fake_lock);
    code = fake_planned("cuDevicePrimaryCtxRetain");
    if (code == 0) {
        *context = &contexts[device];
        (*context)->device = device;
        (*context)->retained++;
        fake_left++;
    }
    return fake_end(code);
}

/* What could not be freed in a context that was broken. */
static void drop_blocks(struct CUctx_st *context)
{
    while (context->blocks) {
        struct block *block = context->blocks;

        context->blocks = block->next;
        context->used -= block->size;
        free(block->memory);
        free(block);
        fake_left--;
    }
}

int cuDevicePrimaryCtxRelease_v2(int device)
{
    struct CUctx_st *context = &contexts[device];

    (void)pthread_mutex_lock(&fake_lock);
    fake_left--;
    if (--context->retained == 0 && context->fatal) {
        drop_blocks(context);
        fake_host_drop(context);
        context->fatal = 0;
    }
    return fake_end(0);
}

int cuCtxPushCurrent_v2(struct CUctx_st *context)
{
    int code;

    (void)pthread_mutex_lock(&fake_lock);
    code =
        depth < DEPTH_MAX ? fake_planned("cuCtxPushCurrent_v2") : INVALID_VALUE;
    if (code == 0)
        stack[depth++] = context;
    else /* it is broken: what is in its streams comes to nothing, too */
        context->fatal = code;
    return fake_end(code);
}

int cuCtxPopCurrent_v2(struct CUctx_st **context)
{
    *context = fake_current();
    if (depth == 0)
        return INVALID_CONTEXT;
    depth--;
    return 0;
}

int cuCtxEnablePeerAccess(struct CUctx_st *peer, unsigned int flags)
{
    int code = fake_begin("cuCtxEnablePeerAccess");

    (void)flags;
    if (code == 0 && fake_current()->peers >> peer->device & 1)
        code = CST_CU_PEER_ALREADY_ENABLED;
    if (code == 0)
        fake_current()->peers |= 1u << peer->device;
    return fake_end(code);
}

int cuMemGetInfo_v2(size_t *unused, size_t *all)
{
    int code = fake_begin("cuMemGetInfo_v2");

    *all = setting("FAKE_CUDA_MEMORY", (size_t)64 << 20);
    *unused = *all - setting("FAKE_CUDA_TAKEN", 0);
    if (fake_current())
        *unused -= fake_current()->used;
    return fake_end(code);
}

int cuMemAlloc_v2(uint64_t *memory, size_t size)
{
    int code = fake_begin("cuMemAlloc_v2");
    struct block *block;

    if (code == 0 && fake_current()->used + size >
                         setting("FAKE_CUDA_MEMORY", (size_t)64 << 20) -
                             setting("FAKE_CUDA_TAKEN", 0))
        code = CST_CU_OUT_OF_MEMORY;
    if (code == 0) {
        block = malloc(sizeof(*block));
        if (!block)
            abort();
        *block = (struct block){fake_current()->blocks, malloc(size), size};
        fake_current()->blocks = block;
        fake_current()->used += size;
        memset(block->memory, 0xa5, size);
        *memory = (uint64_t)(uintptr_t)block->memory;
        fake_left++;
    }
    return fake_end(code);
}

int cuMemFree_v2(uint64_t memory)
{
    int code = fake_begin("cuMemFree_v2");
    bool frees = fake_current() && !fake_current()->fatal;
    struct block **at = frees ? &fake_current()->blocks : NULL;
    struct block *block;

    /* It waits for all that is under way, as the real one does, whose failures
       may be of that only. */
    while (frees && fake_step())
        continue;
    while (at && *at && (uint64_t)(uintptr_t)(*at)->memory != memory)
        at = &(*at)->next;
    if (frees && !*at)
        code = INVALID_VALUE;
    if (frees && *at) {
        block = *at;
        *at = block->next;
        fake_current()->used -= block->size;
        free(block->memory);
        free(block);
        fake_left--;
    }
    return fake_end(code);
}

int cuGetErrorName(int code, const char **name)
{
    *name = code == CST_CU_ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS"
            : code == CST_CU_OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY"
                                           : NULL;
    return 0;
}

int cuGetErrorString(int code, const char **words)
{
    *words = code == CST_CU_ILLEGAL_ADDRESS
                 ? "an illegal memory access was encountered"
             : code == CST_CU_OUT_OF_MEMORY ? "out of memory"
                                            : NULL;
    return 0;
}

/* ---- Modules ------------------------------------------------------------------------ */

/* What fake_nvrtc.c gives as code is the name of a shared object. */
struct CUmod_st {
    void *library;
    struct CUfunc_st *functions;
};

struct CUfunc_st {
    struct CUfunc_st *next;
    void *(*bind)(void **arguments, const unsigned *blocks,
                  const unsigned *threads);
    int (*run)(void *bound);
};

int cuModuleLoadData(struct CUmod_st **module, const void *code)
{
    int result = fake_begin("cuModuleLoadData");
    void *library = result == 0 ? dlopen(code, RTLD_NOW | RTLD_LOCAL) : NULL;

    if (result == 0 && !library)
        result = 200;
    if (result == 0) {
        *module = calloc(1, sizeof(**module));
        (*module)->library = library;
        fake_left++;
    }
    return fake_end(result);
}

int cuModuleUnload(struct CUmod_st *module)
{
    (void)pthread_mutex_lock(&fake_lock);
    while (module->functions) {
        struct CUfunc_st *function = module->functions;

        module->functions = function->next;
        free(function);
    }
    (void)dlclose(module->library);
    free(module);
    fake_left--;
    return fake_end(0);
}

int cuModuleGetFunction(struct CUfunc_st **function, struct CUmod_st *module,
                        const char *name)
{
    int result = fake_begin("cuModuleGetFunction");
    char symbol[NAME_SIZE + 16];
    void *bind = NULL;
    void *run = NULL;

    if (result == 0) {
        (void)snprintf(symbol, sizeof(symbol), "fake_bind_%s", name);
        bind = dlsym(module->library, symbol);
        run = dlsym(module->library, "fake_run");
        result = bind && run ? 0 : CST_CU_NOT_FOUND;
    }
    if (result == 0) {
        *function = calloc(1, sizeof(**function));
        memcpy(&(*function)->bind, &bind, sizeof(bind));
        memcpy(&(*function)->run, &run, sizeof(run));
        (*function)->next = module->functions;
        module->functions = *function;
    }
    return fake_end(result);
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are NVIDIA's */
int cuLaunchKernel(struct CUfunc_st *function, unsigned int blocks_x,
                   unsigned int blocks_y, unsigned int blocks_z,
                   unsigned int threads_x, unsigned int threads_y,
                   unsigned int threads_z, unsigned int shared,
                   struct CUstream_st *stream, void **arguments, void **extra)
{
    const unsigned int blocks[] = {blocks_x, blocks_y, blocks_z};
    const unsigned int threads[] = {threads_x, threads_y, threads_z};
    int result;

    (void)pthread_mutex_lock(&fake_lock);
    result = fake_planned("cuLaunchKernel");
    (void)fake_end(0);
    if (result == 0 &&
        (extra || shared > 48 << 10 || blocks_y > 65535 || blocks_z > 65535 ||
         threads_x * threads_y * threads_z > 1024))
        result = INVALID_VALUE;
    /* The values of arguments are those of now. */
    return result
               ? result
               : fake_cuda_launch(stream, function->run,
                                  function->bind(arguments, blocks, threads));
}

/* ---- For tests --------------------------------------------------------------- */

PUBLIC void fake_cuda_fail(const char *call, int code, int after, int times)
{
    (void)pthread_mutex_lock(&fake_lock);
    (void)snprintf(plan.call, sizeof(plan.call), "%s", call ? call : "");
    plan.code = code;
    plan.after = after;
    plan.times = times;
    (void)fake_end(0);
}

PUBLIC int fake_cuda_left(void)
{
    return fake_left;
}

PUBLIC int fake_cuda_depth(void)
{
    return depth;
}
