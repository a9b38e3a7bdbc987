/*
 * A libcublas.so without a GPU: products of matrices, done in their stream's turn.
 * And a cuSOLVER that cannot be used.
 */
#include "device/fake_internal.h"

#include <stdlib.h>

PUBLIC int cublasCreate_v2(void **handle);
PUBLIC int cublasSetStream_v2(void *handle, struct CUstream_st *stream);
PUBLIC int cublasDestroy_v2(void *handle);
PUBLIC int cublasSgemm_v2(void *handle, int a_as, int b_as, int m, int n, int k,
                          const float *alpha, const float *a, int a_row,
                          const float *b, int b_row, const float *beta,
                          float *c, int c_row);
PUBLIC int cusolverDnCreate(void **handle);
PUBLIC int cusolverDnSetStream(void *handle, struct CUstream_st *stream);
PUBLIC int cusolverDnDestroy(void *handle);

struct handle {
    struct CUstream_st *stream;
};

/* One product: c = alpha a b + beta c, stored by columns. */
struct product {
    bool a_turned, b_turned, adds;
    int m, n, k, a_row, b_row, c_row;
    float alpha, beta;
    const float *a, *b;
    float *c;
};

static int handles;

PUBLIC int fake_cublas_handles(void)
{
    int count;

    (void)pthread_mutex_lock(&fake_lock);
    count = handles;
    (void)fake_end(0);
    return count;
}

int cublasCreate_v2(void **handle)
{
    int code = fake_begin("cublasCreate_v2");

    if (code == 0) {
        *handle = calloc(1, sizeof(struct handle));
        handles++;
    }
    return fake_end(code);
}

int cublasSetStream_v2(void *handle, struct CUstream_st *stream)
{
    int code = fake_begin("cublasSetStream_v2");

    if (code == 0 && !(handle && stream))
        code = INVALID_VALUE;
    if (code == 0)
        ((struct handle *)handle)->stream = stream;
    return fake_end(code);
}

int cublasDestroy_v2(void *handle)
{
    (void)pthread_mutex_lock(&fake_lock);
    free(handle);
    handles--;
    return fake_end(0);
}

static int multiply(void *argument)
{
    const struct product *it = argument;

    for (int j = 0; j < it->n; j++)
        for (int i = 0; i < it->m; i++) {
            float *c = &it->c[(size_t)j * (size_t)it->c_row + (size_t)i];
            float sum = 0;

            for (int k = 0; k < it->k; k++)
                sum +=
                    (it->a_turned
                         ? it->a[(size_t)i * (size_t)it->a_row + (size_t)k]
                         : it->a[(size_t)k * (size_t)it->a_row + (size_t)i]) *
                    (it->b_turned
                         ? it->b[(size_t)k * (size_t)it->b_row + (size_t)j]
                         : it->b[(size_t)j * (size_t)it->b_row + (size_t)k]);
            /* Where beta is 0, c may be anything. */
            *c = it->alpha * sum + (it->adds ? it->beta * *c : 0);
        }
    free(argument);
    return 0;
}

/* NOLINTBEGIN(readability-function-size,readability-non-const-parameter): the
   parameters are NVIDIA's */
int cublasSgemm_v2(void *handle, int a_as, int b_as, int m, int n, int k,
                   const float *alpha, const float *a, int a_row,
                   const float *b, int b_row, const float *beta, float *c,
                   int c_row)
{
    const struct handle *mine = handle;
    struct product *made;

    if (!mine || m < 1 || n < 1 || k < 1 || a_row < (a_as ? k : m) ||
        b_row < (b_as ? n : k) || c_row < m)
        return 7;
    made = malloc(sizeof(*made));
    if (!made)
        abort();
    *made = (struct product){.a_turned = a_as != 0,
                             .b_turned = b_as != 0,
                             .adds = *beta < 0 || *beta > 0,
                             .m = m,
                             .n = n,
                             .k = k,
                             .a_row = a_row,
                             .b_row = b_row,
                             .c_row = c_row,
                             .alpha = *alpha,
                             .beta = *beta,
                             .a = a,
                             .b = b,
                             .c = c};
    return fake_cuda_launch(mine->stream, multiply, made) ? 13 : 0;
}
/* NOLINTEND(readability-function-size,readability-non-const-parameter) */

int cusolverDnCreate(void **handle)
{
    *handle = NULL;
    return 7;
}

int cusolverDnSetStream(void *handle, struct CUstream_st *stream)
{
    return handle && stream ? 0 : 1;
}

int cusolverDnDestroy(void *handle)
{
    return handle ? 0 : 1;
}
