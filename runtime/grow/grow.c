#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"
#include "grow/grow_internal.h"

#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static double clock_s(void)
{
    uint64_t now_ns = cst_clock_ns();

    return (double)now_ns / 1e9;
}

/* ---- The thread -------------------------------------------------------------- */

static void hear(struct cst_grow *grow)
{
    struct cst_slurm_event event;

    grow->now_s = clock_s();
    while (cst_slurm_next(grow->slurm, &event))
        cst_book_hear(grow, &event);
    cst_grow_show(grow);
}

static void *run(void *argument)
{
    struct cst_grow *grow = argument;
    double again_s = 0;

    while (!atomic_load(&grow->stop)) {
        struct pollfd files[] = {
            {.fd = cst_slurm_fd(grow->slurm), .events = POLLIN},
            {.fd = grow->bell, .events = POLLIN},
        };
        uint64_t rings;

        (void)poll(files, 2, (int)(again_s * 1000) + 1);
        if (files[1].revents)
            (void)!read(grow->bell, &rings, sizeof(rings));
        hear(grow);
        if (!atomic_load(&grow->stop))
            again_s = cst_grow_turn(grow);
    }
    return NULL;
}

static void ring(const struct cst_grow *grow)
{
    const uint64_t one = 1;

    (void)!write(grow->bell, &one, sizeof(one));
}

/* ---- Life -------------------------------------------------------------------- */

/* Of which class is the node? */
static uint32_t sort_of(void *context, uint32_t node)
{
    const struct cst_grow *grow = context;

    for (size_t i = 0; i < grow->tickets_count; i++)
        if (grow->tickets[i].state == CST_TICKET_HERE &&
            grow->tickets[i].node == node)
            return grow->tickets[i].class;
    return grow->classes_count;
}

static void release(struct cst_grow *grow)
{
    cst_grow_tell_end(grow);
    cst_slurm_destroy(grow->slurm);
    cst_elastic_destroy(grow->policy);
    if (grow->bell >= 0)
        (void)close(grow->bell);
    while (grow->sorts) {
        struct cst_sorts *sorts = grow->sorts;

        grow->sorts = sorts->before;
        cst_free(sorts);
    }
    cst_free(grow->tickets);
    cst_free(grow->shown);
    cst_lock_release(&grow->lock);
    cst_free(grow->survey.nodes);
    cst_free(grow->nodes);
    cst_free(grow->requests);
    cst_free(grow);
}

static enum castell_status make(struct cst_grow *grow)
{
    struct cst_elastic_options policy = {
        .classes = grow->classes,
        .classes_count = grow->classes_count,
        .nodes_max = grow->nodes_max,
        .node_hours = grow->node_hours,
    };
    struct cst_slurm_options slurm = {
        .run_dir = cst_parse_environment("CASTELL_RUN_DIR"),
        .castell = cst_parse_environment("CASTELL_RUN_CASTELL"),
        .expand = grow->expands,
    };
    size_t most = CST_ELASTIC_NODES_MAX;
    enum castell_status status;

    grow->survey.nodes_max = most;
    grow->survey.nodes = cst_zalloc(most * sizeof(*grow->survey.nodes));
    grow->nodes = cst_zalloc(most * sizeof(*grow->nodes));
    grow->requests = cst_zalloc(most * sizeof(*grow->requests));
    grow->survey.plan.sorts = grow->sorts->limits;
    grow->survey.plan.sorts_count = grow->classes_count;
    grow->survey.plan.sort_of = sort_of;
    grow->survey.plan.context = grow;
    grow->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!grow->survey.nodes || !grow->nodes || !grow->requests ||
        grow->bell < 0)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to grow");
    status = cst_elastic_create(&policy, &grow->policy);
    if (status == CASTELL_OK)
        status = cst_engine_port(grow->engine, &grow->port);
    if (status == CASTELL_OK)
        status = cst_slurm_create(&slurm, &grow->slurm);
    grow->open = (UINT32_C(1) << grow->classes_count) - 1;
    for (uint32_t i = 0; grow->trace && i < grow->classes_count; i++)
        cst_trace_class(grow->trace, i, grow->specs[i].name);
    if (status == CASTELL_OK)
        cst_cluster_expect(grow->cluster, grow->sorts->limits, grow->open);
    if (status == CASTELL_OK)
        status = cst_thread_start("castell-grow", run, grow, &grow->thread);
    return status;
}

enum castell_status cst_grow_start(struct cst_cluster *cluster,
                                   struct cst_engine *engine,
                                   const struct cst_limits *limits,
                                   struct cst_grow **ret_grow)
{
    struct cst_grow *grow = cst_zalloc(sizeof(*grow));
    enum castell_status status;

    if (!grow)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to grow");
    grow->cluster = cluster;
    grow->engine = engine;
    grow->limits = limits;
    grow->bell = -1;
    grow->trace = cst_engine_trace(engine);
    cst_lock_init(&grow->lock, CST_RANK_MEMBERS, "requests");
    grow->nodes_min = 1;
    grow->now_s = grow->start_s = clock_s();
    grow->end_s = HUGE_VAL;
    grow->unmeasured_since_s = -1;
    status = cst_grow_settings(grow);
    if (status == CASTELL_OK && grow->nodes_max > 0)
        status = make(grow);
    if (status == CASTELL_OK && grow->nodes_max > 0) {
        *ret_grow = grow;
        return CASTELL_OK;
    }
    *ret_grow = NULL;
    release(grow);
    return status;
}

void cst_grow_stop(struct cst_grow *grow)
{
    if (!grow)
        return;
    atomic_store(&grow->stop, true);
    ring(grow);
    (void)pthread_join(grow->thread, NULL);
}

void cst_grow_destroy(struct cst_grow *grow)
{
    if (grow)
        release(grow);
}

enum castell_status cst_grow_want(struct cst_grow *grow, const char *nodes)
{
    enum castell_status status;
    uint32_t wanted = 0;

    if (!grow)
        return cst_fail(CASTELL_ERR_INVALID,
                        "the run cannot grow: start it with castell run "
                        "--max-nodes");
    status = cst_parse_count("grow", nodes, 0, grow->nodes_max, &wanted);
    if (status != CASTELL_OK)
        return status;
    atomic_store(&grow->wanted, wanted);
    ring(grow);
    return CASTELL_OK;
}
