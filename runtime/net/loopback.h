/*
 * loopback.h - a run in one process: nets that reach each other through memory.
 *
 * Layer: net.
 *
 * Owner: one thread for the hub and all its nets.
 *
 * For tests and simulations. Who opens first is the master. Everything is
 * deterministic: a poll delivers what has come, in the order of sending, and
 * nothing happens between polls. There is no clock here: nobody is silent too
 * long, a death is said.
 */
#ifndef CST_NET_LOOPBACK_H
#define CST_NET_LOOPBACK_H

#include "net/net.h"

struct cst_net_hub;

CASTELL_MUST_CHECK enum castell_status
cst_net_hub_create(struct cst_net_hub **ret_hub);

/* After all its nets are closed. NULL is allowed. */
void cst_net_hub_destroy(struct cst_net_hub *hub);

/*
 * Open one more net at the hub. Of the options it uses the hello. Fails as
 * cst_net_open() and cst_net_join() do; the master's owner is asked at once.
 */
CASTELL_MUST_CHECK enum castell_status
cst_net_hub_open(struct cst_net_hub *hub, const struct cst_net_options *options,
                 const struct cst_net_owner *owner, struct cst_net **ret_net);

/*
 * That process dies now: what it has not flushed is lost, its memory is read
 * and written no more, and the others hear gone() at their next poll. Its net
 * may only be closed.
 */
void cst_net_hub_kill(struct cst_net_hub *hub, uint32_t peer, const char *why);

#endif
