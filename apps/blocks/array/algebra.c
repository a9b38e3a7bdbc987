/*
 * Transposes, products, and operators element by element.
 */
#include "blocks/array/array.h"

#include <cblas.h>
#include <string.h>

/* ---- Tasks ---------------------------------------------------------------- */

enum { STEP = 32 }; /* a square of so many numbers stays in the cache */

static void transpose_square(const struct blk_tile *t, long r0, long c0,
                             const double *x, long y_width, double *y)
{
    long r1 = r0 + STEP < t->rows ? r0 + STEP : t->rows;
    long c1 = c0 + STEP < t->cols ? c0 + STEP : t->cols;

    for (long c = c0; c < c1; c++) {
        for (long r = r0; r < r1; r++)
            y[c * y_width + r] = x[r * t->width + c];
    }
}

#pragma castell task in(x[0:t.size]) out(y[0:u.size])
static void transpose(struct blk_tile t, struct blk_tile u, const double *x,
                      double *y)
{
    if (u.cols < u.width)
        memset(y, 0, sizeof(*y) * (size_t)u.size);
    for (long r = 0; r < t.rows; r += STEP) {
        for (long c = 0; c < t.cols; c += STEP)
            transpose_square(&t, r, c, x, u.width, y);
    }
}

#pragma castell task in(a[0:ta.size], b[0:tb.size]) out(c[0:tc.size])
static void multiply_first(struct blk_tile ta, struct blk_tile tb,
                           struct blk_tile tc, const double *a,
                           const double *b, double *c)
{
    memset(c, 0, sizeof(*c) * (size_t)tc.size);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, tc.rows, tc.cols,
                ta.cols, 1, a, ta.width, b, tb.width, 0, c, tc.width);
}

#pragma castell task in(a[0:ta.size], b[0:tb.size]) inout(c[0:tc.size])
static void multiply_more(struct blk_tile ta, struct blk_tile tb,
                          struct blk_tile tc, const double *a, const double *b,
                          double *c)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, tc.rows, tc.cols,
                ta.cols, 1, a, ta.width, b, tb.width, 1, c, tc.width);
}

static void operate(int what, long count, const double *a, const double *b,
                    double *c)
{
    switch (what) {
    case BLOCKS_ADD:
        #pragma omp simd
        for (long i = 0; i < count; i++)
            c[i] = a[i] + b[i];
        break;
    case BLOCKS_SUBTRACT:
        #pragma omp simd
        for (long i = 0; i < count; i++)
            c[i] = a[i] - b[i];
        break;
    case BLOCKS_TIMES:
        #pragma omp simd
        for (long i = 0; i < count; i++)
            c[i] = a[i] * b[i];
        break;
    default:
        #pragma omp simd
        for (long i = 0; i < count; i++)
            c[i] = a[i] / b[i];
        break;
    }
}

/* With one number in place of a row of them. */
static void operate_with(int what, long count, const double *a, double b,
                         double *c)
{
    switch (what) {
    case BLOCKS_ADD:
        #pragma omp simd
        for (long i = 0; i < count; i++)
            c[i] = a[i] + b;
        break;
    case BLOCKS_SUBTRACT:
        #pragma omp simd
        for (long i = 0; i < count; i++)
            c[i] = a[i] - b;
        break;
    case BLOCKS_TIMES:
        #pragma omp simd
        for (long i = 0; i < count; i++)
            c[i] = a[i] * b;
        break;
    default:
        #pragma omp simd
        for (long i = 0; i < count; i++)
            c[i] = a[i] / b;
        break;
    }
}

/* A row of b for each of a, or one; a number of b for each in it, or one. */
#pragma castell task in(a[0:t.size], b[0:u.size]) out(c[0:t.size])
static void combine(struct blk_tile t, struct blk_tile u, int what,
                    const double *a, const double *b, double *c)
{
    for (long r = 0; r < t.rows; r++) {
        const double *row = b + (u.rows == t.rows ? r * u.width : 0);

        if (u.cols == t.cols)
            operate(what, t.cols, a + r * t.width, row, c + r * t.width);
        else
            operate_with(what, t.cols, a + r * t.width, row[0],
                         c + r * t.width);
        memset(c + r * t.width + t.cols, 0,
               sizeof(*c) * (size_t)(t.width - t.cols));
    }
}

/* ---- Calls ---------------------------------------------------------------- */

enum castell_status blocks_transpose(struct blocks_array *array,
                                     struct blocks_array **ret_array)
{
    const struct blocks_shape *shape = &array->shape;
    struct blocks_array *to;
    enum castell_status status =
        blocks_create(shape->cols, shape->rows, shape->block_cols,
                      shape->block_rows, &to);

    if (status < 0)
        return status;
    for (long i = 0; i < shape->grid_rows; i++) {
        for (int j = 0; j < shape->grid_cols; j++)
            transpose(blk_tile_of(array, i, j), blk_tile_of(to, j, (int)i),
                      blk_tile(array, i, j), blk_tile(to, j, (int)i));
    }
    *ret_array = to;
    return CASTELL_OK;
}

static void multiply_block(struct blocks_array *a, struct blocks_array *b,
                           struct blocks_array *to, long i, int j)
{
    struct blk_tile tc = blk_tile_of(to, i, j);
    double *c = blk_tile(to, i, j);

    for (int k = 0; k < a->shape.grid_cols; k++) {
        struct blk_tile ta = blk_tile_of(a, i, k);
        struct blk_tile tb = blk_tile_of(b, k, j);

        if (k == 0)
            multiply_first(ta, tb, tc, blk_tile(a, i, k), blk_tile(b, k, j), c);
        else
            multiply_more(ta, tb, tc, blk_tile(a, i, k), blk_tile(b, k, j), c);
    }
}

enum castell_status blocks_multiply(struct blocks_array *a,
                                    struct blocks_array *b,
                                    struct blocks_array **ret_product)
{
    const struct blocks_shape *sa = &a->shape;
    const struct blocks_shape *sb = &b->shape;
    struct blocks_array *to;
    enum castell_status status;

    if (sa->cols != sb->rows)
        return blk_fail(CASTELL_ERR_INVALID,
                        "%ld x %ld and %ld x %ld numbers have no product",
                        sa->rows, sa->cols, sb->rows, sb->cols);
    if (sa->grid_cols != sb->grid_rows ||
        (sa->grid_cols > 1 && sa->block_cols != sb->block_rows))
        return blk_fail(CASTELL_ERR_INVALID,
                        "blocks that are %d wide and blocks that are %d high "
                        "have no product; blocks_cut() makes others",
                        sa->block_cols, sb->block_rows);
    status = blocks_create(sa->rows, sb->cols, sa->block_rows, sb->block_cols,
                           &to);
    if (status < 0)
        return status;
    for (long i = 0; i < to->shape.grid_rows; i++) {
        for (int j = 0; j < to->shape.grid_cols; j++)
            multiply_block(a, b, to, i, j);
    }
    *ret_product = to;
    return CASTELL_OK;
}

/* Along one dimension: as many in as large blocks, or one. */
static bool fits(long a, long a_block, long b, long b_block)
{
    return b == 1 || (a == b && (a_block == b_block || b_block >= b) &&
                      (a_block == b_block || a_block >= a));
}

enum castell_status blocks_combine(struct blocks_array *a,
                                   enum blocks_operator what,
                                   struct blocks_array *b,
                                   struct blocks_array **ret_array)
{
    const struct blocks_shape *sa = &a->shape;
    const struct blocks_shape *sb = &b->shape;
    struct blocks_array *to;
    enum castell_status status;

    if (!fits(sa->rows, sa->block_rows, sb->rows, sb->block_rows) ||
        !fits(sa->cols, sa->block_cols, sb->cols, sb->block_cols))
        return blk_fail(CASTELL_ERR_INVALID,
                        "%ld x %ld numbers in blocks of %d x %d do not fit to "
                        "%ld x %ld in blocks of %d x %d",
                        sb->rows, sb->cols, sb->block_rows, sb->block_cols,
                        sa->rows, sa->cols, sa->block_rows, sa->block_cols);
    status = blocks_create(sa->rows, sa->cols, sa->block_rows, sa->block_cols,
                           &to);
    if (status < 0)
        return status;
    for (long i = 0; i < sa->grid_rows; i++) {
        for (int j = 0; j < sa->grid_cols; j++) {
            long k = sb->rows == 1 ? 0 : i;
            int l = sb->cols == 1 ? 0 : j;

            combine(blk_tile_of(a, i, j), blk_tile_of(b, k, l), (int)what,
                    blk_tile(a, i, j), blk_tile(b, k, l), blk_tile(to, i, j));
        }
    }
    *ret_array = to;
    return CASTELL_OK;
}
