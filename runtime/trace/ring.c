#include "trace/ring.h"

#include "base/memory.h"

#include <string.h>

struct cst_trace_ring *cst_trace_ring_create(uint16_t track, uint16_t executor)
{
    struct cst_trace_ring *ring =
        cst_alloc_aligned(alignof(struct cst_trace_ring), sizeof(*ring));

    if (!ring)
        return NULL;
    /* The records are left alone: pages never written take no memory. */
    memset(ring, 0, offsetof(struct cst_trace_ring, records));
    ring->track = track;
    ring->executor = executor;
    return ring;
}

void cst_trace_ring_destroy(struct cst_trace_ring *ring)
{
    cst_free(ring);
}

const struct cst_trace_record *cst_trace_ring_peek(struct cst_trace_ring *ring,
                                                   size_t *ret_count)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    size_t first = tail & CST_TRACE_RING_MASK;
    size_t count = (size_t)(head - tail);

    if (count > CST_TRACE_RING_RECORDS - first)
        count = CST_TRACE_RING_RECORDS - first;
    *ret_count = count;
    return &ring->records[first];
}

void cst_trace_ring_drop(struct cst_trace_ring *ring, size_t count)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

    atomic_store_explicit(&ring->tail, tail + count, memory_order_release);
}
