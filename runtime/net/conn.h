/*
 * conn.h - sockets: listen, connect, read and write without blocking, and the
 * handshake in which both sides show that they know the secret.
 *
 * Layer: net, private to it. Owner: the mesh's.
 *
 * The handshake: the client says what it wants and a nonce; the server answers
 * with a nonce and a proof over both; the client with one of its own. A proof is
 * crypto_auth() with the run's secret over the server's or client's name, the
 * whole hello and both nonces: it is of no use on any other connection, nor
 * sent back. What follows is neither encrypted nor signed.
 */
#ifndef CST_NET_CONN_H
#define CST_NET_CONN_H

#include "castell.h"
#include "net/net_internal.h"

/* listen.c: listen; fills in mesh->where. Fails with CASTELL_ERR_SYSTEM or _INVALID. */
CASTELL_MUST_CHECK enum castell_status cst_conn_listen(struct cst_mesh *mesh,
                                                       const char *address);

/* The listener's connection, of a socket; NULL, and closed, without memory. */
struct cst_conn *cst_conn_adopt_listener(struct cst_mesh *mesh, int fd);

/* What this machine and network are, as a number that is never 0. */
uint64_t cst_conn_host(void);

/* Take who has knocked, a few at a time. */
void cst_conn_accept(struct cst_mesh *mesh);

/*
 * Begin to connect to one of the addresses: `turn` chooses. NULL when that
 * cannot even begin, with errno.
 */
struct cst_conn *cst_conn_connect(struct cst_mesh *mesh,
                                  const struct cst_where *where, uint32_t turn,
                                  enum cst_link_kind kind, uint32_t to);

/* Close it; it is freed when the poll is over. */
void cst_conn_close(struct cst_mesh *mesh, struct cst_conn *conn);

/* Free what was closed. */
void cst_conn_sweep(struct cst_mesh *mesh);

/* Room for `more` bytes behind what is in `in`. False without memory. */
bool cst_conn_room(struct cst_conn *conn, size_t more);

/*
 * Read what has come, once. Returns 1 when there was something, 0 when not, and
 * -1 when the connection is at its end; mesh->why says how.
 */
int cst_conn_read(struct cst_mesh *mesh, struct cst_conn *conn);
/* What that returns when recv() has returned `got`. */
int cst_conn_received(struct cst_mesh *mesh, struct cst_conn *conn,
                      ssize_t got);

/*
 * The next whole segment of `in`, and takes it from there. Returns 1, 0 when
 * there is none yet, -1 with mesh->why.
 */
int cst_conn_segment(struct cst_mesh *mesh, struct cst_conn *conn, uint32_t max,
                     uint8_t *ret_type, const uint8_t **ret_body,
                     uint32_t *ret_size);

/* Write what is in `out`. False when the connection has broken: mesh->why. */
bool cst_conn_flush(struct cst_mesh *mesh, struct cst_conn *conn);

/* One segment; false: it makes no sense. It may end the connection. */
typedef bool cst_conn_take_fn(struct cst_mesh *mesh, struct cst_conn *conn,
                              uint8_t type, const uint8_t *body, uint32_t size);
/*
 * Read a control connection and take what has come, until nothing is left or it
 * is no control connection any more. Returns false at its end, with mesh->why.
 */
bool cst_conn_read_control(struct cst_mesh *mesh, struct cst_conn *conn,
                           cst_conn_take_fn *take);
/* Tell epoll whether we wait for room to write. */
void cst_conn_want_write(struct cst_mesh *mesh, struct cst_conn *conn,
                         bool wants);

/* It has become a control or data connection: no longer counted. */
void cst_conn_admit(struct cst_mesh *mesh, struct cst_conn *conn,
                    enum cst_conn_what what, struct cst_peer *peer);

/* ---- shake.c -------------------------------------------------------------- */

/* The outgoing connection is there: say hello. */
void cst_shake_begin(struct cst_mesh *mesh, struct cst_conn *conn);

/*
 * Go on with a stranger's handshake. Returns 1 when it is done, 0 when more has
 * to come, -1 when there is nothing to go on with: mesh->why.
 */
int cst_shake_step(struct cst_mesh *mesh, struct cst_conn *conn);

/* Say why not, then close. */
void cst_shake_refuse(struct cst_mesh *mesh, struct cst_conn *conn,
                      const char *why);

/* ---- mesh.c ---------------------------------------------------------------- */

/* Write mesh->why. */
void cst_mesh_why(struct cst_mesh *mesh, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Tell the log, once for each `what`. */
void cst_mesh_tell(struct cst_mesh *mesh, enum cst_tell what,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Something is to be done at `when`. */
static inline void cst_mesh_timer(struct cst_mesh *mesh, uint64_t when)
{
    if (when < mesh->timer_ns)
        mesh->timer_ns = when;
}

#endif
