/*
 * net_internal.h - what a net is made of: the table of what it does.
 *
 * Layer: net, private to it. A *mesh* is the real net (mesh.h), a *hub* has those
 * of one process (loopback.c).
 */
#ifndef CST_NET_NET_INTERNAL_H
#define CST_NET_NET_INTERNAL_H

#include "net/net.h"

/* What a net must do; net.h says what that means. */
struct cst_net_ops {
    void (*close)(struct cst_net *net);
    uint32_t (*poll)(struct cst_net *net);
    const _Atomic(uint32_t) *(*mail)(const struct cst_net *net);
    bool (*doze)(struct cst_net *net);
    bool (*sleep)(struct cst_net *net, uint64_t timeout_ns);
    void (*attend)(struct cst_net *net, bool begins);
    bool (*nudge)(struct cst_net *net, uint32_t peer);
    void (*wake)(struct cst_net *net);
    void (*leave)(struct cst_net *net);
    void (*expel)(struct cst_net *net, uint32_t peer, const char *why);
    enum castell_status (*send)(struct cst_net *net, uint32_t peer,
                                const void *header, size_t header_size,
                                const struct cst_net_payload *payload);
    void (*flush)(struct cst_net *net);
    bool (*counts)(const struct cst_net *net, uint32_t peer,
                   struct cst_net_counts *ret_counts);
    bool (*rank)(const struct cst_net *net, uint32_t peer,
                 uint32_t *ret_rank); /* NULL: none has one */
};

#endif
