/*
 * files.h - where the numbers of a matrix are in a file.
 *
 * Two kinds: numbers of a fixed size at a fixed distance (NPY, IDX, raw), and
 * lines of text (CSV). What tasks are told of a file goes by value, so they open
 * it wherever they run.
 */
#ifndef BLOCKS_FILES_FILES_H
#define BLOCKS_FILES_FILES_H

#include "blocks/array/array.h"

enum { BLK_TEXT = 400 };

/* What a task found: an empty text is good. */
struct blk_note {
    char text[BLK_TEXT];
    int system; /* it is not the file's fault */
};

void blk_note(struct blk_note *note, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- Numbers of a fixed size ---------------------------------------------- */

struct blk_layout {
    long rows, cols;
    long begin;     /* the first number's byte */
    char type;      /* b(oolean), i, u or f */
    int size;       /* of a number, bytes */
    bool swapped;   /* the high byte first */
    bool by_columns; /* the next number is that of the next row */
};

/* Read the header of a file; the whole of it must be there. `name` is what
   messages call the file. */
CASTELL_MUST_CHECK enum castell_status
blk_open_npy(const char *path, const char *name, struct blk_layout *ret_layout);
CASTELL_MUST_CHECK enum castell_status
blk_open_idx(const char *path, const char *name, struct blk_layout *ret_layout);
CASTELL_MUST_CHECK enum castell_status
blk_open_raw(const char *path, const char *name, const struct blocks_file *file,
             struct blk_layout *ret_layout);

/* The numbers of a tile, by a task: into x. */
void blk_read_numbers(const char *path, const struct blk_layout *layout,
                      const struct blk_tile *tile, double *x,
                      struct blk_note *note);

/* ---- Lines of text -------------------------------------------------------- */

struct blk_lines {
    long begin; /* of the first line of numbers */
    long size;  /* of the file */
    long cols;
    char delimiter;
};

/* Where a task begins: at the first line that starts at or after that byte, then
   so many lines later. `line` is its number, for messages. */
struct blk_place {
    long byte, skip;
    long line;
};

enum { BLK_CHUNK = 1 << 20 };

/* How many lines with numbers begin in bytes from .. to of the file. */
void blk_count_lines(const char *path, const struct blk_lines *lines, long from,
                     long *ret_count, struct blk_note *note);

void blk_read_lines(const char *path, const struct blk_lines *lines,
                    struct blk_place place, const struct blk_tile *tile,
                    double *x, struct blk_note *note);

/* Find out how many columns there are and where they begin. */
CASTELL_MUST_CHECK enum castell_status
blk_open_csv(const char *path, const char *name, const struct blocks_file *file,
             struct blk_lines *ret_lines);

/* ---- What both need ------------------------------------------------------- */

/* Open and tell the size, or say why not. Returns a descriptor, or -1. */
int blk_open(const char *path, const char *name, long *ret_size);

/*
 * When the file is compressed, unpack it into one of our own; write the path of
 * what to read, to be removed when *ret_ours. Both buffers have 1024 bytes.
 */
CASTELL_MUST_CHECK enum castell_status blk_unpack(const char *path,
                                                  char *ret_path,
                                                  bool *ret_ours);

#endif
