/*
 * gpu.h - the product of two tiles on GPUs, for matmul-gpu; included by matmul.c
 * behind its own.
 */
#include "common/app.h"
#include "common/cuda.h"

#include <castell_opencl.h>

#pragma castell implements(multiply) device(opencl) constraint(gpus=1) \
    kernel(multiply) source("multiply.cl") range(n, m) async
void multiply_opencl(int m, int n, int k, const double *a,
                            const double *x, bool add, double *c);

/* By rows, which is the transposed product by columns: c' = x' a'. */
#pragma castell implements(multiply) device(cuda) constraint(gpus=1) async
static void multiply_cuda(int m, int n, int k, const double *a, const double *x,
                          bool add, double *c)
{
    const struct app_cuda_gemm product = {
        .m = n, .n = m, .k = k, .alpha = 1, .beta = add};

    if (app_cuda_gemm(&product, x, a, c))
        app_die(1, "cublasDgemm fails");
}
