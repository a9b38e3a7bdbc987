/* connect.c - get a connection for a link, and another when it breaks. */
#include "base/clock.h"
#include "link/link.h"
#include "link/mpi.h"
#include "link/near.h"

#define CST_WAIT_FIRST_NS (10 * CST_NS_PER_MS)
#define CST_WAIT_MOST_NS  (500 * CST_NS_PER_MS)
#define CST_CALL_NS       CST_NS_PER_S /* ask again after that */
#define CST_CONNECT_NS    (2 * CST_NS_PER_S)

/* Not now again: after a while that grows. */
static void postpone(struct cst_links *links, struct cst_link *link)
{
    link->wait_ns = link->wait_ns ? link->wait_ns * 2 : CST_WAIT_FIRST_NS;
    if (link->wait_ns > CST_WAIT_MOST_NS)
        link->wait_ns = CST_WAIT_MOST_NS;
    link->retry_ns = links->conns.now_ns + link->wait_ns;
    cst_conns_timer(&links->conns, link->retry_ns);
}

/* The younger of the two connects. */
static void attempt(struct cst_links *links, struct cst_link *link)
{
    struct cst_peer *peer = link->peer;

    link->attempt =
        cst_conn_connect(&links->conns, &peer->about->where, link->attempts,
                         CST_LINK_DATA, peer->number);
    if (link->attempt) {
        link->attempt->peer = peer;
        if (link->attempt->deadline_ns > links->conns.now_ns + CST_CONNECT_NS)
            link->attempt->deadline_ns = links->conns.now_ns + CST_CONNECT_NS;
        cst_conns_timer(&links->conns, link->attempt->deadline_ns);
        return;
    }
    link->attempts++;
    postpone(links, link);
}

/* The older asks it to, through the master. */
static void call(struct cst_links *links, struct cst_link *link)
{
    links->hooks->call(links, link->peer->number);
    link->retry_ns = links->conns.now_ns + CST_CALL_NS;
    cst_conns_timer(&links->conns, link->retry_ns);
}

void cst_connect_want(struct cst_links *links, struct cst_link *link)
{
    if (link->conn || link->attempt || link->peer->state != CST_PEER_IN)
        return;
    links->conns.now_ns = cst_clock_ns();
    if (!link->broken_ns)
        link->broken_ns = links->conns.now_ns;
    if (links->conns.now_ns < link->retry_ns) {
        cst_conns_timer(&links->conns, link->retry_ns);
        return;
    }
    if (links->net.self > link->peer->number)
        attempt(links, link);
    else
        call(links, link);
}

void cst_connect_called(struct cst_links *links, uint32_t number)
{
    struct cst_peer *peer = cst_link_peer(links, number);
    struct cst_link *link;

    if (!peer || peer->state != CST_PEER_IN || number > links->net.self)
        return;
    link = cst_link_get(peer);
    if (!link)
        return; /* it will ask again */
    if (link->conn && link->conn->linked &&
        links->conns.now_ns - link->linked_ns > CST_CALL_NS / 2) {
        /* It sees no connection where we see one: that one is dead. */
        cst_conns_why(&links->conns, "it asked for another connection");
        cst_connect_broken(links, link->conn);
        link->retry_ns = 0;
    }
    cst_connect_want(links, link);
}

/* Memory that both share is better than MPI. */
static bool shares(const struct cst_links *links, const struct cst_conn *conn)
{
    return conn->near && links->box;
}

void cst_connect_take(struct cst_links *links, struct cst_conn *conn)
{
    uint32_t number =
        conn->outgoing ? conn->shake.hello.to : conn->shake.hello.from;
    struct cst_peer *peer = cst_link_peer(links, number);
    struct cst_link *link;
    struct cst_marks marks;

    if (!peer || peer->state == CST_PEER_EXPECTED) {
        cst_shake_refuse(&links->conns, conn, "you are not known here so far");
        return;
    }
    if (peer->state != CST_PEER_IN) {
        cst_shake_refuse(&links->conns, conn,
                         "you are not in this run any more");
        return;
    }
    if (!conn->outgoing && (conn->shake.hello.to != links->net.self ||
                            number <= links->net.self)) {
        cst_shake_refuse(&links->conns, conn, "that is not who is here");
        return;
    }
    link = cst_link_get(peer);
    if (!link) {
        cst_shake_refuse(&links->conns, conn, "no memory");
        return;
    }
    if (link->attempt == conn)
        link->attempt = NULL;
    if (link->conn) {
        cst_conns_why(&links->conns, "another one replaced it");
        cst_connect_broken(links, link->conn);
    }
    cst_conn_admit(&links->conns, conn, CST_CONN_DATA, peer);
    links->far++;
    link->conn = conn;
    marks = cst_link_marks(link);
    marks.mpi = !shares(links, conn) && cst_mpi_hope(links, link);
    cst_put_marks(&conn->out, CST_SEGMENT_LINK, &marks);
    cst_tcp_push(links, link);
}

/* The best that both have. */
static void choose_carrier(struct cst_links *links, struct cst_link *link,
                           bool other_may)
{
    struct cst_marks marks;

    if (!other_may || shares(links, link->conn) || !cst_mpi_hope(links, link)) {
        cst_mpi_detach(links, link);
        link->carrier = &cst_tcp_carrier;
        link->counts.carrier = cst_tcp_carrier.name;
    } else if (!cst_mpi_attach(links, link)) {
        /* No memory, while the other side believes that we use it. */
        cst_mpi_detach(links, link);
        marks = cst_link_marks(link);
        cst_put_marks(&link->conn->out, CST_SEGMENT_CLOSED, &marks);
        cst_tcp_push(links, link);
    }
}

bool cst_connect_linked(struct cst_links *links, struct cst_conn *conn,
                        const struct cst_marks *marks)
{
    struct cst_link *link = conn->peer->link;

    if (conn->linked) {
        cst_conns_why(&links->conns, "process %u sent garbage",
                      conn->peer->number);
        return false;
    }
    conn->linked = true;
    link->linked_ns = links->conns.now_ns;
    link->broken_ns = 0;
    link->wait_ns = 0;
    link->retry_ns = 0;
    if (!cst_link_acknowledge(links, link, marks))
        return false;
    cst_link_rewind(link);
    choose_carrier(links, link, marks->mpi);
    cst_near_linked(links, conn);
    link->probes = links->leaves;
    cst_link_touch(links, link);
    return true;
}

void cst_connect_failed(struct cst_links *links, struct cst_conn *conn)
{
    struct cst_link *link = conn->peer ? conn->peer->link : NULL;

    cst_conn_close(&links->conns, conn);
    if (!link || link->attempt != conn)
        return;
    link->attempt = NULL;
    link->attempts++;
    postpone(links, link);
}

void cst_connect_broken(struct cst_links *links, struct cst_conn *conn)
{
    struct cst_link *link = conn->peer->link;

    cst_conn_close(&links->conns, conn);
    if (!link || link->conn != conn)
        return;
    link->conn = NULL;
    cst_mpi_detach(links, link);
    link->carrier = NULL;
    if (!link->broken_ns)
        link->broken_ns = links->conns.now_ns;
    postpone(links, link);
}

/* Too long without a connection: the master decides who must go. */
static void complain(struct cst_links *links, struct cst_link *link)
{
    cst_conns_tell(&links->conns, CST_TELL_BROKEN,
                   "process %u cannot connect to process %u", links->net.self,
                   link->peer->number);
    links->hooks->accuse(links, link->peer->number);
    link->broken_ns = links->conns.now_ns;
}

void cst_connect_timer(struct cst_links *links, struct cst_link *link)
{
    bool younger = links->net.self > link->peer->number;
    uint64_t patience_ns = 2 * links->conns.dead_ns;

    cst_mpi_timer(links, link);
    /* The younger keeps a connection that once was there: the other side may
       have something to send again. */
    if (!link->broken_ns || link->conn || (!younger && !cst_link_busy(link)))
        return;
    if (younger && links->conns.now_ns - link->broken_ns > patience_ns)
        complain(links, link);
    cst_connect_want(links, link);
    cst_conns_timer(&links->conns, link->broken_ns + patience_ns);
}
