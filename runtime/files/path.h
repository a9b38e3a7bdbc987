/*
 * path.h - what paths say, and nothing of what is there.
 *
 * Layer: files. Pure; any thread.
 */
#ifndef CST_FILES_PATH_H
#define CST_FILES_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CST_PATH_MAX = 4096, /* with the 0 */
    CST_PATH_NAME_MAX = 255,
    CST_PATH_TAIL_MAX = 100 /* of a name that is kept in a private one */
};

/* What our directories beside the user's files begin with. */
#define CST_PATH_PLACE ".castell-"

/* The part after the last slash. */
const char *cst_path_name(const char *path);

/*
 * Is it `directory`, or below it? Both absolute, without . and .. in them.
 * *ret_rest, which may be NULL, is what leads there: "" for the same.
 */
bool cst_path_is_in(const char *path, const char *directory,
                    const char **ret_rest);

/* Take out "." and "x/.." and empty parts, in place. "" becomes ".". */
void cst_path_clean(char *path);

/* May a stream name that to be made in a tree: relative, and never up? */
bool cst_path_is_inner(const char *path);

/* Does a link at `path` of a tree to `target` lead out of it? */
bool cst_path_escapes(const char *path, const char *target);

/*
 * "NUMBER-NAME" for one version of a file: the name is the end of the path, at
 * most CST_PATH_TAIL_MAX bytes of it, so that it ends as the file's own.
 */
void cst_path_private(const char *path, uint64_t number,
                      char into[CST_PATH_NAME_MAX + 1]);

#endif
