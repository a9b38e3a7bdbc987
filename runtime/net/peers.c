/* peers.c - who is, or was, in the run; and what is told of it. */
#include "base/fail.h"
#include "base/memory.h"
#include "net/mesh.h"
#include "net/mpi.h"

#include <stdarg.h>
#include <stdio.h>

void cst_mesh_why(struct cst_mesh *mesh, const char *format, ...)
{
    char text[CST_NET_WHY_MAX];
    va_list list;

    /* Through a copy: mesh->why may be one of the arguments. */
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    memcpy(mesh->why, text, sizeof(text));
}

void cst_mesh_tell(struct cst_mesh *mesh, enum cst_tell what,
                   const char *format, ...)
{
    char text[CST_NET_WHY_MAX];
    va_list list;

    if (!mesh->net.owner.log || mesh->told & (UINT32_C(1) << what))
        return;
    mesh->told |= UINT32_C(1) << what;
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    mesh->net.owner.log(mesh->net.owner.owner, text);
}

/* ---- Peers -------------------------------------------------------------------- */

struct cst_peer *cst_mesh_peer(const struct cst_mesh *mesh, uint32_t number)
{
    return number < mesh->peers_count ? mesh->peers[number] : NULL;
}

/* Make room for that number. */
static bool peers_room(struct cst_mesh *mesh, uint32_t number)
{
    uint32_t capacity = mesh->peers_capacity ? mesh->peers_capacity : 16;
    struct cst_peer **peers;

    while (capacity <= number)
        capacity *= 2;
    if (capacity > mesh->peers_capacity) {
        peers = cst_realloc(mesh->peers, capacity * sizeof(*peers));
        if (!peers)
            return false;
        mesh->peers = peers;
        mesh->peers_capacity = capacity;
    }
    while (mesh->peers_count <= number)
        mesh->peers[mesh->peers_count++] = NULL;
    return true;
}

struct cst_peer *cst_mesh_add_peer(struct cst_mesh *mesh,
                                   const struct cst_peer_text *text)
{
    struct cst_peer *peer = NULL;
    struct cst_peer_about *about = cst_alloc(sizeof(*about) + text->hello_size);

    if (about && peers_room(mesh, text->number))
        peer = cst_zalloc(sizeof(*peer));
    if (!peer) {
        cst_free(about);
        return NULL;
    }
    about->where = text->where;
    about->sent_away[0] = '\0';
    about->hello_size = text->hello_size;
    if (text->hello_size)
        memcpy(about->hello, text->hello, text->hello_size);
    CST_ASSERT(!mesh->peers[text->number]);
    mesh->peers[text->number] = peer;
    peer->number = text->number;
    peer->state = CST_PEER_IN;
    peer->about = about;
    peer->accused_by = CST_NET_NOBODY;
    peer->counts.carrier = "none";
    return peer;
}

void cst_mesh_peer_gone(struct cst_mesh *mesh, struct cst_peer *peer,
                        enum cst_net_end how, const char *why)
{
    const struct cst_net_owner *owner = &mesh->net.owner;

    if (peer->state == CST_PEER_GONE)
        return;
    peer->state = CST_PEER_GONE;
    if (how == CST_NET_DIED)
        cst_mpi_died(mesh, peer);
    if (peer->link)
        cst_link_destroy(mesh, peer->link);
    /* The number is remembered, what it said is not. */
    cst_free(peer->about);
    peer->about = NULL;
    mesh->net.told++;
    owner->gone(owner->owner, peer->number, how, why);
}

void cst_mesh_over(struct cst_mesh *mesh, enum cst_net_over how,
                   const char *why)
{
    const struct cst_net_owner *owner = &mesh->net.owner;

    if (mesh->stay == CST_STAY_OVER)
        return;
    for (uint32_t i = 0; i < mesh->peers_count; i++)
        if (mesh->peers[i] && mesh->peers[i]->link)
            cst_link_destroy(mesh, mesh->peers[i]->link);
    mesh->stay = CST_STAY_OVER;
    while (mesh->conns)
        cst_conn_close(mesh, mesh->conns);
    mesh->control = NULL;
    mesh->listener = NULL;
    mesh->net.told++;
    if (why != mesh->why)
        cst_mesh_why(mesh, "%s", why);
    owner->over(owner->owner, how, mesh->why);
}
