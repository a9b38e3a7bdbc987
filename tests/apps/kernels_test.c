/*
 * The applications' kernels are what NVIDIA's compiler takes, for GPUs of several
 * ages; where it is installed.
 */
#include "harness/tap.h"
#include "kmeans/kernels.h"
#include "train/kernels.h"
#include "train/kernels_text.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static struct {
    int (*create)(void **program, const char *source, const char *name,
                  int headers, const char *const *texts,
                  const char *const *names);
    int (*compile)(void *program, int options_count,
                   const char *const *options);
    int (*log)(void *program, char *log);
    int (*log_size)(void *program, size_t *size);
    int (*size)(void *program, size_t *size);
    int (*destroy)(void **program);
} nvrtc;

static void find(void *library, const char *name, void *ret_call)
{
    void *symbol = dlsym(library, name);

    memcpy(ret_call, &symbol, sizeof(symbol));
    must(symbol != NULL, "there is %s", name);
}

static bool load(void)
{
    static const char *const names[] = {"libnvrtc.so.13", "libnvrtc.so.12",
                                        "libnvrtc.so",
                                        "/usr/local/cuda/lib64/libnvrtc.so"};
    void *library = NULL;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !library; i++)
        library = dlopen(names[i], RTLD_NOW);
    if (!library)
        return false;
    find(library, "nvrtcCreateProgram", &nvrtc.create);
    find(library, "nvrtcCompileProgram", &nvrtc.compile);
    find(library, "nvrtcGetProgramLog", &nvrtc.log);
    find(library, "nvrtcGetProgramLogSize", &nvrtc.log_size);
    find(library, "nvrtcGetCUBINSize", &nvrtc.size);
    find(library, "nvrtcDestroyProgram", &nvrtc.destroy);
    return true;
}

static void test_source(const char *name, const char *source)
{
    static const char *const kinds[] = {"--gpu-architecture=sm_80",
                                        "--gpu-architecture=sm_90"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        void *program = NULL;
        char log[1 << 11] = "";
        size_t size = 0;
        size_t words = 0;
        int code;

        must(nvrtc.create(&program, source, name, 0, NULL, NULL) == 0,
             "a program");
        code = nvrtc.compile(program, 1, &kinds[i]);
        if (nvrtc.log_size(program, &words) == 0 && words < sizeof(log))
            (void)nvrtc.log(program, log);
        if (code == 0)
            code = nvrtc.size(program, &size);
        ok(code == 0 && size > 0,
           "%s with %s: status %d, %zu bytes, it says %s", name, kinds[i], code,
           size, log);
        (void)nvrtc.destroy(&program);
    }
}

int main(void)
{
    const char *sanitizer = getenv("SANITIZER_CFLAGS");

    if (sanitizer && *sanitizer) {
        tap_skip("kernels", "NVIDIA's compiler is not for sanitizers");
        return tap_done();
    }
    if (!load()) {
        tap_skip("kernels", "NVIDIA's compiler of them is not installed");
        return tap_done();
    }
    test_source("kmeans", nearest_kernels.cuda);
    test_source("bytes", kernels_bytes.cuda);
    test_source("loss", kernels_loss.cuda);
    test_source("bias", kernels_bias.cuda);
    test_source("conv", kernels_conv.cuda);
    test_source("pool", kernels_pool.cuda);
    test_source("simple", kernels_simple.cuda);
    test_source("norm", kernels_norm.cuda);
    test_source("attention", kernels_attention.cuda);
    test_source("move", kernels_move.cuda);
    ok(!strstr(kernels_move.opencl, "__global__"), "OpenCL has its own words");
    return tap_done();
}
