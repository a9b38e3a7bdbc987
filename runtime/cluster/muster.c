/*
 * Who runs a task of several nodes, as the master tells them.
 */
#include "base/memory.h"
#include "cluster/cluster_internal.h"

#include <stdio.h>
#include <string.h>

void cst_order_berth(void *cluster_, uint32_t node, uint64_t id,
                     uint32_t attempt,
                     const struct castell_constraint *constraint)
{
    struct cst_cluster *cluster = cluster_;
    struct cst_message_berth berth = {id, attempt, *constraint};

    cst_put_berth(cst_begin(cluster, CST_MESSAGE_BERTH), &berth);
    cst_order_give(cluster, node);
}

/* "a:2,b:1": each host once, the lead's first. */
static void put_hosts(struct cst_cluster *cluster, struct cst_writer *text,
                      const uint32_t *numbers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *name = cst_member_name(cluster, numbers[i]);
        uint32_t here = 0;
        bool first = true;
        char slots[16];

        for (uint32_t j = 0; j < count; j++) {
            bool same = strcmp(cst_member_name(cluster, numbers[j]), name) == 0;

            here += same;
            first = first && (j >= i || !same);
        }
        if (!first)
            continue;
        (void)snprintf(slots, sizeof(slots), ":%u", here);
        if (i > 0)
            cst_put_raw(text, ",", 1);
        cst_put_raw(text, name, strlen(name));
        cst_put_raw(text, slots, strlen(slots));
    }
}

/* The ranks of all, where each is a worker that shares an MPI world with us that
   has lost nobody, and can use it from a body. The master is none of them: it
   could not end. */
static bool put_ranks(struct cst_cluster *cluster, struct cst_writer *ranks,
                      const uint32_t *numbers, uint32_t count)
{
    uint32_t rank;

    if (!cluster->options.gangs_inside || cst_net_exit_hard() ||
        !cst_gang_may_join())
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (numbers[i] == CST_NET_MASTER ||
            !cst_net_rank(cluster->net, numbers[i], &rank)) {
            cst_writer_clear(ranks);
            return false;
        }
        cst_put_u32(ranks, rank);
    }
    return true;
}

/* All of its nodes, the lead first; NULL: no memory. */
static uint32_t *all_of(const struct cst_plan_muster *muster, uint32_t lead)
{
    uint32_t *numbers =
        cst_alloc((muster->others_count + 1) * sizeof(*numbers));

    if (!numbers)
        return NULL;
    numbers[0] = lead;
    memcpy(numbers + 1, muster->others,
           muster->others_count * sizeof(*numbers));
    return numbers;
}

void cst_order_muster(void *cluster_, uint32_t node,
                      const struct cst_plan_muster *muster)
{
    struct cst_cluster *cluster = cluster_;
    struct cst_message_muster message = {
        .id = muster->id,
        .attempt = muster->attempt,
        .nodes = muster->others_count + 1,
    };
    uint32_t *numbers = all_of(muster, node);
    struct cst_writer hosts = {0};
    struct cst_writer ranks = {0};
    bool inside = false;

    if (numbers) {
        put_hosts(cluster, &hosts, numbers, message.nodes);
        inside = muster->inside &&
                 put_ranks(cluster, &ranks, numbers, message.nodes);
    }
    if (!numbers || hosts.bad || ranks.bad)
        cst_engine_fail(cluster->engine, CASTELL_ERR_NO_MEMORY,
                        "no memory to start a task of several nodes");
    message.hosts = (const char *)hosts.bytes;
    message.hosts_size = hosts.size;
    message.ranks = ranks.bytes;
    message.ranks_size = ranks.size;
    cst_put_muster(cst_begin(cluster, CST_MESSAGE_MUSTER), &message);
    cst_order_give(cluster, node);
    for (uint32_t i = 0; inside && i < muster->others_count; i++) {
        cst_put_muster(cst_begin(cluster, CST_MESSAGE_JOIN), &message);
        cst_order_give(cluster, muster->others[i]);
    }
    cst_writer_release(&ranks);
    cst_writer_release(&hosts);
    cst_free(numbers);
}
