/*
 * trace.h - what happened when: events of tasks and executors, for a picture.
 *
 * Layer: trace. May include base. Never changes what happens: when the disk is
 * full or a ring is, events are lost and counted, and the run goes on.
 *
 * Each thread that has something to tell writes records of a fixed size into a
 * ring of its own; one thread of this room drains the rings into one file of
 * the directory, which `castell report` reads.
 *
 * Threads: any thread may write events and name kinds; one thread opens and
 * closes, while no other uses the trace. A ring has one writer, its thread.
 */
#ifndef CST_TRACE_TRACE_H
#define CST_TRACE_TRACE_H

#include "castell.h"
#include "trace/format.h"

#include <stddef.h>
#include <stdint.h>

struct cst_trace;

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
 * Write what is left, and end the file. Says on standard error when events were
 * lost. Threads that go on write to nothing. NULL is allowed.
 */
void cst_trace_finish(struct cst_trace *trace);

/* The same, and free it. NULL is allowed. */
void cst_trace_close(struct cst_trace *trace);

/* What this process is; what is of one run has the same name. */
void cst_trace_node(struct cst_trace *trace, const struct cst_trace_node *node,
                    const char *run);

/* What this process has counted. */
void cst_trace_counters(struct cst_trace *trace,
                        const struct cst_trace_counters *counters);

/* How our clock stands to the master's. */
void cst_trace_sync(struct cst_trace *trace, const struct cst_trace_sync *sync);

/* Say something of a task or node, or of the moment. The text is copied. */
void cst_trace_text(struct cst_trace *trace, enum cst_trace_event event,
                    uint64_t subject, const char *text);

/* A device of this process, and what all of them have done. */
void cst_trace_device(struct cst_trace *trace, uint32_t number,
                      const struct cst_trace_device *device, const char *name);
void cst_trace_depot(struct cst_trace *trace,
                     const struct cst_trace_depot *depot);

/* A class of nodes that may be asked for; and what becomes of one that was: its
   ticks are set here. The sentence is copied; NULL: none. */
void cst_trace_class(struct cst_trace *trace, uint32_t class, const char *name);
void cst_trace_request(struct cst_trace *trace,
                       const struct cst_trace_request *request,
                       const char *why);

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

/*
 * Write an event and what goes with it, all or nothing; the first record gets
 * the time. At most CST_TRACE_GROUP_MAX.
 */
enum { CST_TRACE_GROUP_MAX = 64 };
void cst_trace_write_group(struct cst_trace *trace,
                           struct cst_trace_record *records, size_t count);

/* Write STARTED, and what the task holds. */
void cst_trace_started(struct cst_trace *trace, uint64_t task, uint32_t kind,
                       int32_t attempt, const struct castell_constraint *holds);

/* Write an event with SIZE and BEGAN: it began then, by cst_clock_ns(). */
void cst_trace_lasted(struct cst_trace *trace, struct cst_trace_record *what,
                      uint64_t bytes, uint64_t begin_ns, uint64_t took_ns);

/* Events lost until now. */
uint64_t cst_trace_lost(struct cst_trace *trace);

#endif
