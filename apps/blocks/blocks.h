/*
 * blocks.h - matrices in blocks, spread over the nodes of a Castell run.
 *
 * An array is a matrix of doubles, cut in blocks of one size (those at the
 * right and lower edge may be smaller). Each block is a piece of data of the
 * runtime, so it lives where tasks wrote it and moves where tasks need it; no
 * process ever holds a whole array, unless it is the only one. Numbers of other
 * types in files become doubles when they are read: sums of squares, which
 * nearly all is about here, lose half of the digits that they have.
 *
 *   1. Errors                5. Linear algebra
 *   2. Arrays                6. Sums, means, ... by rows or columns
 *   3. Small data            7. Element by element; maps
 *   4. Files
 *
 * Calls: by the main thread, after castell_start(). What writes an array submits
 *   tasks and returns; what tells a number, or reads a file, waits for it.
 * Errors: a call that fails has made nothing and has written none of its ret_
 *   arguments. What a task finds out later (a file that was cut off while it
 *   was read again, no memory on a node) is said on standard error and ends the
 *   run, as everywhere in Castell.
 * Ownership: who creates an array destroys it; a pointer argument is read during
 *   the call only. Arrays are castell_stop()'s to forget, too.
 * Bits: a result depends on the data, the sizes of blocks and the seed, and not
 *   on how many cores or nodes computed it (of one kind of processor).
 */
#ifndef CASTELL_BLOCKS_H
#define CASTELL_BLOCKS_H

#include <castell.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct blocks_array;

/* ---- 1. Errors -------------------------------------------------------- */

/*
 * Say in one English sentence why the last failing call of this library failed,
 * as "the file x.npy is cut off: ...". Valid until the next failing one.
 */
const char *blocks_error_text(void);

/* ---- 2. Arrays -------------------------------------------------------- */

struct blocks_shape {
    long rows, cols;
    int block_rows, block_cols; /* of a block that is not at the edge */
    long grid_rows;             /* blocks, from top to bottom */
    int grid_cols;              /* and from left to right */
};

/*
 * Make an array; what its numbers are is not said before they are written. A block
 * size of 0 means: all columns, and as many rows as make some 4 MB. Fails with
 * CASTELL_ERR_INVALID (no rows, no columns, a block of 2^31 bytes or more) or
 * CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_create(long rows, long cols, int block_rows, int block_cols,
              struct blocks_array **ret_array);

/* Forget the array, when what was submitted so far is done with it. Returns at
   once; NULL is allowed. */
void blocks_destroy(struct blocks_array *array);

struct blocks_shape blocks_shape(const struct blocks_array *array);

/*
 * The blocks from row `row` and column `col` of the grid, rows * cols of them, as
 * an array. It is a view: what one writes the other has. Either may be destroyed
 * first. Of a streamed array only rows can be cut. Fails with
 * CASTELL_ERR_INVALID (they are not all there) or CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_slice(struct blocks_array *array, long row, long rows, int col, int cols,
             struct blocks_array **ret_slice);

/* Part of an array: rows from `row` on, columns from `col` on; 0 rows or columns
   are all that follow. */
struct blocks_cut {
    long row, rows, col, cols;
    int block_rows, block_cols; /* of the result, as in blocks_create() */
};

/*
 * A copy of a part of an array, or of all of it, in blocks of any size; it is
 * kept, though the array be streamed. Fails with CASTELL_ERR_INVALID (the part is
 * not all there) or CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_cut(struct blocks_array *array, const struct blocks_cut *cut,
           struct blocks_array **ret_array);

/* All numbers are `value`. */
CASTELL_MUST_CHECK enum castell_status blocks_fill(struct blocks_array *array,
                                                   double value);

enum blocks_random { BLOCKS_UNIFORM = 0, BLOCKS_NORMAL = 1 };

/*
 * Random numbers: uniform in [0, 1), or normal with mean 0 and variance 1 (Box
 * and Muller). The one in row r and column c is a function of seed, r and c
 * alone (SplitMix64 over a counter), whatever the size of blocks.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_random(struct blocks_array *array, enum blocks_random kind,
              uint64_t seed);

/* ---- 3. Small data ---------------------------------------------------- */

/*
 * Copy all numbers into memory, row by row: rows * cols doubles. Waits. For what
 * is small: labels, centres, sums; it all comes to this process.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_get(struct blocks_array *array, double *ret_numbers);

/* The other way, rows * cols doubles of the caller's. */
CASTELL_MUST_CHECK enum castell_status blocks_put(struct blocks_array *array,
                                                  const double *numbers);

/* ---- 4. Files --------------------------------------------------------- */

enum blocks_format {
    BLOCKS_BY_NAME = 0, /* .npy, .csv, .tsv, .txt (as .csv), .raw, .bin (as
                           .raw), or in the name "idx"; with .gz after it or
                           not; else by the first bytes */
    BLOCKS_NPY = 1,     /* NumPy's: versions 1 to 3, numbers or booleans of
                           either byte order, by rows or by columns */
    BLOCKS_IDX = 2,     /* that of MNIST */
    BLOCKS_CSV = 3,     /* a row a line; decimal numbers */
    BLOCKS_RAW = 4,     /* numbers, row by row, and nothing else */
};

/* What and how to read; what is 0 or NULL is the default. */
struct blocks_file {
    enum blocks_format format;
    int block_rows, block_cols; /* as in blocks_create() */
    bool streamed;     /* keep nothing: see blocks_read() */
    bool nan_allowed;  /* else NaN and infinity are errors in the file */
    int window;        /* streamed: rows of blocks in memory, 16 */
    char delimiter;    /* CSV: a comma; in .tsv, a tab. A blank stands for
                          any number of blanks and tabs */
    const char *type;  /* raw: "f8", as NumPy spells it: b1, i1 to i8, u1 to
                          u8, f4, f8, with < (the default) or > before it */
    long cols;         /* raw: columns; needed there */
};

/*
 * Read a matrix from a file. Each block is read by a task of its own, from its
 * place in the file, on the node where it will be; of CSV, tasks first count the
 * lines. A file of one dimension is a column; of three or more, all but the
 * first are the columns, as the pixels of images are. The first line of CSV is
 * left out when it is not of numbers. Compressed files (.gz) are unpacked first,
 * which is sequential by nature, into a file in $TMPDIR, or /tmp, that exists
 * while it is read.
 *
 * Waits until all of the file was read once and found good. Streamed, nothing of
 * it is kept then: whatever uses the array reads its blocks again, some of them
 * ahead, so that `window` rows of blocks are in memory at one time and a file may
 * be larger than the memory of all nodes. Nobody can write to such an array, and
 * the file must stay as it is.
 *
 * Nodes that see the file at the same path read it there; another gets a copy of
 * all of it in CASTELL_SCRATCH.
 *
 * Fails with
 *   CASTELL_ERR_INVALID    the file is not what it should be (cut off, lines of
 *                          different length, NaN, ...); the text names file,
 *                          place and reason.
 *   CASTELL_ERR_SYSTEM     it cannot be opened or read.
 *   CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_read(const char *path, const struct blocks_file *file,
            struct blocks_array **ret_array);

/*
 * Write a matrix to a file: NPY or raw (both little-endian doubles by rows) or
 * CSV (17 digits at most: what is read back is the same), by the name when the
 * format is BLOCKS_BY_NAME. Tasks put the rows together, and into digits; they
 * pass through this process some at a time. Waits. The file changes at once, by
 * a rename, when all is on disk. Fails with CASTELL_ERR_INVALID (a format that is
 * not written) or CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status blocks_write(struct blocks_array *array,
                                                    const char *path,
                                                    enum blocks_format format);

/* ---- 5. Linear algebra ------------------------------------------------ */

/* The transposed array, in transposed blocks. */
CASTELL_MUST_CHECK enum castell_status
blocks_transpose(struct blocks_array *array, struct blocks_array **ret_array);

/*
 * The product a * b, a block by a chain of dgemm in the order of the inner
 * dimension. The blocks of a must be as wide as those of b are high. Fails with
 * CASTELL_ERR_INVALID (sizes that do not fit) or CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_multiply(struct blocks_array *a, struct blocks_array *b,
                struct blocks_array **ret_product);

/* ---- 6. Sums, means, ... by rows or columns ---------------------------- */

enum blocks_fold {
    BLOCKS_SUM = 0,
    BLOCKS_MEAN = 1,
    BLOCKS_LEAST = 2,
    BLOCKS_MOST = 3,
    BLOCKS_NORM = 4, /* the square root of the sum of squares */
};

enum blocks_axis {
    BLOCKS_ALL = 0,         /* one number: 1 x 1 */
    BLOCKS_EACH_ROW = 1,    /* one of each row: rows x 1 */
    BLOCKS_EACH_COLUMN = 2, /* one of each column: 1 x cols */
};

/* Blocks are folded by tasks and combined in a fixed tree. */
CASTELL_MUST_CHECK enum castell_status
blocks_fold(struct blocks_array *array, enum blocks_fold what,
            enum blocks_axis axis, struct blocks_array **ret_folded);

/* ---- 7. Element by element; maps --------------------------------------- */

enum blocks_operator {
    BLOCKS_ADD = 0,
    BLOCKS_SUBTRACT = 1,
    BLOCKS_TIMES = 2,
    BLOCKS_DIVIDE = 3,
};

/*
 * Each number of a, and the one of b in its place. b is as large as a and in
 * such blocks, or one row (1 x cols), which then meets every row of a, or one
 * column (rows x 1), or one number (1 x 1); in blocks that end where those of a
 * end. Fails with CASTELL_ERR_INVALID (they do not fit) or NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_combine(struct blocks_array *a, enum blocks_operator what,
               struct blocks_array *b, struct blocks_array **ret_array);

/*
 * A function of a row (or of a column): it reads `count` numbers and writes
 * `out_count` ones. It runs in tasks, on any node, and must see nothing but its
 * arguments.
 */
typedef void blocks_map_function(long count, const double *in, long out_count,
                                 double *out, const double *parameters);

struct blocks_map {
    const char *name; /* unique in the program, 31 bytes at most */
    blocks_map_function *function;
};

/*
 * Make a map known: by main() before castell_start(), which is where every node
 * passes by. It is kept. Fails with CASTELL_ERR_INVALID (no name, or one that
 * is in use) or CASTELL_ERR_LIMIT (64 of them are known).
 */
CASTELL_MUST_CHECK enum castell_status
blocks_map_declare(const struct blocks_map *map);

struct blocks_map_call {
    const char *name;
    enum blocks_axis axis;
    long out_count;
    const double *parameters;
    int parameters_count;
};

/*
 * Apply the map of that name to each row (axis BLOCKS_EACH_ROW: the result is
 * rows x out_count) or to each column (BLOCKS_EACH_COLUMN: out_count x cols, by
 * way of the transposed array). `parameters`, parameters_count doubles, are
 * copied; NULL and 0 for none. A row of blocks comes together on one node for
 * it. Fails with CASTELL_ERR_INVALID (no such map) or CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_map(struct blocks_array *array, const struct blocks_map_call *call,
           struct blocks_array **ret_array);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
