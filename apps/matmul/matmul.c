/*
 * matmul - C = A X, by one task for each product of two blocks.
 *
 * Two ways of storing the matrices, two annotations:
 *   --layout tiles     each block is contiguous: the fastest, a[0:m*k]
 *   --layout sections  blocks are sections of ordinary row-major matrices,
 *                      a[i:m][k:l], and nothing has to be copied
 *
 * Nothing below says what may run together: that follows from in and inout.
 * All products that add to one block of C run one after another, in the order
 * of the calls, so that the result is the same bits on any number of cores.
 */
#include "common/app.h"
#include "common/blas.h"

#include <castell.h>
#include <cblas.h>
#include <stdio.h>
#include <string.h>

struct range {
    int first, count;
};

/* An n x n matrix: row-major, or in tiles of at most b x b. */
struct matrix {
    int n, b;
    bool is_tiled;
    double *data;
};

/* The i-th of the blocks of b that n is cut in; the last may be smaller. */
static struct range block(int n, int b, int i)
{
    return (struct range){i * b, i * b + b < n ? b : n - i * b};
}

/* Tile (i, j) when tiles follow each other row by row. */
static double *tile(const struct matrix *matrix, int i, int j)
{
    struct range rows = block(matrix->n, matrix->b, i);
    struct range columns = block(matrix->n, matrix->b, j);

    return matrix->data + (long)rows.first * matrix->n +
           (long)rows.count * columns.first;
}

/* Any number is a good element, if it depends on nothing but its place. */
static double element(int seed, int i, int j)
{
    uint64_t state = (uint64_t)seed << 60 ^ (uint64_t)i << 30 ^ (uint64_t)j;

    return app_random_real(&state) - 0.5;
}

/* ---- Contiguous tiles --------------------------------------------------- */

#pragma castell task out(a[0:i.count*j.count])
static void fill_tile(int seed, struct range i, struct range j, double *a)
{
    for (int r = 0; r < i.count; r++) {
        for (int c = 0; c < j.count; c++)
            a[r * j.count + c] = element(seed, i.first + r, j.first + c);
    }
}

/* c = a x, or c += a x, of an m x n tile. */
#pragma castell task in(a[0:m*k], x[0:k*n]) inout(c[0:m*n])
static void multiply(int m, int n, int k, const double *a, const double *x,
                     bool add, double *c)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, x,
                n, add, c, n);
}

#ifdef APP_GPU
#include "matmul/gpu.h"
#endif

/* ---- Sections of row-major matrices ------------------------------------- */

#pragma castell task out(a[i.first:i.count][0:n])
static void fill_rows(int seed, int n, struct range i, double (*a)[n])
{
    for (int r = i.first; r < i.first + i.count; r++) {
        for (int c = 0; c < n; c++)
            a[r][c] = element(seed, r, c);
    }
}

#pragma castell task in(a[i.first:i.count][k.first:k.count], \
    x[k.first:k.count][j.first:j.count]) \
    inout(c[i.first:i.count][j.first:j.count])
static void multiply_section(int n, struct range i, struct range j,
                             struct range k, double (*a)[n], double (*x)[n],
                             double (*c)[n])
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, i.count, j.count,
                k.count, 1, &a[i.first][k.first], n, &x[k.first][j.first], n,
                k.first > 0, &c[i.first][j.first], n);
}

/* ---- The program -------------------------------------------------------- */

static void fill(int seed, struct matrix *matrix)
{
    int n = matrix->n;
    int blocks = (n + matrix->b - 1) / matrix->b;

    for (int i = 0; i < blocks; i++) {
        struct range rows = block(n, matrix->b, i);

        if (!matrix->is_tiled)
            fill_rows(seed, n, rows, (double(*)[n])matrix->data);
        for (int j = 0; j < blocks && matrix->is_tiled; j++)
            fill_tile(seed, rows, block(n, matrix->b, j), tile(matrix, i, j));
    }
}

static void multiply_blocks(const struct matrix *a, const struct matrix *x,
                            const struct matrix *c, int i, int j)
{
    int n = c->n;
    struct range rows = block(n, c->b, i);
    struct range columns = block(n, c->b, j);

    for (int k = 0; k * c->b < n; k++) {
        struct range inner = block(n, c->b, k);

        if (c->is_tiled)
            multiply(rows.count, columns.count, inner.count, tile(a, i, k),
                     tile(x, k, j), k > 0, tile(c, i, j));
        else
            multiply_section(n, rows, columns, inner, (double(*)[n])a->data,
                             (double(*)[n])x->data, (double(*)[n])c->data);
    }
}

/* Returns the seconds that it took. */
static double multiply_matrices(const struct matrix *a, const struct matrix *x,
                                const struct matrix *c)
{
    double start = app_now();

    for (int i = 0; i * c->b < c->n; i++) {
        for (int j = 0; j * c->b < c->n; j++)
            multiply_blocks(a, x, c, i, j);
    }
    #pragma castell barrier
    return app_now() - start;
}

/* A row-major copy, for main() to look at when no task is unfinished. */
static double *row_major(const struct matrix *matrix)
{
    int n = matrix->n;
    double *copy = app_alloc((long)n * n, sizeof(*copy));

    for (long i = 0; i < n; i++) {
        struct range rows = block(n, matrix->b, (int)i / matrix->b);

        for (int j = 0; j * matrix->b < n; j++) {
            struct range columns = block(n, matrix->b, j);
            const double *from = matrix->is_tiled
                                     ? tile(matrix, (int)i / matrix->b, j) +
                                           (i - rows.first) * columns.count
                                     : matrix->data + i * n + columns.first;

            memcpy(copy + i * n + columns.first, from,
                   sizeof(*copy) * (size_t)columns.count);
        }
    }
    return copy;
}

/* What the tasks are checked against and compared with: the same matrices,
   row-major, and their product by one call of OpenBLAS. */
struct plain {
    int n;
    double *a, *x, *c;
};

static struct plain plain_create(const struct matrix *a, const struct matrix *x)
{
    return (struct plain){
        .n = a->n,
        .a = row_major(a),
        .x = row_major(x),
        .c = app_alloc((long)a->n * a->n, sizeof(double)),
    };
}

static void plain_destroy(struct plain *plain)
{
    castell_free(plain->a);
    castell_free(plain->x);
    castell_free(plain->c);
}

/* Returns the seconds that it took. */
static double plain_multiply(const struct plain *plain)
{
    int n = plain->n;
    double start = app_now();

    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, plain->a,
                n, plain->x, n, 0, plain->c, n);
    return app_now() - start;
}

static int verify(const struct matrix *a, const struct matrix *x,
                  const struct matrix *c)
{
    struct plain plain = plain_create(a, x);
    double *result = row_major(c);
    double error;

    plain_multiply(&plain);
    error = app_difference(result, plain.c, (long)c->n * c->n);
    castell_free(result);
    plain_destroy(&plain);
    return app_verdict("||C - dgemm|| / ||dgemm|| is", error, 1e-13);
}

enum { REPEAT_MAX = 1000 };

/* Multiply `repeat` times; when comparing, by tasks and by OpenBLAS in turn, so
   that both meet the same machine. */
static void measure(const struct matrix *a, const struct matrix *x,
                    const struct matrix *c, int repeat, bool compare)
{
    static double seconds[REPEAT_MAX], blas_seconds[REPEAT_MAX];
    double operations = 2.0 * c->n * c->n * c->n;
    int cores = (int)castell_executors_count();
    struct plain plain = {0};
    double median;

    if (compare)
        plain = plain_create(a, x);
    for (int r = 0; r < repeat; r++) {
        seconds[r] = multiply_matrices(a, x, c);
        if (compare) {
            app_blas_begin(cores);
            blas_seconds[r] = plain_multiply(&plain);
            app_blas_end();
        }
    }
    median = app_median(seconds, repeat);
    app_begin_line();
    printf("matmul n=%d tile=%d layout=%s cores=%d: %.4f s, %.2f Gflop/s", c->n,
           c->b, c->is_tiled ? "tiles" : "sections", cores, median,
           operations / median * 1e-9);
    if (compare) {
        double blas_median = app_median(blas_seconds, repeat);

        printf("; dgemm %.4f s, %.2f Gflop/s; ratio %.3f", blas_median,
               operations / blas_median * 1e-9, blas_median / median);
        plain_destroy(&plain);
    }
    putchar('\n');
}

static const struct app_about about = {
    .name = "matmul",
    .usage = "[OPTION]...",
    .text = "Multiply two random N x N matrices by tasks on B x B blocks.",
};

int main(int argc, char **argv)
{
    int n = 1024;
    int b = 256;
    const char *layout = "tiles";
    int repeat = 0;
    int compare = 0;
    int check = -1;
    const struct app_option options[] = {
        {"n", "N", "rows and columns", APP_WHOLE, &n, 1, 65536},
        {"tile", "B", "rows and columns of a block", APP_WHOLE, &b, 1, 8192},
        {"layout", "L", "tiles, or sections of row-major matrices", APP_TEXT,
         &layout, 0, 0},
        {"repeat", "R", "multiply R times, tell the median [1, to compare 5]",
         APP_WHOLE, &repeat, 1, REPEAT_MAX},
        {"compare", NULL, "and by OpenBLAS' dgemm on all cores", APP_SWITCH,
         &compare, 0, 0},
        {"verify", NULL, "check against dgemm [for N up to 2048]", APP_SWITCH,
         &check, 0, 0},
        {0},
    };
    struct matrix a, x, c;
    int wrong = 0;

    app_options(argc, argv, &about, options);
    if (strcmp(layout, "tiles") && strcmp(layout, "sections"))
        app_die(2, "--layout is tiles or sections, not '%s'", layout);
    castell_start(&argc, &argv);

    a = (struct matrix){n, b, !strcmp(layout, "tiles"), NULL};
    x = a;
    c = a;
    a.data = app_alloc((long)n * n, sizeof(double));
    x.data = app_alloc((long)n * n, sizeof(double));
    c.data = app_alloc((long)n * n, sizeof(double));
    fill(1, &a);
    fill(2, &x);
    fill(3, &c);
    #pragma castell barrier

    measure(&a, &x, &c, repeat ? repeat : compare ? 5 : 1, compare);
    if (check == 1 || (check < 0 && n <= 2048))
        wrong = verify(&a, &x, &c);
    castell_free(a.data);
    castell_free(x.data);
    castell_free(c.data);
    return castell_stop() || wrong;
}
