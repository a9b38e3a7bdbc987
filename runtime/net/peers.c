/* peers.c - who is, or was, in the run. */
#include "base/fail.h"
#include "base/memory.h"
#include "link/mpi.h"
#include "net/mesh.h"

/* Make room for that number. */
static bool peers_room(struct cst_mesh *mesh, uint32_t number)
{
    uint32_t capacity =
        mesh->links.peers_capacity ? mesh->links.peers_capacity : 16;
    struct cst_peer **peers;

    while (capacity <= number)
        capacity *= 2;
    if (capacity > mesh->links.peers_capacity) {
        peers = cst_realloc(mesh->links.peers, capacity * sizeof(*peers));
        if (!peers)
            return false;
        mesh->links.peers = peers;
        mesh->links.peers_capacity = capacity;
    }
    while (mesh->links.peers_count <= number)
        mesh->links.peers[mesh->links.peers_count++] = NULL;
    return true;
}

struct cst_peer *cst_mesh_expect_peer(struct cst_mesh *mesh, uint32_t number)
{
    struct cst_peer *peer = cst_link_peer(&mesh->links, number);

    if (peer || !peers_room(mesh, number))
        return peer;
    peer = cst_zalloc(sizeof(*peer));
    if (!peer)
        return NULL;
    mesh->links.peers[number] = peer;
    peer->number = number;
    peer->state = CST_PEER_EXPECTED;
    peer->accused_by = CST_NET_NOBODY;
    peer->counts.carrier = "none";
    return peer;
}

struct cst_peer *cst_mesh_add_peer(struct cst_mesh *mesh,
                                   const struct cst_peer_text *text)
{
    struct cst_peer_about *about = cst_alloc(sizeof(*about) + text->hello_size);
    struct cst_peer *peer =
        about ? cst_mesh_expect_peer(mesh, text->number) : NULL;

    if (!peer) {
        cst_free(about);
        return NULL;
    }
    about->where = text->where;
    about->sent_away[0] = '\0';
    about->hello_size = text->hello_size;
    if (text->hello_size)
        memcpy(about->hello, text->hello, text->hello_size);
    CST_ASSERT(peer->state == CST_PEER_EXPECTED);
    peer->state = CST_PEER_IN;
    peer->about = about;
    if (peer->link) /* something waits for it */
        cst_link_touch(&mesh->links, peer->link);
    return peer;
}

void cst_mesh_peer_gone(struct cst_mesh *mesh, struct cst_peer *peer,
                        enum cst_net_end how, const char *why)
{
    const struct cst_net_owner *owner = &mesh->links.net.owner;

    if (peer->state == CST_PEER_GONE)
        return;
    peer->state = CST_PEER_GONE;
    if (how == CST_NET_DIED)
        cst_mpi_died(&mesh->links, peer);
    if (peer->link)
        cst_link_destroy(&mesh->links, peer->link);
    /* The number is remembered, what it said is not. */
    cst_free(peer->about);
    peer->about = NULL;
    mesh->links.net.told++;
    owner->gone(owner->owner, peer->number, how, why);
}

void cst_mesh_over(struct cst_mesh *mesh, enum cst_net_over how,
                   const char *why)
{
    const struct cst_net_owner *owner = &mesh->links.net.owner;

    if (mesh->stay == CST_STAY_OVER)
        return;
    for (uint32_t i = 0; i < mesh->links.peers_count; i++)
        if (mesh->links.peers[i] && mesh->links.peers[i]->link)
            cst_link_destroy(&mesh->links, mesh->links.peers[i]->link);
    cst_mesh_set_stay(mesh, CST_STAY_OVER);
    mesh->over = how;
    while (mesh->links.conns.first)
        cst_conn_close(&mesh->links.conns, mesh->links.conns.first);
    mesh->control = NULL;
    mesh->links.conns.listener = NULL;
    mesh->links.conns.near_listener = NULL;
    mesh->links.net.told++;
    if (why != mesh->links.conns.why)
        cst_conns_why(&mesh->links.conns, "%s", why);
    owner->over(owner->owner, how, mesh->links.conns.why);
}

/* ---- Control connections ----------------------------------------------------- */

bool cst_mesh_read_control(struct cst_mesh *mesh, struct cst_conn *conn,
                           cst_mesh_take_fn *take)
{
    const uint8_t *body;
    uint32_t size;
    uint8_t type;
    int found = 0;
    int got;

    do {
        got = cst_conn_read(&mesh->links.conns, conn);
        while (
            conn->what == CST_CONN_CONTROL &&
            (found = cst_conn_segment(&mesh->links.conns, conn, CST_CONTROL_MAX,
                                      &type, &body, &size)) > 0)
            if (!take(mesh, conn, type, body, size)) {
                cst_conns_why(&mesh->links.conns, "%s sent garbage", conn->who);
                found = -1;
                break;
            }
        if (conn->what != CST_CONN_CONTROL)
            return true;
    } while (got > 0 && found >= 0);
    return found >= 0 && got == 0;
}

/* ---- What links ask ---------------------------------------------------------- */

static void call_peer(struct cst_links *links, uint32_t peer)
{
    struct cst_mesh *mesh = cst_mesh_of(links);

    if (links->net.self == CST_NET_MASTER)
        cst_master_call(mesh, CST_NET_MASTER, peer);
    else
        cst_member_say(mesh, CST_SEGMENT_CALL, peer, "");
}

static void accuse_peer(struct cst_links *links, uint32_t peer)
{
    cst_member_say(cst_mesh_of(links), CST_SEGMENT_CUT, peer, links->conns.why);
}

static void settled(struct cst_links *links)
{
    cst_member_leave(cst_mesh_of(links));
}

const struct cst_links_hooks cst_mesh_hooks = {
    .call = call_peer,
    .accuse = accuse_peer,
    .settled = settled,
};
