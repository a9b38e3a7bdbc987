/* mesh.c - the real net: what happens in a poll. */
#include "net/mesh.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/thread.h"
#include "link/mpi.h"
#include "link/near.h"
#include "net/open.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { CST_EVENTS = 64 };

/* ---- A poll --------------------------------------------------------------------- */

/* A handshake that came to nothing: mesh->links.conns.why. */
static void stranger_failed(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (!conn->outgoing)
        cst_conn_close(&mesh->links.conns, conn);
    else if (conn->shake.hello.kind == CST_LINK_CONTROL)
        cst_member_failed(mesh, conn);
    else
        cst_connect_failed(&mesh->links, conn);
}

/* It has shown that it knows the secret; there may be more to read already. */
static void stranger_proven(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (conn->shake.hello.kind == CST_LINK_DATA) {
        cst_connect_take(&mesh->links, conn);
        if (conn->what == CST_CONN_DATA)
            cst_tcp_read(&mesh->links, conn);
    } else if (conn->outgoing) {
        cst_member_take(mesh, conn);
    } else if (mesh->links.net.self == CST_NET_MASTER) {
        cst_master_take(mesh, conn);
    } else {
        cst_shake_refuse(&mesh->links.conns, conn, "this is not the master");
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
        cst_conns_why(&mesh->links.conns, "%s cannot be reached: %s", conn->who,
                      cst_reason(error));
        return false;
    }
    cst_shake_begin(&mesh->links.conns, conn);
    return cst_conn_flush(&mesh->links.conns, conn);
}

static void stranger_event(struct cst_mesh *mesh, struct cst_conn *conn)
{
    int step = 0;

    if (conn->connecting && !finish_connecting(mesh, conn)) {
        stranger_failed(mesh, conn);
        return;
    }
    if (cst_conn_read(&mesh->links.conns, conn) < 0) {
        stranger_failed(mesh, conn);
        return;
    }
    while (conn->in_end > conn->in_begin && step == 0) {
        size_t before = conn->in_begin;

        step = cst_shake_step(&mesh->links.conns, conn);
        if (step == 0 && conn->in_begin == before)
            break;
    }
    if (step < 0 || !cst_conn_flush(&mesh->links.conns, conn))
        stranger_failed(mesh, conn);
    else if (step > 0)
        stranger_proven(mesh, conn);
}

static void conn_event(struct cst_mesh *mesh, struct cst_conn *conn,
                       uint32_t events)
{
    switch (conn->what) {
    case CST_CONN_LISTENER:
        cst_conn_accept(&mesh->links.conns, conn);
        break;
    case CST_CONN_STRANGER:
        stranger_event(mesh, conn);
        break;
    case CST_CONN_CONTROL:
        if (mesh->links.net.self == CST_NET_MASTER)
            cst_master_read(mesh, conn);
        else
            cst_member_read(mesh, conn);
        /* One that has broken shows when it is read. */
        if (conn->what == CST_CONN_CONTROL)
            (void)cst_conn_flush(&mesh->links.conns, conn);
        break;
    case CST_CONN_DATA:
        if (conn->reads_pipe)
            cst_near_event(&mesh->links, conn);
        else if (events & ~(uint32_t)EPOLLOUT)
            cst_tcp_read(&mesh->links, conn);
        if (conn->what == CST_CONN_DATA && (events & EPOLLOUT))
            cst_tcp_push(&mesh->links, conn->peer->link);
        break;
    case CST_CONN_CLOSED:
    default:
        break;
    }
}

static void stranger_late(struct cst_mesh *mesh, struct cst_conn *conn)
{
    cst_conns_why(&mesh->links.conns,
                  "%s did not show in time that it knows this run's secret",
                  conn->who);
    if (!conn->outgoing)
        cst_conns_tell(&mesh->links.conns, CST_TELL_SLOW,
                       "a process at %s: closed", mesh->links.conns.why);
    stranger_failed(mesh, conn);
}

/* A control connection: say that we live, and look whether the other side does. */
static void beat(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (mesh->links.conns.now_ns - conn->heard_ns > mesh->links.conns.dead_ns) {
        cst_conns_why(&mesh->links.conns, "nothing was heard of it for %.1f s",
                      (double)(mesh->links.conns.now_ns - conn->heard_ns) /
                          1e9);
        if (conn == mesh->control)
            cst_member_lost(mesh, mesh->links.conns.why);
        else if (conn->peer)
            cst_master_end(mesh, conn->peer, CST_NET_DIED,
                           mesh->links.conns.why);
        return;
    }
    if (mesh->links.conns.now_ns - conn->spoke_ns >= mesh->heartbeat_ns) {
        if (conn->out.size == 0)
            cst_segment_empty(&conn->out, CST_SEGMENT_BEAT);
        conn->spoke_ns = mesh->links.conns.now_ns;
        (void)cst_conn_flush(&mesh->links.conns, conn);
    }
    cst_conns_timer(&mesh->links.conns, conn->spoke_ns + mesh->heartbeat_ns);
}

static void conn_timer(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (conn->deadline_ns && mesh->links.conns.now_ns >= conn->deadline_ns) {
        if (conn->what == CST_CONN_STRANGER)
            stranger_late(mesh, conn);
        else
            cst_conn_close(&mesh->links.conns, conn);
        return;
    }
    if (conn->deadline_ns)
        cst_conns_timer(&mesh->links.conns, conn->deadline_ns);
    if (conn->what == CST_CONN_CONTROL && mesh->stay != CST_STAY_JOINING)
        beat(mesh, conn);
}

static void listen_again(const struct cst_mesh *mesh, struct cst_conn *listener)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};

    (void)epoll_ctl(mesh->links.conns.epoll, EPOLL_CTL_MOD, listener->fd,
                    &event);
}

static void run_timers(struct cst_mesh *mesh)
{
    struct cst_conn *next;

    mesh->links.conns.timer_ns = CST_NEVER;
    for (struct cst_conn *conn = mesh->links.conns.first; conn; conn = next) {
        next = conn->next;
        conn_timer(mesh, conn);
        if (mesh->stay == CST_STAY_OVER)
            return;
        /* Ending a peer may have closed more than this one: begin anew. */
        if (next && next->what == CST_CONN_CLOSED)
            next = mesh->links.conns.first;
    }
    if (mesh->links.conns.listen_again_ns &&
        mesh->links.conns.now_ns >= mesh->links.conns.listen_again_ns) {
        mesh->links.conns.listen_again_ns = 0;
        listen_again(mesh, mesh->links.conns.listener);
        if (mesh->links.conns.near_listener)
            listen_again(mesh, mesh->links.conns.near_listener);
    } else if (mesh->links.conns.listen_again_ns) {
        cst_conns_timer(&mesh->links.conns, mesh->links.conns.listen_again_ns);
    }
    for (uint32_t i = 0; i < mesh->links.peers_count; i++)
        if (mesh->links.peers[i] && mesh->links.peers[i]->link)
            cst_connect_timer(&mesh->links, mesh->links.peers[i]->link);
}

/* We ourselves were stopped, or busy: nobody was silent but us. */
static void forgive(struct cst_mesh *mesh)
{
    for (struct cst_conn *conn = mesh->links.conns.first; conn;
         conn = conn->next) {
        conn->heard_ns = mesh->links.conns.now_ns;
        if (conn->deadline_ns)
            conn->deadline_ns =
                mesh->links.conns.now_ns + mesh->links.conns.shake_ns;
    }
}

/* What the owner asked for while it was called back. */
static void run_wishes(struct cst_mesh *mesh)
{
    if (mesh->expels) {
        mesh->expels = false;
        for (uint32_t i = 0; i < mesh->links.peers_count; i++) {
            struct cst_peer *peer = mesh->links.peers[i];

            if (peer && peer->state == CST_PEER_IN && *peer->about->sent_away)
                cst_master_end(mesh, peer, CST_NET_SENT_AWAY,
                               peer->about->sent_away);
        }
    }
    if (mesh->wants_to_leave && mesh->stay == CST_STAY_IN) {
        cst_mesh_set_stay(mesh, CST_STAY_LEAVING);
        for (uint32_t i = 0; i < mesh->links.peers_count; i++)
            if (mesh->links.peers[i] && mesh->links.peers[i]->link) {
                mesh->links.peers[i]->link->probes = true;
                cst_link_touch(&mesh->links, mesh->links.peers[i]->link);
            }
        cst_member_leave(mesh);
    }
}

static bool has_mail(const struct cst_mesh *mesh)
{
    return mesh->links.box &&
           atomic_load_explicit(cst_shm_box_word(mesh->links.box),
                                memory_order_relaxed) != 0;
}

/* With MPI about, or when all that hurries comes through shared memory, a look
   at the sockets would be the dearest part of a poll; and while there is mail,
   for which somebody may have been woken, they wait once for the next one. */
static void poll_sockets(struct cst_mesh *mesh)
{
    struct epoll_event events[CST_EVENTS];
    int count;

    if (mesh->links.mpi || (mesh->links.piped && mesh->links.far == 0)) {
        if (mesh->links.conns.now_ns - mesh->epoll_ns < CST_EPOLL_NS)
            return;
        mesh->spares = !mesh->spares && has_mail(mesh);
        if (mesh->spares)
            return;
        mesh->epoll_ns = mesh->links.conns.now_ns;
    }
    count = epoll_wait(mesh->links.conns.epoll, events, CST_EVENTS, 0);
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
    mesh->links.conns.now_ns = cst_clock_ns();
    if (mesh->links.conns.now_ns - mesh->last_ns >
        mesh->links.conns.dead_ns / 2)
        forgive(mesh);
    mesh->last_ns = mesh->links.conns.now_ns;
    poll_sockets(mesh);
    if (mesh->links.box && mesh->stay != CST_STAY_OVER &&
        cst_shm_box_take(mesh->links.box))
        cst_near_poll(&mesh->links);
    if (mesh->links.mpi && mesh->stay != CST_STAY_OVER)
        cst_mpi_poll(&mesh->links);
    if (mesh->stay != CST_STAY_OVER &&
        mesh->links.conns.now_ns >= mesh->links.conns.timer_ns)
        run_timers(mesh);
    if (mesh->stay != CST_STAY_OVER)
        run_wishes(mesh);
    if (mesh->stay != CST_STAY_OVER)
        cst_link_push_all(&mesh->links);
    cst_conn_sweep(&mesh->links.conns);
    cst_mesh_set_wakeup(mesh);
    mesh->polling = false;
    return net->told;
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
    struct cst_peer *peer = cst_link_peer(&mesh->links, number);

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
    struct cst_peer *peer = cst_link_peer(&mesh->links, number);
    struct cst_link *link;

    /* Who has told us of it may have overtaken the news that it has come. */
    if (!peer && number < CST_NET_PEERS_MAX && net->self != CST_NET_MASTER &&
        (mesh->stay == CST_STAY_IN || mesh->stay == CST_STAY_LEAVING)) {
        peer = cst_mesh_expect_peer(mesh, number);
        if (!peer)
            return cst_fail(CASTELL_ERR_NO_MEMORY,
                            "no memory to know process %u", number);
    }
    if (!peer || peer->state == CST_PEER_GONE || mesh->stay == CST_STAY_OVER)
        return cst_fail(CASTELL_ERR_NODE_LOST, "process %u is not in the run",
                        number);
    link = cst_link_get(peer);
    if (!link)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a link");
    return cst_link_send(&mesh->links, link, header, header_size, payload);
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
        cst_link_peer(&((const struct cst_mesh *)net)->links, number);
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

static bool mesh_rank(const struct cst_net *net, uint32_t number,
                      uint32_t *ret_rank)
{
    const struct cst_links *links = &((const struct cst_mesh *)net)->links;
    const struct cst_peer *peer = cst_link_peer(links, number);

    return peer && cst_mpi_rank(links, peer, ret_rank);
}

const struct cst_net_ops cst_mesh_ops = {
    .close = cst_mesh_close,
    .poll = mesh_poll,
    .mail = cst_mesh_mail,
    .doze = cst_mesh_doze,
    .sleep = cst_mesh_sleep,
    .attend = cst_mesh_attend,
    .nudge = cst_mesh_nudge,
    .wake = cst_mesh_wake,
    .leave = mesh_leave,
    .expel = mesh_expel,
    .send = mesh_send,
    .flush = cst_mesh_flush,
    .counts = mesh_counts,
    .rank = mesh_rank,
};
