/*
 * cholesky - A = L L' of a symmetric positive definite matrix, by tasks on
 * tiles; right-looking: what a column of tiles gives is subtracted from
 * everything to its right as soon as it is there.
 *
 * The four kinds of task are BLAS and LAPACK calls on contiguous tiles, stored
 * by columns as those expect. Only the lower half of the tiles exists.
 *
 * priority() makes tasks on the longest path run first: without it the cores
 * finish the updates of one step while the next diagonal tile, which everything
 * after it waits for, stands in the queue.
 */
#include "common/app.h"
#include "common/blas.h"

#include <castell.h>
#include <cblas.h>
#include <f77blas.h>
#include <math.h>
#include <stdio.h>

/* The lower half of an n x n matrix, in tiles of b x b: the last row and column
   of them may be smaller. */
struct matrix {
    int n, b, tiles;
    double *data;
};

/* How many rows the tiles of row i have. */
static int height(const struct matrix *a, int i)
{
    int left = a->n - i * a->b;

    return left < a->b ? left : a->b;
}

/* Tile (i, j), j <= i, when they follow each other by columns. */
static double *tile(const struct matrix *a, int i, int j)
{
    long before = (long)j * a->tiles - (long)j * (j - 1) / 2 + (i - j);

    return a->data + before * a->b * a->b;
}

/*
 * Element (i, j) of a symmetric random matrix. Its eigenvalues spread by
 * 0.58 sqrt(n) to either side (Wigner's semicircle) of the diagonal's
 * sqrt(n) + 0.5, so all of them are positive.
 */
static double element(int n, int i, int j)
{
    int high = i > j ? i : j;
    int low = i > j ? j : i;
    uint64_t state = (uint64_t)high << 32 | (uint64_t)low;

    return app_random_real(&state) - 0.5 + (i == j ? sqrt(n) + 0.5 : 0);
}

/* The m x n tile whose first element is (i, j) of the matrix. */
#pragma castell task out(a[0:m*n])
static void fill(int order, int i, int j, int m, int n, double *a)
{
    for (int c = 0; c < n; c++) {
        for (int r = 0; r < m; r++)
            a[c * m + r] = element(order, i + r, j + c);
    }
}

/* a = L, where a = L L'. What is above the diagonal stays. */
#pragma castell task inout(a[0:n*n]) priority(urgency) on_failure(fail)
static int factor(int n, double *a, int urgency)
{
    char lower = 'L';
    int info;

    dpotrf_(&lower, &n, a, &n, &info);
    return info;
}

/* a = a L'^-1, of an m x n tile. */
#pragma castell task in(l[0:n*n]) inout(a[0:m*n]) priority(urgency)
static void solve(int m, int n, const double *l, double *a, int urgency)
{
    cblas_dtrsm(CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit,
                m, n, 1, l, n, a, m);
}

/* c = c - a a', of an n x n tile. */
#pragma castell task in(a[0:n*k]) inout(c[0:n*n]) priority(urgency)
static void update_diagonal(int n, int k, const double *a, double *c,
                            int urgency)
{
    cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, n, k, -1, a, n, 1, c,
                n);
}

/* c = c - a b', of an m x n tile. */
#pragma castell task in(a[0:m*k], b[0:n*k]) inout(c[0:m*n]) priority(urgency)
static void update(int m, int n, int k, const double *a, const double *b,
                   double *c, int urgency)
{
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, m, n, k, -1, a, m, b,
                n, 1, c, m);
}

#ifdef APP_GPU
#include "cholesky/gpu.h"
#endif

static void fill_matrix(const struct matrix *a)
{
    for (int j = 0; j < a->tiles; j++) {
        for (int i = j; i < a->tiles; i++)
            fill(a->n, i * a->b, j * a->b, height(a, i), height(a, j),
                 tile(a, i, j));
    }
    #pragma castell barrier
}

/* Returns the seconds that it took. */
static double factor_matrix(const struct matrix *a)
{
    int tiles = a->tiles;
    double start = app_now();

    for (int k = 0; k < tiles; k++) {
        int width = height(a, k);
        int urgency = 2 * (tiles - k);

        factor(width, tile(a, k, k), urgency);
        for (int i = k + 1; i < tiles; i++)
            solve(height(a, i), width, tile(a, k, k), tile(a, i, k),
                  urgency - i);
        for (int j = k + 1; j < tiles; j++) {
            update_diagonal(height(a, j), width, tile(a, j, k), tile(a, j, j),
                            urgency - j);
            for (int i = j + 1; i < tiles; i++)
                update(height(a, i), height(a, j), width, tile(a, i, k),
                       tile(a, j, k), tile(a, i, j), urgency - i - j);
        }
    }
    #pragma castell barrier
    return app_now() - start;
}

/* ---- The same by one call of LAPACK ------------------------------------- */

static void plain_fill(int n, double *a)
{
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < n; i++)
            a[(long)j * n + i] = element(n, i, j);
    }
}

/* Returns the seconds that it took. */
static double plain_factor(int n, double *a)
{
    char lower = 'L';
    double start = app_now();
    int info;

    dpotrf_(&lower, &n, a, &n, &info);
    if (info)
        app_die(1, "dpotrf says %d", info);
    return app_now() - start;
}

/* || ours - plain || / || plain ||, of the lower halves. */
static double difference(const struct matrix *a, double *plain)
{
    int n = a->n;
    double *ours = app_alloc((long)n * n, sizeof(*ours));
    double error;

    for (int j = 0; j < n; j++) {
        for (int i = 0; i < n; i++) {
            int m = height(a, i / a->b);
            const double *from = tile(a, i / a->b, j / a->b);

            if (i < j) {
                plain[(long)j * n + i] = 0;
                ours[(long)j * n + i] = 0;
            } else {
                ours[(long)j * n + i] = from[j % a->b * m + i % a->b];
            }
        }
    }
    error = app_difference(ours, plain, (long)n * n);
    castell_free(ours);
    return error;
}

/* ---- The program -------------------------------------------------------- */

enum { REPEAT_MAX = 1000 };

/* Factor `repeat` times; when comparing, by tasks and by OpenBLAS in turn, so
   that both meet the same machine. */
static void measure(const struct matrix *a, int repeat, double *plain)
{
    static double seconds[REPEAT_MAX], plain_seconds[REPEAT_MAX];
    double operations = (double)a->n * a->n * a->n / 3;
    int cores = (int)castell_executors_count();
    double median;

    for (int r = 0; r < repeat; r++) {
        fill_matrix(a);
        seconds[r] = factor_matrix(a);
        if (plain) {
            plain_fill(a->n, plain);
            app_blas_begin(cores);
            plain_seconds[r] = plain_factor(a->n, plain);
            app_blas_end();
        }
    }
    median = app_median(seconds, repeat);
    app_begin_line();
    printf("cholesky n=%d tile=%d cores=%d: %.4f s, %.2f Gflop/s", a->n, a->b,
           cores, median, operations / median * 1e-9);
    if (plain) {
        double plain_median = app_median(plain_seconds, repeat);

        printf("; dpotrf %.4f s, %.2f Gflop/s; ratio %.3f", plain_median,
               operations / plain_median * 1e-9, plain_median / median);
    }
    putchar('\n');
}

static int verify(const struct matrix *a)
{
    double *plain = app_alloc((long)a->n * a->n, sizeof(*plain));
    double error;

    plain_fill(a->n, plain);
    plain_factor(a->n, plain);
    error = difference(a, plain);
    castell_free(plain);
    return app_verdict("||L - dpotrf|| / ||dpotrf|| is", error, 1e-13);
}

static const struct app_about about = {
    .name = "cholesky",
    .usage = "[OPTION]...",
    .text = "Factor a symmetric positive definite N x N matrix by tasks on\n"
            "B x B tiles.",
};

int main(int argc, char **argv)
{
    struct matrix a = {.n = 2048, .b = 256};
    int repeat = 0;
    int compare = 0;
    int check = -1;
    double *plain = NULL;
    int wrong = 0;
    const struct app_option options[] = {
        {"n", "N", "rows and columns", APP_WHOLE, &a.n, 1, 65536},
        {"tile", "B", "rows and columns of a tile", APP_WHOLE, &a.b, 1, 8192},
        {"repeat", "R", "factor R times, tell the median [1, to compare 5]",
         APP_WHOLE, &repeat, 1, REPEAT_MAX},
        {"compare", NULL, "and by OpenBLAS' dpotrf on all cores", APP_SWITCH,
         &compare, 0, 0},
        {"verify", NULL, "check against dpotrf [for N up to 2048]", APP_SWITCH,
         &check, 0, 0},
        {0},
    };

    app_options(argc, argv, &about, options);
    castell_start(&argc, &argv);

    a.tiles = (a.n + a.b - 1) / a.b;
    a.data = app_alloc((long)a.tiles * (a.tiles + 1) / 2 * a.b * a.b,
                       sizeof(*a.data));
    if (compare)
        plain = app_alloc((long)a.n * a.n, sizeof(*plain));
    measure(&a, repeat ? repeat : compare ? 5 : 1, plain);
    if (check == 1 || (check < 0 && a.n <= 2048))
        wrong = verify(&a);
    castell_free(plain);
    castell_free(a.data);
    return castell_stop() || wrong;
}
