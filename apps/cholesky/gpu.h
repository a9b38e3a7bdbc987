/*
 * gpu.h - the four kinds of task on GPUs, for cholesky-gpu; included by
 * cholesky.c behind its own. OpenCL has no factor(): cores and GPUs then work on
 * one graph together.
 */
#include "common/app.h"
#include "common/cuda.h"

#include <castell_opencl.h>

#pragma castell implements(factor) device(cuda) constraint(gpus=1)
static int factor_cuda(int n, double *a, int urgency)
{
    (void)urgency;
    return app_cuda_potrf(n, a);
}

#pragma castell implements(solve) device(cuda) constraint(gpus=1) async
static void solve_cuda(int m, int n, const double *l, double *a, int urgency)
{
    (void)urgency;
    if (app_cuda_trsm(m, n, l, a))
        app_die(1, "cublasDtrsm fails");
}

#pragma castell implements(update_diagonal) device(cuda) constraint(gpus=1) \
    async
static void update_diagonal_cuda(int n, int k, const double *a, double *c,
                                 int urgency)
{
    (void)urgency;
    if (app_cuda_syrk(n, k, a, c))
        app_die(1, "cublasDsyrk fails");
}

#pragma castell implements(update) device(cuda) constraint(gpus=1) async
static void update_cuda(int m, int n, int k, const double *a, const double *b,
                        double *c, int urgency)
{
    const struct app_cuda_gemm product = {
        .transposed = true, .m = m, .n = n, .k = k, .alpha = -1, .beta = 1};

    (void)urgency;
    if (app_cuda_gemm(&product, a, b, c))
        app_die(1, "cublasDgemm fails");
}

#pragma castell implements(solve) device(opencl) constraint(gpus=1) \
    kernel(solve) source("tiles.cl") range(m) async
void solve_opencl(int m, int n, const double *l, double *a, int urgency);

#pragma castell implements(update_diagonal) device(opencl) constraint(gpus=1) \
    kernel(update_diagonal) source("tiles.cl") range(n, n) async
void update_diagonal_opencl(int n, int k, const double *a, double *c,
                                   int urgency);

#pragma castell implements(update) device(opencl) constraint(gpus=1) \
    kernel(update) source("tiles.cl") range(m, n) async
void update_opencl(int m, int n, int k, const double *a, const double *b,
                          double *c, int urgency);
