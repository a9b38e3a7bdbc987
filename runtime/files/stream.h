/*
 * stream.h - a file, or a directory with all below it, as bytes and back.
 *
 * Layer: files. One thread at a time a stream.
 *
 * Links in a directory are kept, permissions too; a link that leads out of it
 * is an error on either side. Reading what comes is total: whatever the bytes,
 * it makes files under the given name only, or fails.
 */
#ifndef CST_FILES_STREAM_H
#define CST_FILES_STREAM_H

#include "castell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cst_stream;
struct cst_unstream;

/* All fail with CASTELL_ERR_SYSTEM or NO_MEMORY. */

CASTELL_MUST_CHECK enum castell_status
cst_stream_open(const char *path, struct cst_stream **ret_stream);
/* The next bytes, `max` at most; *ret_last: there are no more after them. */
CASTELL_MUST_CHECK enum castell_status
cst_stream_read(struct cst_stream *stream, void *into, size_t max,
                size_t *ret_size, bool *ret_last);
/* NULL is allowed. */
void cst_stream_close(struct cst_stream *stream);

/* Make it as `path`, which must not exist; kept. In sentences it is `named`. */
CASTELL_MUST_CHECK enum castell_status
cst_unstream_open(const char *path, const char *named,
                  struct cst_unstream **ret_unstream);
CASTELL_MUST_CHECK enum castell_status
cst_unstream_write(struct cst_unstream *unstream, const void *bytes,
                   size_t size);
/* So many bytes of files it has made. */
uint64_t cst_unstream_bytes(const struct cst_unstream *unstream);
/* Is it whole? What was made stays in any case. NULL is allowed. */
bool cst_unstream_close(struct cst_unstream *unstream);

#endif
