/*
 * gpu.h - what the files of the program that scripts/gpu-check runs share.
 *
 * Compiled by nvcc too.
 */
#ifndef CST_TESTS_GPU_H
#define CST_TESTS_GPU_H

#include <castell.h>
#include <cuda_runtime_api.h>
#include <cusolverDn.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(condition)                                                        \
    do {                                                                       \
        if (!(condition)) {                                                    \
            (void)fprintf(stderr, "gpu: %s:%d: %s: %s\n", __FILE__, __LINE__,  \
                          #condition, castell_error_text());                   \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

#ifdef __cplusplus
extern "C" {
#endif

/* empty.cu: put a kernel in the stream; 0, or it could not be started. */
int gpu_nothing(cudaStream_t stream, double *x);
int gpu_count(cudaStream_t stream, double *x, size_t n);

/* plain.c: seconds; and what potrf needs beside its matrix. */
double gpu_now(void);

struct gpu_work {
    double *memory;
    int size;
    int *info;
};

/* Put it in the handle's stream, one at a time; 0, or it failed. */
int gpu_potrf(cusolverDnHandle_t solver, double *a, int n,
              struct gpu_work *work);

/* Measure, and print. */
void gpu_plain_gemm(int n);
void gpu_plain_cholesky(int n);

#ifdef __cplusplus
}
#endif

#endif
