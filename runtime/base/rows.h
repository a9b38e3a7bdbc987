/*
 * rows.h - rows of bytes at equal distances: what a region is made of.
 *
 * Layer: base. Pure.
 *
 * Packed means the rows one after another with nothing between them.
 */
#ifndef CST_BASE_ROWS_H
#define CST_BASE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

struct cst_rows {
    void *base;
    size_t size;  /* bytes of a row */
    size_t rows;  /* 0 means 1 */
    size_t pitch; /* from a row to the next, at least size; not read when there
                     is one row */
};

/*
 * Can these rows exist: a base, no empty row, rows that do not overlap, an end
 * within the address space?
 */
bool cst_rows_valid(const struct cst_rows *rows);

/* What follows is for valid rows. */

/* The bytes in all rows. */
size_t cst_rows_bytes(const struct cst_rows *rows);

/* The bytes from the first of the first row to the last of the last. */
size_t cst_rows_extent(const struct cst_rows *rows);

/* Copy all rows to `packed`, of cst_rows_bytes(). */
void cst_rows_pack(const struct cst_rows *rows, void *packed);

/* Copy them back. */
void cst_rows_unpack(const struct cst_rows *rows, const void *packed);

#endif
