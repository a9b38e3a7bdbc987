/*
 * chrome.h - the elements of a trace in the JSON that Chrome and Perfetto read.
 *
 * Private to trace. Errors of writing are the file's: see ferror().
 */
#ifndef CST_TRACE_CHROME_H
#define CST_TRACE_CHROME_H

#include "trace/content.h"
#include "trace/load.h"
#include "trace/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct cst_trace_chrome {
    FILE *file;
    const struct cst_trace_content *content;
    bool any; /* an element was written */
};

/* What began on a track, and ended or was seen to be over. */
struct cst_trace_span {
    uint64_t begin_ns;
    uint64_t task;
    uint32_t kind;
    int32_t attempt;
    enum cst_trace_event event; /* that began it */
};

void cst_trace_chrome_begin(struct cst_trace_chrome *chrome);
void cst_trace_chrome_end(struct cst_trace_chrome *chrome);

/* A span; result is NULL where its end was not seen. */
void cst_trace_chrome_span(struct cst_trace_chrome *chrome, size_t track,
                           const struct cst_trace_span *span, uint64_t end_ns,
                           const int32_t *result);

/* Something that happened to the task of that record. */
void cst_trace_chrome_instant(struct cst_trace_chrome *chrome, size_t track,
                              const char *what,
                              const struct cst_trace_record *record,
                              uint64_t ns);

/* A curve. Reads load to its end. */
void cst_trace_chrome_load(struct cst_trace_chrome *chrome, const char *name,
                           struct cst_trace_load *load);

#endif
