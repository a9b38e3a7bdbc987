/* hub.c - where the nets of one process meet. */
#include "base/fail.h"
#include "base/memory.h"
#include "net/loopback_internal.h"

enum castell_status cst_net_hub_create(struct cst_net_hub **ret_hub)
{
    struct cst_net_hub *hub = cst_zalloc(sizeof(*hub));

    if (!hub)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a hub");
    *ret_hub = hub;
    return CASTELL_OK;
}

void cst_net_hub_destroy(struct cst_net_hub *hub)
{
    CST_ASSERT(!hub || hub->open == 0);
    cst_free(hub);
}

static struct cst_loop *loop_create(const struct cst_net_options *options,
                                    const struct cst_net_owner *owner)
{
    struct cst_loop *loop = cst_zalloc(sizeof(*loop));

    if (!loop)
        return NULL;
    loop->hello = cst_alloc(options->hello_size + 1);
    loop->out = cst_alloc(CST_HUB_PEERS_MAX * sizeof(*loop->out));
    loop->counts = cst_zalloc(CST_HUB_PEERS_MAX * sizeof(*loop->counts));
    if (!loop->hello || !loop->out || !loop->counts) {
        cst_free(loop->hello);
        cst_free(loop->out);
        cst_free(loop->counts);
        cst_free(loop);
        return NULL;
    }
    for (uint32_t i = 0; i < CST_HUB_PEERS_MAX; i++)
        cst_mail_init(&loop->out[i]);
    cst_mail_init(&loop->in);
    if (options->hello_size)
        memcpy(loop->hello, options->hello, options->hello_size);
    loop->hello_size = options->hello_size;
    loop->net.ops = &cst_loop_ops;
    loop->net.owner = *owner;
    return loop;
}

/* May it join? The master's owner says. */
static enum castell_status ask_master(const struct cst_net_hub *hub,
                                      const struct cst_net_options *options)
{
    char why[CST_NET_WHY_MAX] = "the master does not want it";
    const struct cst_net_owner *owner;

    if (!hub->loops[CST_NET_MASTER])
        return cst_fail(CASTELL_ERR_NODE_LOST, "there is no master");
    owner = &hub->loops[CST_NET_MASTER]->net.owner;
    if (!owner->admit(owner->owner, options->hello, options->hello_size, why))
        return cst_fail(CASTELL_ERR_UNSATISFIABLE, "the master refused: %s",
                        why);
    return CASTELL_OK;
}

enum castell_status cst_net_hub_open(struct cst_net_hub *hub,
                                     const struct cst_net_options *options,
                                     const struct cst_net_owner *owner,
                                     struct cst_net **ret_net)
{
    enum castell_status status = CASTELL_OK;
    struct cst_loop *loop;

    if (hub->count == CST_HUB_PEERS_MAX)
        return cst_fail(CASTELL_ERR_LIMIT, "a hub has %d nets at most",
                        CST_HUB_PEERS_MAX);
    if (hub->count > 0)
        status = ask_master(hub, options);
    if (status)
        return status;
    loop = loop_create(options, owner);
    if (!loop)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a net");
    loop->hub = hub;
    loop->net.self = hub->count;
    for (uint32_t i = 0; i < hub->count; i++) {
        struct cst_loop *other = hub->loops[i];

        if (!other)
            continue;
        cst_hub_post(loop, CST_LETTER_JOINED, i, other->hello,
                     other->hello_size);
        cst_hub_post(other, CST_LETTER_JOINED, loop->net.self, loop->hello,
                     loop->hello_size);
    }
    hub->loops[hub->count++] = loop;
    hub->open++;
    *ret_net = &loop->net;
    return CASTELL_OK;
}
