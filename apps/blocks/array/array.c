#include "blocks/array/array.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 8, BLOCK_NUMBERS = 1 << 19 };

/* ---- Errors --------------------------------------------------------------- */

static char error_text[1024] = "nothing has failed";

const char *blocks_error_text(void)
{
    return error_text;
}

enum castell_status blk_fail(enum castell_status status, const char *format,
                             ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error_text, sizeof(error_text), format, arguments);
    va_end(arguments);
    return status;
}

enum castell_status blk_runtime(enum castell_status status)
{
    return status < 0 ? blk_fail(status, "%s", castell_error_text()) : status;
}

enum castell_status blk_wait(const void *memory, size_t size)
{
    const struct castell_access region = {
        .base = memory, .size = size, .mode = CASTELL_IN};

    return blk_runtime(castell_wait_on(&region, 1));
}

void *blk_alloc(size_t count, size_t size)
{
    void *memory;

    if (count > SIZE_MAX / 2 / size)
        return NULL;
    memory = castell_alloc(count * size);
    if (memory)
        memset(memory, 0, count * size);
    return memory;
}

/* ---- Storage -------------------------------------------------------------- */

static struct blk_storage *storage_create(long panels, int across, size_t tile)
{
    struct blk_storage *storage = calloc(1, sizeof(*storage));
    size_t count = (size_t)panels * (size_t)across;

    /* Each tile begins a cache line. */
    tile = (tile + LINE - 1) / LINE * LINE;
    if (!storage)
        return NULL;
    *storage = (struct blk_storage){
        .users = 1, .tile = tile, .panels = panels, .across = across};
    if (count < SIZE_MAX / sizeof(double) / tile) {
        storage->memory = castell_alloc(count * tile * sizeof(double));
        storage->tiles = calloc(count, sizeof(*storage->tiles));
    }
    if (!storage->memory || !storage->tiles) {
        castell_free(storage->memory);
        free(storage->tiles);
        free(storage);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        storage->tiles[i] = storage->memory + i * tile;
    return storage;
}

/* The nodes need not keep their copies. That nobody used a tile is no error. */
static void forget(const struct blk_storage *storage)
{
    for (long i = 0; i < storage->panels * storage->across; i++) {
        const struct castell_access tile = {
            .base = storage->tiles[i],
            .size = storage->tile * sizeof(double),
            .mode = CASTELL_IN,
        };
        enum castell_status status = castell_delete(&tile, 1);

        (void)status;
    }
}

static void storage_drop(struct blk_storage *storage)
{
    if (--storage->users > 0)
        return;
    forget(storage);
    castell_free(storage->memory);
    if (storage->source)
        storage->source->close(storage->source);
    free(storage->tiles);
    free(storage);
}

/* ---- Arrays --------------------------------------------------------------- */

enum castell_status blk_shape(long rows, long cols, int block_rows,
                              int block_cols, struct blocks_shape *ret_shape)
{
    struct blocks_shape shape = {.rows = rows, .cols = cols};

    if (rows < 1 || cols < 1 || block_rows < 0 || block_cols < 0)
        return blk_fail(CASTELL_ERR_INVALID,
                        "there is no array of %ld x %ld numbers in blocks of "
                        "%d x %d",
                        rows, cols, block_rows, block_cols);
    if (block_cols == 0 && cols > INT_MAX / 16)
        block_cols = BLOCK_NUMBERS;
    shape.block_cols =
        block_cols == 0 || block_cols > cols ? (int)cols : block_cols;
    if (block_rows == 0)
        block_rows = shape.block_cols > BLOCK_NUMBERS
                         ? 1
                         : BLOCK_NUMBERS / shape.block_cols;
    shape.block_rows = block_rows > rows ? (int)rows : block_rows;
    if ((long)shape.block_rows * shape.block_cols > INT_MAX / 8)
        return blk_fail(CASTELL_ERR_INVALID,
                        "a block of %d x %d numbers has 2 GiB or more",
                        shape.block_rows, shape.block_cols);
    shape.grid_rows = (rows + shape.block_rows - 1) / shape.block_rows;
    if ((cols + shape.block_cols - 1) / shape.block_cols > 1 << 20)
        return blk_fail(CASTELL_ERR_INVALID,
                        "%ld columns in blocks of %d are more than %d blocks",
                        cols, shape.block_cols, 1 << 20);
    shape.grid_cols = (int)((cols + shape.block_cols - 1) / shape.block_cols);
    *ret_shape = shape;
    return CASTELL_OK;
}

static struct blocks_array *array_create(struct blocks_shape shape, long panels)
{
    struct blocks_array *array = calloc(1, sizeof(*array));

    if (!array)
        return NULL;
    array->shape = shape;
    array->storage =
        storage_create(panels, shape.grid_cols,
                       (size_t)shape.block_rows * (size_t)shape.block_cols);
    if (array->storage)
        return array;
    free(array);
    return NULL;
}

enum castell_status blocks_create(long rows, long cols, int block_rows,
                                  int block_cols,
                                  struct blocks_array **ret_array)
{
    struct blocks_shape shape = {0};
    enum castell_status status =
        blk_shape(rows, cols, block_rows, block_cols, &shape);
    struct blocks_array *array;

    if (status < 0)
        return status;
    array = array_create(shape, shape.grid_rows);
    if (!array)
        return blk_fail(CASTELL_ERR_NO_MEMORY,
                        "there is no memory for %ld x %ld numbers", rows, cols);
    *ret_array = array;
    return CASTELL_OK;
}

enum castell_status blk_create_streamed(struct blocks_shape shape, int window,
                                        struct blk_source *source,
                                        struct blocks_array **ret_array)
{
    struct blocks_array *array =
        array_create(shape, window < shape.grid_rows ? window : shape.grid_rows);

    if (!array)
        return blk_no_memory();
    array->storage->source = source;
    *ret_array = array;
    return CASTELL_OK;
}

void blocks_destroy(struct blocks_array *array)
{
    if (!array)
        return;
    storage_drop(array->storage);
    free(array);
}

struct blocks_shape blocks_shape(const struct blocks_array *array)
{
    return array->shape;
}

static long least(long a, long b)
{
    return a < b ? a : b;
}

enum castell_status blocks_slice(struct blocks_array *array, long row,
                                 long rows, int col, int cols,
                                 struct blocks_array **ret_slice)
{
    const struct blocks_shape *whole = &array->shape;
    struct blocks_shape shape = *whole;
    struct blocks_array *slice;

    if (row < 0 || rows < 1 || row > whole->grid_rows - rows || col < 0 ||
        cols < 1 || col > whole->grid_cols - cols)
        return blk_fail(CASTELL_ERR_INVALID,
                        "no %ld x %d blocks begin at (%ld, %d) of %ld x %d",
                        rows, cols, row, col, whole->grid_rows,
                        whole->grid_cols);
    if (array->storage->source && cols < whole->grid_cols)
        return blk_fail(CASTELL_ERR_INVALID,
                        "a streamed array has slices of whole rows only");
    slice = calloc(1, sizeof(*slice));
    if (!slice)
        return blk_no_memory();
    shape.grid_rows = rows;
    shape.grid_cols = cols;
    shape.rows = least(rows * shape.block_rows,
                       whole->rows - row * shape.block_rows);
    shape.cols = least((long)cols * shape.block_cols,
                       whole->cols - (long)col * shape.block_cols);
    *slice = (struct blocks_array){.shape = shape,
                                   .storage = array->storage,
                                   .top = array->top + row,
                                   .left = array->left + col};
    slice->storage->users++;
    *ret_slice = slice;
    return CASTELL_OK;
}

enum castell_status blk_must_be_kept(const struct blocks_array *array,
                                     const char *doing)
{
    if (!array->storage->source)
        return CASTELL_OK;
    return blk_fail(CASTELL_ERR_INVALID, "a streamed array cannot be %s",
                    doing);
}

/* ---- Panels and tiles ----------------------------------------------------- */

struct blk_panel blk_panel_of(const struct blocks_array *array, long row)
{
    const struct blocks_shape *shape = &array->shape;
    long first = row * shape->block_rows;
    int rows = (int)least(shape->block_rows, shape->rows - first);

    return (struct blk_panel){
        .first = first,
        .cols = shape->cols,
        .rows = rows,
        .tiles = shape->grid_cols,
        .width = shape->block_cols,
        .tile = (long)rows * shape->block_cols,
    };
}

struct blk_tile blk_tile_of(const struct blocks_array *array, long row, int col)
{
    const struct blocks_shape *shape = &array->shape;
    struct blk_tile tile = {
        .row = row * shape->block_rows,
        .col = (long)col * shape->block_cols,
        .width = shape->block_cols,
    };

    tile.rows = (int)least(shape->block_rows, shape->rows - tile.row);
    tile.cols = (int)least(shape->block_cols, shape->cols - tile.col);
    tile.size = (long)tile.rows * tile.width;
    return tile;
}

/* The tiles of the next place. */
static double **next_place(struct blk_storage *storage)
{
    long place = storage->next++ % storage->panels;

    return storage->tiles + place * storage->across;
}

struct blk_panel blk_panel(struct blocks_array *array, long row,
                           double ***ret_tiles)
{
    struct blk_storage *storage = array->storage;

    if (!storage->source) {
        *ret_tiles =
            storage->tiles + (array->top + row) * storage->across + array->left;
        return blk_panel_of(array, row);
    }
    *ret_tiles = next_place(storage);
    for (int i = 0; i < array->shape.grid_cols; i++)
        storage->source->read(storage->source, array->top + row,
                              array->left + i, (*ret_tiles)[i]);
    return blk_panel_of(array, row);
}

double *blk_tile(struct blocks_array *array, long row, int col)
{
    struct blk_storage *storage = array->storage;
    double *tile;

    if (!storage->source)
        return storage->tiles[(array->top + row) * storage->across +
                              array->left + col];
    tile = next_place(storage)[col];
    storage->source->read(storage->source, array->top + row, array->left + col,
                          tile);
    return tile;
}

const double *blk_rows(const struct blk_panel *panel, double *const *tiles,
                       double **ret_copy)
{
    size_t numbers = (size_t)panel->rows * (size_t)panel->cols;
    double *copy;

    *ret_copy = NULL;
    if (panel->tiles == 1 && panel->width == panel->cols)
        return tiles[0];
    copy = malloc(numbers * sizeof(*copy));
    if (!copy) {
        fprintf(stderr, "blocks: no memory for %zu numbers\n", numbers);
        return NULL;
    }
    for (int t = 0; t < panel->tiles; t++) {
        long from = (long)t * panel->width;
        size_t cols = (size_t)least(panel->width, panel->cols - from);

        for (long r = 0; r < panel->rows; r++)
            memcpy(copy + r * panel->cols + from, tiles[t] + r * panel->width,
                   cols * sizeof(*copy));
    }
    *ret_copy = copy;
    return copy;
}
