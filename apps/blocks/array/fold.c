/*
 * Sums, means, least and greatest numbers, norms: of all, or of each row or
 * column.
 *
 * A block is folded along the axis by one task; the results of the blocks are
 * combined two by two, in a tree whose form is that of the grid.
 */
#include "blocks/array/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tasks ---------------------------------------------------------------- */

/* What is combined is a sum (of squares, for the norm), or least or most. */
static double start_of(int what)
{
    if (what == BLOCKS_LEAST)
        return HUGE_VAL;
    return what == BLOCKS_MOST ? -HUGE_VAL : 0;
}

static double fold_row(int what, long count, const double *x)
{
    double sum = 0;
    double least = HUGE_VAL;
    double most = -HUGE_VAL;

    switch (what) {
    case BLOCKS_LEAST:
        #pragma omp simd reduction(min: least)
        for (long i = 0; i < count; i++)
            least = x[i] < least ? x[i] : least;
        return least;
    case BLOCKS_MOST:
        #pragma omp simd reduction(max: most)
        for (long i = 0; i < count; i++)
            most = x[i] > most ? x[i] : most;
        return most;
    case BLOCKS_NORM:
        #pragma omp simd reduction(+: sum)
        for (long i = 0; i < count; i++)
            sum += x[i] * x[i];
        return sum;
    default:
        #pragma omp simd reduction(+: sum)
        for (long i = 0; i < count; i++)
            sum += x[i];
        return sum;
    }
}

/* to[i] with x[i]; x as it is, not squared, when `squares` is false. */
static void fold_into(int what, bool squares, long count, const double *x,
                      double *to)
{
    if (what == BLOCKS_LEAST) {
        #pragma omp simd
        for (long i = 0; i < count; i++)
            to[i] = x[i] < to[i] ? x[i] : to[i];
    } else if (what == BLOCKS_MOST) {
        #pragma omp simd
        for (long i = 0; i < count; i++)
            to[i] = x[i] > to[i] ? x[i] : to[i];
    } else if (squares && what == BLOCKS_NORM) {
        #pragma omp simd
        for (long i = 0; i < count; i++)
            to[i] += x[i] * x[i];
    } else {
        #pragma omp simd
        for (long i = 0; i < count; i++)
            to[i] += x[i];
    }
}

/* One number, one of each row, or one of each column. */
static long folded_count(const struct blk_tile *t, int axis)
{
    if (axis == BLOCKS_ALL)
        return 1;
    return axis == BLOCKS_EACH_ROW ? t->rows : t->cols;
}

#pragma castell task in(x[0:t.size]) out(y[0:count])
static void fold_block(struct blk_tile t, int what, int axis, long count,
                       const double *x, double *y)
{
    for (long i = 0; i < count; i++)
        y[i] = start_of(what);
    for (long r = 0; r < t.rows; r++) {
        const double *row = x + r * t.width;

        if (axis == BLOCKS_EACH_COLUMN) {
            fold_into(what, true, t.cols, row, y);
        } else {
            double folded = fold_row(what, t.cols, row);

            fold_into(what, false, 1, &folded,
                      axis == BLOCKS_EACH_ROW ? y + r : y);
        }
    }
}

#pragma castell task inout(y[0:count]) in(x[0:count])
static void fold_two(int what, long count, double *y, const double *x)
{
    fold_into(what, false, count, x, y);
}

#pragma castell task in(x[0:count]) out(y[0:count])
static void finish(int what, long count, double total, const double *x,
                   double *y)
{
    for (long i = 0; i < count; i++) {
        y[i] = x[i];
        if (what == BLOCKS_MEAN)
            y[i] = x[i] / total;
        else if (what == BLOCKS_NORM)
            y[i] = sqrt(x[i]);
    }
}

/* ---- Calls ---------------------------------------------------------------- */

struct fold {
    struct blocks_array *array;
    int what, axis;
    double total; /* numbers that make one of the result */
    long stride;  /* room for the result of a block */
    double *parts;
};

/* Combine `count` results, `step` blocks apart, into the first. */
static void combine_tree(const struct fold *fold, double *first, long count,
                         long step, long numbers)
{
    for (long width = 1; width < count; width *= 2) {
        for (long i = 0; i + width < count; i += 2 * width)
            fold_two(fold->what, numbers, first + i * step * fold->stride,
                     first + (i + width) * step * fold->stride);
    }
}

/* From the folded blocks to the result's. */
static void combine_all(const struct fold *fold, struct blocks_array *to)
{
    const struct blocks_shape *shape = &fold->array->shape;
    long across = shape->grid_cols;

    if (fold->axis == BLOCKS_ALL) {
        combine_tree(fold, fold->parts, shape->grid_rows * across, 1, 1);
        finish(fold->what, 1, fold->total, fold->parts, blk_tile(to, 0, 0));
        return;
    }
    if (fold->axis == BLOCKS_EACH_ROW) {
        for (long i = 0; i < shape->grid_rows; i++) {
            double *first = fold->parts + i * across * fold->stride;
            long rows = blk_tile_of(fold->array, i, 0).rows;

            combine_tree(fold, first, across, 1, rows);
            finish(fold->what, rows, fold->total, first, blk_tile(to, i, 0));
        }
        return;
    }
    for (int j = 0; j < across; j++) {
        double *first = fold->parts + j * fold->stride;
        long cols = blk_tile_of(fold->array, 0, j).cols;

        combine_tree(fold, first, shape->grid_rows, across, cols);
        finish(fold->what, cols, fold->total, first, blk_tile(to, 0, j));
    }
}

static enum castell_status create_folded(struct fold *fold,
                                         struct blocks_array **ret_array)
{
    const struct blocks_shape *shape = &fold->array->shape;

    switch (fold->axis) {
    case BLOCKS_ALL:
        fold->stride = 1;
        fold->total = (double)shape->rows * (double)shape->cols;
        return blocks_create(1, 1, 1, 1, ret_array);
    case BLOCKS_EACH_ROW:
        fold->stride = shape->block_rows;
        fold->total = (double)shape->cols;
        return blocks_create(shape->rows, 1, shape->block_rows, 1, ret_array);
    default:
        fold->stride = shape->block_cols;
        fold->total = (double)shape->rows;
        return blocks_create(1, shape->cols, 1, shape->block_cols, ret_array);
    }
}

enum castell_status blocks_fold(struct blocks_array *array,
                                enum blocks_fold what, enum blocks_axis axis,
                                struct blocks_array **ret_folded)
{
    const struct blocks_shape *shape = &array->shape;
    struct fold fold = {.array = array, .what = (int)what, .axis = (int)axis};
    long parts = shape->grid_rows * shape->grid_cols;
    struct blocks_array *to;
    enum castell_status status = create_folded(&fold, &to);

    if (status < 0)
        return status;
    fold.parts =
        castell_alloc(sizeof(double) * (size_t)parts * (size_t)fold.stride);
    if (!fold.parts) {
        blocks_destroy(to);
        return blk_no_memory();
    }
    for (long i = 0; i < shape->grid_rows; i++) {
        for (int j = 0; j < shape->grid_cols; j++) {
            struct blk_tile tile = blk_tile_of(array, i, j);

            fold_block(tile, fold.what, fold.axis,
                       folded_count(&tile, fold.axis), blk_tile(array, i, j),
                       fold.parts + (i * shape->grid_cols + j) * fold.stride);
        }
    }
    combine_all(&fold, to);
    castell_free(fold.parts);
    *ret_folded = to;
    return CASTELL_OK;
}
