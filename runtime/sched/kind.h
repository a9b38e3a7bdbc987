/*
 * kind.h - what the tasks of one function have in common, and which of its
 * implementations is best.
 *
 * Layer: sched. May include base, graph.
 *
 * Owner: the registry is guarded by its lock; a kind's fixed members are
 * immutable once it is registered; measures belong to the baton's holder.
 */
#ifndef CST_SCHED_KIND_H
#define CST_SCHED_KIND_H

#include "base/lock.h"
#include "castell.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    CST_CHOICES_MAX = 8,  /* implementations of a kind */
    CST_SAMPLES = 9,      /* durations kept per implementation and size */
    CST_SIZE_CLASSES = 40 /* powers of two of the bytes a task accesses */
};

/* What a node can give in all. Immutable. */
struct cst_limits {
    const char *name; /* of the node, for messages */
    const char *arch;
    const char *features; /* "a,b" */
    uint32_t cores;
    uint64_t memory;
    uint64_t storage;
    uint32_t gpus;       /* of the kind of device that it has most of */
    uint32_t devices;    /* a bit for each enum castell_device that it has */
    uint64_t gpu_memory; /* of the one that has most */
    uint64_t wall_time_end_ns; /* by the real-time clock; 0: none */
};

/*
 * Durations of one implementation for tasks of one size class. The median of
 * the last few is what counts, so that one spike, or a slow first run, means
 * nothing.
 */
struct cst_measure {
    uint64_t sample[CST_SAMPLES]; /* ns per unit of cost */
    uint32_t count;               /* of all that were ever taken */
    uint32_t running;             /* given out and not yet measured */
    uint64_t median;
};

struct cst_choice {
    castell_body *body;
    enum castell_device device;
    const char *name;
    struct castell_constraint constraint;
    bool possible;                /* on this node, or as one of several */
    bool async;                   /* its body only enqueues */
    struct cst_measure *measures; /* CST_SIZE_CLASSES, or NULL: not measured */
};

/* The numbers of the runtime's own kinds, which no registry has; in 16 bits. */
enum { CST_KIND_FOLD = UINT16_MAX - 1, CST_KIND_BERTH = UINT16_MAX - 2 };

struct cst_kind {
    struct cst_kind *next; /* in the registry */
    const char *name;
    const char *label;
    const char *where;
    uint32_t id;
    uint32_t flags; /* of enum castell_kind_flags */
    enum castell_failure on_failure;
    uint32_t retries;
    uint64_t timeout_ns;
    _Atomic(bool) simple; /* one body that needs one core and no care */
    bool careful;         /* its failures are retried, or it runs in a child */
    bool is_own;          /* the runtime's: nobody counts its tasks */
    _Atomic(uint32_t) choices_count;
    struct cst_choice choices[CST_CHOICES_MAX];
};

struct cst_kinds;

CASTELL_MUST_CHECK enum castell_status
cst_kinds_create(const struct cst_limits *limits, struct cst_kinds **ret_kinds);

/* Free everything; the programs' castell_kind structs forget it. */
void cst_kinds_destroy(struct cst_kinds *kinds);

/*
 * Find a program's kind, or register it. Any thread. Called when
 * public_kind->known is NULL; sets it.
 */
CASTELL_MUST_CHECK enum castell_status
cst_kinds_know(struct cst_kinds *kinds, struct castell_kind *public_kind,
               struct cst_kind **ret_kind);

/*
 * Add an implementation to the kind of that name, now or when it becomes
 * known. `kinds` may be NULL: then it is kept for every registry to come.
 */
CASTELL_MUST_CHECK enum castell_status
cst_kinds_implement(struct cst_kinds *kinds, const char *kind_name,
                    const struct castell_implementation *implementation);

/*
 * A hash over the names of all implementations that were ever added, in any
 * order. It does not depend on the architecture.
 */
uint64_t cst_kinds_implementations_hash(void);

/* recall.h: what is known of bodies that are added from now on, which the
   registry then owns; returns what it had before. */
struct cst_recall;
struct cst_recall *cst_kinds_recall(struct cst_kinds *kinds,
                                    struct cst_recall *recall);

/* The n-th kind registered, or NULL; for traces. */
const struct cst_kind *cst_kinds_at(struct cst_kinds *kinds, uint32_t id);

/*
 * Can the node ever give what the constraint demands? Fails with
 * CASTELL_ERR_UNSATISFIABLE and a text that names task, demand and node; with
 * CASTELL_ERR_INVALID for a demand that makes no sense anywhere.
 */
CASTELL_MUST_CHECK enum castell_status
cst_constraint_check(const struct cst_limits *limits,
                     const struct castell_constraint *constraint,
                     const char *task_label, const char *where);

/* Whole devices that a body gets; 1 also for a part of one. And: what part, in
   thousandths; 0: all of it. */
enum { CST_SHARES = 1000 };
uint32_t cst_constraint_devices(const struct castell_constraint *constraint);
uint32_t cst_constraint_share(const struct castell_constraint *constraint);

/* Could it give all of it, now; and if it had the time? */
bool cst_limits_fit(const struct cst_limits *limits,
                    const struct castell_constraint *constraint);
bool cst_limits_fit_some_time(const struct cst_limits *limits,
                              const struct castell_constraint *constraint);
bool cst_limits_have_device(const struct cst_limits *limits,
                            enum castell_device of);

/* Is as much left of its job as the constraint demands, if it does? */
bool cst_limits_have_time(const struct cst_limits *limits,
                          const struct castell_constraint *constraint);

/* Does the node say that of itself? */
bool cst_limits_have_feature(const struct cst_limits *limits,
                             const char *feature);

/* Does the constraint demand anything that has to be counted while it runs? */
bool cst_constraint_counts(const struct castell_constraint *constraint);

/*
 * Choose the implementation for a task that accesses `size` bytes. `crowded`:
 * more tasks are ready than cores are free, so that core time is what counts,
 * else the time until it ends. Counts it as running.
 */
uint32_t cst_kind_choose(struct cst_kind *kind, uint64_t size, bool crowded);

/* Its samples have changed: make the median again. */
void cst_measure_settle(struct cst_measure *measure);

/* What stands between a task and one of its implementations, now. */
struct cst_offer {
    bool possible;
    uint64_t wait_ns; /* until it could start: queue, and what has to come */
};

/*
 * The same, where some implementations are for devices with memory of their own:
 * that which ends first. One offer for each; some is possible.
 */
uint32_t cst_kind_choose_among(struct cst_kind *kind, uint64_t size,
                               const struct cst_offer *offers);

/* What one run of that choice takes; 0: not known. */
uint64_t cst_kind_expected_ns(const struct cst_kind *kind, uint32_t choice,
                              uint64_t size, double cost);

/* Is the device one with memory of its own? */
static inline bool cst_device_has_memory(enum castell_device device)
{
    return device == CASTELL_CUDA || device == CASTELL_OPENCL;
}

/* Is there any kind, of those declared, or implementation that wants such? */
bool cst_kinds_want_devices(void);

/* A task of that choice and size ended after duration_ns; 0: it was not run. */
void cst_kind_measured(struct cst_kind *kind, uint32_t choice, uint64_t size,
                       uint64_t duration_ns, double cost);

#endif
