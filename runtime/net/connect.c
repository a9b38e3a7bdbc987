/* connect.c - get a connection for a link, and another when it breaks. */
#include "base/clock.h"
#include "net/mesh.h"
#include "net/mpi.h"

#define CST_WAIT_FIRST_NS (10 * CST_NS_PER_MS)
#define CST_WAIT_MOST_NS  (500 * CST_NS_PER_MS)
#define CST_CALL_NS       CST_NS_PER_S /* ask again after that */
#define CST_CONNECT_NS    (2 * CST_NS_PER_S)

/* Not now again: after a while that grows. */
static void postpone(struct cst_mesh *mesh, struct cst_link *link)
{
    link->wait_ns = link->wait_ns ? link->wait_ns * 2 : CST_WAIT_FIRST_NS;
    if (link->wait_ns > CST_WAIT_MOST_NS)
        link->wait_ns = CST_WAIT_MOST_NS;
    link->retry_ns = mesh->now_ns + link->wait_ns;
    cst_mesh_timer(mesh, link->retry_ns);
}

/* The younger of the two connects. */
static void attempt(struct cst_mesh *mesh, struct cst_link *link)
{
    struct cst_peer *peer = link->peer;

    link->attempt = cst_conn_connect(mesh, &peer->about->where, link->attempts,
                                     CST_LINK_DATA, peer->number);
    if (link->attempt) {
        link->attempt->peer = peer;
        if (link->attempt->deadline_ns > mesh->now_ns + CST_CONNECT_NS)
            link->attempt->deadline_ns = mesh->now_ns + CST_CONNECT_NS;
        cst_mesh_timer(mesh, link->attempt->deadline_ns);
        return;
    }
    link->attempts++;
    postpone(mesh, link);
}

/* The older asks it to, through the master. */
static void call(struct cst_mesh *mesh, struct cst_link *link)
{
    if (mesh->net.self == CST_NET_MASTER)
        cst_master_call(mesh, CST_NET_MASTER, link->peer->number);
    else
        cst_member_say(mesh, CST_SEGMENT_CALL, link->peer->number, "");
    link->retry_ns = mesh->now_ns + CST_CALL_NS;
    cst_mesh_timer(mesh, link->retry_ns);
}

void cst_connect_want(struct cst_mesh *mesh, struct cst_link *link)
{
    if (link->conn || link->attempt || link->peer->state != CST_PEER_IN)
        return;
    mesh->now_ns = cst_clock_ns();
    if (!link->broken_ns)
        link->broken_ns = mesh->now_ns;
    if (mesh->now_ns < link->retry_ns) {
        cst_mesh_timer(mesh, link->retry_ns);
        return;
    }
    if (mesh->net.self > link->peer->number)
        attempt(mesh, link);
    else
        call(mesh, link);
}

void cst_connect_called(struct cst_mesh *mesh, uint32_t number)
{
    struct cst_peer *peer = cst_mesh_peer(mesh, number);
    struct cst_link *link;

    if (!peer || peer->state != CST_PEER_IN || number > mesh->net.self)
        return;
    link = cst_link_get(peer);
    if (!link)
        return; /* it will ask again */
    if (link->conn && link->conn->linked &&
        mesh->now_ns - link->linked_ns > CST_CALL_NS / 2) {
        /* It sees no connection where we see one: that one is dead. */
        cst_mesh_why(mesh, "it asked for another connection");
        cst_connect_broken(mesh, link->conn);
        link->retry_ns = 0;
    }
    cst_connect_want(mesh, link);
}

void cst_connect_take(struct cst_mesh *mesh, struct cst_conn *conn)
{
    uint32_t number =
        conn->outgoing ? conn->shake.hello.to : conn->shake.hello.from;
    struct cst_peer *peer = cst_mesh_peer(mesh, number);
    struct cst_link *link;
    struct cst_marks marks;

    if (!peer) {
        cst_shake_refuse(mesh, conn, "you are not known here so far");
        return;
    }
    if (peer->state != CST_PEER_IN) {
        cst_shake_refuse(mesh, conn, "you are not in this run any more");
        return;
    }
    if (!conn->outgoing &&
        (conn->shake.hello.to != mesh->net.self || number <= mesh->net.self)) {
        cst_shake_refuse(mesh, conn, "that is not who is here");
        return;
    }
    link = cst_link_get(peer);
    if (!link) {
        cst_shake_refuse(mesh, conn, "no memory");
        return;
    }
    if (link->attempt == conn)
        link->attempt = NULL;
    if (link->conn) {
        cst_mesh_why(mesh, "another one replaced it");
        cst_connect_broken(mesh, link->conn);
    }
    cst_conn_admit(mesh, conn, CST_CONN_DATA, peer);
    link->conn = conn;
    marks = cst_link_marks(link);
    marks.mpi = cst_mpi_hope(mesh, link);
    cst_put_marks(&conn->out, CST_SEGMENT_LINK, &marks);
    cst_tcp_push(mesh, link);
}

/* The best that both have. */
static void choose_carrier(struct cst_mesh *mesh, struct cst_link *link,
                           bool other_may)
{
    struct cst_marks marks;

    if (!other_may || !cst_mpi_hope(mesh, link)) {
        cst_mpi_detach(mesh, link);
        link->carrier = &cst_tcp_carrier;
        link->counts.carrier = cst_tcp_carrier.name;
    } else if (!cst_mpi_attach(mesh, link)) {
        /* No memory, while the other side believes that we use it. */
        cst_mpi_detach(mesh, link);
        marks = cst_link_marks(link);
        cst_put_marks(&link->conn->out, CST_SEGMENT_CLOSED, &marks);
        cst_tcp_push(mesh, link);
    }
}

bool cst_connect_linked(struct cst_mesh *mesh, struct cst_conn *conn,
                        const struct cst_marks *marks)
{
    struct cst_link *link = conn->peer->link;

    if (conn->linked) {
        cst_mesh_why(mesh, "process %u sent garbage", conn->peer->number);
        return false;
    }
    conn->linked = true;
    link->linked_ns = mesh->now_ns;
    link->broken_ns = 0;
    link->wait_ns = 0;
    link->retry_ns = 0;
    if (!cst_link_acknowledge(mesh, link, marks))
        return false;
    cst_link_rewind(link);
    choose_carrier(mesh, link, marks->mpi);
    link->probes = mesh->stay == CST_STAY_LEAVING;
    cst_link_touch(mesh, link);
    return true;
}

void cst_connect_failed(struct cst_mesh *mesh, struct cst_conn *conn)
{
    struct cst_link *link = conn->peer ? conn->peer->link : NULL;

    cst_conn_close(mesh, conn);
    if (!link || link->attempt != conn)
        return;
    link->attempt = NULL;
    link->attempts++;
    postpone(mesh, link);
}

void cst_connect_broken(struct cst_mesh *mesh, struct cst_conn *conn)
{
    struct cst_link *link = conn->peer->link;

    cst_conn_close(mesh, conn);
    if (!link || link->conn != conn)
        return;
    link->conn = NULL;
    cst_mpi_detach(mesh, link);
    link->carrier = NULL;
    if (!link->broken_ns)
        link->broken_ns = mesh->now_ns;
    postpone(mesh, link);
}

/* Too long without a connection: the master decides who must go. */
static void complain(struct cst_mesh *mesh, struct cst_link *link)
{
    cst_mesh_tell(mesh, CST_TELL_BROKEN,
                  "process %u cannot connect to process %u", mesh->net.self,
                  link->peer->number);
    cst_member_say(mesh, CST_SEGMENT_CUT, link->peer->number, mesh->why);
    link->broken_ns = mesh->now_ns;
}

void cst_connect_timer(struct cst_mesh *mesh, struct cst_link *link)
{
    bool younger = mesh->net.self > link->peer->number;
    uint64_t patience_ns = 2 * mesh->dead_ns;

    cst_mpi_timer(mesh, link);
    /* The younger keeps a connection that once was there: the other side may
       have something to send again. */
    if (!link->broken_ns || link->conn || (!younger && !cst_link_busy(link)))
        return;
    if (younger && mesh->now_ns - link->broken_ns > patience_ns)
        complain(mesh, link);
    cst_connect_want(mesh, link);
    cst_mesh_timer(mesh, link->broken_ns + patience_ns);
}
