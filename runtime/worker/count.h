/*
 * count.h - what an executor counts of the bodies that it runs, for who looks at
 * the run from outside.
 *
 * Layer: worker, private. Inline: each task passes here twice.
 *
 * Owner: each counter has one writer, the thread.
 */
#ifndef CST_WORKER_COUNT_H
#define CST_WORKER_COUNT_H

#include "base/clock.h"
#include "engine/engine.h"
#include "worker/worker.h"

static inline struct cst_desk *cst_desk_of(const struct cst_self *self)
{
    return self->seat ? &self->seat->desk : &self->port->desk;
}

/* Only this thread writes it; `top` is the uppermost body from now on. */
static inline void cst_count_running(const struct cst_self *self, uint32_t by,
                                     const struct cst_task *top)
{
    struct cst_desk *desk = cst_desk_of(self);
    uint32_t running =
        atomic_load_explicit(&desk->running, memory_order_relaxed) + by;
    uint32_t cores = top && top->extra && top->extra->constraint.cores > 1
                         ? top->extra->constraint.cores
                         : 1;

    atomic_store_explicit(&desk->running, running, memory_order_relaxed);
    atomic_store_explicit(&desk->cores, cores, memory_order_relaxed);
}

/* NULL: nobody counts it. */
static inline struct cst_tally *cst_tally_of(const struct cst_self *self,
                                             const struct cst_task *task)
{
    return task->kind->is_own ? NULL
                              : &self->port->tallies[cst_tally_index(task)];
}

/*
 * Count that it starts. Returns the time, or 0 where that is not taken: the
 * clock would be a good part of what short bodies cost, so of those only some
 * are measured.
 */
static inline uint64_t cst_count_started(const struct cst_self *self,
                                         const struct cst_task *task)
{
    struct cst_tally *tally = cst_tally_of(self, task);

    if (!tally)
        return 0;
    cst_tally_add(&tally->started, 1);
    if (atomic_load_explicit(&tally->started, memory_order_relaxed) <=
        tally->unmeasured_until)
        return 0;
    return cst_clock_ns();
}

static inline void cst_count_ended(const struct cst_self *self,
                                   const struct cst_task *task,
                                   uint64_t begin_ns)
{
    enum { ONE_IN = 64, SHORT_NS = 10000 };
    struct cst_tally *tally = cst_tally_of(self, task);

    if (!tally)
        return;
    if (__builtin_expect(begin_ns > 0, 0)) {
        uint64_t ns = cst_clock_ns() - begin_ns;

        cst_tally_add(&tally->measured, 1);
        cst_tally_add(&tally->measured_ns, ns);
        tally->unmeasured_until =
            ns >= SHORT_NS
                ? 0
                : atomic_load_explicit(&tally->started, memory_order_relaxed) +
                      ONE_IN - 1;
    }
    cst_tally_add(&tally->ended, 1);
}

#endif
