/*
 * arena_internal.h - zones of runs, and slabs: what the arena makes blocks of.
 *
 * Layer: base, private to arena*.c.
 *
 * A zone is a range of addresses cut into granules of one size. A run is some
 * granules in a row: a free one, a block, or a slab of small blocks. Free runs
 * never touch one another; what lies at and above `top` was never used.
 *
 * A slab is one granule cut into small blocks of one size, its objects.
 *
 * Guarded by: the arena's lock, except that cst_zone_find() and what is read
 * of the slab it finds need none: that is atomic.
 */
#ifndef CST_BASE_ARENA_INTERNAL_H
#define CST_BASE_ARENA_INTERNAL_H

#include "castell.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CST_RUN_NONE UINT32_MAX

enum {
    CST_ZONE_BINS = 32,
    CST_SLAB_SHIFT = 16, /* log2 of the granules of a zone for slabs */
    CST_SLAB_OBJECTS_MAX = 1 << 10,
    CST_SLAB_OBJECT_SIZE_MAX = 16 << 10,
    CST_SLAB_CLASSES = 28, /* sizes of objects */
};

enum cst_run_state {
    CST_RUN_NEVER = 0, /* above top, or not the head of a run */
    CST_RUN_FREE,
    CST_RUN_USED,
    CST_RUN_RETIRED,
    CST_RUN_SLAB,
};

struct cst_slab;

/* One for each granule. All but `head` is meaningful for the first of a run. */
struct cst_run {
    _Atomic(uint32_t) head;   /* the run's first granule; of a free run only its
                               last granule tells */
    _Atomic(uint32_t) length; /* in granules */
    _Atomic(uint8_t) state;   /* enum cst_run_state */
    bool dirty;               /* free, but the system's memory is still there */
    uint32_t next;            /* free runs of the same bin */
    uint32_t previous;
    _Atomic(struct cst_slab *) slab;
};

struct cst_zone {
    char *base;
    uint32_t granules; /* all there are */
    uint32_t shift;    /* log2 of a granule's bytes */
    uint32_t top;      /* granules from here on were never used */
    uint32_t opened;   /* granules below may be accessed */
    size_t dirty;      /* bytes in dirty free runs */
    struct cst_run *runs;
    uint32_t bins[CST_ZONE_BINS]; /* bin b: free runs of [2^b, 2^(b+1)) */
};

/*
 * Make a zone of the `size` bytes of address space at base, aligned to a
 * granule. Fails with CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_zone_init(struct cst_zone *zone, char *base, size_t size, uint32_t shift);
void cst_zone_release(struct cst_zone *zone);

/* Take a run, or CST_RUN_NONE where there is no memory. */
uint32_t cst_zone_take(struct cst_zone *zone, uint32_t length,
                       enum cst_run_state state);

/* Give it back. */
void cst_zone_give(struct cst_zone *zone, uint32_t head);

/* The head of the used, retired or slab run that the address lies in, or
   CST_RUN_NONE. */
uint32_t cst_zone_find(const struct cst_zone *zone, const void *address);

void cst_zone_check(const struct cst_zone *zone);

static inline char *cst_zone_address(const struct cst_zone *zone,
                                     uint32_t granule)
{
    return zone->base + ((size_t)granule << zone->shift);
}

static inline uint32_t cst_zone_length(const struct cst_zone *zone,
                                       uint32_t head)
{
    return atomic_load_explicit(&zone->runs[head].length, memory_order_relaxed);
}

static inline enum cst_run_state cst_zone_state(const struct cst_zone *zone,
                                                uint32_t head)
{
    return (enum cst_run_state)atomic_load_explicit(&zone->runs[head].state,
                                                    memory_order_relaxed);
}

static inline void cst_zone_set_state(struct cst_zone *zone, uint32_t head,
                                      enum cst_run_state state)
{
    atomic_store_explicit(&zone->runs[head].state, (uint8_t)state,
                          memory_order_relaxed);
}

enum cst_object_state {
    CST_OBJECT_FREE = 0,
    CST_OBJECT_USED,
    CST_OBJECT_RETIRED,
};

/*
 * A granule cut into objects of one class. In its class's list while it has a
 * free object, in the list of spare ones while it has no granule. Its memory
 * is kept as long as the arena: a question about freed memory, which takes no
 * lock, may come upon it late.
 */
struct cst_slab {
    struct cst_slab *next;
    struct cst_slab *previous;
    struct cst_slab *made_before; /* all there are */
    uint32_t granule;
    uint32_t class;
    uint32_t count;
    uint32_t free_count;
    uint32_t hint; /* no object below is free */
    _Atomic(uint32_t) object_size;
    _Atomic(uint8_t) state[CST_SLAB_OBJECTS_MAX]; /* cst_object_state */
};

/* All slabs of a zone. */
struct cst_slabs {
    struct cst_zone *zone;
    struct cst_slab *partial[CST_SLAB_CLASSES];
    struct cst_slab *spare;
    struct cst_slab *made_last;
};

void cst_slabs_init(struct cst_slabs *slabs, struct cst_zone *zone);
void cst_slabs_release(struct cst_slabs *slabs);

/* A block of at least `size` bytes, 1 to CST_SLAB_OBJECT_SIZE_MAX, or NULL
   where there is no memory; *ret_size is how many it is. */
void *cst_slabs_take(struct cst_slabs *slabs, size_t size, size_t *ret_size);
void cst_slabs_give(struct cst_slabs *slabs, struct cst_slab *slab,
                    uint32_t object);

/* Abort unless the slab is in order; returns the bytes of its blocks. */
size_t cst_slabs_check(const struct cst_slabs *slabs,
                       const struct cst_slab *slab);

static inline enum cst_object_state cst_slab_state(const struct cst_slab *slab,
                                                   uint32_t object)
{
    return (enum cst_object_state)atomic_load_explicit(&slab->state[object],
                                                       memory_order_relaxed);
}

static inline void cst_slab_set_state(struct cst_slab *slab, uint32_t object,
                                      enum cst_object_state state)
{
    atomic_store_explicit(&slab->state[object], (uint8_t)state,
                          memory_order_relaxed);
}

#endif
