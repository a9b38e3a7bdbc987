/*
 * net_internal.h - how a net is made: the mesh of processes, its connections,
 * members and links, and the carriers of links.
 *
 * Layer: net, private to it.
 *
 * Owner: as net.h says; only what is atomic is touched by others.
 *
 * A *mesh* is the real net, a *hub* has those of one process (loopback.c). A
 * *connection* is one TCP socket: a *stranger* until it has shown that it knows
 * the secret, then a control link or the data connection of a link. A *link*
 * joins a pair of processes for good; it outlives connections and carriers, and
 * knows what was sent and not yet acknowledged, so that it can be sent again.
 *
 * Of each pair the younger process (the higher number) connects; the older asks
 * it to, through the master. So there is never a tie of two connections.
 */
#ifndef CST_NET_NET_INTERNAL_H
#define CST_NET_NET_INTERNAL_H

#include "net/frames.h"
#include "net/net.h"
#include "wire/wire.h"

#include <stdatomic.h>
#include <sys/uio.h>

#define CST_NS_PER_MS UINT64_C(1000000)
#define CST_NS_PER_S  UINT64_C(1000000000)
#define CST_NEVER     UINT64_MAX

enum {
    CST_SECRET_SIZE = 32,
    CST_BULK_WINDOW = 8, /* messages with payload under way, of one pair */
    CST_IOVECS_MAX = 1024,
    CST_WASTE_SIZE = 64 << 10,
};

/* ---- Nets --------------------------------------------------------------- */

/* What a net must do; net.h says what that means. */
struct cst_net_ops {
    void (*close)(struct cst_net *net);
    uint32_t (*poll)(struct cst_net *net);
    bool (*doze)(struct cst_net *net);
    void (*sleep)(struct cst_net *net, uint64_t timeout_ns);
    void (*wake)(struct cst_net *net);
    void (*leave)(struct cst_net *net);
    void (*expel)(struct cst_net *net, uint32_t peer, const char *why);
    enum castell_status (*send)(struct cst_net *net, uint32_t peer,
                                const void *header, size_t header_size,
                                const struct cst_net_payload *payload);
    void (*flush)(struct cst_net *net);
    bool (*counts)(const struct cst_net *net, uint32_t peer,
                   struct cst_net_counts *ret_counts);
};

struct cst_net {
    const struct cst_net_ops *ops;
    struct cst_net_owner owner;
    uint32_t self;
    uint32_t told; /* events, by the poll that is going on */
};

/* ---- Connections (conn.c, shake.c) --------------------------------------- */

struct cst_mesh;
struct cst_link;
struct cst_peer;

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

    /* Data connections. */
    struct cst_burst burst;
    bool linked;           /* the other side's LINK has come */
    uint32_t data_left;    /* of a DATA segment */
    uint32_t segment_left; /* of a STREAM segment */

    char who[80]; /* for messages: address and port */
};

/* ---- Links (link.c, tcp.c, mpi.c) ----------------------------------------- */

/*
 * Messages without payload, one after the other, each as its length (4 bytes)
 * and its header. Positions count bytes since the link began.
 */
struct cst_stream {
    uint8_t *bytes; /* position `acked` is at bytes[begin] */
    size_t capacity;
    size_t begin;
    uint64_t acked;
    uint64_t sent; /* handed to the carrier */
    uint64_t end;
};

struct cst_mpi_transfer;

/* A message with payload on its way out. */
struct cst_bulk_out {
    struct cst_bulk_out *next;
    uint64_t number;
    struct cst_rows from;
    size_t size;
    void *cookie;
    struct cst_mpi_transfer *transfer; /* MPI may hold the rows */
    size_t header_size;
    uint8_t header[];
};

/* A message with payload on its way in. */
struct cst_bulk_in {
    bool active;
    bool wanted;  /* into is where the owner wants it */
    bool arrived; /* all of it */
    struct cst_rows into;
    size_t size;
    size_t received;
    size_t header_size;
    uint8_t *header;
    struct cst_mpi_transfer *transfer; /* MPI writes to the rows */
};

struct cst_carrier {
    const char *name;
    /* Send what is queued, as far as it goes now. */
    void (*push)(struct cst_mesh *mesh, struct cst_link *link);
};

struct cst_mpi_link;

struct cst_link {
    struct cst_peer *peer;
    const struct cst_carrier *carrier; /* NULL: not connected */
    struct cst_conn *conn;             /* open, or NULL */
    struct cst_conn *attempt;          /* ours, under way */
    struct cst_link *next_dirty;
    bool dirty;         /* in the mesh's list of those with something to push */
    bool called;        /* we asked the other side to connect */
    uint64_t retry_ns;  /* connect, or ask, not before */
    uint64_t wait_ns;   /* and then wait that long */
    uint64_t linked_ns; /* when it was connected last */
    uint64_t broken_ns; /* wants to be connected and is not, since; or 0 */
    uint32_t attempts;  /* since it was connected last */

    struct cst_stream out;
    uint64_t bulk_numbers;           /* given so far */
    struct cst_bulk_out *bulk_first; /* not acknowledged, oldest first */
    struct cst_bulk_out *bulk_last;
    struct cst_bulk_out *bulk_next; /* to be sent, or being sent */
    size_t bulk_offset;             /* of it, that is sent */
    bool bulk_headed;               /* its header is sent */

    uint64_t stream_in; /* position up to which all has come */
    uint64_t stream_told;
    uint64_t bulk_in; /* all numbers below have come */
    uint64_t bulk_told;
    struct cst_bulk_in window[CST_BULK_WINDOW]; /* by number */
    bool probes; /* we want to know how far the other side is */
    bool probed; /* the other side wants to know how far we are */

    struct cst_net_counts counts;
    struct cst_mpi_link *mpi; /* while the pair uses MPI */
    bool mpi_spent;           /* it has, or could not, and never will again */
};

/* ---- Peers, and the mesh --------------------------------------------------- */

enum cst_peer_state {
    CST_PEER_IN = 1,
    CST_PEER_GONE,
};

/* What is known of a peer, as long as it is there. */
struct cst_peer_about {
    struct cst_where where;
    char sent_away[CST_NET_WHY_MAX]; /* master: why; cst_net_expel() */
    size_t hello_size;
    uint8_t hello[];
};

struct cst_peer {
    uint32_t number;
    enum cst_peer_state state;
    struct cst_peer_about *about; /* NULL when it is gone */
    struct cst_link *link;        /* once there was anything to say */
    struct cst_conn *control;     /* master: to that worker */
    uint32_t accused_by;          /* master: who could not reach it */
    struct cst_net_counts counts; /* of a link that is no more */
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

enum cst_stay {
    CST_STAY_JOINING = 1, /* worker: not yet welcome */
    CST_STAY_IN,
    CST_STAY_LEAVING, /* worker: waits until all is acknowledged */
    CST_STAY_ASKED,   /* worker: has asked the master to let it go */
    CST_STAY_OVER,
};

struct cst_mpi;

struct cst_mesh {
    struct cst_net net;
    uint8_t secret[CST_SECRET_SIZE];
    struct cst_where where; /* ours */
    uint8_t *hello;
    size_t hello_size;
    uint64_t heartbeat_ns;
    uint64_t dead_ns;
    uint64_t shake_ns;
    uint64_t silent_ns;
    char *directory;

    int epoll;
    int bell; /* eventfd; not in epoll: only a sleeper reads it */
    _Atomic(bool) rung;
    _Atomic(bool) asleep;
    _Atomic(bool) restless;      /* something must be polled all the time */
    _Atomic(uint64_t) wakeup_ns; /* there is something to do then */

    uint64_t now_ns;   /* when the poll began */
    uint64_t last_ns;  /* and the one before */
    uint64_t timer_ns; /* look at deadlines then */
    enum cst_stay stay;
    bool polling;        /* the owner is being called back */
    bool expels;         /* some peer's sent_away is set */
    bool wants_to_leave; /* since cst_net_leave() */
    struct cst_conn *conns;
    struct cst_conn *closed; /* to be freed */
    struct cst_conn *listener;
    struct cst_conn *control; /* worker: to the master */
    uint32_t strangers;
    uint32_t refusals;        /* of our attempts to join */
    uint64_t listen_again_ns; /* no descriptors: the listener rests */
    struct cst_peer **peers;  /* by number */
    uint32_t peers_count;
    uint32_t peers_capacity;
    struct cst_link *dirty;
    uint32_t told; /* 1 << enum cst_tell */
    char why[CST_NET_WHY_MAX];
    struct iovec *iovecs; /* CST_IOVECS_MAX */
    uint8_t *waste;       /* where unwanted payload goes */
    struct cst_mpi *mpi;  /* or NULL */
};

#endif
