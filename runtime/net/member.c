/* member.c - a worker's side of the control link. */
#include "base/fail.h"
#include "net/mesh.h"

void cst_member_say(struct cst_mesh *mesh, enum cst_segment type,
                    uint32_t number, const char *why)
{
    if (!mesh->control)
        return;
    cst_put_news(&mesh->control->out, type, number, 0, why);
    (void)cst_conn_flush(&mesh->links.conns, mesh->control);
}

void cst_member_take(struct cst_mesh *mesh, struct cst_conn *conn)
{
    struct cst_peer_text text = {.where = mesh->links.conns.where,
                                 .hello = mesh->hello,
                                 .hello_size = mesh->hello_size};

    cst_conn_admit(&mesh->links.conns, conn, CST_CONN_CONTROL, NULL);
    cst_put_peer(&conn->out, CST_SEGMENT_JOIN, &text);
    (void)cst_conn_flush(&mesh->links.conns, conn);
    cst_member_read(mesh, conn);
}

void cst_member_failed(struct cst_mesh *mesh, struct cst_conn *conn)
{
    /* cst_net_join() tries again, but not for ever with who refuses us. */
    if (conn->shake.refused)
        mesh->refusals++;
    cst_conn_close(&mesh->links.conns, conn);
    if (mesh->control == conn)
        mesh->control = NULL;
}

void cst_member_lost(struct cst_mesh *mesh, const char *why)
{
    if (mesh->stay == CST_STAY_JOINING)
        cst_member_failed(mesh, mesh->control);
    else if (mesh->stay == CST_STAY_ASKED)
        cst_mesh_over(mesh, CST_NET_OVER_LEFT, why);
    else
        cst_mesh_over(mesh, CST_NET_OVER_MASTER_LOST, why);
}

void cst_member_leave(struct cst_mesh *mesh)
{
    for (uint32_t i = 0; i < mesh->links.peers_count; i++)
        if (mesh->links.peers[i] && mesh->links.peers[i]->link &&
            cst_link_busy(mesh->links.peers[i]->link))
            return;
    cst_mesh_set_stay(mesh, CST_STAY_ASKED);
    cst_segment_empty(&mesh->control->out, CST_SEGMENT_LEAVE);
    (void)cst_conn_flush(&mesh->links.conns, mesh->control);
}

static bool take_peer(struct cst_mesh *mesh, const uint8_t *body, uint32_t size)
{
    const struct cst_net_owner *owner = &mesh->links.net.owner;
    const struct cst_peer *known;
    struct cst_peer_text text;
    struct cst_peer *peer;

    if (mesh->links.net.self == CST_NET_NOBODY ||
        !cst_get_peer(body, size, &text) || text.number == mesh->links.net.self)
        return false;
    known = cst_link_peer(&mesh->links, text.number);
    if (known && known->state != CST_PEER_EXPECTED)
        return false;
    peer = cst_mesh_add_peer(mesh, &text);
    if (!peer) {
        cst_conns_why(&mesh->links.conns, "no memory to know process %u",
                      text.number);
        return false;
    }
    mesh->links.net.told++;
    owner->joined(owner->owner, peer->number, peer->about->hello,
                  peer->about->hello_size);
    return true;
}

static bool take_welcome(struct cst_mesh *mesh, const uint8_t *body,
                         uint32_t size)
{
    struct cst_welcome words;

    if (mesh->links.net.self != CST_NET_NOBODY ||
        !cst_get_welcome(body, size, &words))
        return false;
    mesh->links.net.self = mesh->links.conns.self = words.number;
    mesh->heartbeat_ns = words.heartbeat_ns;
    mesh->links.conns.dead_ns = words.dead_ns;
    return true;
}

static bool take_news(struct cst_mesh *mesh, uint8_t type, const uint8_t *body,
                      uint32_t size)
{
    struct cst_news_of news;
    struct cst_peer *peer;

    if (!cst_get_news(body, size, &news))
        return false;
    switch (type) {
    case CST_SEGMENT_REFUSED:
        cst_conns_why(&mesh->links.conns, "the master refused: %s", news.why);
        cst_mesh_over(mesh, CST_NET_OVER_SENT_AWAY, mesh->links.conns.why);
        return true;
    case CST_SEGMENT_GO:
        cst_mesh_over(mesh,
                      news.how == CST_NET_OVER_LEFT ? CST_NET_OVER_LEFT
                                                    : CST_NET_OVER_SENT_AWAY,
                      news.why);
        return true;
    case CST_SEGMENT_CALL:
        cst_connect_called(&mesh->links, news.number);
        return true;
    case CST_SEGMENT_GONE:
        peer = cst_link_peer(&mesh->links, news.number);
        if (!peer || peer->state == CST_PEER_EXPECTED || news.how == 0)
            return false;
        cst_mesh_peer_gone(mesh, peer, (enum cst_net_end)news.how, news.why);
        if (mesh->stay == CST_STAY_LEAVING)
            cst_member_leave(mesh);
        return true;
    default:
        return false;
    }
}

static bool take_segment(struct cst_mesh *mesh, struct cst_conn *conn,
                         uint8_t type, const uint8_t *body, uint32_t size)
{
    (void)conn;
    switch (type) {
    case CST_SEGMENT_BEAT:
        /* The first one says that all who are there have been named. */
        if (mesh->stay == CST_STAY_JOINING &&
            mesh->links.net.self != CST_NET_NOBODY) {
            cst_mesh_set_stay(mesh, CST_STAY_IN);
            cst_conns_timer(&mesh->links.conns, 0);
        }
        return true;
    case CST_SEGMENT_WELCOME:
        return take_welcome(mesh, body, size);
    case CST_SEGMENT_PEER:
        return take_peer(mesh, body, size);
    default:
        return take_news(mesh, type, body, size);
    }
}

void cst_member_read(struct cst_mesh *mesh, struct cst_conn *conn)
{
    if (!cst_mesh_read_control(mesh, conn, take_segment))
        cst_member_lost(mesh, mesh->links.conns.why);
}
