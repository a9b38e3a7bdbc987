/*
 * source.h - lines of the user's files, as they stand on disk.
 *
 * Layer: common. A file is read once, when it is first asked for.
 */
#ifndef CST_COMMON_SOURCE_H
#define CST_COMMON_SOURCE_H

#include "common/memory.h"

#include <stddef.h>

struct cst_source; /* one file */

struct cst_sources {
    struct cst_memory *memory;
    struct cst_source *first;
};

/*
 * The text of a file from the start of a line (counted from 1) on;
 * *ret_size is the size of that line without its end. NULL when there is no
 * such file or line.
 */
const char *cst_source_line(struct cst_sources *sources, const char *file,
                            unsigned line, size_t *ret_size);

/* Read a whole file, with a 0 behind it. NULL, and errno, when that fails. */
char *cst_source_read(struct cst_memory *memory, const char *file,
                      size_t *ret_size);

#endif
