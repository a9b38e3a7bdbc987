/*
 * notes.h - what is too long for a record, or of no thread, on its way to the
 * file: names, texts, what the process is.
 *
 * Private to trace. Any thread adds, the trace's own thread writes. Their
 * memory is bounded: what comes when that is full is not taken.
 */
#ifndef CST_TRACE_NOTES_H
#define CST_TRACE_NOTES_H

#include "base/lock.h"
#include "trace/file.h"
#include "trace/format.h"

#include <stdbool.h>
#include <stddef.h>

struct cst_trace;
struct cst_trace_note;

struct cst_trace_notes {
    struct cst_lock lock;
    struct cst_trace_note *first; /* Guarded by: lock */
    struct cst_trace_note *last;  /* Guarded by: lock */
    size_t size;                  /* Guarded by: lock; bytes that wait */
};

void cst_trace_notes_init(struct cst_trace_notes *notes);
void cst_trace_notes_release(struct cst_trace_notes *notes);

/* Add a chunk of that head and text; false: there is no room. */
bool cst_trace_notes_add(struct cst_trace_notes *notes,
                         struct cst_trace_chunk chunk, const void *head,
                         size_t head_size, const char *text);

/* trace.c: add one to the trace's; where there is no room, count it as lost. */
void cst_trace_note(struct cst_trace *trace, struct cst_trace_chunk chunk,
                    const void *head, size_t head_size, const char *text);

/* The track of the calling thread; UINT32_MAX: it has none. */
uint32_t cst_trace_track(const struct cst_trace *trace);

static inline uint16_t cst_trace_kind_number(uint32_t kind)
{
    return kind < CST_TRACE_KIND_MAX ? (uint16_t)kind : CST_TRACE_KIND_MAX;
}

/* Write them, in the order in which they came. */
void cst_trace_notes_drain(struct cst_trace_notes *notes,
                           struct cst_trace_file *file);

#endif
