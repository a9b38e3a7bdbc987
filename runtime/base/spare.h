/*
 * spare.h - small pieces of memory that come and go at a high rate, of a few
 * sizes: what is given back is kept for the next of its size.
 *
 * Layer: base. One thread at a time: the owner of what has the pieces.
 *
 * A general allocator merges and splits what comes and goes in bursts, and may
 * take a lock; here both ways are a few instructions.
 */
#ifndef CST_BASE_SPARE_H
#define CST_BASE_SPARE_H

#include <stddef.h>

enum {
    CST_SPARE_STEP = 64, /* sizes are rounded up to it */
    CST_SPARE_CLASSES = 16,
};

/* All zero is an empty one. */
struct cst_spare {
    void *first[CST_SPARE_CLASSES];
    size_t size; /* bytes that are kept */
};

/* All zero, of that size; or NULL. */
void *cst_spare_take(struct cst_spare *spare, size_t size);

/* Give it back, with the same size; NULL is allowed. */
void cst_spare_put(struct cst_spare *spare, void *memory, size_t size);

/* Free what is kept. */
void cst_spare_release(struct cst_spare *spare);

#endif
