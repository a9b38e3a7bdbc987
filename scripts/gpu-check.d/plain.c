/*
 * What gpu.c is held against: one call of NVIDIA's library, on resident data.
 */
#include "gpu.h"

#include <cublas_v2.h>
#include <math.h>
#include <time.h>

static const double one = 1;

double gpu_now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int gpu_potrf(cusolverDnHandle_t solver, double *a, int n,
              struct gpu_work *work)
{
    int size = 0;

    if (cusolverDnDpotrf_bufferSize(solver, CUBLAS_FILL_MODE_LOWER, n, a, n,
                                    &size) != CUSOLVER_STATUS_SUCCESS)
        return 1;
    if (!work->info && cudaMalloc((void **)&work->info, sizeof(int)))
        return 1;
    if (size > work->size) {
        if (cudaFree(work->memory) ||
            cudaMalloc((void **)&work->memory, (size_t)size * sizeof(double)))
            return 1;
        work->size = size;
    }
    return cusolverDnDpotrf(solver, CUBLAS_FILL_MODE_LOWER, n, a, n,
                            work->memory, size,
                            work->info) != CUSOLVER_STATUS_SUCCESS;
}

/* ---- Without tasks ------------------------------------------------------ */

static double *resident(int n)
{
    size_t size = (size_t)n * (size_t)n * sizeof(double);
    double *memory = NULL;
    double *here = malloc((size_t)n * sizeof(double));

    MUST(here && cudaMalloc((void **)&memory, size) == cudaSuccess);
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < n; i++)
            here[i] = i == j ? n : 0.5 / (1 + abs(i - j));
        MUST(cudaMemcpy(memory + (size_t)j * (size_t)n, here,
                        (size_t)n * sizeof(double),
                        cudaMemcpyHostToDevice) == cudaSuccess);
    }
    free(here);
    return memory;
}

void gpu_plain_gemm(int n)
{
    double *a = resident(n), *b = resident(n), *c = resident(n);
    cublasHandle_t blas;
    double best = 1e30;

    MUST(cublasCreate(&blas) == CUBLAS_STATUS_SUCCESS);
    for (int i = 0; i < 4; i++) {
        double began = gpu_now();

        MUST(cublasDgemm(blas, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, n, b,
                         n, &one, c, n) == CUBLAS_STATUS_SUCCESS &&
             cudaDeviceSynchronize() == cudaSuccess);
        best = fmin(best, gpu_now() - began);
    }
    printf("plain-gemm %.1f\n", 2.0 * n * n * n / best * 1e-9);
}

void gpu_plain_cholesky(int n)
{
    cusolverDnHandle_t solver;
    struct gpu_work work = {0};
    double best = 1e30;
    double *a;

    MUST(cusolverDnCreate(&solver) == CUSOLVER_STATUS_SUCCESS);
    for (int i = 0; i < 3; i++) {
        double began;
        int info = -1;

        a = resident(n);
        MUST(cudaDeviceSynchronize() == cudaSuccess);
        began = gpu_now();
        MUST(gpu_potrf(solver, a, n, &work) == 0 &&
             cudaDeviceSynchronize() == cudaSuccess);
        best = fmin(best, gpu_now() - began);
        MUST(cudaMemcpy(&info, work.info, sizeof(info),
                        cudaMemcpyDeviceToHost) == cudaSuccess &&
             info == 0 && cudaFree(a) == cudaSuccess);
    }
    printf("plain-cholesky %.1f\n", 1.0 / 3 * n * n * n / best * 1e-9);
}
