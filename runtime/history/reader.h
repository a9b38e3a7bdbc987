/*
 * reader.h - a file of events, being read.
 *
 * Private to history. Total: any bytes are a file, a file cut short, or an error.
 */
#ifndef CST_HISTORY_READER_H
#define CST_HISTORY_READER_H

#include "castell.h"
#include "trace/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { CST_HISTORY_CHUNK_SIZE_MAX = 1 << 24 };

struct cst_history_reader {
    FILE *file;
    uint64_t process;
    struct cst_trace_chunk chunk; /* the latest */
    void *body;                   /* its bytes */
    size_t body_max;
};

/*
 * Fails with CASTELL_ERR_SYSTEM or CASTELL_ERR_INVALID; the text names path.
 */
CASTELL_MUST_CHECK enum castell_status
cst_history_reader_open(const char *path,
                        struct cst_history_reader *ret_reader);
void cst_history_reader_close(struct cst_history_reader *reader);

/*
 * Read the next chunk with its body. *ret_more is false at the end, also where
 * the file is cut short or makes no sense any more. Fails with
 * CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_history_reader_next(struct cst_history_reader *reader, bool *ret_more);

/* Start again with the first chunk. */
void cst_history_reader_rewind(struct cst_history_reader *reader);

#endif
