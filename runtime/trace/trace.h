/*
 * trace.h - what happened when: events of tasks and executors, for a picture.
 *
 * Layer: trace. May include base. Never changes what happens: when the disk is
 * full or a ring is, events are lost and counted, and the run goes on.
 *
 * Each thread that has something to tell writes records of a fixed size into a
 * ring of its own; one thread of this room drains the rings into one file of
 * the directory. When the trace is closed the file is turned into trace.json,
 * which Perfetto (ui.perfetto.dev) and chrome://tracing show.
 *
 * Threads: any thread may write events and name kinds; one thread opens and
 * closes, while no other uses the trace. A ring has one writer, its thread.
 */
#ifndef CST_TRACE_TRACE_H
#define CST_TRACE_TRACE_H

#include "castell.h"

#include <stdint.h>

struct cst_trace;

enum { CST_TRACE_KIND_MAX = UINT16_MAX };

enum cst_trace_event {
    CST_TRACE_SUBMITTED = 1,
    CST_TRACE_READY,
    CST_TRACE_STARTED, /* by this thread; value: the attempt, from 1 */
    CST_TRACE_ENDED,   /* its body, in this thread; value: the result */
    CST_TRACE_FAILED,  /* for good */
    CST_TRACE_RETRIED, /* it will be; value: the attempt that failed */
    CST_TRACE_CANCELLED,
    CST_TRACE_WAIT_BEGIN, /* this thread waits for tasks; task: that which
                             waits, 0 for the program */
    CST_TRACE_WAIT_END,
    CST_TRACE_IDLE_BEGIN, /* this executor has nothing to do; task: 0 */
    CST_TRACE_IDLE_END,
};

/*
 * Open a trace in that directory, which is made if need be, and start its
 * thread, which inherits the caller's CPU set: unbind first.
 * Fails with CASTELL_ERR_SYSTEM (the directory or the file cannot be made; the
 * text names it) or CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_trace_open(const char *directory, uint32_t executors_count,
               struct cst_trace **ret_trace);

/*
 * Write what is left, and trace.json. Says on standard error when events were
 * lost. NULL is allowed.
 */
void cst_trace_close(struct cst_trace *trace);

/* The calling thread is that executor from now on; others have no number. */
void cst_trace_thread(struct cst_trace *trace, uint32_t executor);

/* Name a kind; those past CST_TRACE_KIND_MAX look alike. The name is copied. */
void cst_trace_kind(struct cst_trace *trace, uint32_t kind, const char *name);

/* Write an event; see cst_trace_event(). */
void cst_trace_write(struct cst_trace *trace, enum cst_trace_event event,
                     uint64_t task, uint32_t kind, int32_t value);

/*
 * Write an event of a task of that kind, or where it has none of no task, 0.
 * Costs a branch when there is no trace, 20 ns when there is.
 */
static inline void cst_trace_event(struct cst_trace *trace,
                                   enum cst_trace_event event, uint64_t task,
                                   uint32_t kind, int32_t value)
{
    if (__builtin_expect(trace != NULL, 0))
        cst_trace_write(trace, event, task, kind, value);
}

/* Events lost until now, of rings drained meanwhile. */
uint64_t cst_trace_lost(struct cst_trace *trace);

/*
 * Turn a file of events, whole or cut short, into JSON. Fails with
 * CASTELL_ERR_SYSTEM (one of the files), CASTELL_ERR_INVALID (no such file of
 * ours) or CASTELL_ERR_NO_MEMORY; then there is no file of JSON.
 */
CASTELL_MUST_CHECK enum castell_status
cst_trace_convert(const char *events_path, const char *json_path);

#endif
