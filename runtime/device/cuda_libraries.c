/*
 * What bodies of device(cuda) ask for: the stream, and handles of NVIDIA's
 * libraries. The program's own library is used where it is linked with one:
 * handles of another copy of it would be worth nothing to its calls.
 */
#include "base/fail.h"
#include "castell_cuda.h"
#include "device/cuda_internal.h"

#include <dlfcn.h>
#include <string.h>

/* The calls of a library that make a handle, and its names, newest first; then
   where NVIDIA's own packages put it, which not every loader is told. */
static const struct {
    const char *name;
    const char *create;
    const char *set_stream;
    const char *destroy;
    const char *files[5];
} libraries[CST_CUDA_LIBRARIES] = {
    [CST_CUDA_BLAS] = {"cuBLAS",
                       "cublasCreate_v2",
                       "cublasSetStream_v2",
                       "cublasDestroy_v2",
                       {"libcublas.so.13", "libcublas.so.12", "libcublas.so.11",
                        "libcublas.so", "/usr/local/cuda/lib64/libcublas.so"}},
    [CST_CUDA_SOLVER] = {"cuSOLVER",
                         "cusolverDnCreate",
                         "cusolverDnSetStream",
                         "cusolverDnDestroy",
                         {"libcusolver.so.12", "libcusolver.so.11",
                          "libcusolver.so.10", "libcusolver.so",
                          "/usr/local/cuda/lib64/libcusolver.so"}},
};

struct cst_cuda_device *cst_cuda_here(enum cst_device_queue *ret_queue)
{
    const struct cst_device_here *device = cst_device_here();

    if (device && device->ops == &cst_device_cuda) {
        *ret_queue = device->queue;
        return device->now.device;
    }
    cst_fail_text("this is no body of device(cuda)");
    return NULL;
}

static bool find_library(enum cst_cuda_library which, void **ret_library)
{
    void *library = NULL;

    *ret_library = RTLD_DEFAULT;
    if (dlsym(RTLD_DEFAULT, libraries[which].create))
        return true;
    for (int i = 0; i < 5 && !library; i++)
        library = dlopen(libraries[which].files[i], RTLD_NOW);
    if (!library)
        cst_fail_text("%s is not there: the program is not linked with it, and "
                      "no %s can be loaded",
                      libraries[which].name, libraries[which].files[3]);
    *ret_library = library;
    return library != NULL;
}

/* With the device's lock, in its context. */
static void make_handle(struct cst_cuda_device *device,
                        enum cst_device_queue queue,
                        enum cst_cuda_library which,
                        struct cst_cuda_handle *made)
{
    int (*create)(void **handle) = NULL;
    int (*set_stream)(void *handle, struct CUstream_st *stream) = NULL;
    int (*destroy)(void *handle) = NULL;
    void *library;
    void *calls[3];
    void *handle = NULL;
    int code;

    if (!find_library(which, &library))
        return;
    calls[0] = dlsym(library, libraries[which].create);
    calls[1] = dlsym(library, libraries[which].set_stream);
    calls[2] = dlsym(library, libraries[which].destroy);
    if (!calls[0] || !calls[1] || !calls[2]) {
        cst_fail_text("%s is not of a version that can be used",
                      libraries[which].name);
        return;
    }
    /* ISO C knows no cast from an object's pointer to a function's. */
    memcpy(&create, &calls[0], sizeof(create));
    memcpy(&set_stream, &calls[1], sizeof(set_stream));
    memcpy(&destroy, &calls[2], sizeof(destroy));
    code = create(&handle);
    if (code == 0)
        code = set_stream(handle, device->streams[queue]);
    if (code != 0) {
        if (handle)
            (void)destroy(handle);
        cst_fail_text("%s cannot be started on the device: its status is %d",
                      libraries[which].name, code);
        return;
    }
    made->handle = handle;
    made->destroy = destroy;
}

static void *handle_of(enum cst_cuda_library which)
{
    enum cst_device_queue queue;
    struct cst_cuda_device *device = cst_cuda_here(&queue);
    struct cst_cuda_handle *made;
    void *handle;

    if (!device)
        return NULL;
    made = &device->handles[queue == CST_DEVICE_RUN
                                ? 0
                                : queue - CST_DEVICE_LANE + 1][which];
    (void)pthread_mutex_lock(&device->lock);
    if (!made->handle)
        make_handle(device, queue, which, made);
    handle = made->handle;
    (void)pthread_mutex_unlock(&device->lock);
    return handle;
}

void cst_cuda_drop_handles(struct cst_cuda_device *device)
{
    for (int at = 0; at <= CST_DEVICE_LANES; at++)
        for (int i = 0; i < CST_CUDA_LIBRARIES; i++) {
            const struct cst_cuda_handle *made = &device->handles[at][i];

            if (made->handle)
                (void)made->destroy(made->handle);
        }
}

struct CUstream_st *castell_cuda_stream(void)
{
    enum cst_device_queue queue;
    struct cst_cuda_device *device = cst_cuda_here(&queue);

    return device ? device->streams[queue] : NULL;
}

struct cublasContext *castell_cublas(void)
{
    return handle_of(CST_CUDA_BLAS);
}

struct cusolverDnContext *castell_cusolver(void)
{
    return handle_of(CST_CUDA_SOLVER);
}
