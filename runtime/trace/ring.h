/*
 * ring.h - the records of one thread, on their way to the file.
 *
 * Private to trace. One writer, the thread that has the ring; one reader, the
 * trace's own thread. head and tail count records and never wrap: head - tail
 * are in the ring. The writer sets head with release after the record, the
 * reader sets tail with release after it has copied records out.
 */
#ifndef CST_TRACE_RING_H
#define CST_TRACE_RING_H

#include "trace/format.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CST_TRACE_RING_RECORDS = 1 << 17,
    CST_TRACE_RING_HALF = CST_TRACE_RING_RECORDS / 2,
    CST_TRACE_RING_MASK = CST_TRACE_RING_RECORDS - 1,
};

struct cst_trace_ring {
    alignas(64) atomic_uint_fast64_t head; /* Owner: the writer */
    uint64_t tail_seen;                    /* a tail of some time ago */
    atomic_uint_fast64_t lost;
    alignas(64) atomic_uint_fast64_t tail; /* Owner: the reader */
    struct cst_trace_ring *next;           /* Immutable once in the list */
    uint16_t track;                        /* Immutable */
    uint16_t executor; /* Immutable; or CST_TRACE_NO_EXECUTOR */
    bool announced;    /* Owner: the reader; its TRACK chunk is written */
    bool taken;        /* by a thread. Guarded by: the lock of trace.c */
    struct cst_trace_record records[CST_TRACE_RING_RECORDS];
};

/* NULL when there is no memory. */
struct cst_trace_ring *cst_trace_ring_create(uint16_t track, uint16_t executor);
void cst_trace_ring_destroy(struct cst_trace_ring *ring);

/* Writer: add a record, or count it as lost. Is the ring half full anew? */
static inline bool cst_trace_ring_put(struct cst_trace_ring *ring,
                                      const struct cst_trace_record *record)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    if (head - ring->tail_seen == CST_TRACE_RING_RECORDS) {
        ring->tail_seen =
            atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head - ring->tail_seen == CST_TRACE_RING_RECORDS) {
            uint64_t lost =
                atomic_load_explicit(&ring->lost, memory_order_relaxed);

            atomic_store_explicit(&ring->lost, lost + 1, memory_order_relaxed);
            return false;
        }
    }
    ring->records[head & CST_TRACE_RING_MASK] = *record;
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return ((head + 1) & (CST_TRACE_RING_HALF - 1)) == 0;
}

/* The same of several that belong together: all of them, or none. */
static inline bool
cst_trace_ring_put_group(struct cst_trace_ring *ring,
                         const struct cst_trace_record *records, size_t count)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    if (head + count - ring->tail_seen > CST_TRACE_RING_RECORDS) {
        ring->tail_seen =
            atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head + count - ring->tail_seen > CST_TRACE_RING_RECORDS) {
            uint64_t lost =
                atomic_load_explicit(&ring->lost, memory_order_relaxed);

            atomic_store_explicit(&ring->lost, lost + count,
                                  memory_order_relaxed);
            return false;
        }
    }
    for (size_t i = 0; i < count; i++)
        ring->records[(head + i) & CST_TRACE_RING_MASK] = records[i];
    atomic_store_explicit(&ring->head, head + count, memory_order_release);
    return head / CST_TRACE_RING_HALF != (head + count) / CST_TRACE_RING_HALF;
}

/*
 * Reader: the records from the oldest on that lie together; *ret_count is 0
 * when there are none. They stay until cst_trace_ring_drop().
 */
const struct cst_trace_record *cst_trace_ring_peek(struct cst_trace_ring *ring,
                                                   size_t *ret_count);
void cst_trace_ring_drop(struct cst_trace_ring *ring, size_t count);

#endif
