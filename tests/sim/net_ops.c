/*
 * A net, as a process sees it, and the clock: what the linker puts in the place
 * of the real ones.
 */
#include "base/fail.h"
#include "sim/net.h"

#include <stdlib.h>

/* ---- The table of a net -------------------------------------------------------------- */

static uint32_t net_poll(struct cst_net *cst_net)
{
    struct sim_net *net = (struct sim_net *)(void *)cst_net;

    net->net.told = 0;
    if (net->due && sim_letter_is_due(net->sim, net->due_from, net->net.self,
                                      net->due_lane))
        sim_letter_deliver(net, net->due_from, net->due_lane);
    net->due = false;
    return net->net.told;
}

static enum castell_status net_send(struct cst_net *cst_net, uint32_t peer,
                                    const void *header, size_t header_size,
                                    const struct cst_net_payload *payload)
{
    struct sim_net *net = (struct sim_net *)(void *)cst_net;
    struct sim *sim = net->sim;
    uint32_t self = net->net.self;
    struct sim_letter *letter;

    if (peer >= sim->nodes_count || net->gone[peer] || net->over ||
        !sim->nodes[self]->alive)
        return cst_fail(CASTELL_ERR_NODE_LOST, "process %u is not in the run",
                        peer);
    letter = sim_letter_new(LETTER_MESSAGE, header, header_size);
    if (sim->nodes[peer]->net->gone[self]) { /* it does not listen to us */
        free(letter);
        return CASTELL_OK;
    }
    if (payload) {
        letter->has_payload = true;
        letter->from = payload->from;
        letter->cookie = payload->cookie;
    }
    sim_letter_put(
        sim, &sim->lanes[self][peer][payload ? LANE_PAYLOADS : LANE_MESSAGES],
        letter);
    return CASTELL_OK;
}

static void net_leave(struct cst_net *cst_net)
{
    ((struct sim_net *)(void *)cst_net)->leaves = true;
}

static void net_expel(struct cst_net *cst_net, uint32_t peer, const char *why)
{
    (void)peer;
    (void)why;
    sim_wrong(((struct sim_net *)(void *)cst_net)->sim, "a node is expelled");
}

static bool net_counts(const struct cst_net *cst_net, uint32_t peer,
                       struct cst_net_counts *ret_counts)
{
    const struct sim_net *net = (const struct sim_net *)(const void *)cst_net;

    (void)peer;
    *ret_counts = (struct cst_net_counts){
        .carrier = net->sim->by_mpi ? "mpi" : "loopback"};
    return true;
}

static bool net_doze(struct cst_net *cst_net)
{
    (void)cst_net;
    return true;
}

static bool net_sleep(struct cst_net *cst_net, uint64_t timeout_ns)
{
    (void)cst_net;
    (void)timeout_ns;
    return false;
}

static void net_nothing(struct cst_net *cst_net)
{
    (void)cst_net;
}

static void net_close(struct cst_net *cst_net)
{
    free(cst_net);
}

static const struct cst_net_ops net_ops = {
    .close = net_close,
    .poll = net_poll,
    .doze = net_doze,
    .sleep = net_sleep,
    .wake = net_nothing,
    .leave = net_leave,
    .expel = net_expel,
    .send = net_send,
    .flush = net_nothing,
    .counts = net_counts,
};

/* ---- What the linker puts in the place of the real ones ------------------------------ */

static enum castell_status open_net(const struct cst_net_options *options,
                                    const struct cst_net_owner *owner,
                                    struct cst_net **ret_net)
{
    struct sim *sim = sim_now;
    struct sim_node *node = sim->starting;
    struct sim_net *net = calloc(1, sizeof(*net));
    char why[CST_NET_WHY_MAX];

    if (!net)
        abort();
    net->net.ops = &net_ops;
    net->net.owner = *owner;
    net->net.self = node->number;
    net->sim = sim;
    node->net = net;
    *ret_net = &net->net;
    if (node->number > 0) {
        struct cst_net_owner *master = &sim->nodes[0]->net->net.owner;
        struct sim_letter *letter =
            sim_letter_new(LETTER_JOINED, options->hello, options->hello_size);

        if (!master->admit(master->owner, options->hello, options->hello_size,
                           why))
            sim_wrong(sim, "a node is not admitted");
        letter->about = node->number;
        sim_letter_put(sim, &sim->lanes[0][0][LANE_NEWS], letter);
    }
    return CASTELL_OK;
}

enum castell_status __wrap_cst_net_open(const struct cst_net_options *options,
                                        const struct cst_net_owner *owner,
                                        struct cst_net **ret_net);
enum castell_status __wrap_cst_net_join(const struct cst_net_options *options,
                                        const struct cst_net_owner *owner,
                                        struct cst_net **ret_net);
uint64_t __wrap_cst_clock_ns(void);

enum castell_status __wrap_cst_net_open(const struct cst_net_options *options,
                                        const struct cst_net_owner *owner,
                                        struct cst_net **ret_net)
{
    return open_net(options, owner, ret_net);
}

enum castell_status __wrap_cst_net_join(const struct cst_net_options *options,
                                        const struct cst_net_owner *owner,
                                        struct cst_net **ret_net)
{
    return open_net(options, owner, ret_net);
}

uint64_t __wrap_cst_clock_ns(void)
{
    return sim_now->now_ns;
}
