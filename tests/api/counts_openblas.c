/*
 * OpenBLAS on its own threads, as Debian's libopenblas0-pthread has it.
 */
#include "api/counts.h"

#include <dlfcn.h>
#include <glob.h>
#include <string.h>

enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, N = 48 };

typedef void gemm(int order, int trans_a, int trans_b, int m, int n, int k,
                  double alpha, const double *a, int lda, const double *b,
                  int ldb, double beta, double *c, int ldc);

static gemm *dgemm;
static int (*get_number)(void);

/* ISO C has no cast from what dlsym() gives to a function: copy the bits. */
static bool find(void *library, const char *name, void *ret_function)
{
    void *symbol = dlsym(library, name);

    memcpy(ret_function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

bool counts_load(const char **ret_why)
{
    glob_t found = {0};
    void *library;

#if defined(__SANITIZE_THREAD__)
    *ret_why = "it is not built for the thread sanitizer";
    return false;
#endif
    *ret_why = "libopenblas0-pthread is not here";
    if (glob("/usr/lib/*/openblas-pthread/libopenblas.so.0", 0, NULL, &found) !=
        0)
        return false;
    library = dlopen(found.gl_pathv[0], RTLD_NOW | RTLD_GLOBAL);
    globfree(&found);
    return library && find(library, "cblas_dgemm", &dgemm) &&
           find(library, "openblas_get_num_threads", &get_number);
}

int counts_now(void)
{
    return get_number();
}

bool counts_compute(void)
{
    static _Thread_local double a[N * N], c[N * N];

    for (int i = 0; i < N * N; i++)
        a[i] = 2;
    memset(c, 0, sizeof(c));
    dgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, N, N, N, 1, a, N, a, N, 0, c,
          N);
    for (int i = 0; i < N * N; i++)
        if (c[i] < 4 * N || c[i] > 4 * N)
            return false;
    return true;
}
