/*
 * The run as who asks from outside sees it, and what they may order.
 */
#include "api/api.h"
#include "base/clock.h"
#include "base/fail.h"
#include "watch/watch.h"

#include <stdio.h>

static bool add_kinds(struct cst_engine *engine,
                      struct cst_watch_picture *picture)
{
    struct cst_kind_counts counts;
    struct cst_watch_kind kind;

    for (uint32_t n = 0; cst_engine_kind_counts(engine, n, &counts); n++) {
        kind = cst_cluster_kind(&counts);
        if (!cst_watch_count(picture, &kind))
            return false;
    }
    return true;
}

static bool add_here(const struct cst_run *run,
                     struct cst_watch_picture *picture)
{
    struct cst_watch_node *node = cst_watch_add_node(picture);
    struct castell_counters counters;
    struct cst_engine_use use;

    if (!node)
        return false;
    cst_engine_counters(run->engine, &counters);
    cst_engine_use(run->engine, &use);
    cst_watch_name(node->name, run->limits.name);
    node->cores = run->limits.cores;
    node->busy = use.busy;
    node->running = use.running;
    node->queued = use.ready;
    node->ready = use.ready;
    node->done = counters.finished;
    node->memory = run->limits.memory;
    node->memory_used = cst_watch_memory_used();
    picture->ready = use.ready;
    return true;
}

/* What executors have told is read late when they are busy: read it now. */
static void catch_up(struct cst_run *run)
{
    if (!run->watch_port &&
        cst_engine_port(run->engine, &run->watch_port) != CASTELL_OK)
        return;
    cst_engine_want(run->engine, run->watch_port);
}

static enum castell_status look(void *owner, struct cst_watch_picture *picture)
{
    struct cst_run *run = owner;
    struct castell_counters counters;
    const char *failure = NULL;

    catch_up(run);
    picture->now_ns = cst_clock_ns();
    picture->elapsed_ns = picture->now_ns - run->start_ns;
    cst_engine_counters(run->engine, &counters);
    picture->retried = counters.retried;
    picture->task_memory = counters.task_memory;
    picture->regions = counters.regions;
    if (cst_engine_status(run->engine, &failure) != CASTELL_OK)
        (void)snprintf(picture->failure, sizeof(picture->failure), "%s",
                       failure);
    if (!add_here(run, picture) || !add_kinds(run->engine, picture))
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to look");
    if (run->grow && !cst_grow_look(run->grow, picture))
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to look");
    if (run->cluster && run->watch_port)
        return cst_cluster_look(run->cluster, run->watch_port, picture);
    return CASTELL_OK;
}

static enum castell_status order(void *owner, enum cst_watch_order order,
                                 const char *text)
{
    struct cst_run *run = owner;

    if (order == CST_WATCH_CANCEL_GROUP)
        return castell_group_cancel(text);
    if (order == CST_WATCH_GROW)
        return cst_grow_want(run->grow, text);
    catch_up(run);
    if (order == CST_WATCH_DRAIN && !run->cluster)
        return cst_fail(CASTELL_ERR_INVALID,
                        "the run has one node: it cannot be drained");
    if (order == CST_WATCH_DRAIN && run->watch_port)
        return cst_cluster_drain(run->cluster, run->watch_port, text);
    return cst_fail(CASTELL_ERR_INVALID, "that makes no sense");
}

enum castell_status cst_api_be_seen(struct cst_run *run)
{
    static const struct cst_watch_ops ops = {.look = look, .order = order};

    run->start_ns = cst_clock_ns();
    return cst_watch_start(&ops, run, &run->watch);
}
