/*
 * Numbers from nowhere, from memory and from arrays in other blocks.
 */
#include "blocks/array/array.h"

#include "blocks/array/random.h"

#include <math.h>
#include <string.h>

/* ---- Tasks ---------------------------------------------------------------- */

#pragma castell task out(x[0:t.size])
static void fill(struct blk_tile t, double *x, double value)
{
    for (long i = 0; i < t.size; i++)
        x[i] = value;
}

/* Two normal numbers belong to columns 2 n and 2 n + 1. */
static double normal_at(uint64_t key, long row, long col)
{
    uint64_t pair = blk_random_at(key, (uint64_t)row, (uint64_t)col | 1);
    uint64_t other = blk_random_at(key, (uint64_t)row, (uint64_t)col & ~1ul);
    double radius = sqrt(-2 * log(1 - blk_random_real(other)));
    double angle = 6.283185307179586 * blk_random_real(pair);

    return radius * (col % 2 ? sin(angle) : cos(angle));
}

#pragma castell task out(x[0:t.size])
static void randomise(struct blk_tile t, double *x, int kind, uint64_t key)
{
    for (long r = 0; r < t.rows; r++) {
        double *row = x + r * t.width;

        for (long c = 0; c < t.cols; c++)
            row[c] = kind == BLOCKS_NORMAL
                         ? normal_at(key, t.row + r, t.col + c)
                         : blk_random_real(
                               blk_random_at(key, (uint64_t)(t.row + r),
                                             (uint64_t)(t.col + c)));
        memset(row + t.cols, 0, sizeof(*x) * (size_t)(t.width - t.cols));
    }
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    out(numbers[0:p.rows*p.cols])
static void gather(struct blk_panel p, double *const *x, double *numbers)
{
    for (long t = 0; t < p.tiles; t++) {
        long from = t * p.width;
        long cols = p.cols - from < p.width ? p.cols - from : p.width;

        for (long r = 0; r < p.rows; r++)
            memcpy(numbers + r * p.cols + from, x[t] + r * p.width,
                   sizeof(double) * (size_t)cols);
    }
}

#pragma castell task collection_out(x[0:p.tiles] : p.tile) \
    in(numbers[0:p.rows*p.cols])
static void scatter(struct blk_panel p, double *const *x, const double *numbers)
{
    for (long t = 0; t < p.tiles; t++) {
        long from = t * p.width;
        long cols = p.cols - from < p.width ? p.cols - from : p.width;

        for (long r = 0; r < p.rows; r++) {
            memcpy(x[t] + r * p.width, numbers + r * p.cols + from,
                   sizeof(double) * (size_t)cols);
            memset(x[t] + r * p.width + cols, 0,
                   sizeof(double) * (size_t)(p.width - cols));
        }
    }
}

/* What two tiles have in common. */
#pragma castell task in(x[0:from.size]) inout(y[0:to.size])
static void copy_common(struct blk_tile from, struct blk_tile to,
                        const double *x, double *y)
{
    long row = from.row > to.row ? from.row : to.row;
    long col = from.col > to.col ? from.col : to.col;
    long end = from.row + from.rows < to.row + to.rows ? from.row + from.rows
                                                       : to.row + to.rows;
    long right = from.col + from.cols < to.col + to.cols ? from.col + from.cols
                                                         : to.col + to.cols;

    for (; row < end; row++)
        memcpy(y + (row - to.row) * to.width + col - to.col,
               x + (row - from.row) * from.width + col - from.col,
               sizeof(double) * (size_t)(right - col));
}

/* ---- Calls ---------------------------------------------------------------- */

enum castell_status blocks_fill(struct blocks_array *array, double value)
{
    enum castell_status status = blk_must_be_kept(array, "filled");

    for (long i = 0; status == CASTELL_OK && i < array->shape.grid_rows; i++) {
        for (int j = 0; j < array->shape.grid_cols; j++)
            fill(blk_tile_of(array, i, j), blk_tile(array, i, j), value);
    }
    return status;
}

enum castell_status blocks_random(struct blocks_array *array,
                                  enum blocks_random kind, uint64_t seed)
{
    enum castell_status status = blk_must_be_kept(array, "filled");

    for (long i = 0; status == CASTELL_OK && i < array->shape.grid_rows; i++) {
        for (int j = 0; j < array->shape.grid_cols; j++)
            randomise(blk_tile_of(array, i, j), blk_tile(array, i, j),
                      (int)kind, seed);
    }
    return status;
}

enum castell_status blocks_get(struct blocks_array *array, double *ret_numbers)
{
    const struct blocks_shape *shape = &array->shape;
    size_t count = (size_t)shape->rows * (size_t)shape->cols;
    double *numbers = castell_alloc(count * sizeof(*numbers));
    enum castell_status status;

    if (!numbers)
        return blk_no_memory();
    for (long i = 0; i < shape->grid_rows; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(array, i, &tiles);

        gather(panel, tiles,
               numbers + panel.first * shape->cols);
    }
    status = blk_wait(numbers, count * sizeof(*numbers));
    if (status == CASTELL_OK)
        memcpy(ret_numbers, numbers, count * sizeof(*numbers));
    castell_free(numbers);
    return status;
}

enum castell_status blocks_put(struct blocks_array *array, const double *numbers)
{
    const struct blocks_shape *shape = &array->shape;
    size_t count = (size_t)shape->rows * (size_t)shape->cols;
    enum castell_status status = blk_must_be_kept(array, "written to");
    double *copy;

    if (status < 0)
        return status;
    /* Of our own, so that the caller's may be anything afterwards. */
    copy = castell_alloc(count * sizeof(*copy));
    if (!copy)
        return blk_no_memory();
    memcpy(copy, numbers, count * sizeof(*copy));
    for (long i = 0; i < shape->grid_rows; i++) {
        double **tiles;
        struct blk_panel panel = blk_panel(array, i, &tiles);

        scatter(panel, tiles, copy + panel.first * shape->cols);
    }
    castell_free(copy);
    return CASTELL_OK;
}

/* Into all blocks of `to` that this one of `from`, moved, overlaps. */
static void copy_block(struct blk_tile tile, const double *x,
                       struct blocks_array *to)
{
    const struct blocks_shape *shape = &to->shape;
    long first = tile.row > 0 ? tile.row / shape->block_rows : 0;
    long left = tile.col > 0 ? tile.col / shape->block_cols : 0;
    long end = tile.row + tile.rows;
    long right = tile.col + tile.cols;

    for (long i = first; i < shape->grid_rows && i * shape->block_rows < end;
         i++) {
        for (int j = (int)left;
             j < shape->grid_cols && (long)j * shape->block_cols < right; j++)
            copy_common(tile, blk_tile_of(to, i, j), x, blk_tile(to, i, j));
    }
}

enum castell_status blocks_cut(struct blocks_array *array,
                               const struct blocks_cut *cut,
                               struct blocks_array **ret_array)
{
    const struct blocks_shape *shape = &array->shape;
    long rows = cut->rows ? cut->rows : shape->rows - cut->row;
    long cols = cut->cols ? cut->cols : shape->cols - cut->col;
    struct blocks_array *copy;
    enum castell_status status;

    if (cut->row < 0 || cut->col < 0 || rows < 1 || cols < 1 ||
        cut->row > shape->rows - rows || cut->col > shape->cols - cols)
        return blk_fail(CASTELL_ERR_INVALID,
                        "no %ld x %ld numbers begin at (%ld, %ld) of %ld x %ld",
                        rows, cols, cut->row, cut->col, shape->rows,
                        shape->cols);
    status = blocks_create(rows, cols, cut->block_rows, cut->block_cols, &copy);
    if (status == CASTELL_OK)
        status = blocks_fill(copy, 0);
    if (status < 0)
        return status;
    for (long i = cut->row / shape->block_rows;
         i < shape->grid_rows && i * shape->block_rows < cut->row + rows; i++) {
        for (int j = (int)(cut->col / shape->block_cols);
             j < shape->grid_cols &&
             (long)j * shape->block_cols < cut->col + cols;
             j++) {
            struct blk_tile tile = blk_tile_of(array, i, j);

            tile.row -= cut->row;
            tile.col -= cut->col;
            copy_block(tile, blk_tile(array, i, j), copy);
        }
    }
    *ret_array = copy;
    return CASTELL_OK;
}
