/*
 * mesh.h - the real net: who is in the run, as this process knows it.
 *
 * Layer: net, private to it. Owner: as net.h says; only what is atomic is
 * touched by others. In every function that says "tells" the owner may be called
 * back, see link/link.h.
 */
#ifndef CST_NET_MESH_H
#define CST_NET_MESH_H

#include "castell.h"
#include "link/link.h"
#include "net/net_internal.h"

#include <stdatomic.h>

#define CST_EPOLL_NS 10000 /* where nothing hurries by sockets */

enum cst_stay {
    CST_STAY_JOINING = 1, /* worker: not yet welcome */
    CST_STAY_IN,
    CST_STAY_LEAVING, /* worker: waits until all is acknowledged */
    CST_STAY_ASKED,   /* worker: has asked the master to let it go */
    CST_STAY_OVER,
};

struct cst_mesh {
    struct cst_links links; /* first; and first in it the net */
    uint8_t *hello;
    size_t hello_size;
    uint64_t heartbeat_ns;
    char *directory;

    _Atomic(bool) rung;
    _Atomic(bool) asleep;
    _Atomic(bool) restless;      /* something must be polled all the time */
    _Atomic(uint64_t) wakeup_ns; /* there is something to do then */

    uint64_t last_ns;  /* when the poll before began */
    uint64_t epoll_ns; /* when the sockets were looked at last */
    bool spares;       /* a look at the sockets, the last time */
    enum cst_stay stay;
    enum cst_net_over over;   /* when its stay is */
    bool polling;             /* the owner is being called back */
    bool expels;              /* some peer's sent_away is set */
    bool wants_to_leave;      /* since cst_net_leave() */
    struct cst_conn *control; /* worker: to the master */
    uint32_t refusals;        /* of our attempts to join */
};

static inline struct cst_mesh *cst_mesh_of(struct cst_links *links)
{
    return (struct cst_mesh *)links;
}

extern const struct cst_links_hooks cst_mesh_hooks;

/* ---- peers.c --------------------------------------------------------------- */

/* One that was named, as it is, or as one to come. NULL without memory. */
struct cst_peer *cst_mesh_expect_peer(struct cst_mesh *mesh, uint32_t number);

/* Add one, under its number. NULL without memory. */
struct cst_peer *cst_mesh_add_peer(struct cst_mesh *mesh,
                                   const struct cst_peer_text *text);

/* It is not in the run any more: drop its link, tell the owner. */
void cst_mesh_peer_gone(struct cst_mesh *mesh, struct cst_peer *peer,
                        enum cst_net_end how, const char *why);

/* This process is not in the run any more. Tells the owner. */
void cst_mesh_over(struct cst_mesh *mesh, enum cst_net_over how,
                   const char *why);

/* One segment; false: it makes no sense. It may end the connection. */
typedef bool cst_mesh_take_fn(struct cst_mesh *mesh, struct cst_conn *conn,
                              uint8_t type, const uint8_t *body, uint32_t size);
/*
 * Read a control connection and take what has come, until nothing is left or it
 * is no control connection any more. Returns false at its end, with links.conns.why.
 */
bool cst_mesh_read_control(struct cst_mesh *mesh, struct cst_conn *conn,
                           cst_mesh_take_fn *take);

/* ---- sleep.c; net.h says what they do ---------------------------------------- */

void cst_mesh_flush(struct cst_net *net);
bool cst_mesh_doze(struct cst_net *net);
const _Atomic(uint32_t) *cst_mesh_mail(const struct cst_net *net);
void cst_mesh_wake(struct cst_net *net);
bool cst_mesh_sleep(struct cst_net *net, uint64_t timeout_ns);
bool cst_mesh_nudge(struct cst_net *net, uint32_t number);
void cst_mesh_attend(struct cst_net *net, bool begins);

/* Let who sleeps know of a deadline that is sooner than it thought. */
void cst_mesh_set_wakeup(struct cst_mesh *mesh);

/* ---- master.c ---------------------------------------------------------------- */

/* A connection has shown that it knows the secret, and wants to join. */
void cst_master_take(struct cst_mesh *mesh, struct cst_conn *conn);

/* Something to read on a control connection. Tells. */
void cst_master_read(struct cst_mesh *mesh, struct cst_conn *conn);

/* Tell a worker to go, or that it is dead, and everybody of it. Tells. */
void cst_master_end(struct cst_mesh *mesh, struct cst_peer *peer,
                    enum cst_net_end how, const char *why);

/* Ask one to connect to another. */
void cst_master_call(struct cst_mesh *mesh, uint32_t from, uint32_t to);

/* ---- member.c ---------------------------------------------------------------- */

/* The control connection to the master: there, or not. */
void cst_member_take(struct cst_mesh *mesh, struct cst_conn *conn);
void cst_member_failed(struct cst_mesh *mesh, struct cst_conn *conn);

/* Something to read on it. Tells. */
void cst_member_read(struct cst_mesh *mesh, struct cst_conn *conn);

/* The master is silent. Tells. */
void cst_member_lost(struct cst_mesh *mesh, const char *why);

/* Leaving: go on with that. */
void cst_member_leave(struct cst_mesh *mesh);

/* Say something to the master. */
void cst_member_say(struct cst_mesh *mesh, enum cst_segment type,
                    uint32_t number, const char *why);

/* Its stay is that now. */
static inline void cst_mesh_set_stay(struct cst_mesh *mesh, enum cst_stay stay)
{
    mesh->stay = stay;
    mesh->links.over = stay == CST_STAY_OVER;
    mesh->links.leaves = stay == CST_STAY_LEAVING;
}

#endif
