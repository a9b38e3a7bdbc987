/*
 * mesh.h - what the parts of the mesh ask of each other.
 *
 * Layer: net, private to it. Owner: the mesh's.
 *
 * In every function that says "tells" the owner may be called back, and may
 * send meanwhile. What else it may call takes effect at the end of the poll: no
 * link goes away under a function that works on it. A connection that is closed
 * stays in memory until then; its `what` says that it is closed.
 */
#ifndef CST_NET_MESH_H
#define CST_NET_MESH_H

#include "castell.h"
#include "net/conn.h"
#include "net/net_internal.h"

/* ---- mesh.c: peers --------------------------------------------------------- */

/* NULL when there never was one, or it is ourselves. */
struct cst_peer *cst_mesh_peer(const struct cst_mesh *mesh, uint32_t number);

/* Add one, under its number. NULL without memory. */
struct cst_peer *cst_mesh_add_peer(struct cst_mesh *mesh,
                                   const struct cst_peer_text *text);

/* It is not in the run any more: drop its link, tell the owner. */
void cst_mesh_peer_gone(struct cst_mesh *mesh, struct cst_peer *peer,
                        enum cst_net_end how, const char *why);

/* This process is not in the run any more. Tells the owner. */
void cst_mesh_over(struct cst_mesh *mesh, enum cst_net_over how,
                   const char *why);

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

/* ---- link.c -------------------------------------------------------------------- */

/* The link to that peer, made when there is none; NULL without memory. */
struct cst_link *cst_link_get(struct cst_peer *peer);

/* Drop it: what is on its way is lost. Tells. */
void cst_link_destroy(struct cst_mesh *mesh, struct cst_link *link);

CASTELL_MUST_CHECK enum castell_status
cst_link_send(struct cst_mesh *mesh, struct cst_link *link, const void *header,
              size_t header_size, const struct cst_net_payload *payload);

/* Is there something that the peer has not acknowledged? */
bool cst_link_busy(const struct cst_link *link);

/* There is something to push. */
void cst_link_touch(struct cst_mesh *mesh, struct cst_link *link);

/* Push what is queued on all links. */
void cst_link_push_all(struct cst_mesh *mesh);

/* The marks that tell the peer how far we are. */
struct cst_marks cst_link_marks(struct cst_link *link);

/* The peer has told its own: forget what has arrived. Tells. */
bool cst_link_acknowledge(struct cst_mesh *mesh, struct cst_link *link,
                          const struct cst_marks *marks);

/* Whatever was under way is lost: send again from what is acknowledged. */
void cst_link_rewind(struct cst_link *link);

/*
 * Bytes of the stream have come, from position link->stream_in on. Delivers the
 * whole messages among them; *ret_used is how many bytes they have. False when
 * they make no sense. Tells.
 */
bool cst_link_deliver(struct cst_mesh *mesh, struct cst_link *link,
                      const uint8_t *bytes, size_t size, size_t *ret_used);

/*
 * The header of a message with payload has come, of a number in the window.
 * NULL, with mesh->why, when it makes no sense or there is no memory. Tells.
 */
struct cst_bulk_in *cst_link_bulk_begin(struct cst_mesh *mesh,
                                        struct cst_link *link,
                                        const struct cst_bulk_head *head);

/* All of a payload has come: deliver it, in its order. Tells. */
void cst_link_bulk_arrived(struct cst_mesh *mesh, struct cst_link *link,
                           struct cst_bulk_in *in);

/* The oldest message with payload that is expected. */
static inline struct cst_bulk_in *cst_link_bulk_expected(struct cst_link *link)
{
    return &link->window[link->bulk_in % CST_BULK_WINDOW];
}

/* The bytes of the stream at these positions, which are not acknowledged. */
static inline uint8_t *cst_stream_at(const struct cst_stream *stream,
                                     uint64_t position)
{
    return stream->bytes + stream->begin + (position - stream->acked);
}

/* Where to cut the stream behind `from`, between messages: after at most `max`
   bytes, or one message. */
uint64_t cst_stream_cut(const struct cst_stream *stream, uint64_t from,
                        size_t max);

/*
 * The memory of bytes [from, to) of these rows, in at most `max` pieces; returns
 * how many, and *ret_size of what is in them.
 */
int cst_rows_pieces(const struct cst_rows *rows, size_t from, size_t to,
                    struct iovec *pieces, int max, size_t *ret_size);

/* ---- connect.c: connections of links ------------------------------------------- */

/* A data connection has shown that it knows the secret. */
void cst_connect_take(struct cst_mesh *mesh, struct cst_conn *conn);

/* An attempt of ours came to nothing: mesh->why. */
void cst_connect_failed(struct cst_mesh *mesh, struct cst_conn *conn);

/* The link's connection is no more: mesh->why. */
void cst_connect_broken(struct cst_mesh *mesh, struct cst_conn *conn);

/* Get a connection, now or when its time has come. */
void cst_connect_want(struct cst_mesh *mesh, struct cst_link *link);

/* The peer wants us to connect. */
void cst_connect_called(struct cst_mesh *mesh, uint32_t number);

/* LINK has come. Tells. */
bool cst_connect_linked(struct cst_mesh *mesh, struct cst_conn *conn,
                        const struct cst_marks *marks);

/* Look at the deadlines of a link. */
void cst_connect_timer(struct cst_mesh *mesh, struct cst_link *link);

/* ---- tcp.c ------------------------------------------------------------------------ */

extern const struct cst_carrier cst_tcp_carrier;

/* Something to read on a data connection. Tells. */
void cst_tcp_read(struct cst_mesh *mesh, struct cst_conn *conn);

/* Write what is to be written on it, of control segments at least. */
void cst_tcp_push(struct cst_mesh *mesh, struct cst_link *link);

#endif
