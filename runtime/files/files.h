/*
 * files.h - files and directories that tasks name: which of them are one, which
 * versions they have, and what a body gets.
 *
 * Layer: files. May include base.
 *
 * A *file* here is a path that some task has named, also of a directory. It is
 * tracked by bytes of memory that stand for it, as other data are by theirs: an
 * *edition* has one such byte. A task that overwrites all of a file that others
 * still use begins a new edition, and waits for nobody; on several nodes, where
 * the plan tells versions apart, each file has one edition. What is in a
 * directory that tasks name as a whole is that directory.
 *
 * No body ever writes the file itself: it gets a private name, beside it, and
 * what it leaves there is the next version if it succeeds. The last version is
 * put in the file's place when main() waits.
 *
 * Threads: any. Owner: the process.
 */
#ifndef CST_FILES_FILES_H
#define CST_FILES_FILES_H

#include "castell.h"
#include "files/content.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cst_file;

/* What a task or a wait names. */
struct cst_file_request {
    const char *path;
    bool is_directory;
    bool reads;
    bool writes;
    bool renames; /* an overwritten file may get a new edition */
};

/* An access of a task that is a file. All zero: it is none. */
struct cst_file_use {
    struct cst_edition *edition; /* the submitter's process; else NULL */
    char *path;                  /* the file's own */
    char *below;                 /* the path in it, when it is a directory and
                                    the task names something inside; or NULL */
    bool is_directory;           /* what the task names */
    bool in_directory;           /* the file is one */
    bool reads; /* the file: what it writes may be a part only */
    bool keeps; /* the body reads what the task names */
    bool writes;
    bool in_place;             /* a body's own task: it gets the file itself */
    bool counted;              /* it is a user of the edition */
    struct cst_content *input; /* NULL: nothing to read; of an edition's that
                                    of the last attempt */
    /* Of one attempt. */
    char *given; /* what the body got */
    char *made;  /* where what it writes is; NULL: not in a private name */
    bool scratch;
    uint64_t scratch_bytes;
};

/* ---- Names ------------------------------------------------------------------ */

/*
 * The edition that is to be used, and the path in it (cst_free(), or NULL).
 * *ret_inside is not NULL: that file is in the directory that is named, and
 * tasks use it by itself: when these are done and it was published,
 * cst_file_absorb() it and ask again.
 * Fails with CASTELL_ERR_INVALID, NO_MEMORY, or SYSTEM: it cannot be written.
 */
CASTELL_MUST_CHECK enum castell_status
cst_file_resolve(const struct cst_file_request *request,
                 struct cst_edition **ret_edition, char **ret_below,
                 struct cst_file **ret_inside);
void cst_file_absorb(struct cst_file *file);

/* The byte that stands for it, and back. */
void *cst_edition_byte(struct cst_edition *edition);
struct cst_edition *cst_edition_of(const void *byte);
struct cst_file *cst_edition_file(struct cst_edition *edition);
const char *cst_file_path(const struct cst_file *file);
bool cst_file_is_directory(const struct cst_file *file);
/* Is it such a byte? */
bool cst_file_is_byte(const void *base);

/* Tasks that named it, and those that have ended. */
uint64_t cst_file_submitted(struct cst_file *file);
_Atomic(uint64_t) *cst_file_finished(struct cst_file *file);

/* Forget all; nothing is used any more. */
void cst_files_release(void);

/* ---- Versions ---------------------------------------------------------------- */

/* What main() would see: a reference, or NULL without memory. */
struct cst_content *cst_edition_content(struct cst_edition *edition);
/* It is that now; takes the reference. */
void cst_edition_set(struct cst_edition *edition, struct cst_content *content);

/* Put in place what was written to the file, or to all (NULL), since. Fails
   with CASTELL_ERR_SYSTEM; the others are published all the same. */
CASTELL_MUST_CHECK enum castell_status cst_files_publish(struct cst_file *file,
                                                         bool several);

/* ---- Tasks -------------------------------------------------------------------- */

/* Name a file for a task that is submitted here: takes below. */
CASTELL_MUST_CHECK enum castell_status
cst_file_use_set(struct cst_file_use *use, struct cst_edition *edition,
                 const struct cst_file_request *request, char *below);

/* The task has ended, or never was. */
void cst_file_uses_end(struct cst_file_use *uses, size_t count);
void cst_file_uses_free(struct cst_file_use *uses, size_t count);

/*
 * Before a body: buffers[i] becomes the path for each use. Fails with a sentence
 * in how: what is read is not there, or what is written cannot be made.
 */
bool cst_file_uses_open(struct cst_file_use *uses, size_t count, void **buffers,
                        char *how, size_t how_size);
/* After it; false, with a sentence: what it has left makes no sense. */
bool cst_file_uses_close(struct cst_file_use *uses, size_t count, char *how,
                         size_t how_size);
/* What it made is not wanted. */
void cst_file_uses_discard(struct cst_file_use *uses, size_t count);
/* What it made is its editions' content. */
void cst_file_uses_keep(struct cst_file_use *uses, size_t count);
/* What it made of one: a reference, or NULL without memory. */
struct cst_content *cst_file_use_take(struct cst_file_use *use);

#endif
