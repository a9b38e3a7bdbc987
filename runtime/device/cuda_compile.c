/*
 * Sources of CUDA's C++ compiled as the program runs, by NVIDIA's library for that
 * (NVRTC), and kept on disk under a name that is a hash of the library's version,
 * the kind of GPU and the source.
 *
 * Source: NVIDIA, NVRTC User Guide.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "device/cache.h"
#include "device/cuda_internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 128, LOG_SHOWN = 400, LOG_MAX = 1 << 20 };

struct _nvrtcProgram; /* NOLINT: their name */

enum { NVRTC_SUCCESS = 0, NVRTC_INVALID_OPTION = 5 };

/* The functions that are used: result, name, parameters. */
/* clang-format off */
#define NVRTC_CALLS(call)                                                      \
    call(nvrtcVersion, int *, int *)                                           \
    call(nvrtcCreateProgram, struct _nvrtcProgram **, const char *,            \
         const char *, int, const char *const *, const char *const *)          \
    call(nvrtcDestroyProgram, struct _nvrtcProgram **)                         \
    call(nvrtcCompileProgram, struct _nvrtcProgram *, int,                     \
         const char *const *)                                                  \
    call(nvrtcGetCUBINSize, struct _nvrtcProgram *, size_t *)                  \
    call(nvrtcGetCUBIN, struct _nvrtcProgram *, char *)                        \
    call(nvrtcGetPTXSize, struct _nvrtcProgram *, size_t *)                    \
    call(nvrtcGetPTX, struct _nvrtcProgram *, char *)                          \
    call(nvrtcGetProgramLogSize, struct _nvrtcProgram *, size_t *)             \
    call(nvrtcGetProgramLog, struct _nvrtcProgram *, char *)
/* clang-format on */

#define MEMBER(name, ...) int (*name)(__VA_ARGS__);

static struct {
    bool good;
    int major, minor; /* its version */
    NVRTC_CALLS(MEMBER)
} nvrtc;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool load_call(void *library, const char *name, void *ret_call)
{
    void *symbol = dlsym(library, name);

    /* ISO C knows no cast from an object's pointer to a function's. */
    memcpy(ret_call, &symbol, sizeof(symbol));
    return symbol != NULL;
}

static void load(void)
{
    /* The last is where NVIDIA's own packages put it. */
    static const char *const files[] = {"libnvrtc.so.13", "libnvrtc.so.12",
                                        "libnvrtc.so.11.2", "libnvrtc.so",
                                        "/usr/local/cuda/lib64/libnvrtc.so"};
    void *library = NULL;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !library; i++)
        library = dlopen(files[i], RTLD_NOW);
    nvrtc.good = library != NULL;
#define LOAD(name, ...)                                                        \
    nvrtc.good = nvrtc.good && load_call(library, #name, &nvrtc.name);
    NVRTC_CALLS(LOAD)
#undef LOAD
    nvrtc.good = nvrtc.good && nvrtc.nvrtcVersion(&nvrtc.major, &nvrtc.minor) ==
                                   NVRTC_SUCCESS;
}

/* The beginning of the compiler's words is where the first error is. */
static void say_log(struct _nvrtcProgram *program, int code)
{
    size_t size = 0;
    char *log = NULL;

    if (nvrtc.nvrtcGetProgramLogSize(program, &size) == NVRTC_SUCCESS &&
        size < LOG_MAX)
        log = cst_zalloc(size + 1);
    if (log)
        (void)nvrtc.nvrtcGetProgramLog(program, log);
    cst_fail_text("CUDA: a source cannot be built: NVRTC %d.%d says %d%s%.*s",
                  nvrtc.major, nvrtc.minor, code, log && *log ? ": " : "",
                  (int)LOG_SHOWN, log ? log : "");
    cst_free(log);
}

/* Machine code where it was made for a kind of GPU, else code that the driver
   compiles on. */
static char *take_code(struct _nvrtcProgram *program, bool machine,
                       size_t *ret_size)
{
    char *code;
    int status = machine ? nvrtc.nvrtcGetCUBINSize(program, ret_size)
                         : nvrtc.nvrtcGetPTXSize(program, ret_size);

    if (status != NVRTC_SUCCESS || *ret_size == 0) {
        cst_fail_text("CUDA: NVRTC %d.%d gives no code (%d)", nvrtc.major,
                      nvrtc.minor, status);
        return NULL;
    }
    code = cst_alloc(*ret_size);
    if (!code) {
        cst_fail_text("no memory for a program");
        return NULL;
    }
    status = machine ? nvrtc.nvrtcGetCUBIN(program, code)
                     : nvrtc.nvrtcGetPTX(program, code);
    if (status == NVRTC_SUCCESS)
        return code;
    cst_free(code);
    cst_fail_text("CUDA: NVRTC %d.%d gives no code (%d)", nvrtc.major,
                  nvrtc.minor, status);
    return NULL;
}

/* `kind` is an option, as --gpu-architecture=sm_90. */
static char *compile(const char *source, const char *kind, size_t *ret_size)
{
    struct _nvrtcProgram *program = NULL;
    bool machine = true;
    char *result = NULL;
    int code =
        nvrtc.nvrtcCreateProgram(&program, source, "kernels.cu", 0, NULL, NULL);

    if (code != NVRTC_SUCCESS) {
        cst_fail_text("CUDA: NVRTC %d.%d fails (%d)", nvrtc.major, nvrtc.minor,
                      code);
        return NULL;
    }
    code = nvrtc.nvrtcCompileProgram(program, 1, &kind);
    if (code == NVRTC_INVALID_OPTION) {
        /* It is older than the GPU. */
        machine = false;
        code = nvrtc.nvrtcCompileProgram(program, 0, NULL);
    }
    if (code == NVRTC_SUCCESS)
        result = take_code(program, machine, ret_size);
    else
        say_log(program, code);
    (void)nvrtc.nvrtcDestroyProgram(&program);
    return result;
}

char *cst_cuda_compile(const char *source, int major, int minor)
{
    char kind[TEXT_SIZE / 2];
    char compiler[TEXT_SIZE];
    size_t size = 0;
    char *code;

    (void)pthread_once(&once, load);
    if (!nvrtc.good) {
        cst_fail_text("CUDA: kernels are compiled by NVRTC, of version 11.2 or "
                      "newer, and no libnvrtc.so can be loaded: install CUDA's "
                      "toolkit or name its directory in LD_LIBRARY_PATH");
        return NULL;
    }
    (void)snprintf(kind, sizeof(kind), "--gpu-architecture=sm_%d%d", major,
                   minor);
    (void)snprintf(compiler, sizeof(compiler), "nvrtc %d.%d\n%s", nvrtc.major,
                   nvrtc.minor, kind);
    code = cst_cache_read("cuda", compiler, source, &size);
    if (code)
        return code;
    code = compile(source, kind, &size);
    if (code)
        cst_cache_write("cuda", compiler, source, code, size);
    return code;
}
