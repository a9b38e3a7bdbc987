/* master.c - who joins the run, who leaves it, and who is dead. */
#include "base/fail.h"
#include "net/mesh.h"

#include <stdio.h>

/* Say it to every worker but one. */
static void broadcast(struct cst_mesh *mesh, const struct cst_writer *segment,
                      const struct cst_peer *except)
{
    for (uint32_t i = 0; i < mesh->links.peers_count; i++) {
        struct cst_peer *peer = mesh->links.peers[i];

        if (!peer || peer == except || !peer->control)
            continue;
        cst_put_raw(&peer->control->out, segment->bytes, segment->size);
        (void)cst_conn_flush(&mesh->links.conns, peer->control);
    }
}

static void put_peer(struct cst_writer *writer, const struct cst_peer *peer)
{
    struct cst_peer_text text = {.number = peer->number,
                                 .where = peer->about->where,
                                 .hello = peer->about->hello,
                                 .hello_size = peer->about->hello_size};

    cst_put_peer(writer, CST_SEGMENT_PEER, &text);
}

void cst_master_take(struct cst_mesh *mesh, struct cst_conn *conn)
{
    uint64_t deadline_ns = conn->deadline_ns;

    cst_conn_admit(&mesh->links.conns, conn, CST_CONN_CONTROL, NULL);
    conn->deadline_ns = deadline_ns; /* until it has joined */
    cst_master_read(mesh, conn);
}

static void refuse(struct cst_mesh *mesh, struct cst_conn *conn,
                   const char *why)
{
    cst_conns_tell(&mesh->links.conns, CST_TELL_REFUSED,
                   "a process at %s was refused: %s", conn->who, why);
    cst_shake_refuse(&mesh->links.conns, conn, why);
}

/* What a new worker must know: itself, the master, the others. */
static void welcome(struct cst_mesh *mesh, struct cst_peer *peer)
{
    struct cst_writer *out = &peer->control->out;
    struct cst_welcome words = {.number = peer->number,
                                .heartbeat_ns = mesh->heartbeat_ns,
                                .dead_ns = mesh->links.conns.dead_ns};
    struct cst_peer_text master = {.number = CST_NET_MASTER,
                                   .where = mesh->links.conns.where,
                                   .hello = mesh->hello,
                                   .hello_size = mesh->hello_size};

    cst_put_welcome(out, &words);
    cst_put_peer(out, CST_SEGMENT_PEER, &master);
    for (uint32_t i = 0; i < mesh->links.peers_count; i++) {
        const struct cst_peer *other = mesh->links.peers[i];

        if (other && other != peer && other->state == CST_PEER_IN)
            put_peer(out, other);
    }
    cst_segment_empty(out, CST_SEGMENT_BEAT); /* these are all */
    (void)cst_conn_flush(&mesh->links.conns, peer->control);
}

/* The address that we see it at comes first: it surely leads there. */
static void prefer_seen(struct cst_where *where, const struct cst_conn *conn)
{
    char seen[CST_ADDRESS_MAX];
    size_t length = strcspn(conn->who, " ");
    uint32_t count = where->addresses_count;

    if (length >= sizeof(seen) || strncmp(conn->who, "127.", 4) == 0 ||
        strncmp(conn->who, "::1 ", 4) == 0 || count == 1)
        return;
    memcpy(seen, conn->who, length);
    seen[length] = '\0';
    if (!cst_is_address(seen))
        return;
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(where->addresses[i], seen) == 0) {
            memcpy(where->addresses[i], where->addresses[0], CST_ADDRESS_MAX);
            memcpy(where->addresses[0], seen, sizeof(seen));
            return;
        }
    if (count < CST_ADDRESSES_MAX)
        where->addresses_count++;
    memmove(where->addresses[1], where->addresses[0],
            (size_t)(where->addresses_count - 1) * CST_ADDRESS_MAX);
    memcpy(where->addresses[0], seen, sizeof(seen));
}

static bool join(struct cst_mesh *mesh, struct cst_conn *conn,
                 const uint8_t *body, uint32_t size)
{
    const struct cst_net_owner *owner = &mesh->links.net.owner;
    char why[CST_NET_WHY_MAX] = "the master does not want it";
    struct cst_writer news = {0};
    struct cst_peer_text text;
    struct cst_peer *peer;

    if (conn->peer || !cst_get_peer(body, size, &text))
        return false;
    if (mesh->links.peers_count >= CST_NET_PEERS_MAX) {
        refuse(mesh, conn, "every number of this run has been given");
        return true;
    }
    mesh->links.net.told++;
    if (!owner->admit(owner->owner, text.hello, text.hello_size, why)) {
        why[sizeof(why) - 1] = '\0';
        refuse(mesh, conn, why);
        return true;
    }
    text.number = mesh->links.peers_count;
    prefer_seen(&text.where, conn);
    peer = cst_mesh_add_peer(mesh, &text);
    if (!peer) {
        refuse(mesh, conn, "the master has no memory for it");
        return true;
    }
    peer->control = conn;
    conn->peer = peer;
    conn->deadline_ns = 0;
    welcome(mesh, peer);
    put_peer(&news, peer);
    broadcast(mesh, &news, peer);
    cst_writer_release(&news);
    cst_conns_timer(&mesh->links.conns,
                    mesh->links.conns.now_ns + mesh->heartbeat_ns);
    mesh->links.net.told++;
    owner->joined(owner->owner, peer->number, peer->about->hello,
                  peer->about->hello_size);
    return true;
}

void cst_master_end(struct cst_mesh *mesh, struct cst_peer *peer,
                    enum cst_net_end how, const char *why)
{
    struct cst_conn *control = peer->control;
    struct cst_writer news = {0};
    char text[CST_NET_WHY_MAX];

    if (!control)
        return;
    /* `why` may lie in what is going to be freed. */
    (void)snprintf(text, sizeof(text), "%s", why);
    cst_put_news(
        &control->out, CST_SEGMENT_GO, 0,
        how == CST_NET_LEFT ? CST_NET_OVER_LEFT : CST_NET_OVER_SENT_AWAY, text);
    (void)cst_conn_flush(&mesh->links.conns, control);
    peer->control = NULL;
    cst_conn_close(&mesh->links.conns, control);
    cst_put_news(&news, CST_SEGMENT_GONE, peer->number, (uint8_t)how, text);
    broadcast(mesh, &news, NULL);
    cst_writer_release(&news);
    cst_mesh_peer_gone(mesh, peer, how, text);
}

void cst_master_call(struct cst_mesh *mesh, uint32_t from, uint32_t to)
{
    struct cst_peer *peer = cst_link_peer(&mesh->links, to);

    if (!peer || !peer->control)
        return;
    cst_put_news(&peer->control->out, CST_SEGMENT_CALL, from, 0, "");
    (void)cst_conn_flush(&mesh->links.conns, peer->control);
}

/* Two workers do not reach each other: one of them must go. Who was accused
   before, by another, else who accuses. */
static void cut(struct cst_mesh *mesh, struct cst_peer *accuser,
                const struct cst_news_of *news)
{
    struct cst_peer *accused = cst_link_peer(&mesh->links, news->number);
    char why[CST_NET_WHY_MAX];

    if (accused && accused->state != CST_PEER_IN)
        return;
    (void)snprintf(why, sizeof(why),
                   "processes %u and %u cannot reach each other",
                   accuser->number, news->number);
    if (accused && accused->accused_by != CST_NET_NOBODY &&
        accused->accused_by != accuser->number) {
        cst_master_end(mesh, accused, CST_NET_DIED, why);
        return;
    }
    if (accused)
        accused->accused_by = accuser->number;
    cst_master_end(mesh, accuser, CST_NET_DIED, why);
}

/* False when it makes no sense. */
static bool take_segment(struct cst_mesh *mesh, struct cst_conn *conn,
                         uint8_t type, const uint8_t *body, uint32_t size)
{
    struct cst_news_of news;

    if (type == CST_SEGMENT_JOIN)
        return join(mesh, conn, body, size);
    if (!conn->peer)
        return false;
    switch (type) {
    case CST_SEGMENT_BEAT:
        return true;
    case CST_SEGMENT_LEAVE:
        cst_master_end(mesh, conn->peer, CST_NET_LEFT, "it left");
        return true;
    case CST_SEGMENT_CALL:
        if (!cst_get_news(body, size, &news))
            return false;
        cst_master_call(mesh, conn->peer->number, news.number);
        return true;
    case CST_SEGMENT_CUT:
        if (!cst_get_news(body, size, &news))
            return false;
        cut(mesh, conn->peer, &news);
        return true;
    default:
        return false;
    }
}

void cst_master_read(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (cst_mesh_read_control(mesh, conn, take_segment))
        return;
    if (conn->peer)
        cst_master_end(mesh, conn->peer, CST_NET_DIED, mesh->links.conns.why);
    else
        cst_conn_close(&mesh->links.conns, conn);
}
