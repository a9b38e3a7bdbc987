/*
 * tree.h - copy, measure and remove what is at a path: a file, or a directory
 * with all below it.
 *
 * Layer: files. Any thread. Links in a directory are kept as they are; one that
 * leads out of it is an error, and so is anything but files, directories and
 * links.
 */
#ifndef CST_FILES_TREE_H
#define CST_FILES_TREE_H

#include "castell.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * Make `to`, which must not exist, a copy of `from`: contents and permissions.
 * Blocks are shared where the file system can. Fails with CASTELL_ERR_SYSTEM;
 * what there is of it by then is removed.
 */
CASTELL_MUST_CHECK enum castell_status cst_tree_copy(const char *from,
                                                     const char *to);

/* Remove it with all below, as far as that goes. */
void cst_tree_remove(const char *path);

/* Where a link leads to; cst_free() takes it. NULL, with errno. */
char *cst_tree_link(const char *path);

/* Bytes that its files have. */
uint64_t cst_tree_bytes(const char *path);

/* Are all its files on disk? Fails with CASTELL_ERR_SYSTEM. */
CASTELL_MUST_CHECK enum castell_status cst_tree_sync(const char *path);

#endif
