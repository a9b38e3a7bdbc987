/*
 * engine_internal.h - the engine's state, for its own files.
 */
#ifndef CST_ENGINE_ENGINE_INTERNAL_H
#define CST_ENGINE_ENGINE_INTERNAL_H

#include "base/lock.h"
#include "data/data.h"
#include "engine/engine.h"
#include "engine/picture.h"
#include "sched/ready.h"
#include "trace/trace.h"

enum { FAIL_TEXT_SIZE = 512 };

struct chunk; /* pool.c */

/* A reduction whose end is not yet known: more tasks may join it. */
struct open_reduction {
    struct open_reduction *next;
    uint32_t number; /* what its places have in place.reduction */
    struct cst_task *parent;
    struct cst_region region;
    uintptr_t whole; /* as in struct cst_leaf */
    size_t whole_size;
    const struct castell_reduction *operation;
    struct cst_reduction *reduction;
    uint32_t leaves;
    struct cst_task *holder; /* keeps its places in the reduction's epoch */
};

struct cst_engine {
    _Alignas(CST_LINE) _Atomic(uint32_t) baton;
    _Alignas(CST_LINE) _Atomic(int32_t) idle; /* looking for work or asleep */
    _Atomic(int32_t) asleep;
    _Atomic(bool) wanted; /* by somebody who has nothing to do */
    _Alignas(CST_LINE) _Atomic(struct cst_task *) returned[CST_SIZES_MAX];

    /* Immutable. */
    _Alignas(CST_LINE) const struct cst_limits *limits;
    uint64_t tasks_max;
    uint64_t tasks_memory;
    bool fences;                         /* cst_desk_needs_fence() */
    _Atomic(enum castell_status) status; /* written once at most */
    struct cst_kinds *kinds;
    struct cst_trace *trace;            /* NULL: none */
    const struct cst_engine_many *many; /* NULL: one node */
    struct cst_depot *depot;            /* NULL: no devices */
    uint32_t devices;                   /* in it */

    /* Guarded by ports_lock; ports_count is read without it. */
    struct cst_lock ports_lock;
    struct cst_port *ports[CST_PORTS_MAX];
    _Atomic(uint32_t) ports_count;
    struct chunk *chunks;
    _Atomic(uint64_t) chunks_size;
    char fail_text[FAIL_TEXT_SIZE];
    _Atomic(uint64_t) retried;

    /* Guarded by groups_lock. */
    struct cst_lock groups_lock;
    struct cst_group *groups;
    _Atomic(uint64_t) cancels; /* of groups */

    /* Owner: the baton's holder. */
    _Alignas(CST_LINE) struct cst_data *data;
    struct cst_picture *picture; /* NULL: none */
    bool rings; /* somebody who sleeps was given work: ring afterwards */
    struct cst_ready ready;
    struct cst_task_list woken;       /* wait for nothing any more */
    struct cst_task_list constrained; /* wait for resources, in order */
    uint32_t lenders;    /* of them, that go on after a wait; they are first */
    uint32_t wide;       /* tasks of several cores that are admitted */
    uint32_t wide_cores; /* of each of the last */
    uint32_t outside;    /* admitted, of one core, in no executor */
    struct cst_line *lines;      /* one a device; or NULL */
    struct cst_ready of_several; /* tasks that want several devices each */
    struct cst_task *gathering;  /* the first of them, which gets its devices */
    bool gathered;          /* they are kept for it, and end what they do */
    uint64_t cores_line_ns; /* of what was chosen for cores, and not ended */
    uint64_t memory_free;
    uint64_t storage_free;
    uint64_t gpus_free;        /* thousandths of one, for bodies on cores */
    bool poisoned_once;        /* some place is or was */
    struct cst_blames *blames; /* NULL: nobody so far; blame.c */
    struct open_reduction *reductions;
    uint32_t reductions_count; /* ever opened */
    uint64_t freed_classes;    /* a bit for each below that is not empty */
    struct cst_task *freed[CST_SIZES_MAX];
    struct cst_task *freed_last[CST_SIZES_MAX];
    _Atomic(uint64_t) freed_size; /* bytes, in all */
    uint64_t internal_ids;
    _Atomic(uint64_t) finished;
    _Atomic(uint64_t) failed;
    _Atomic(uint64_t) cancelled;
    _Atomic(uint64_t) regions;             /* known, for who may not ask data */
    _Atomic(uint64_t) ready_count;         /* the same */
    struct cst_ends ends[CST_TALLIES_MAX]; /* by id of the kind */
    struct cst_port internal; /* the engine's own cache of task memory, and
                                 count of the root's folds */
    struct cst_kind fold_kind;
    struct cst_task root;
    struct cst_task guests;       /* the parent of guests */
    _Atomic(uint64_t) stepped_ns; /* when many->step() was last called */
};

/* pool.c */
void cst_pool_free(struct cst_engine *engine, struct cst_task *task);
void cst_pool_publish(struct cst_engine *engine);
void cst_pool_release(struct cst_engine *engine);

/* submit.c: the next news of a port is a task that was submitted. */
void cst_engine_submitted_news(struct cst_engine *engine,
                               struct cst_task *task);
/* Join the places of one access; false: no memory. */
bool cst_engine_join(struct cst_engine *engine, struct cst_task *task,
                     struct cst_access *access);
/* The same when a reduction may be open there; `number` is not closed. */
bool cst_engine_join_slowly(struct cst_engine *engine, struct cst_task *task,
                            struct cst_access *access,
                            const struct cst_region *region, uint32_t number);
void cst_access_region(const struct cst_access *access,
                       struct cst_region *ret_region);

/* done.c */
void cst_engine_done_news(struct cst_engine *engine, struct cst_task *task);
void cst_engine_complete(struct cst_engine *engine, struct cst_task *task);

/* reduce.c */
void cst_engine_init_folds(struct cst_engine *engine);
/* Free those that could not be closed, at the end. */
void cst_engine_drop_reductions(struct cst_engine *engine);
bool cst_engine_join_reduction(struct cst_engine *engine, struct cst_task *task,
                               struct cst_access *access);
/* Close the reduction of that number, which has an end now, with all parts of
   what it is a part of; false: no memory */
bool cst_engine_close(struct cst_engine *engine, uint32_t number);
/* Close all that the children of a task have opened. */
bool cst_engine_close_all(struct cst_engine *engine, struct cst_task *parent);

/* dispatch.c */
void cst_engine_make_ready(struct cst_engine *engine, struct cst_task *task);
/* It has what it needs. */
void cst_engine_add_ready(struct cst_engine *engine, struct cst_task *task);
/* Take back what lies on the desks: something may be more urgent. */
void cst_engine_recall(struct cst_engine *engine);
void cst_engine_dispatch(struct cst_engine *engine, struct cst_port *favoured);
/* Without the baton: wake those who sleep and were given work. */
void cst_engine_ring(struct cst_engine *engine);

/* device.c: tasks for devices with memory of their own. */
/* Those that wait for one device. */
struct cst_line {
    struct cst_ready ready;
    uint64_t
        expected_ns; /* of all that were chosen for it, and have not ended */
    uint32_t laid;   /* of them, on its desk or with its thread */
    bool kept;       /* for a task of several devices: others wait */
};
CASTELL_MUST_CHECK enum castell_status
cst_engine_init_lines(struct cst_engine *engine, struct cst_depot *depot);
void cst_engine_release_lines(struct cst_engine *engine);
/* Choose an implementation, and a device if it is for one; false: none can. */
bool cst_engine_choose_device(struct cst_engine *engine, struct cst_task *task);
void cst_engine_line_up(struct cst_engine *engine, struct cst_task *task);
void cst_engine_dispatch_devices(struct cst_engine *engine);
/* It has ended, or will not run there. */
void cst_engine_leave_line(struct cst_engine *engine, struct cst_task *task);
/* What a guest names, and its children may have left in devices, comes to main
   memory: it is sent from there, and used for other versions. */
void cst_engine_bring_home(struct cst_engine *engine, struct cst_task *task);
void cst_engine_returned_news(struct cst_engine *engine, struct cst_task *task);

/* dispatch.c: which body, and what it needs; ready for that. */
void cst_engine_set_ready(struct cst_engine *engine, struct cst_task *task);

/* admit.c: a task needs more than one core. */
void cst_engine_constrain(struct cst_engine *engine, struct cst_task *task);
/* Give those that wait what there is for them. */
void cst_engine_admit(struct cst_engine *engine);
/* Give back what an admitted task holds; want it again, to go on. */
void cst_engine_unadmit(struct cst_engine *engine, struct cst_task *task);
void cst_engine_readmit(struct cst_engine *engine, struct cst_task *task);
/* An admitted task was not started, and gives back what it holds. */
void cst_engine_put_back(struct cst_engine *engine, struct cst_task *task);

/* blame.c: keep that a task was to write what is poisoned now. */
void cst_blame_note(struct cst_engine *engine, struct cst_task *task);
/* Say which task is to blame for poison among what a signal reads. */
void cst_blame_find(struct cst_engine *engine, struct cst_task *task,
                    struct cst_outcome *outcome);

/* many.c: hear and tell other nodes. */
void cst_many_step(struct cst_engine *engine);
/* Has nobody told other nodes anything for a while? There are some. */
bool cst_many_has_paused(struct cst_engine *engine);
/* Other nodes may wait for what was done. */
bool cst_many_is_urgent(struct cst_engine *engine, const struct cst_port *port,
                        enum cst_news what);

/* group.c */
void cst_groups_release(struct cst_engine *engine);

static inline void cst_engine_event(struct cst_engine *engine,
                                    enum cst_trace_event event,
                                    const struct cst_task *task)
{
    if (__builtin_expect(engine->trace != NULL, 0) &&
        !(task->flags & CST_TASK_INTERNAL))
        cst_trace_write(engine->trace, event, task->id, task->kind->id, 0);
}

static inline void cst_engine_publish_regions(struct cst_engine *engine)
{
    atomic_store_explicit(&engine->regions,
                          cst_data_regions_count(engine->data),
                          memory_order_relaxed);
}

static inline void cst_engine_publish_ready(struct cst_engine *engine)
{
    atomic_store_explicit(&engine->ready_count, cst_ready_count(&engine->ready),
                          memory_order_relaxed);
}

static inline uint64_t cst_task_domain(const struct cst_task *task)
{
    return task->parent->depth == 0 ? 0 : task->parent->id;
}

#endif
