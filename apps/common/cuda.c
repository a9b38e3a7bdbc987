#include "common/cuda.h"

#include <castell_cuda.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { DEVICES_MAX = 32 };

/* Values of NVIDIA's headers, which have not changed since there were any. */
enum { OP_N = 0, OP_T = 1, FILL_LOWER = 0, SIDE_RIGHT = 1, NON_UNIT = 0 };

static struct {
    bool blas_good;
    bool sgemm_good;
    bool solver_good;
    int (*sgemm)(void *, int, int, int, int, int, const float *, const float *,
                 int, const float *, int, const float *, float *, int);
    int (*gemm)(void *, int, int, int, int, int, const double *, const double *,
                int, const double *, int, const double *, double *, int);
    int (*syrk)(void *, int, int, int, int, const double *, const double *, int,
                const double *, double *, int);
    int (*trsm)(void *, int, int, int, int, int, int, const double *,
                const double *, int, double *, int);
    int (*potrf_size)(void *, int, int, double *, int, int *);
    int (*potrf)(void *, int, int, double *, int, double *, int, int *);
    int (*allocate)(uint64_t *, size_t);
    int (*release)(uint64_t);
    int (*fetch)(void *, uint64_t, size_t, struct CUstream_st *);
    int (*finish)(struct CUstream_st *);
} cuda;

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A function of the first library that is there. */
static bool find(const char *const *libraries, const char *name,
                 void *ret_function)
{
    for (; *libraries; libraries++) {
        void *library = dlopen(*libraries, RTLD_NOW);
        void *function = library ? dlsym(library, name) : NULL;

        if (!function)
            continue;
        /* ISO C knows no cast from an object's pointer to a function's. */
        memcpy(ret_function, &function, sizeof(function));
        return true;
    }
    return false;
}

static void load(void)
{
    static const char *const driver[] = {"libcuda.so.1", NULL};
    static const char *const blas[] = {"libcublas.so.13",
                                       "libcublas.so.12",
                                       "libcublas.so.11",
                                       "libcublas.so",
                                       "/usr/local/cuda/lib64/libcublas.so",
                                       NULL};
    static const char *const solver[] = {"libcusolver.so.12",
                                         "libcusolver.so.11",
                                         "libcusolver.so.10",
                                         "libcusolver.so",
                                         "/usr/local/cuda/lib64/libcusolver.so",
                                         NULL};

    cuda.sgemm_good = find(blas, "cublasSgemm_v2", &cuda.sgemm);
    cuda.blas_good = find(blas, "cublasDgemm_v2", &cuda.gemm) &&
                     find(blas, "cublasDsyrk_v2", &cuda.syrk) &&
                     find(blas, "cublasDtrsm_v2", &cuda.trsm);
    cuda.solver_good =
        find(solver, "cusolverDnDpotrf_bufferSize", &cuda.potrf_size) &&
        find(solver, "cusolverDnDpotrf", &cuda.potrf) &&
        find(driver, "cuMemAlloc_v2", &cuda.allocate) &&
        find(driver, "cuMemFree_v2", &cuda.release) &&
        find(driver, "cuMemcpyDtoHAsync_v2", &cuda.fetch) &&
        find(driver, "cuStreamSynchronize", &cuda.finish);
}

/* Is what a body needs there? Each that is not is told. */
static bool is_there(const bool *good, const char *library)
{
    (void)pthread_once(&once, load);
    if (!*good)
        (void)fprintf(stderr, "%s cannot be loaded: a body for CUDA fails\n",
                      library);
    return *good;
}

static void *blas_for(const bool *good)
{
    return is_there(good, "cuBLAS") ? castell_cublas() : NULL;
}

int app_cuda_sgemm(const struct app_cuda_sgemm *what, const float *a,
                   const float *b, float *c)
{
    static const float one = 1;
    static const float zero = 0;
    void *blas = blas_for(&cuda.sgemm_good);

    return !blas ||
           cuda.sgemm(blas, what->a_turned ? OP_T : OP_N,
                      what->b_turned ? OP_T : OP_N, what->m, what->n, what->k,
                      &one, a, what->a_turned ? what->k : what->m, b,
                      what->b_turned ? what->n : what->k, &zero, c, what->m);
}

int app_cuda_gemm(const struct app_cuda_gemm *what, const double *a,
                  const double *b, double *c)
{
    void *blas = blas_for(&cuda.blas_good);

    return !blas || cuda.gemm(blas, OP_N, what->transposed ? OP_T : OP_N,
                              what->m, what->n, what->k, &what->alpha, a,
                              what->m, b, what->transposed ? what->n : what->k,
                              &what->beta, c, what->m);
}

int app_cuda_syrk(int n, int k, const double *a, double *c)
{
    static const double minus_one = -1;
    static const double one = 1;
    void *blas = blas_for(&cuda.blas_good);

    return !blas || cuda.syrk(blas, FILL_LOWER, OP_N, n, k, &minus_one, a, n,
                              &one, c, n);
}

int app_cuda_trsm(int m, int n, const double *l, double *a)
{
    static const double one = 1;
    void *blas = blas_for(&cuda.blas_good);

    return !blas || cuda.trsm(blas, SIDE_RIGHT, FILL_LOWER, OP_T, NON_UNIT, m,
                              n, &one, l, n, a, m);
}

/* Of a device: what potrf needs beside its matrix, and behind that its result.
   Kernels of one stream come one after another. */
static uint64_t workspace(int device, int size)
{
    static struct {
        uint64_t memory;
        int size;
    } all[DEVICES_MAX];

    if (device < 0 || device >= DEVICES_MAX)
        return 0;
    if (all[device].memory == 0 || size > all[device].size) {
        if (all[device].memory != 0 && cuda.release(all[device].memory))
            return 0;
        all[device].memory = 0;
        if (cuda.allocate(&all[device].memory,
                          ((size_t)size + 1) * sizeof(double)))
            return 0;
        all[device].size = size;
    }
    return all[device].memory;
}

/* Its call succeeds also where the matrix is not positive definite: that its
   kernels find, and say so in device memory. */
int app_cuda_potrf(int n, double *a)
{
    void *solver =
        is_there(&cuda.solver_good, "cuSOLVER") ? castell_cusolver() : NULL;
    struct CUstream_st *stream = castell_cuda_stream();
    uint64_t work = 0;
    uint64_t info;
    int size = 0;
    int said = -1;

    if (solver && cuda.potrf_size(solver, FILL_LOWER, n, a, n, &size) == 0)
        work = workspace(castell_device_number(), size);
    if (work == 0)
        return 1;
    info = work + (size_t)size * sizeof(double);
    /* NOLINTBEGIN(performance-no-int-to-ptr): device memory has an address */
    if (cuda.potrf(solver, FILL_LOWER, n, a, n, (double *)(uintptr_t)work, size,
                   (int *)(uintptr_t)info) ||
        cuda.fetch(&said, info, sizeof(said), stream) || cuda.finish(stream))
        return 1;
    /* NOLINTEND(performance-no-int-to-ptr) */
    return said != 0;
}
