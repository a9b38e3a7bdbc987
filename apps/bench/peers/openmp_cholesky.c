/*
 * openmp_cholesky.c - right-looking Cholesky on tiles as OpenMP tasks, with
 * OpenBLAS, on one thread, inside each.
 *
 *     openmp_cholesky N TILE
 */
#include "bench/bench.h"
#include "bench/linalg.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>

enum { RUNS = 4 }; /* the first is a warm-up */

/* LAPACK's, from OpenBLAS; it has no header in C. */
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda,
             int *info);

struct tiles {
    size_t count; /* in a row */
    size_t size;
    double *elements; /* tile after tile, each column-major */
};

static double *tile_at(const struct tiles *tiles, size_t i, size_t j)
{
    return tiles->elements + (i * tiles->count + j) * tiles->size * tiles->size;
}

static double *element_at(const struct tiles *tiles, size_t i, size_t j)
{
    size_t size = tiles->size;

    return tile_at(tiles, i / size, j / size) + j % size * size + i % size;
}

static double lower_of(void *state, size_t i, size_t j)
{
    return *element_at(state, i, j);
}

static void fill(const struct tiles *tiles)
{
    size_t n = tiles->count * tiles->size;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            *element_at(tiles, i, j) = linalg_element(n, i, j);
}

static void factorise(double *a, int size)
{
    int info = 0;

    dpotrf_("L", &size, a, &size, &info);
    if (info != 0)
        exit(1);
}

static void solve(const double *a, double *b, int size)
{
    cblas_dtrsm(CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit,
                size, size, 1, a, size, b, size);
}

static void update_diagonal(const double *a, double *c, int size)
{
    cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, size, size, -1, a,
                size, 1, c, size);
}

static void update(const double *a, const double *b, double *c, int size)
{
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, size, size, size, -1,
                a, size, b, size, 1, c, size);
}

/* Column k is done: take it out of the columns to its right. */
static void submit_updates(const struct tiles *tiles, size_t k)
{
    int size = (int)tiles->size;

    for (size_t i = k + 1; i < tiles->count; i++) {
        double *left = tile_at(tiles, i, k);
        double *diagonal = tile_at(tiles, i, i);

        for (size_t j = k + 1; j < i; j++) {
            double *above = tile_at(tiles, j, k);
            double *target = tile_at(tiles, i, j);

#pragma omp task depend(in : *left, *above) depend(inout : *target)
            update(left, above, target, size);
        }
#pragma omp task depend(in : *left) depend(inout : *diagonal)
        update_diagonal(left, diagonal, size);
    }
}

static void run(const struct tiles *tiles)
{
    int size = (int)tiles->size;

    for (size_t k = 0; k < tiles->count; k++) {
        double *diagonal = tile_at(tiles, k, k);

#pragma omp task depend(inout : *diagonal)
        factorise(diagonal, size);
        for (size_t i = k + 1; i < tiles->count; i++) {
            double *below = tile_at(tiles, i, k);

#pragma omp task depend(in : *diagonal) depend(inout : *below)
            solve(diagonal, below, size);
        }
        submit_updates(tiles, k);
    }
#pragma omp taskwait
}

int main(int argc, char **argv)
{
    size_t n = argc == 3 ? linalg_size(argv[1]) : 0;
    size_t size = argc == 3 ? linalg_size(argv[2]) : 0;
    struct tiles tiles;
    uint64_t times_ns[RUNS];
    bool good;

    if (n == 0 || size == 0 || n % size != 0) {
        (void)fprintf(stderr, "usage: openmp_cholesky N TILE, which divides "
                              "N\n");
        return 2;
    }
    tiles = (struct tiles){n / size, size, calloc(n * n, sizeof(double))};
    if (!tiles.elements)
        return 1;
    openblas_set_num_threads(1);

    for (int i = 0; i < RUNS; i++) {
        fill(&tiles);
        times_ns[i] = bench_now_ns();
#pragma omp parallel
#pragma omp single
        run(&tiles);
        times_ns[i] = bench_now_ns() - times_ns[i];
    }
    good = linalg_is_factor(n, lower_of, &tiles);
    linalg_report("cholesky", (double)n * (double)n * (double)n / 3,
                  times_ns + 1, RUNS - 1);
    free(tiles.elements);
    if (!good)
        (void)fprintf(stderr, "openmp_cholesky: the result is wrong\n");
    return good ? 0 : 1;
}
