/*
 * content.h - what a file of events says beside its events.
 *
 * Private to trace.
 */
#ifndef CST_TRACE_CONTENT_H
#define CST_TRACE_CONTENT_H

#include "castell.h"
#include "trace/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cst_trace_name {
    char *bytes; /* NULL: none */
    size_t size;
};

struct cst_trace_track {
    bool known;
    uint16_t executor;
};

struct cst_trace_content {
    uint64_t process;
    struct cst_trace_moment first;
    struct cst_trace_moment last;
    double ns_per_tick;
    uint64_t lost;
    bool whole; /* there is an END */
    struct cst_trace_name host;
    struct cst_trace_name *kinds;
    size_t kinds_count;
    struct cst_trace_track *tracks;
    size_t tracks_count;
};

/*
 * Read the whole file. Fails with CASTELL_ERR_NO_MEMORY; then and after success
 * cst_trace_content_release() cleans up.
 */
CASTELL_MUST_CHECK enum castell_status
cst_trace_content_read(struct cst_trace_reader *reader,
                       struct cst_trace_content *content);
void cst_trace_content_release(struct cst_trace_content *content);

/* Nanoseconds since the trace was opened. */
uint64_t cst_trace_content_ns_at(const struct cst_trace_content *content,
                                 uint64_t ticks);

/*
 * Make an array of *count zeroed elements one of `wanted` at least; false when
 * there is no memory, and then it is as it was.
 */
bool cst_trace_grow(void **array, size_t *count, size_t wanted, size_t size);

#endif
