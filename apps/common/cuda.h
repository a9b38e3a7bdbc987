/*
 * cuda.h - what bodies of device(cuda) call of cuBLAS, cuSOLVER and the driver,
 * loaded when the first of them runs: the programs are built without CUDA and run
 * on nodes without it. Matrices are stored by columns, as CUDA's libraries have
 * them. All return 0, or what a body returns that has failed.
 */
#ifndef APPS_COMMON_CUDA_H
#define APPS_COMMON_CUDA_H

#include <stdbool.h>

/* c = alpha a b + beta c, or with b transposed: c is m x n, a is m x k. */
struct app_cuda_gemm {
    bool transposed;
    int m, n, k;
    double alpha, beta;
};

int app_cuda_gemm(const struct app_cuda_gemm *what, const double *a,
                  const double *b, double *c);

/* c = a b, of floats, by columns: c is m x n, a is m x k or used transposed, b is
   k x n or used transposed. It uses no tensor cores, which round more. */
struct app_cuda_sgemm {
    int m, n, k;
    bool a_turned, b_turned;
};

int app_cuda_sgemm(const struct app_cuda_sgemm *what, const float *a,
                   const float *b, float *c);

/* The lower half of c = c - a a', which is n x n; a = a l'^-1, of m x n; and
   a = l, where a = l l', in place of the lower half of a. */
int app_cuda_syrk(int n, int k, const double *a, double *c);
int app_cuda_trsm(int m, int n, const double *l, double *a);
int app_cuda_potrf(int n, double *a);

#endif
