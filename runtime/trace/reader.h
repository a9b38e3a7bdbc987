/*
 * reader.h - a file of events, being read.
 *
 * Private to trace. Total: any bytes are a file, a file cut short, or an error.
 */
#ifndef CST_TRACE_READER_H
#define CST_TRACE_READER_H

#include "castell.h"
#include "trace/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { CST_TRACE_CHUNK_SIZE_MAX = 1 << 24 };

struct cst_trace_reader {
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
cst_trace_reader_open(const char *path, struct cst_trace_reader *ret_reader);
void cst_trace_reader_close(struct cst_trace_reader *reader);

/*
 * Read the next chunk with its body. *ret_more is false at the end, also where
 * the file is cut short or makes no sense any more. Fails with
 * CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_trace_reader_next(struct cst_trace_reader *reader, bool *ret_more);

/* Start again with the first chunk. */
void cst_trace_reader_rewind(struct cst_trace_reader *reader);

#endif
