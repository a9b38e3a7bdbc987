/*
 * depot.h - what of the program's data lies in the memory of devices.
 *
 * Layer: depot. May include base, topo, trace, graph, data, device. Knows nothing of
 * tasks, kinds or nodes.
 *
 * A region that a task of a device names has a *copy* in that device's memory: a
 * block with its rows packed. Main memory is where all data live; a copy is
 * *valid* when it has what main memory has, or should have; it is *dirty* when
 * main memory has not got it yet. Who is to read or write main memory says so
 * first, and what is dirty there is written back. So copies stay where they were
 * computed until somebody else wants them, or their room is needed: then the one
 * that was used least lately goes, after it was written back.
 *
 * What a task acquires is pinned until it is released, and nothing pinned is
 * evicted. A task acquires all that it needs or nothing, and one that is not
 * running gives back what it has when an older one needs it: so the oldest task
 * of a device always gets what the device has, and there is no livelock.
 *
 * Threads: any; one lock, CST_RANK_DEPOT, which is not held while a device is
 * waited for. That accesses which exclude one another do not come at the same
 * time is the caller's care: the order of tasks sees to it.
 */
#ifndef CST_DEPOT_DEPOT_H
#define CST_DEPOT_DEPOT_H

#include "castell.h"
#include "data/region.h"
#include "device/device.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { CST_DEPOT_DEVICES_MAX = 32, CST_DEPOT_WORDS_SIZE = 256 };

struct cst_depot;
struct cst_depot_copy;
struct cst_topo;
struct cst_trace;

/* One device of the node. */
struct cst_depot_device {
    const struct cst_device_ops *ops;
    void *handle; /* as open() gave it */
    struct cst_device_info info;
    uint32_t number;
    uint64_t capacity;              /* of its pool: what copies may take */
    _Atomic(uint64_t) bytes_per_us; /* of copies to it; as measured, once a few
                                       long ones were */
    /* Set once, after `words`: why. */
    _Atomic(bool) lost;
    char words[CST_DEPOT_WORDS_SIZE];
};

struct cst_depot_options {
    const struct cst_device_ops *const *drivers; /* NULL-terminated */
    uint64_t memory;    /* of each device; 0: nine tenths of what is free */
    const char *wanted; /* "cuda,opencl": only these, and the first has what
                           both find; "none"; NULL: all */
    uint32_t part;  /* of the node's processes that have tasks, this is which */
    uint32_t parts; /* and how many they are; 0: one */
    struct cst_topo *topo; /* is told where they are, by number; or NULL */
};

/*
 * Find and open the devices. Of a node with several processes each opens its
 * part of each kind; where the devices are fewer, those that share one have
 * equal parts of its memory. That there is none is no failure: *ret_depot is a
 * depot without devices, which knows why. Fails with CASTELL_ERR_NO_MEMORY, or
 * CASTELL_ERR_INVALID for what is wanted.
 */
CASTELL_MUST_CHECK enum castell_status
cst_depot_open(const struct cst_depot_options *options,
               struct cst_depot **ret_depot);

/* Nothing is acquired any more. What is dirty is not written back. */
void cst_depot_close(struct cst_depot *depot);

uint32_t cst_depot_count(const struct cst_depot *depot);
struct cst_depot_device *cst_depot_at(struct cst_depot *depot, uint32_t number);

/* Why there is no device of that kind: a sentence, or NULL. */
const char *cst_depot_why_not(const struct cst_depot *depot,
                              enum castell_device kind);

/*
 * From now on each copy, and what each device has of memory, is in the trace,
 * with how long it took by the device's own clock. Before anything is acquired.
 */
void cst_depot_trace(struct cst_depot *depot, struct cst_trace *trace);

/* Nothing is acquired any more: wait for what is under way, tell it, and what
   was counted. depot and trace may be NULL. */
void cst_depot_tell_all(struct cst_depot *depot);

/* ---- Tasks of a device --------------------------------------------------- */

/* One region of a task. */
struct cst_depot_use {
    struct cst_region region; /* normal */
    bool reads, writes;
    bool keeps;   /* what it had is to be in main memory: for a retry */
    bool deletes; /* nobody reads it after this task */
    bool passed;  /* has no copy: a file */
    /* Out. */
    void *memory;
    size_t pitch;
    struct cst_depot_copy *copy;
};

/*
 * Get blocks for all uses, and let what is read be brought: what is put in the
 * device's queue for kernels from now on waits for it, on the device. By the
 * device's thread only.
 * Fails with
 *   CASTELL_ERR_LIMIT        not now: others have pinned too much;
 *   CASTELL_ERR_NO_MEMORY    never on this device;
 *   CASTELL_ERR_TASK_FAILED  what it reads was lost with a device;
 *   CASTELL_ERR_NODE_LOST, CASTELL_ERR_SYSTEM  of this device.
 */
CASTELL_MUST_CHECK enum castell_status
cst_depot_acquire(struct cst_depot *depot, struct cst_depot_device *device,
                  struct cst_depot_use *uses, uint32_t uses_count);

enum cst_depot_end {
    CST_DEPOT_DONE,    /* what it writes is there */
    CST_DEPOT_NOT_RUN, /* it was not started */
    CST_DEPOT_UNDONE,  /* what it writes is as good as main memory has it */
};

/* The task has ended, on the device too. */
void cst_depot_release(struct cst_depot *depot, struct cst_depot_device *device,
                       struct cst_depot_use *uses, uint32_t uses_count,
                       enum cst_depot_end end);

/*
 * What a task's body has put in that queue of the device, in the trace: begin, before
 * the body; end, behind what it put there; over, when that has ended. Each may
 * be called without a trace.
 */
struct cst_depot_told {
    void *from; /* events of the device, or NULL */
    void *to;
    uint64_t begin_ns;
};
void cst_depot_run_begin(struct cst_depot *depot,
                         struct cst_depot_device *device,
                         enum cst_device_queue queue,
                         struct cst_depot_told *told);
void cst_depot_run_end(struct cst_depot *depot, struct cst_depot_device *device,
                       enum cst_device_queue queue,
                       struct cst_depot_told *told);
void cst_depot_run_over(struct cst_depot *depot,
                        struct cst_depot_device *device,
                        struct cst_depot_told *told, uint64_t task,
                        uint32_t kind);

/* The device is lost, as the calling thread's error text says. */
void cst_depot_lose(struct cst_depot *depot, struct cst_depot_device *device);

/* Bytes that would have to come to that device first, twice where they are on
   another. */
uint64_t cst_depot_missing(struct cst_depot *depot,
                           const struct cst_depot_device *device,
                           const struct cst_depot_use *uses,
                           uint32_t uses_count);

/* ---- Main memory --------------------------------------------------------- */

/* Is nothing in any device? One look at a word. */
bool cst_depot_is_empty(const struct cst_depot *depot);

/*
 * Main memory is about to be read, written, or both: returns when it has what
 * it should have, and with `writes` no copy has it any more.
 * Fails with CASTELL_ERR_TASK_FAILED: some of it was lost with a device.
 */
CASTELL_MUST_CHECK enum castell_status
cst_depot_to_main(struct cst_depot *depot, const struct cst_region *region,
                  bool reads, bool writes);

/* The same of all that is not acquired, to be read and written. */
CASTELL_MUST_CHECK enum castell_status
cst_depot_all_to_main(struct cst_depot *depot);

/* Nobody will read that again. */
void cst_depot_forget(struct cst_depot *depot, const struct cst_region *region);

/* ---- Looking ------------------------------------------------------------- */

struct cst_depot_counters {
    uint64_t in, in_bytes;   /* copies to devices */
    uint64_t out, out_bytes; /* and back */
    uint64_t peer, peer_bytes;
    uint64_t kernels; /* bodies whose work on a device is over */
    uint64_t evicted;
    uint64_t used; /* bytes of all blocks now */
};

void cst_depot_counters(struct cst_depot *depot,
                        struct cst_depot_counters *ret_counters);

/* Abort unless the invariants of depot_internal.h hold. */
void cst_depot_check(struct cst_depot *depot);

#endif
