/*
 * content.h - what a file of events says beside its events.
 *
 * Private to history.
 */
#ifndef CST_HISTORY_CONTENT_H
#define CST_HISTORY_CONTENT_H

#include "castell.h"
#include "history/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cst_history_name {
    char *bytes; /* NULL: none */
    size_t size;
};

struct cst_history_executor {
    bool known;
    uint16_t executor;
};

struct cst_history_content {
    uint64_t process;
    struct cst_trace_moment first;
    struct cst_trace_moment last;
    double ns_per_tick;
    uint64_t lost;
    bool whole; /* there is an END */
    struct cst_history_name host;
    struct cst_history_name *kinds;
    size_t kinds_count;
    struct cst_history_executor *tracks;
    size_t tracks_count;
    bool has_node;
    struct cst_trace_node node;
    struct cst_history_name run;
    bool has_counters;
    struct cst_trace_counters counters;
    bool has_depot;
    struct cst_trace_depot depot;
    struct cst_trace_sync *syncs;
    size_t syncs_count;
    size_t syncs_max;
};

/*
 * Read the whole file. Fails with CASTELL_ERR_NO_MEMORY; then and after success
 * cst_history_content_release() cleans up.
 */
CASTELL_MUST_CHECK enum castell_status
cst_history_content_read(struct cst_history_reader *reader,
                         struct cst_history_content *content);
void cst_history_content_release(struct cst_history_content *content);

/* The time of cst_clock_ns() of that process at those ticks. */
double cst_history_content_ns_at(const struct cst_history_content *content,
                                 uint64_t ticks);

/*
 * Make an array of *count zeroed elements one of `wanted` at least; false when
 * there is no memory, and then it is as it was.
 */
bool cst_history_grow(void **array, size_t *count, size_t wanted, size_t size);

#endif
