/*
 * depot_internal.h - the depot's state, for its own files.
 *
 * Invariants, checked by cst_depot_check():
 *   - a copy that is valid has a block;
 *   - dirty copies do not overlap one another;
 *   - a copy that is dirty is valid, or is being written back;
 *   - the pins of a span's copies are at most its users;
 *   - a device's blocks, in copies and free, make its pool's size.
 */
#ifndef CST_DEPOT_DEPOT_INTERNAL_H
#define CST_DEPOT_DEPOT_INTERNAL_H

#include "base/lock.h"
#include "data/index.h"
#include "depot/depot.h"
#include "trace/format.h"

/* ---- Events that several wait for ---------------------------------------- */

struct cst_depot_event {
    struct cst_depot_device *device;
    void *event;
    uint32_t users;                /* guarded by the depot's lock */
    struct cst_depot_event *begin; /* of the copy that this ends; or NULL: it is
                                      not measured */
    size_t bytes;                  /* of that */
};

/* ---- pool.c: blocks of one device ---------------------------------------- */

struct cst_block {
    struct cst_block *next; /* in the pool: the one freed later */
    void *memory;
    size_t size;
    struct cst_depot_event *after; /* its last content is being copied until
                                      then; or NULL */
};

struct cst_pool {
    struct cst_depot_device *device;
    struct cst_trace *trace; /* or NULL */
    uint64_t size;           /* of all blocks */
    struct cst_block *free;
    struct cst_block *free_last;
};

/* What a block for so many bytes takes. */
size_t cst_pool_round(size_t size);

/*
 * A block, or NULL with a status: CASTELL_ERR_LIMIT: first another has to be
 * given back; else the device's. Blocks that are free and do not fit are given
 * back to the driver as far as is needed.
 */
CASTELL_MUST_CHECK enum castell_status
cst_depot_pool_take(struct cst_pool *pool, size_t size,
                    struct cst_block **ret_block);
void cst_depot_pool_put(struct cst_pool *pool, struct cst_block *block);
/* Give all that is free back to the driver. */
void cst_depot_pool_trim(struct cst_pool *pool);

/* ---- spans.c: regions and their copies ----------------------------------- */

struct cst_depot_copy {
    struct cst_span *span;
    struct cst_depot_copy
        *older; /* of the device, by use; those with a block */
    struct cst_depot_copy *newer;
    struct cst_block *block; /* or NULL */
    uint32_t pins;
    uint32_t writers; /* of the pins */
    bool valid;
    bool dirty;
    bool lost;     /* it was dirty when its device was lost */
    bool starting; /* a copy to main memory is being put in the queue */
    bool leaves;   /* it is in the list of those */
    struct cst_depot_copy *leaves_later;
    struct cst_depot_event *in;  /* content is there then; or NULL */
    struct cst_depot_event *out; /* it is in main memory then; or NULL */
};

/* A region that is, or was, in some device. */
struct cst_span {
    struct cst_data_node node; /* first */
    uint32_t users;            /* who would not have it go */
    struct cst_span *previous;
    struct cst_span *next;
    struct cst_depot_copy copies[]; /* by device */
};

/* ---- story.c: what the trace is told ------------------------------------- */

/* A copy that is not over, or not seen to be. */
struct cst_tale {
    struct cst_tale *next;
    enum cst_trace_event what;
    uint64_t base;
    uint64_t bytes;
    uint32_t peer;
    struct cst_depot_told told;
};

/* Those of one queue, which end in their order. */
struct cst_tales {
    struct cst_tale *first;
    struct cst_tale *last;
    uint64_t end_ns; /* of the last one that was told */
};

enum { CST_RATES = 5 };

struct cst_depot_slot {
    struct cst_depot_device device;
    struct cst_pool pool;
    struct cst_tales tales[CST_DEVICE_QUEUES]; /* with a trace */
    uint64_t ran_ns; /* the end of what was told to have run last */
    struct cst_depot_copy *oldest;
    struct cst_depot_copy *newest;
    /* Evicted while they were still being written back, in that order; their
       spans stay until that is seen to be over. */
    struct cst_depot_copy *leaves_first;
    struct cst_depot_copy *leaves_last;
    uint64_t rates[CST_RATES]; /* the last, in bytes per us */
    uint32_t rates_count;      /* of all that were ever measured */
};

struct cst_driver {
    const struct cst_device_ops *ops;
    void *driver; /* or NULL */
    char *why;    /* there is none; or NULL */
};

enum { CST_DRIVERS_MAX = 8 };

struct cst_depot {
    struct cst_lock lock;
    pthread_cond_t changed; /* a copy that was starting has */
    struct cst_driver drivers[CST_DRIVERS_MAX];
    uint32_t drivers_count;
    uint32_t count;
    struct cst_depot_slot *slots;
    struct cst_data_domain index;
    struct cst_data_nodes found;
    struct cst_span *spans;
    _Atomic(uint64_t) spans_count;
    struct cst_depot_counters counters;
    struct cst_trace *trace; /* or NULL */
};

/* A list of spans that stay until it is dropped. */
struct cst_spans {
    struct cst_span **list;
    size_t count;
};

/* The span of just that region, made where there is none; or NULL. */
struct cst_span *cst_span_find_locked(struct cst_depot *depot,
                                      const struct cst_region *region,
                                      bool make);
/* All that overlap the region; or all, for NULL. Fails with NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
cst_spans_list_locked(struct cst_depot *depot, const struct cst_region *region,
                      struct cst_spans *ret_spans);
void cst_spans_drop_locked(struct cst_depot *depot, struct cst_spans *spans);
/* Free it, if nobody needs it. */
void cst_span_settle_locked(struct cst_depot *depot, struct cst_span *span);

static inline const struct cst_region *
cst_span_region(const struct cst_span *span)
{
    return &span->node.fragment.region;
}

/* depot.c: as cst_depot_lose(). */
void cst_depot_lose_locked(struct cst_depot *depot,
                           struct cst_depot_device *device);

/* Before a copy is put in a queue, without the lock. */
void cst_tale_begin(const struct cst_depot *depot,
                    struct cst_depot_device *device,
                    enum cst_device_queue queue, struct cst_depot_told *told);
/* Behind it, without the lock. */
void cst_tale_end(const struct cst_depot *depot,
                  struct cst_depot_device *device, enum cst_device_queue queue,
                  struct cst_depot_told *told);
/* It was not, after all. */
void cst_tale_drop(struct cst_depot_device *device,
                   struct cst_depot_told *told);
/* It was put there, and is counted. */
void cst_tale_add_locked(struct cst_depot *depot,
                         struct cst_depot_device *device,
                         const struct cst_tale *tale);
/* Tell of those copies of a device that are over. */
void cst_tales_tell_locked(struct cst_depot *depot,
                           struct cst_depot_slot *slot);
/* Forget what was not told. */
void cst_tales_drop(struct cst_depot_slot *slot);
/* The device's blocks take another size. */
void cst_tale_memory(struct cst_pool *pool);

/* Of which device? */
uint32_t cst_copy_number(const struct cst_depot_copy *copy);

void cst_event_unref_locked(struct cst_depot_event **event);

/* Record an event; NULL with a status. */
CASTELL_MUST_CHECK enum castell_status
cst_event_record(struct cst_depot_device *device, enum cst_device_queue queue,
                 struct cst_depot_event **ret_event);

/* It is used now; or its block goes, and with `free` it does. */
void cst_copy_touch_locked(struct cst_depot *depot,
                           struct cst_depot_copy *copy);
void cst_copy_detach_locked(struct cst_depot *depot,
                            struct cst_depot_copy *copy);

/* ---- rate.c: how fast copies get to a device ------------------------------ */

/* A copy of so many bytes is about to be put in the queue: an event before it,
   for the one behind it to keep; NULL: it is not to be measured. */
struct cst_depot_event *cst_rate_begin(const struct cst_depot *depot,
                                       struct cst_depot_slot *slot,
                                       size_t bytes);
/* That event is over. */
void cst_rate_measured_locked(struct cst_depot_slot *slot,
                              const struct cst_depot_event *end);

/* ---- back.c: from devices to main memory --------------------------------- */

/* Let a dirty copy be written back; may let go of the lock. */
void cst_copy_start_back_locked(struct cst_depot *depot,
                                struct cst_depot_copy *copy);
/* Wait until it is; lets go of the lock. */
void cst_copy_end_back_locked(struct cst_depot *depot,
                              struct cst_depot_copy *copy);
/* It goes when it has been written back; see to those that have. */
void cst_copy_leave_locked(struct cst_depot *depot,
                           struct cst_depot_copy *copy);
void cst_copy_see_off_locked(struct cst_depot *depot,
                             struct cst_depot_slot *slot);
/* Wait until its content has come; lets go of the lock. */
void cst_copy_end_in_locked(struct cst_depot *depot,
                            struct cst_depot_copy *copy);
/* Nobody is to read it again. */
void cst_copy_drop_locked(struct cst_depot *depot, struct cst_depot_copy *copy);

#endif
