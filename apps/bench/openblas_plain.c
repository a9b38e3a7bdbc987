/*
 * openblas_plain.c - OpenBLAS's own threads, no tasks: what the task programs
 * of linear algebra are compared with.
 *
 *     openblas_plain dpotrf | dgemm N [THREADS]
 */
#include "bench/bench.h"
#include "bench/linalg.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 4 }; /* the first is a warm-up */

/* LAPACK's, from OpenBLAS; it has no header in C. */
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda,
             int *info);

struct square {
    size_t n;
    double *elements; /* column-major */
};

static double lower_of(void *state, size_t i, size_t j)
{
    const struct square *square = state;

    return square->elements[j * square->n + i];
}

static double *new_matrix(size_t n)
{
    double *matrix = malloc(n * n * sizeof(double));

    if (!matrix) {
        (void)fprintf(stderr, "openblas_plain: no memory\n");
        exit(1);
    }
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < n; i++)
            matrix[j * n + i] = linalg_element(n, i, j);
    return matrix;
}

static bool run_dpotrf(size_t n)
{
    double *original = new_matrix(n);
    struct square factor = {n, new_matrix(n)};
    uint64_t times_ns[RUNS];
    int order = (int)n;
    int info = 0;
    bool good = true;

    for (int run = 0; run < RUNS; run++) {
        memcpy(factor.elements, original, n * n * sizeof(double));
        times_ns[run] = bench_now_ns();
        dpotrf_("L", &order, factor.elements, &order, &info);
        times_ns[run] = bench_now_ns() - times_ns[run];
        good = good && info == 0;
    }
    good = good && linalg_is_factor(n, lower_of, &factor);
    linalg_report("cholesky", (double)n * (double)n * (double)n / 3,
                  times_ns + 1, RUNS - 1);
    free(original);
    free(factor.elements);
    return good;
}

static bool run_dgemm(size_t n)
{
    double *a = new_matrix(n);
    double *b = new_matrix(n);
    double *c = new_matrix(n);
    uint64_t times_ns[RUNS];

    for (int run = 0; run < RUNS; run++) {
        times_ns[run] = bench_now_ns();
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)n,
                    (int)n, 1, a, (int)n, b, (int)n, 0, c, (int)n);
        times_ns[run] = bench_now_ns() - times_ns[run];
    }
    linalg_report("matmul", 2 * (double)n * (double)n * (double)n, times_ns + 1,
                  RUNS - 1);
    free(a);
    free(b);
    free(c);
    return true;
}

int main(int argc, char **argv)
{
    size_t n = argc > 2 ? linalg_size(argv[2]) : 0;
    size_t threads = argc > 3 ? linalg_size(argv[3]) : 2;
    bool good;

    if (argc > 4 || n == 0 || threads == 0 ||
        (strcmp(argv[1], "dpotrf") != 0 && strcmp(argv[1], "dgemm") != 0)) {
        (void)fprintf(stderr,
                      "usage: openblas_plain dpotrf | dgemm N [THREADS]\n");
        return 2;
    }
    openblas_set_num_threads((int)threads);
    good = strcmp(argv[1], "dpotrf") == 0 ? run_dpotrf(n) : run_dgemm(n);
    if (!good)
        (void)fprintf(stderr, "openblas_plain: the result is wrong\n");
    return good ? 0 : 1;
}
