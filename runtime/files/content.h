/*
 * content.h - what one version of a file or directory holds, and where it is.
 *
 * Layer: files. Any thread.
 *
 * A content is in place (the file itself, which we never change or remove), or
 * private: under a name of our own, which goes with the last reference. It may
 * also be that there is nothing, or that it could not be brought here; then the
 * tasks that read it fail, and say why.
 */
#ifndef CST_FILES_CONTENT_H
#define CST_FILES_CONTENT_H

#include "castell.h"

#include <stdbool.h>
#include <stdint.h>

struct cst_content;

/* What tells the same file on another node from another one of its name. */
struct cst_content_mark {
    uint64_t inode;
    uint64_t size;
    uint64_t changed_ns;
};

/* All return one reference, or NULL without memory. */

/* The file itself. `inode` 0: whatever is there when it is read; else only
   that, for others may put something else there. */
struct cst_content *cst_content_in_place(const char *path, uint64_t inode);
/* Private; takes the name, which cst_free() frees. bytes: of scratch. */
struct cst_content *cst_content_private(char *name, bool is_directory,
                                        uint64_t scratch_bytes);
struct cst_content *cst_content_nothing(void);
struct cst_content *cst_content_broken(const char *why);

struct cst_content *cst_content_ref(struct cst_content *content);
/* NULL is allowed. */
void cst_content_unref(struct cst_content *content);

/*
 * Where to read it now: cst_free() takes the name; NULL when there is nothing.
 * Fails with CASTELL_ERR_SYSTEM when it is broken, or was replaced.
 */
CASTELL_MUST_CHECK enum castell_status
cst_content_find(struct cst_content *content, char **ret_path);
bool cst_content_is_private(struct cst_content *content);

/* Its file is about to be replaced: keep it under a private name. */
CASTELL_MUST_CHECK enum castell_status
cst_content_keep(struct cst_content *content);

/*
 * Put it in place of `target`: whole or not at all, and on disk first. The
 * permissions are those of what was there. `several`: other nodes may read what
 * is replaced, and find it as their content_in_place(). The caller has one
 * reference, and main's file another: when there are more, the content stays
 * private beside what is published. Nothing happens when it is in place, or
 * nothing. Fails with CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status
cst_content_publish(struct cst_content *content, const char *target,
                    bool several);

/* False: there is no file or directory. */
bool cst_content_look(const char *path, struct cst_content_mark *ret_mark,
                      bool *ret_is_directory);

#endif
