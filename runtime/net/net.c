/* net.c - what net.h promises, whatever kind of net it is. */
#include "net/net.h"

#include "base/fail.h"
#include "link/mpi.h"
#include "net/mesh.h"

void cst_net_leave(struct cst_net *net)
{
    CST_ASSERT(net->self != CST_NET_MASTER);
    net->ops->leave(net);
}

void cst_net_expel(struct cst_net *net, uint32_t peer, const char *why)
{
    CST_ASSERT(net->self == CST_NET_MASTER);
    net->ops->expel(net, peer, why);
}

void cst_net_close(struct cst_net *net)
{
    if (net)
        net->ops->close(net);
}

bool cst_net_exit_hard(void)
{
    return cst_mpi_exit_hard();
}

uint32_t cst_net_poll(struct cst_net *net)
{
    return net->ops->poll(net);
}

const _Atomic(uint32_t) *cst_net_mail(const struct cst_net *net)
{
    return net->ops->mail ? net->ops->mail(net) : NULL;
}

bool cst_net_doze(struct cst_net *net)
{
    return net->ops->doze(net);
}

bool cst_net_sleep(struct cst_net *net, uint64_t timeout_ns)
{
    return net->ops->sleep(net, timeout_ns);
}

bool cst_net_nudge(struct cst_net *net, uint32_t peer)
{
    return net->ops->nudge && net->ops->nudge(net, peer);
}

void cst_net_attend(struct cst_net *net, bool begins)
{
    if (net->ops->attend)
        net->ops->attend(net, begins);
}

void cst_net_wake(struct cst_net *net)
{
    net->ops->wake(net);
}

enum castell_status cst_net_send(struct cst_net *net, uint32_t peer,
                                 const void *header, size_t header_size,
                                 const struct cst_net_payload *payload)
{
    if (peer == net->self)
        return cst_fail(CASTELL_ERR_INVALID,
                        "process %u sends to itself, without need", peer);
    if (header_size > CST_NET_HEADER_MAX)
        return cst_fail(CASTELL_ERR_INVALID,
                        "a header of %zu bytes is longer than %d", header_size,
                        CST_NET_HEADER_MAX);
    if (payload && !cst_rows_valid(&payload->from))
        return cst_fail(CASTELL_ERR_INVALID, "a payload has no such rows");
    return net->ops->send(net, peer, header, header_size, payload);
}

void cst_net_flush(struct cst_net *net)
{
    net->ops->flush(net);
}

uint32_t cst_net_self(const struct cst_net *net)
{
    return net->self;
}

bool cst_net_rank(const struct cst_net *net, uint32_t peer, uint32_t *ret_rank)
{
    return net->ops->rank && net->ops->rank(net, peer, ret_rank);
}

bool cst_net_counts(const struct cst_net *net, uint32_t peer,
                    struct cst_net_counts *ret_counts)
{
    return net->ops->counts(net, peer, ret_counts);
}
