/*
 * What the trace is told of a run on several nodes: who is there, where tasks
 * are sent, what data came, and how the clocks of nodes stand to the master's.
 */
#include "base/clock.h"
#include "cluster/cluster_internal.h"
#include "trace/progress.h"
#include "trace/trace.h"

#include <stdio.h>

enum {
    FIRST_ANSWERS = 8, /* until then the master is asked often */
    FIRST_ASK_NS = 2000000,
    ASK_NS = 500000000,
    NODE_BITS = 16,
    ATTEMPT_MAX = INT16_MAX,
};

void cst_story_kind(struct cst_cluster *cluster, const struct cst_kind *kind)
{
    if (cluster->trace)
        cst_trace_kind(cluster->trace, kind->id, kind->label);
}

/* A node, and an attempt. */
static int32_t where(uint32_t node, uint32_t attempt)
{
    if (attempt > ATTEMPT_MAX)
        attempt = ATTEMPT_MAX;
    return (int32_t)(attempt << NODE_BITS | (node & UINT16_MAX));
}

void cst_story_assigned(struct cst_cluster *cluster,
                        const struct cst_plan_assignment *assignment)
{
    uint32_t kind = assignment->task->kind->id;
    int32_t value = where(assignment->node, assignment->attempt);

    cst_trace_event(cluster->trace, CST_TRACE_ASSIGNED, assignment->id, kind,
                    value);
    if (assignment->flags & CST_PLAN_RECOMPUTED)
        cst_trace_event(cluster->trace, CST_TRACE_RECOMPUTED, assignment->id,
                        kind, value);
    else if (assignment->flags & CST_PLAN_RETRIED)
        cst_trace_event(cluster->trace, CST_TRACE_RETRIED, assignment->id, kind,
                        (int32_t)assignment->attempt - 1);
}

void cst_story_done(struct cst_cluster *cluster, uint32_t node,
                    const struct cst_message_done *done)
{
    cst_trace_event(cluster->trace, CST_TRACE_DONE, done->id, done->failed,
                    where(node, done->attempt));
}

void cst_story_came(struct cst_cluster *cluster,
                    const struct cst_incoming *incoming)
{
    struct cst_trace_record records[2];

    cluster->came++;
    cluster->came_bytes += incoming->bytes;
    if (!cluster->trace)
        return;
    records[0] = (struct cst_trace_record){.task = incoming->version,
                                           .event = CST_TRACE_TRANSFER,
                                           .value = (int32_t)incoming->peer};
    records[1] =
        (struct cst_trace_record){.ticks = incoming->bytes,
                                  .task = cst_clock_ns() - incoming->begin_ns,
                                  .event = CST_TRACE_SIZE};
    cst_trace_write_group(cluster->trace, records, 2);
}

void cst_story_joined(struct cst_cluster *cluster, uint32_t node,
                      uint32_t cores)
{
    cst_trace_event(cluster->trace, CST_TRACE_NODE_JOINED, node, 0,
                    (int32_t)cores);
}

static void say_lost(uint32_t peer, const char *why)
{
    char said[CST_NET_WHY_MAX + 40];

    (void)snprintf(said, sizeof(said), "node %u is lost: %s", peer, why);
    cst_progress_say(said);
}

void cst_story_gone(struct cst_cluster *cluster, uint32_t node,
                    enum cst_net_end how, const char *why)
{
    if (how != CST_NET_LEFT)
        say_lost(node, why ? why : "it died");
    cst_trace_event(cluster->trace, CST_TRACE_NODE_GONE, node, 0, (int32_t)how);
    if (cluster->trace && how != CST_NET_LEFT)
        cst_trace_text(cluster->trace, CST_TRACE_NODE_GONE, node,
                       why ? why : "it died");
}

void cst_story_failed(struct cst_cluster *cluster, const struct cst_task *task,
                      const char *how)
{
    if (cluster->trace)
        cst_trace_text(cluster->trace, CST_TRACE_FAILED, task->id,
                       how ? how : "its node was lost");
}

void cst_cluster_counters(const struct cst_cluster *cluster,
                          struct cst_cluster_counters *ret_counters)
{
    struct cst_plan_counters counters = {0};

    if (cluster->plan)
        cst_plan_counters(cluster->plan, &counters);
    *ret_counters = (struct cst_cluster_counters){
        counters.recomputed, cluster->came, cluster->came_bytes};
}

/* ---- Clocks ---------------------------------------------------------------- */

void cst_story_step(struct cst_cluster *cluster, uint64_t now_ns)
{
    uint64_t pause =
        cluster->answers < FIRST_ANSWERS ? FIRST_ASK_NS : (uint64_t)ASK_NS;
    struct cst_writer *out;

    if (!cluster->trace || cluster->is_master ||
        now_ns - cluster->asked_ns < pause)
        return;
    cluster->asked_ns = cst_clock_ns();
    out = cst_begin(cluster, CST_MESSAGE_CLOCK);
    cst_put_u64(out, cluster->asked_ns);
    cst_put_u64(out, 0);
    cst_cluster_send(cluster, CST_NET_MASTER);
}

static void note_answer(struct cst_cluster *cluster, uint64_t asked_ns,
                        uint64_t master_ns)
{
    uint64_t round_ns = cst_clock_ns() - asked_ns;
    const struct cst_trace_sync sync = {asked_ns + round_ns / 2, master_ns,
                                        round_ns};

    cluster->answers++;
    if (cluster->trace)
        cst_trace_sync(cluster->trace, &sync);
}

bool cst_story_clock(struct cst_cluster *cluster, uint32_t peer,
                     struct cst_reader *message)
{
    uint64_t asked_ns, master_ns;
    struct cst_writer *out;

    (void)cst_get_u8(message);
    asked_ns = cst_get_u64(message);
    master_ns = cst_get_u64(message);
    if (!cst_reader_done(message))
        return false;
    if (!cluster->is_master) {
        if (peer != CST_NET_MASTER)
            return false;
        note_answer(cluster, asked_ns, master_ns);
        return true;
    }
    out = cst_begin(cluster, CST_MESSAGE_CLOCK);
    cst_put_u64(out, asked_ns);
    cst_put_u64(out, cst_clock_ns());
    cst_cluster_send(cluster, peer);
    return true;
}
