/*
 * files_internal.h - what the files of files/ share.
 */
#ifndef CST_FILES_FILES_INTERNAL_H
#define CST_FILES_FILES_INTERNAL_H

#include "files/files.h"

/* Kept until the run ends, for its path is used without a lock. */
struct cst_file {
    struct cst_file *next; /* in its bucket */
    struct cst_file *next_dirty;
    struct cst_edition *edition; /* the newest */
    bool is_directory;
    bool dirty;    /* in the list of those to be published */
    bool absorbed; /* it is looked for no more */
    _Atomic(uint64_t) submitted;
    _Atomic(uint64_t) finished;
    char path[];
};

struct cst_edition {
    struct cst_file *file;
    struct cst_content *content; /* NULL: the file itself */
    struct cst_edition *next;    /* free ones */
    uint32_t users;              /* tasks that have not ended */
    char byte;
};

/* A task uses the edition no more. */
void cst_edition_leave(struct cst_edition *edition);
/* ... does from now on; `writes`: the file is to be published. */
void cst_edition_enter(struct cst_edition *edition, bool writes);

#endif
