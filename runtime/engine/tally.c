/*
 * Counts of tasks by kind, for who looks at a run from outside. Each counter has
 * one writer; what is read here was true a moment ago, and is read in such an
 * order that no task is counted as running or over that is not as submitted.
 */
#include "engine/engine_internal.h"

static uint64_t get(_Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_acquire);
}

static void add_bodies(struct cst_engine *engine, uint32_t n,
                       struct cst_kind_counts *counts)
{
    uint32_t ports = cst_engine_ports_count(engine);
    uint64_t ended = 0;
    uint64_t started = 0;

    for (uint32_t i = 0; i < ports; i++) {
        struct cst_tally *tally = &engine->ports[i]->tallies[n];

        ended += get(&tally->ended);
        counts->measured_ns += get(&tally->measured_ns);
        counts->measured += get(&tally->measured);
    }
    for (uint32_t i = 0; i < ports; i++)
        started += get(&engine->ports[i]->tallies[n].started);
    counts->running = started - ended;
    /* A thread that has come meanwhile may have submitted what others run. */
    ports = cst_engine_ports_count(engine);
    for (uint32_t i = 0; i < ports; i++)
        counts->submitted += get(&engine->ports[i]->tallies[n].submitted);
}

bool cst_engine_kind_counts(struct cst_engine *engine, uint32_t n,
                            struct cst_kind_counts *ret_counts)
{
    const struct cst_kind *kind =
        n < CST_TALLIES_MAX ? cst_kinds_at(engine->kinds, n) : NULL;

    if (!kind)
        return false;
    *ret_counts = (struct cst_kind_counts){
        .label = kind->label,
        .done = get(&engine->ends[n].done),
        .failed = get(&engine->ends[n].failed),
        .cancelled = get(&engine->ends[n].cancelled),
    };
    if (n == CST_TALLIES_MAX - 1 && cst_kinds_at(engine->kinds, n + 1))
        ret_counts->label = NULL;
    add_bodies(engine, n, ret_counts);
    return true;
}

void cst_engine_use(struct cst_engine *engine, struct cst_engine_use *ret_use)
{
    uint32_t ports = cst_engine_ports_count(engine);

    *ret_use = (struct cst_engine_use){
        .ready =
            atomic_load_explicit(&engine->ready_count, memory_order_relaxed)};
    for (uint32_t i = 0; i < ports; i++) {
        struct cst_desk *desk = &engine->ports[i]->desk;
        uint32_t running =
            atomic_load_explicit(&desk->running, memory_order_relaxed);

        ret_use->running += running;
        ret_use->ready += cst_desk_work_count(desk);
        if (running > 0)
            ret_use->busy +=
                atomic_load_explicit(&desk->cores, memory_order_relaxed);
    }
    if (ret_use->busy > engine->limits->cores)
        ret_use->busy = engine->limits->cores;
}
