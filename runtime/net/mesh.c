/* mesh.c - the real net: what happens in a poll, and how it sleeps. */
#include "net/mesh.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/thread.h"
#include "net/mpi.h"
#include "net/open.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CST_EVENTS = 64 };

/* ---- A poll --------------------------------------------------------------------- */

/* A handshake that came to nothing: mesh->why. */
static void stranger_failed(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (!conn->outgoing)
        cst_conn_close(mesh, conn);
    else if (conn->shake.hello.kind == CST_LINK_CONTROL)
        cst_member_failed(mesh, conn);
    else
        cst_connect_failed(mesh, conn);
}

/* It has shown that it knows the secret; there may be more to read already. */
static void stranger_proven(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (conn->shake.hello.kind == CST_LINK_DATA) {
        cst_connect_take(mesh, conn);
        if (conn->what == CST_CONN_DATA)
            cst_tcp_read(mesh, conn);
    } else if (conn->outgoing) {
        cst_member_take(mesh, conn);
    } else if (mesh->net.self == CST_NET_MASTER) {
        cst_master_take(mesh, conn);
    } else {
        cst_shake_refuse(mesh, conn, "this is not the master");
    }
}

/* A connection of ours is there, or is not going to be. */
static bool finish_connecting(struct cst_mesh *mesh, struct cst_conn *conn)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size))
        error = errno;
    if (error) {
        cst_mesh_why(mesh, "%s cannot be reached: %s", conn->who,
                     cst_reason(error));
        return false;
    }
    cst_shake_begin(mesh, conn);
    return cst_conn_flush(mesh, conn);
}

static void stranger_event(struct cst_mesh *mesh, struct cst_conn *conn)
{
    int step = 0;

    if (conn->connecting && !finish_connecting(mesh, conn)) {
        stranger_failed(mesh, conn);
        return;
    }
    if (cst_conn_read(mesh, conn) < 0) {
        stranger_failed(mesh, conn);
        return;
    }
    while (conn->in_end > conn->in_begin && step == 0) {
        size_t before = conn->in_begin;

        step = cst_shake_step(mesh, conn);
        if (step == 0 && conn->in_begin == before)
            break;
    }
    if (step < 0 || !cst_conn_flush(mesh, conn))
        stranger_failed(mesh, conn);
    else if (step > 0)
        stranger_proven(mesh, conn);
}

static void conn_event(struct cst_mesh *mesh, struct cst_conn *conn,
                       uint32_t events)
{
    switch (conn->what) {
    case CST_CONN_LISTENER:
        cst_conn_accept(mesh);
        break;
    case CST_CONN_STRANGER:
        stranger_event(mesh, conn);
        break;
    case CST_CONN_CONTROL:
        if (mesh->net.self == CST_NET_MASTER)
            cst_master_read(mesh, conn);
        else
            cst_member_read(mesh, conn);
        /* One that has broken shows when it is read. */
        if (conn->what == CST_CONN_CONTROL)
            (void)cst_conn_flush(mesh, conn);
        break;
    case CST_CONN_DATA:
        if (events & ~(uint32_t)EPOLLOUT)
            cst_tcp_read(mesh, conn);
        if (conn->what == CST_CONN_DATA && (events & EPOLLOUT))
            cst_tcp_push(mesh, conn->peer->link);
        break;
    case CST_CONN_CLOSED:
    default:
        break;
    }
}

static void stranger_late(struct cst_mesh *mesh, struct cst_conn *conn)
{
    cst_mesh_why(mesh,
                 "%s did not show in time that it knows this run's secret",
                 conn->who);
    if (!conn->outgoing)
        cst_mesh_tell(mesh, CST_TELL_SLOW, "a process at %s: closed",
                      mesh->why);
    stranger_failed(mesh, conn);
}

/* A control connection: say that we live, and look whether the other side does. */
static void beat(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (mesh->now_ns - conn->heard_ns > mesh->dead_ns) {
        cst_mesh_why(mesh, "nothing was heard of it for %.1f s",
                     (double)(mesh->now_ns - conn->heard_ns) / 1e9);
        if (conn == mesh->control)
            cst_member_lost(mesh, mesh->why);
        else if (conn->peer)
            cst_master_end(mesh, conn->peer, CST_NET_DIED, mesh->why);
        return;
    }
    if (mesh->now_ns - conn->spoke_ns >= mesh->heartbeat_ns) {
        if (conn->out.size == 0)
            cst_segment_empty(&conn->out, CST_SEGMENT_BEAT);
        conn->spoke_ns = mesh->now_ns;
        (void)cst_conn_flush(mesh, conn);
    }
    cst_mesh_timer(mesh, conn->spoke_ns + mesh->heartbeat_ns);
}

static void conn_timer(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (conn->deadline_ns && mesh->now_ns >= conn->deadline_ns) {
        if (conn->what == CST_CONN_STRANGER)
            stranger_late(mesh, conn);
        else
            cst_conn_close(mesh, conn);
        return;
    }
    if (conn->deadline_ns)
        cst_mesh_timer(mesh, conn->deadline_ns);
    if (conn->what == CST_CONN_CONTROL && mesh->stay != CST_STAY_JOINING)
        beat(mesh, conn);
}

static void run_timers(struct cst_mesh *mesh)
{
    struct cst_conn *next;

    mesh->timer_ns = CST_NEVER;
    for (struct cst_conn *conn = mesh->conns; conn; conn = next) {
        next = conn->next;
        conn_timer(mesh, conn);
        if (mesh->stay == CST_STAY_OVER)
            return;
        /* Ending a peer may have closed more than this one: begin anew. */
        if (next && next->what == CST_CONN_CLOSED)
            next = mesh->conns;
    }
    if (mesh->listen_again_ns && mesh->now_ns >= mesh->listen_again_ns) {
        struct epoll_event event = {.events = EPOLLIN,
                                    .data.ptr = mesh->listener};

        mesh->listen_again_ns = 0;
        (void)epoll_ctl(mesh->epoll, EPOLL_CTL_MOD, mesh->listener->fd, &event);
    } else if (mesh->listen_again_ns) {
        cst_mesh_timer(mesh, mesh->listen_again_ns);
    }
    for (uint32_t i = 0; i < mesh->peers_count; i++)
        if (mesh->peers[i] && mesh->peers[i]->link)
            cst_connect_timer(mesh, mesh->peers[i]->link);
}

/* We ourselves were stopped, or busy: nobody was silent but us. */
static void forgive(struct cst_mesh *mesh)
{
    for (struct cst_conn *conn = mesh->conns; conn; conn = conn->next) {
        conn->heard_ns = mesh->now_ns;
        if (conn->deadline_ns)
            conn->deadline_ns = mesh->now_ns + mesh->shake_ns;
    }
}

/* What the owner asked for while it was called back. */
static void run_wishes(struct cst_mesh *mesh)
{
    if (mesh->expels) {
        mesh->expels = false;
        for (uint32_t i = 0; i < mesh->peers_count; i++) {
            struct cst_peer *peer = mesh->peers[i];

            if (peer && peer->state == CST_PEER_IN && *peer->about->sent_away)
                cst_master_end(mesh, peer, CST_NET_SENT_AWAY,
                               peer->about->sent_away);
        }
    }
    if (mesh->wants_to_leave && mesh->stay == CST_STAY_IN) {
        mesh->stay = CST_STAY_LEAVING;
        for (uint32_t i = 0; i < mesh->peers_count; i++)
            if (mesh->peers[i] && mesh->peers[i]->link) {
                mesh->peers[i]->link->probes = true;
                cst_link_touch(mesh, mesh->peers[i]->link);
            }
        cst_member_leave(mesh);
    }
}

/* Let who sleeps know of a deadline that is sooner than it thought. */
static void set_wakeup(struct cst_mesh *mesh)
{
    uint64_t before_ns =
        atomic_load_explicit(&mesh->wakeup_ns, memory_order_relaxed);

    if (mesh->mpi)
        atomic_store_explicit(&mesh->restless, cst_mpi_restless(mesh->mpi),
                              memory_order_relaxed);
    if (mesh->timer_ns == before_ns)
        return;
    atomic_store(&mesh->wakeup_ns, mesh->timer_ns);
    if (mesh->timer_ns < before_ns && !mesh->polling)
        cst_net_wake(&mesh->net);
}

/* With MPI about, a look at the sockets would be the dearest part of a poll. */
static void poll_sockets(struct cst_mesh *mesh)
{
    struct epoll_event events[CST_EVENTS];
    int count;

    if (mesh->mpi) {
        if (mesh->now_ns - mesh->mpi->epoll_ns < CST_MPI_EPOLL_NS)
            return;
        mesh->mpi->epoll_ns = mesh->now_ns;
    }
    count = epoll_wait(mesh->epoll, events, CST_EVENTS, 0);
    for (int i = 0; i < count && mesh->stay != CST_STAY_OVER; i++)
        conn_event(mesh, events[i].data.ptr, events[i].events);
}

static uint32_t mesh_poll(struct cst_net *net)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;

    net->told = 0;
    if (mesh->stay == CST_STAY_OVER)
        return 0;
    mesh->polling = true;
    mesh->now_ns = cst_clock_ns();
    if (mesh->now_ns - mesh->last_ns > mesh->dead_ns / 2)
        forgive(mesh);
    mesh->last_ns = mesh->now_ns;
    poll_sockets(mesh);
    if (mesh->mpi && mesh->stay != CST_STAY_OVER)
        cst_mpi_poll(mesh);
    if (mesh->stay != CST_STAY_OVER && mesh->now_ns >= mesh->timer_ns)
        run_timers(mesh);
    if (mesh->stay != CST_STAY_OVER)
        run_wishes(mesh);
    if (mesh->stay != CST_STAY_OVER)
        cst_link_push_all(mesh);
    cst_conn_sweep(mesh);
    set_wakeup(mesh);
    mesh->polling = false;
    return net->told;
}

/* ---- Sleep ------------------------------------------------------------------------ */

static void mesh_flush(struct cst_net *net)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;

    if (mesh->stay == CST_STAY_OVER)
        return;
    cst_link_push_all(mesh);
    set_wakeup(mesh);
}

static bool mesh_doze(struct cst_net *net)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;

    if (mesh->mpi && mesh->stay != CST_STAY_OVER)
        cst_mpi_doze(mesh);
    mesh_flush(net);
    return true;
}

static void mesh_wake(struct cst_net *net)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;
    uint64_t one = 1;

    atomic_store(&mesh->rung, true);
    if (atomic_load(&mesh->asleep) &&
        write(mesh->bell, &one, sizeof(one)) != sizeof(one))
        return; /* it is full: rung already */
}

static void mesh_sleep(struct cst_net *net, uint64_t timeout_ns)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;
    struct pollfd files[2] = {{.fd = mesh->epoll, .events = POLLIN},
                              {.fd = mesh->bell, .events = POLLIN}};
    uint64_t deadline_ns =
        atomic_load_explicit(&mesh->wakeup_ns, memory_order_relaxed);
    uint64_t now_ns = cst_clock_ns();
    struct timespec timeout;
    uint64_t count;

    if (deadline_ns <= now_ns)
        return;
    if (atomic_load_explicit(&mesh->restless, memory_order_relaxed) &&
        timeout_ns > CST_MPI_NAP_NS)
        timeout_ns = CST_MPI_NAP_NS;
    if (deadline_ns - now_ns < timeout_ns)
        timeout_ns = deadline_ns - now_ns;
    if (timeout_ns > CST_NS_PER_S * 3600)
        timeout_ns = CST_NS_PER_S * 3600;
    timeout.tv_sec = (time_t)(timeout_ns / CST_NS_PER_S);
    timeout.tv_nsec = (long)(timeout_ns % CST_NS_PER_S);
    atomic_store(&mesh->asleep, true);
    if (!atomic_load(&mesh->rung))
        (void)ppoll(files, 2, &timeout, NULL);
    atomic_store(&mesh->asleep, false);
    atomic_store(&mesh->rung, false);
    if (read(mesh->bell, &count, sizeof(count)) < 0)
        return; /* nobody has rung */
}

/* ---- The rest of the table ---------------------------------------------------------- */

static void mesh_leave(struct cst_net *net)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;

    mesh->wants_to_leave = true;
    if (!mesh->polling && mesh->stay != CST_STAY_OVER)
        run_wishes(mesh);
}

static void mesh_expel(struct cst_net *net, uint32_t number, const char *why)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;
    struct cst_peer *peer = cst_mesh_peer(mesh, number);

    if (!peer || peer->state != CST_PEER_IN || *peer->about->sent_away)
        return;
    (void)snprintf(peer->about->sent_away, sizeof(peer->about->sent_away), "%s",
                   *why ? why : "it was sent away");
    mesh->expels = true;
    if (!mesh->polling)
        run_wishes(mesh);
}

static enum castell_status mesh_send(struct cst_net *net, uint32_t number,
                                     const void *header, size_t header_size,
                                     const struct cst_net_payload *payload)
{
    struct cst_mesh *mesh = (struct cst_mesh *)net;
    struct cst_peer *peer = cst_mesh_peer(mesh, number);
    struct cst_link *link;

    if (!peer || peer->state != CST_PEER_IN || mesh->stay == CST_STAY_OVER)
        return cst_fail(CASTELL_ERR_NODE_LOST, "process %u is not in the run",
                        number);
    link = cst_link_get(peer);
    if (!link)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a link");
    return cst_link_send(mesh, link, header, header_size, payload);
}

/* The messages of a stream that are not acknowledged. */
static uint64_t count_stream(const struct cst_stream *stream)
{
    uint64_t messages = 0;

    for (uint64_t at = stream->acked; at < stream->end; messages++)
        at = cst_stream_cut(stream, at, 1);
    return messages;
}

static bool mesh_counts(const struct cst_net *net, uint32_t number,
                        struct cst_net_counts *ret_counts)
{
    const struct cst_peer *peer =
        cst_mesh_peer((const struct cst_mesh *)net, number);
    const struct cst_link *link;

    if (!peer)
        return false;
    *ret_counts = peer->counts;
    link = peer->link;
    if (!link)
        return true;
    *ret_counts = link->counts;
    if (!ret_counts->carrier)
        ret_counts->carrier = "none";
    ret_counts->unacknowledged = count_stream(&link->out);
    for (struct cst_bulk_out *bulk = link->bulk_first; bulk; bulk = bulk->next)
        ret_counts->unacknowledged++;
    return true;
}

const struct cst_net_ops cst_mesh_ops = {
    .close = cst_mesh_close,
    .poll = mesh_poll,
    .doze = mesh_doze,
    .sleep = mesh_sleep,
    .wake = mesh_wake,
    .leave = mesh_leave,
    .expel = mesh_expel,
    .send = mesh_send,
    .flush = mesh_flush,
    .counts = mesh_counts,
};
