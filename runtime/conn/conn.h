/*
 * conn.h - sockets: listen, connect, read and write without blocking, and the
 * handshake in which both sides show that they know the secret.
 *
 * Layer: conn. May include base, wire and shm. Knows nothing of who is in the
 * run, nor what is said on a connection after the handshake.
 *
 * Owner: one thread at a time, that of the process's struct cst_conns.
 *
 * A *connection* is one socket: a *stranger* until it has shown that it knows
 * the secret, then a control or a data connection. One that is closed stays in
 * memory until cst_conn_sweep(); its `what` says that it is closed.
 *
 * The handshake: the client says what it wants and a nonce; the server answers
 * with a nonce and a proof over both; the client with one of its own. A proof is
 * crypto_auth() with the run's secret over the server's or client's name, the
 * whole hello and both nonces: it is of no use on any other connection, nor
 * sent back. What follows is neither encrypted nor signed.
 */
#ifndef CST_CONN_CONN_H
#define CST_CONN_CONN_H

#include "castell.h"
#include "conn/frames.h"
#include "wire/wire.h"

#include <sys/types.h>

#define CST_NS_PER_MS UINT64_C(1000000)
#define CST_NS_PER_S  UINT64_C(1000000000)
#define CST_NEVER     UINT64_MAX

enum { CST_SECRET_SIZE = 32, CST_CONN_FILES = 3 };

struct cst_peer; /* of the rooms above */
struct cst_shm_pipe;
struct cst_shm_reach;

enum cst_conn_what {
    CST_CONN_LISTENER = 1,
    CST_CONN_STRANGER, /* until the handshake is done; outgoing ones too */
    CST_CONN_CONTROL,
    CST_CONN_DATA,
    CST_CONN_CLOSED, /* to be freed when the poll is over */
};

struct cst_shake {
    struct cst_shake_hello hello;
    uint8_t nonce[CST_NONCE_SIZE]; /* the server's */
    bool challenged;               /* which has gone out, or come in */
    bool refused; /* by the other side, or by us for what it is */
};

/*
 * What a data connection is writing at the moment: `first`, then bytes of the
 * link's stream, then `second`, then bytes of a payload. All of it is written
 * before anything else.
 */
struct cst_burst {
    struct cst_writer first;
    struct cst_writer second;
    size_t first_done;
    size_t second_done;
    uint64_t stream_from;
    uint64_t stream_to;
    size_t bulk_from;
    size_t bulk_to;
};

struct cst_conn {
    struct cst_conn *next; /* in the mesh's list, the youngest first */
    struct cst_conn *previous;
    enum cst_conn_what what;
    int fd;
    bool outgoing;
    bool connecting;
    bool wants_write; /* as epoll knows it */
    struct cst_shake shake;
    struct cst_peer *peer; /* of control and data connections */
    uint64_t deadline_ns;  /* of a stranger */
    uint64_t heard_ns;
    uint64_t spoke_ns;

    uint8_t *in; /* come and not yet understood: in[in_begin, in_end) */
    size_t in_begin;
    size_t in_end;
    size_t in_capacity;
    struct cst_writer out; /* segments that are whole */
    size_t out_done;

    /* Of two processes of one machine: a unix socket, then shared memory. */
    bool near;
    bool reads_pipe; /* the other side writes there from now on */
    bool writes_pipe;
    bool blocked;         /* more to write when there is room in the pipe */
    uint8_t say;          /* enum cst_near, to be said next; or 0 */
    uint8_t passed_count; /* descriptors that came */
    int passed[CST_CONN_FILES];
    int pipe_file; /* until it is handed over; or -1 */
    bool pulls;    /* the other side reads payloads itself */
    struct cst_shm_pipe *pipe;
    struct cst_shm_reach *reach; /* its memory; or NULL */
    struct cst_conn *next_piped;

    /* Data connections. */
    struct cst_burst burst;
    bool linked;           /* the other side's LINK has come */
    uint32_t data_left;    /* of a DATA segment */
    uint32_t segment_left; /* of a STREAM segment */

    char who[80]; /* for messages: address and port */
};

/* What is told once to the log. */
enum cst_tell {
    CST_TELL_GARBAGE,
    CST_TELL_VERSION,
    CST_TELL_SECRET,
    CST_TELL_SLOW,
    CST_TELL_FLOOD,
    CST_TELL_REFUSED,
    CST_TELL_FILES,
    CST_TELL_BROKEN,
    CST_TELL_MPI,
    CST_TELL_STRANGE,
};

/* The sockets of a process, and what all of them need. */
struct cst_conns {
    uint8_t secret[CST_SECRET_SIZE];
    struct cst_where where; /* ours */
    uint32_t self;          /* our number; or CST_NET_NOBODY */
    uint64_t dead_ns;
    uint64_t shake_ns;
    int epoll;
    uint64_t now_ns;   /* when the poll began */
    uint64_t timer_ns; /* look at deadlines then */
    struct cst_conn *first;
    struct cst_conn *closed; /* to be freed */
    struct cst_conn *listener;
    struct cst_conn *near_listener; /* for processes of this machine; or NULL */
    bool shares;                    /* memory with those */
    uint32_t strangers;
    uint64_t listen_again_ns; /* no descriptors: the listener rests */
    char why[CST_NET_WHY_MAX];
    uint32_t told;                                  /* 1 << enum cst_tell */
    void (*log)(void *owner, const char *sentence); /* or NULL */
    void *log_owner;
    /* A connection is being closed: let go of what it has. Or NULL. */
    void (*closing)(struct cst_conns *conns, struct cst_conn *conn);
};

/* listen.c: listen; fills in conns->where. Fails with CASTELL_ERR_SYSTEM or _INVALID. */
CASTELL_MUST_CHECK enum castell_status cst_conn_listen(struct cst_conns *conns,
                                                       const char *address);

/* A listener's connection, of a socket; NULL, and closed, without memory. */
struct cst_conn *cst_conn_adopt_listener(struct cst_conns *conns, int fd);

/* What this machine and network are, as a number that is never 0. */
uint64_t cst_conn_host(void);

/* Take who has knocked, a few at a time. */
void cst_conn_accept(struct cst_conns *conns, struct cst_conn *listener);

/*
 * Begin to connect to one of the addresses: `turn` chooses. NULL when that
 * cannot even begin, with errno.
 */
struct cst_conn *cst_conn_connect(struct cst_conns *conns,
                                  const struct cst_where *where, uint32_t turn,
                                  enum cst_link_kind kind, uint32_t to);

/* Close it; it is freed when the poll is over. */
void cst_conn_close(struct cst_conns *conns, struct cst_conn *conn);

/* Free what was closed. */
void cst_conn_sweep(struct cst_conns *conns);

/* Room for `more` bytes behind what is in `in`. False without memory. */
bool cst_conn_room(struct cst_conn *conn, size_t more);

/*
 * Read what has come, once. Returns 1 when there was something, 0 when not, and
 * -1 when the connection is at its end; conns->why says how.
 */
int cst_conn_read(struct cst_conns *conns, struct cst_conn *conn);
/* What that returns when recv() has returned `got`. */
int cst_conn_received(struct cst_conns *conns, struct cst_conn *conn,
                      ssize_t got);

/*
 * The next whole segment of `in`, and takes it from there. Returns 1, 0 when
 * there is none yet, -1 with conns->why.
 */
int cst_conn_segment(struct cst_conns *conns, struct cst_conn *conn,
                     uint32_t max, uint8_t *ret_type, const uint8_t **ret_body,
                     uint32_t *ret_size);

/* Write what is in `out`. False when the connection has broken: conns->why. */
bool cst_conn_flush(struct cst_conns *conns, struct cst_conn *conn);

/* Tell epoll whether we wait for room to write. */
void cst_conn_want_write(struct cst_conns *conns, struct cst_conn *conn,
                         bool wants);

/* It has become a control or data connection: no longer counted. */
void cst_conn_admit(struct cst_conns *conns, struct cst_conn *conn,
                    enum cst_conn_what what, struct cst_peer *peer);

/* ---- shake.c -------------------------------------------------------------- */

/* The outgoing connection is there: say hello. */
void cst_shake_begin(struct cst_conns *conns, struct cst_conn *conn);

/*
 * Go on with a stranger's handshake. Returns 1 when it is done, 0 when more has
 * to come, -1 when there is nothing to go on with: conns->why.
 */
int cst_shake_step(struct cst_conns *conns, struct cst_conn *conn);

/* Say why not, then close. */
void cst_shake_refuse(struct cst_conns *conns, struct cst_conn *conn,
                      const char *why);

/* ---- local.c -------------------------------------------------------------- */

/* Listen for processes of this machine too. False: there is TCP. */
bool cst_conn_listen_near(struct cst_conns *conns);

/* A socket that is connected to who is there; -1 with errno. */
int cst_conn_connect_near(const struct cst_where *where);

/* As recv(), and keeps descriptors that come along. */
ssize_t cst_conn_receive_near(struct cst_conn *conn, void *bytes, size_t size);

/* ---- tell.c ---------------------------------------------------------------- */

/* Write conns->why. */
void cst_conns_why(struct cst_conns *conns, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Tell the log, once for each `what`. */
void cst_conns_tell(struct cst_conns *conns, enum cst_tell what,
                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Something is to be done at `when`. */
static inline void cst_conns_timer(struct cst_conns *conns, uint64_t when)
{
    if (when < conns->timer_ns)
        conns->timer_ns = when;
}

#endif
