/* open.c - make a mesh, as its master or by joining it, and close it. */
#include "net/open.h"

#include "base/built.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "conn/rundir.h"
#include "link/mpi.h"
#include "link/near.h"
#include "net/mesh.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CST_HEARTBEAT_NS (500 * CST_NS_PER_MS)
#define CST_DEAD_NS      (5 * CST_NS_PER_S)
#define CST_SHAKE_NS     (5 * CST_NS_PER_S)
#define CST_JOIN_NS      (60 * CST_NS_PER_S)
#define CST_SILENT_NS    (3 * CST_NS_PER_S)
#define CST_LOOK_NS      (50 * CST_NS_PER_MS) /* for file `master` */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value ? value : otherwise;
}

static enum castell_status check_options(const struct cst_net_options *options,
                                         const struct cst_mesh *mesh)
{
    if (!options->directory)
        return cst_fail(CASTELL_ERR_INVALID, "a run needs a directory");
    if (options->hello_size > CST_NET_HELLO_MAX)
        return cst_fail(CASTELL_ERR_INVALID,
                        "a hello of %zu bytes is longer than %d",
                        options->hello_size, CST_NET_HELLO_MAX);
    if (mesh->links.conns.dead_ns < 2 * mesh->heartbeat_ns)
        return cst_fail(CASTELL_ERR_INVALID,
                        "a process cannot be dead before two heartbeats");
    return CASTELL_OK;
}

/* The mesh's memory and descriptors. */
static enum castell_status fill(struct cst_mesh *mesh,
                                const struct cst_net_options *options)
{
    mesh->hello = cst_alloc(options->hello_size ? options->hello_size : 1);
    mesh->links.iovecs =
        cst_alloc(2 * (size_t)CST_IOVECS_MAX * sizeof(*mesh->links.iovecs));
    mesh->links.waste = cst_alloc(CST_WASTE_SIZE);
    mesh->directory = cst_strdup(options->directory);
    if (!mesh->hello || !mesh->links.iovecs || !mesh->links.waste ||
        !mesh->directory)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a net");
    if (options->hello_size)
        memcpy(mesh->hello, options->hello, options->hello_size);
    mesh->hello_size = options->hello_size;
    mesh->links.conns.epoll = epoll_create1(EPOLL_CLOEXEC);
    mesh->links.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mesh->links.conns.epoll < 0 || mesh->links.bell < 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "no descriptor for a net: %s",
                        cst_reason(errno));
    return CASTELL_OK;
}

static enum castell_status create(const struct cst_net_options *options,
                                  const struct cst_net_owner *owner,
                                  struct cst_mesh **ret_mesh)
{
    enum castell_status status;
    struct cst_mesh *mesh;

    if (sodium_init() < 0)
        return cst_fail(CASTELL_ERR_SYSTEM,
                        CST_BUILT_SODIUM
                            ? "libsodium cannot be used"
                            : "several processes need libsodium, which castell "
                              "was built without");
    mesh = cst_zalloc(sizeof(*mesh));
    if (!mesh)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a net");
    mesh->links.net.ops = &cst_mesh_ops;
    mesh->links.net.owner = *owner;
    mesh->links.net.self = CST_NET_NOBODY;
    mesh->links.hooks = &cst_mesh_hooks;
    mesh->links.conns.self = CST_NET_NOBODY;
    mesh->links.conns.log = owner->log;
    mesh->links.conns.log_owner = owner->owner;
    mesh->links.conns.closing = cst_near_close;
    mesh->links.conns.epoll = -1;
    mesh->links.bell = -1;
    mesh->links.conns.timer_ns = CST_NEVER;
    atomic_init(&mesh->wakeup_ns, CST_NEVER);
    mesh->heartbeat_ns = or_default(options->heartbeat_ns, CST_HEARTBEAT_NS);
    mesh->links.conns.dead_ns = or_default(options->dead_ns, CST_DEAD_NS);
    mesh->links.conns.shake_ns = or_default(options->shake_ns, CST_SHAKE_NS);
    mesh->links.silent_ns = or_default(options->silent_ns, CST_SILENT_NS);
    mesh->links.conns.now_ns = mesh->last_ns = cst_clock_ns();
    status = check_options(options, mesh);
    if (!status)
        status = fill(mesh, options);
    if (!status)
        status =
            cst_rundir_secret(options->directory, mesh->links.conns.secret);
    if (!status)
        status = cst_conn_listen(&mesh->links.conns, options->address);
    if (status) {
        cst_mesh_close(&mesh->links.net);
        return status;
    }
    if (options->shm)
        cst_near_start(&mesh->links);
    if (options->mpi)
        cst_mpi_start(&mesh->links, options->modules, options->mpi_shared);
    *ret_mesh = mesh;
    return CASTELL_OK;
}

enum castell_status cst_net_open(const struct cst_net_options *options,
                                 const struct cst_net_owner *owner,
                                 struct cst_net **ret_net)
{
    enum castell_status status;
    struct cst_mesh *mesh;

    status = create(options, owner, &mesh);
    if (status)
        return status;
    mesh->links.net.self = mesh->links.conns.self = CST_NET_MASTER;
    cst_mesh_set_stay(mesh, CST_STAY_IN);
    mesh->links.peers = cst_zalloc(16 * sizeof(struct cst_peer *));
    if (!mesh->links.peers) {
        cst_mesh_close(&mesh->links.net);
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a net");
    }
    mesh->links.peers_capacity = 16;
    mesh->links.peers_count = 1; /* number 0 is ours */
    status = cst_rundir_write(options->directory, &mesh->links.conns.where);
    if (status) {
        cst_mesh_close(&mesh->links.net);
        return status;
    }
    *ret_net = &mesh->links.net;
    return CASTELL_OK;
}

/* What a worker's owner would hear while it joins: it is told afterwards. */
static void ignore_over(void *owner, enum cst_net_over how, const char *why)
{
}

/* One step of joining: read where the master is and begin to connect. */
static enum castell_status look_for_master(struct cst_mesh *mesh, uint32_t turn)
{
    struct cst_where where;
    enum castell_status status = cst_rundir_read(mesh->directory, &where);

    if (status)
        return status;
    if (mesh->refusals > where.addresses_count)
        return cst_fail(CASTELL_ERR_UNSATISFIABLE, "%s", mesh->links.conns.why);
    mesh->control = cst_conn_connect(&mesh->links.conns, &where, turn,
                                     CST_LINK_CONTROL, CST_NET_MASTER);
    if (!mesh->control)
        return cst_fail(CASTELL_ERR_NODE_LOST, "the master cannot be reached");
    return CASTELL_OK;
}

/* Poll until joined, refused, or out of time. */
static enum castell_status join(struct cst_mesh *mesh, uint64_t deadline_ns)
{
    uint64_t look_ns = 0;
    uint32_t turn = 0;

    for (;;) {
        enum castell_status status = CASTELL_OK;

        (void)cst_net_poll(&mesh->links.net);
        if (mesh->stay == CST_STAY_IN)
            return CASTELL_OK;
        if (mesh->stay == CST_STAY_OVER)
            return cst_fail(CASTELL_ERR_UNSATISFIABLE, "%s",
                            mesh->links.conns.why);
        if (!mesh->control && mesh->links.conns.now_ns >= look_ns) {
            status = look_for_master(mesh, turn++);
            look_ns = mesh->links.conns.now_ns + CST_LOOK_NS;
        }
        if (status == CASTELL_ERR_INVALID ||
            status == CASTELL_ERR_UNSATISFIABLE)
            return status;
        if (status)
            cst_conns_why(&mesh->links.conns, "%s", castell_error_text());
        if (mesh->links.conns.now_ns >= deadline_ns)
            return cst_fail(CASTELL_ERR_NODE_LOST,
                            "there is no master of run %s: %s", mesh->directory,
                            mesh->links.conns.why);
        (void)cst_net_sleep(&mesh->links.net, CST_LOOK_NS);
    }
}

enum castell_status cst_net_join(const struct cst_net_options *options,
                                 const struct cst_net_owner *owner,
                                 struct cst_net **ret_net)
{
    uint64_t join_ns = or_default(options->join_ns, CST_JOIN_NS);
    enum castell_status status;
    struct cst_mesh *mesh;

    status = create(options, owner, &mesh);
    if (status)
        return status;
    cst_mesh_set_stay(mesh, CST_STAY_JOINING);
    mesh->links.net.owner.over = ignore_over;
    status = join(mesh, mesh->links.conns.now_ns + join_ns);
    mesh->links.net.owner.over = owner->over;
    /* It was welcome, and in the same breath told to go: it has been in. */
    if (status && mesh->stay == CST_STAY_OVER &&
        mesh->links.net.self != CST_NET_NOBODY) {
        owner->over(owner->owner, mesh->over, mesh->links.conns.why);
        status = CASTELL_OK;
    }
    if (status) {
        cst_mesh_close(&mesh->links.net);
        return status;
    }
    *ret_net = &mesh->links.net;
    return CASTELL_OK;
}

/* The end of a run: its workers are to go. */
static void dismiss(struct cst_mesh *mesh)
{
    for (uint32_t i = 0; i < mesh->links.peers_count; i++) {
        struct cst_peer *peer = mesh->links.peers[i];

        if (!peer || !peer->control)
            continue;
        cst_put_news(&peer->control->out, CST_SEGMENT_GO, 0,
                     CST_NET_OVER_SENT_AWAY, "the run is over");
        (void)cst_conn_flush(&mesh->links.conns, peer->control);
    }
}

void cst_mesh_close(struct cst_net *net)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;

    if (mesh->links.net.self == CST_NET_MASTER)
        dismiss(mesh);
    cst_mesh_set_stay(mesh, CST_STAY_OVER); /* calls nobody back */
    for (uint32_t i = 0; i < mesh->links.peers_count; i++) {
        struct cst_peer *peer = mesh->links.peers[i];

        if (!peer)
            continue;
        if (peer->link)
            cst_link_destroy(&mesh->links, peer->link);
        cst_free(peer->about);
        cst_free(peer);
    }
    while (mesh->links.conns.first)
        cst_conn_close(&mesh->links.conns, mesh->links.conns.first);
    cst_conn_sweep(&mesh->links.conns);
    cst_mpi_stop(&mesh->links);
    cst_near_stop(&mesh->links);
    if (mesh->links.conns.epoll >= 0)
        close(mesh->links.conns.epoll);
    if (mesh->links.bell >= 0)
        close(mesh->links.bell);
    sodium_memzero(mesh->links.conns.secret, sizeof(mesh->links.conns.secret));
    cst_free(mesh->links.peers);
    cst_free(mesh->hello);
    cst_free(mesh->links.iovecs);
    cst_free(mesh->links.waste);
    cst_free(mesh->directory);
    cst_free(mesh);
}
