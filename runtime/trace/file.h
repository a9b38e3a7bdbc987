/*
 * file.h - a file of events, being written.
 *
 * Private to trace. One thread at a time. When the disk is full, or the file
 * cannot be written for any other reason, it is broken: one warning says so,
 * and nothing more is written.
 */
#ifndef CST_TRACE_FILE_H
#define CST_TRACE_FILE_H

#include "castell.h"
#include "trace/format.h"

#include <stdbool.h>

struct cst_trace_file {
    int descriptor; /* -1: not open */
    bool broken;
    char *path;
};

/*
 * Make the directory and the file in it; `serial` tells apart traces of one
 * process. Fails with CASTELL_ERR_SYSTEM or CASTELL_ERR_NO_MEMORY; then and
 * after success cst_trace_file_close() cleans up.
 */
CASTELL_MUST_CHECK enum castell_status
cst_trace_file_open(const char *directory, uint64_t serial,
                    struct cst_trace_file *file);

/* Nothing is left to be written: wait for the system, and close. */
void cst_trace_file_finish(struct cst_trace_file *file);

void cst_trace_file_close(struct cst_trace_file *file);

/* Add a chunk whose body is chunk->size bytes. Was it written? */
bool cst_trace_file_add(struct cst_trace_file *file,
                        const struct cst_trace_chunk *chunk, const void *body);

void cst_trace_file_add_text(struct cst_trace_file *file,
                             enum cst_trace_chunk_type type, uint64_t number,
                             const char *text);

/* Add the present moment. */
void cst_trace_file_add_moment(struct cst_trace_file *file,
                               enum cst_trace_chunk_type type);

#endif
