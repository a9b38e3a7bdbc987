/*
 * checkpoint.h - include/castell_checkpoint.h implemented: what its files share.
 *
 * Layer: checkpoint, the highest: it submits ordinary tasks through castell.h.
 *
 * Threads: main's; bodies of tasks run in any thread of any node, and share
 * nothing but their arguments, their data and the directory.
 *
 *   1. Directories and files   2. Tasks   3. The manifest   4. Series
 *
 * A checkpoint being written is PATH/NUMBER.tmp, a valid one PATH/NUMBER.
 */
#ifndef CST_CHECKPOINT_CHECKPOINT_H
#define CST_CHECKPOINT_CHECKPOINT_H

#include "castell.h"
#include "castell_checkpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CST_SUM_SIZE = 32, /* of BLAKE2b */
    CST_SUM_HEX = 2 * CST_SUM_SIZE + 1,
    CST_SERIES_PATH = 512,                 /* of a directory, with its end */
    CST_FILE_PATH = CST_SERIES_PATH + 160, /* of a file in it */
    CST_HOST_SIZE = 64,
    CST_WHY_SIZE = 960,
    CST_SERIES_KEEP = 2,
};

#define CST_MANIFEST "manifest"

/* ---- 1. Directories and files -------------------------------------------- */

/* What a task says of the file that it wrote or read. */
struct cst_part_record {
    uint32_t failed;
    int32_t process;
    uint64_t size;
    unsigned char sum[CST_SUM_SIZE];
    char host[CST_HOST_SIZE];
    char why[CST_WHY_SIZE];
};

/* A region in a body's memory. */
struct cst_part_rows {
    uint64_t rows;
    uint64_t size;
    uint64_t pitch;
};

/* Before checksums are used; again is nothing. */
void cst_sum_prepare(void);

void cst_series_host(char host[CST_HOST_SIZE]);

/* Write to path by way of a file of another name. */
void cst_part_write(const char *path, const void *base,
                    const struct cst_part_rows *rows,
                    struct cst_part_record *ret_record);

/* Read path into memory, or with NULL only its size and checksum. */
void cst_part_read(const char *path, void *base,
                   const struct cst_part_rows *rows,
                   struct cst_part_record *ret_record);

/* Write a whole file durably, in the same way; false: errno says why. */
CASTELL_MUST_CHECK bool cst_file_write(const char *path, const char *text,
                                       size_t size);

/* The content of a file, with a 0 behind; NULL: errno says why. cst_free(). */
char *cst_file_read(const char *path, size_t *ret_size);

/* What is in a directory is durable once this is true. */
CASTELL_MUST_CHECK bool cst_directory_sync(const char *path);

/* Make a directory and those above it; false: errno says why. */
CASTELL_MUST_CHECK bool cst_directory_make(const char *path);

void cst_series_directory(char path[CST_FILE_PATH], const char *series,
                          uint64_t number, bool written);
void cst_series_part(char path[CST_FILE_PATH], const char *directory,
                     uint64_t part);

/* Remove it, whatever files are in it. */
void cst_series_remove(const char *directory);

/* Remove what writers that were killed have left in it. */
void cst_series_tidy(const char *directory);

/* A directory in a series. */
struct cst_series_entry {
    uint64_t number;
    bool valid; /* not one that is, or was, being written */
};

/* All of them, the highest number first; SIZE_MAX: errno says why. cst_free()
   the list. */
size_t cst_series_list(const char *series, struct cst_series_entry **ret_list);

/* ---- 2. Tasks ------------------------------------------------------------ */

/* in(region) out(record): write. out(record): verify. out(region): read. */
extern struct castell_kind cst_part_write_kind;
extern struct castell_kind cst_part_verify_kind;
extern struct castell_kind cst_part_read_kind;

/* Their argument. */
struct cst_part_argument {
    struct cst_part_rows rows;
    unsigned char sum[CST_SUM_SIZE]; /* that is wanted, to read */
    char path[CST_FILE_PATH];
};

/* What came of the last checkpoint of a series. */
struct cst_series_outcome {
    uint64_t number;
    uint32_t failed;
    char why[CST_WHY_SIZE];
};

/* inout(outcome) in(text of the manifest) in(record)...: make it valid. */
extern struct castell_kind cst_series_commit_kind;

struct cst_commit_argument {
    uint64_t number;
    uint64_t spared; /* not removed; 0: none */
    uint64_t parts;
    uint32_t keep;
    char path[CST_SERIES_PATH];
};

CASTELL_MUST_CHECK enum castell_status
cst_series_submit(struct castell_kind *kind,
                  const struct castell_access *accesses, size_t count,
                  const void *argument, size_t argument_size);

/* ---- 3. The manifest ----------------------------------------------------- */

/* What is to be saved. */
struct cst_series_datum {
    char *name;
    uint64_t hash; /* of the name */
    struct castell_access region;
    size_t element_size;
};

/*
 * Its text, but for checksums: lines, the first CST_MANIFEST_HEAD of which say
 * what program it is of. NULL: no memory. cst_free() it.
 */
enum { CST_MANIFEST_HEAD = 3 };
char *cst_manifest_text(const struct castell_checkpoint *series, uint64_t step,
                        size_t *ret_size);

/* The whole, with checksums; NULL: no memory. cst_free() it. */
char *cst_manifest_seal(const char *text, void *const *records, size_t count,
                        size_t *ret_size);

/* Are these two of one program? Either may be anything with a 0 behind. */
bool cst_manifest_is_of(const char *manifest, const char *text);

/*
 * Read a manifest that must fit the series. NULL and ret_sums (one after
 * another) and ret_step written; else why not.
 */
const char *cst_manifest_check(const struct castell_checkpoint *series,
                               const char *manifest, size_t size,
                               unsigned char *ret_sums, uint64_t *ret_step);

/* ---- 4. Series ----------------------------------------------------------- */

struct castell_checkpoint {
    struct castell_checkpoint *next;    /* of castell_checkpoint_at() */
    uint64_t run;                       /* that it is of */
    uint64_t last;                      /* number */
    uint64_t restored;                  /* number; 0: none */
    struct cst_series_outcome *outcome; /* written by tasks */
    struct cst_series_datum *data;
    size_t data_count;
    size_t data_size;
    uint32_t keep;
    char *program;
    char path[CST_SERIES_PATH];
    char why[CST_WHY_SIZE]; /* the last could not be begun; empty: it was */
};

/* May main call this, for that series? Fails with CASTELL_ERR_INVALID. */
CASTELL_MUST_CHECK enum castell_status
cst_series_enter(const char *call, const struct castell_checkpoint *series);

/* As castell_free(), and the error text stays. */
void cst_series_free(void *memory);

/* Note signals from now on. */
void cst_stop_watch(void);

#endif
