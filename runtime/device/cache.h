/*
 * cache.h - what was built once is kept on disk, in the user's cache directory:
 * $CASTELL_CACHE, $XDG_CACHE_HOME/castell or ~/.cache/castell.
 *
 * Layer: device. Any thread; several processes at once.
 *
 * A file's name is a hash of `what`, `by` and `from`. A cache may be lost, or
 * not be writable: then things are built again, and nobody is told.
 */
#ifndef CST_DEVICE_CACHE_H
#define CST_DEVICE_CACHE_H

#include <stddef.h>

/* The content, freed by cst_free(); NULL: there is none. */
void *cst_cache_read(const char *what, const char *by, const char *from,
                     size_t *ret_size);

void cst_cache_write(const char *what, const char *by, const char *from,
                     const void *content, size_t size);

#endif
