/*
 * near.h - processes of one machine: a unix socket, and over it memory that
 * both share.
 *
 * Layer: link. Owner: the links's.
 *
 * The younger connects to a name that the port of the older makes, and shakes
 * hands as everybody. When both have said LINK it says NEAR: *offer*, with the
 * descriptors of a pipe, of its box and of its bell. The older maps them, says
 * *accept* with its own box and bell, and writes to the pipe from then on; the
 * younger says *go* and does likewise. Whatever goes wrong before *accept*: the
 * socket does. What is written is the same in either, see tcp.c; the socket is
 * kept, and its end is the connection's.
 *
 * Both also tell where a token lies in their memory, and answer whether they
 * could read the other's. Who can gets no payloads by the pipe but PULL, which
 * says where they lie, and reads them; see pull.c.
 */
#ifndef CST_LINK_NEAR_H
#define CST_LINK_NEAR_H

#include "castell.h"
#include "link/link.h"

/* Have a box, and listen for who is near. Without either there is TCP. */
void cst_near_start(struct cst_links *links);
void cst_near_stop(struct cst_links *links);

/* The connection has been linked: share memory, if this side is to offer it. */
void cst_near_linked(struct cst_links *links, struct cst_conn *conn);

/* Say what is to be said, between two bursts. 1: done, 0: later; -1: the
   connection has broken, with links->conns.why. */
int cst_near_say(struct cst_links *links, struct cst_conn *conn);

/* NEAR has come. False: it makes no sense. */
bool cst_near_take(struct cst_links *links, struct cst_conn *conn,
                   const uint8_t *body, uint32_t size);

/* Something happened to the socket of a connection that reads a pipe. */
void cst_near_event(struct cst_links *links, struct cst_conn *conn);

/* ---- pull.c ------------------------------------------------------------------ */

/* Tell of payloads that are to be sent, where the other side pulls them. */
void cst_pull_put(struct cst_link *link, struct cst_writer *writer);

/* PULL has come. False: it makes no sense. Tells. */
bool cst_pull_take(struct cst_links *links, struct cst_conn *conn,
                   const uint8_t *body, uint32_t size);

/* Read what there is to be pulled, some of it. False: that cannot be any more,
   says links->conns.why. Tells. */
bool cst_pull_go(struct cst_links *links, struct cst_conn *conn);

/* What was to be pulled is told of again by the next connection. */
void cst_pull_forget(struct cst_link *link);

/* ---- near.c ------------------------------------------------------------------ */

/* There is mail: read pipes, go on where one was full. Tells. */
void cst_near_poll(struct cst_links *links);

/* It is being closed; links->conns.closing. */
void cst_near_close(struct cst_conns *conns, struct cst_conn *conn);

#endif
