/*
 * array.h - what an array is made of, for the rooms of this library.
 *
 * A tile is the memory of a block: rows of `width` doubles, `width` that of every
 * block of the array, so that all tiles of a row of blocks have one size. A panel
 * is a row of blocks. Tasks get panels, as a collection of tiles.
 *
 * A streamed array has tiles for `window` panels only. Each use of a panel or
 * tile takes the next of these and submits the tasks that read it from the file:
 * that they wait for those who used the place before is the runtime's work.
 *
 * Main thread only. blk_ is what `cst_` is in the runtime.
 */
#ifndef BLOCKS_ARRAY_ARRAY_H
#define BLOCKS_ARRAY_ARRAY_H

#include "blocks/blocks.h"

/* ---- Errors --------------------------------------------------------------- */

/* Keep the sentence for blocks_error_text(); return the status. */
enum castell_status blk_fail(enum castell_status status, const char *format,
                             ...) __attribute__((format(printf, 2, 3)));
static inline enum castell_status blk_no_memory(void)
{
    blk_fail(CASTELL_ERR_NO_MEMORY, "there is no memory for it");
    return CASTELL_ERR_NO_MEMORY;
}

/* After a failure of the runtime: keep its sentence; return the status. */
enum castell_status blk_runtime(enum castell_status status);

/* Wait until main may read `size` bytes there. */
CASTELL_MUST_CHECK enum castell_status blk_wait(const void *memory,
                                                size_t size);

/* Zeroed memory for tasks, by castell_alloc(); NULL when there is none. */
void *blk_alloc(size_t count, size_t size);

/* ---- Memory of arrays ----------------------------------------------------- */

/* What a streamed array is read from; made by the room `files`. */
struct blk_source {
    /* Submit the task that reads the block at (row, col) of the file's grid. */
    void (*read)(struct blk_source *source, long row, int col, double *tile);
    void (*close)(struct blk_source *source);
};

/* The tiles of an array and of its slices. */
struct blk_storage {
    int users;
    double *memory;
    double **tiles; /* a row of the table for each panel, or place */
    size_t tile;    /* doubles from one to the next in memory */
    long panels;    /* there are so many; of a streamed array, places */
    int across;     /* tiles of a panel */
    struct blk_source *source; /* NULL: it is not streamed */
    long next;                 /* place to use */
};

struct blocks_array {
    struct blocks_shape shape;
    struct blk_storage *storage;
    long top; /* in the storage's grid */
    int left;
};

/* ---- Panels and tiles, as tasks get them ---------------------------------- */

/* A row of blocks: by value, beside the collection of its tiles, each of `tile`
   doubles. */
struct blk_panel {
    long first; /* row of the array */
    long cols;
    int rows;
    int tiles, width;
    long tile;
};

/* The panel, and its tiles, until it is used the next time. */
struct blk_panel blk_panel(struct blocks_array *array, long row,
                           double ***ret_tiles);

/* A panel with its table of tiles as fixed as the array: not streamed. */
struct blk_panel blk_panel_of(const struct blocks_array *array, long row);

/* One block: its tile, rows x cols numbers in rows of `width`. */
struct blk_tile {
    long row, col; /* of its first number in the array */
    int rows, cols, width;
    long size; /* rows * width */
};
struct blk_tile blk_tile_of(const struct blocks_array *array, long row,
                            int col);
double *blk_tile(struct blocks_array *array, long row, int col);

/* ---- In bodies ------------------------------------------------------------ */

/*
 * The numbers of a panel, row by row, `cols` apart: the tile itself when there
 * is one, else a copy in *ret_copy, which the caller frees (NULL for none).
 * Returns NULL when there is no memory.
 */
const double *blk_rows(const struct blk_panel *panel, double *const *tiles,
                       double **ret_copy);

/* ---- Making --------------------------------------------------------------- */

/* An array whose blocks are read from source, which it then owns. */
CASTELL_MUST_CHECK enum castell_status
blk_create_streamed(struct blocks_shape shape, int window,
                    struct blk_source *source, struct blocks_array **ret_array);

/* The shape of such an array: sizes of blocks chosen when 0, and checked. */
CASTELL_MUST_CHECK enum castell_status blk_shape(long rows, long cols,
                                                 int block_rows, int block_cols,
                                                 struct blocks_shape *ret_shape);

/* Fails when it cannot be written to. */
CASTELL_MUST_CHECK enum castell_status
blk_must_be_kept(const struct blocks_array *array, const char *doing);

#endif
