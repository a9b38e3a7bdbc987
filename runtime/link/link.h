/*
 * link.h - what a pair of processes has said to each other and not yet heard,
 * and what carries it.
 *
 * Layer: link. May include base, wire, shm and conn. Knows who is in the run only
 * by being told: see struct cst_links_hooks.
 *
 * Owner: as net/net.h says.
 *
 * A *link* joins a pair of processes for good; it outlives connections and
 * carriers, and knows what was sent and not yet acknowledged, so that it can be
 * sent again. Of each pair the younger process (the higher number) connects; the
 * older asks it to, through the master. So there is never a tie of two
 * connections.
 *
 * In every function that says "tells" the owner may be called back, and may
 * send meanwhile. What else it may call takes effect at the end of the poll: no
 * link goes away under a function that works on it.
 */
#ifndef CST_LINK_LINK_H
#define CST_LINK_LINK_H

#include "castell.h"
#include "conn/conn.h"
#include "link/owner.h"
#include "shm/shm.h"
#include "wire/wire.h"

#include <sys/uio.h>

enum {
    CST_BULK_WINDOW = 8, /* messages with payload under way, of one pair */
    CST_IOVECS_MAX = 1024,
    CST_WASTE_SIZE = 64 << 10,
};

struct cst_link;
struct cst_links;

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
    struct cst_mpi_transfer *ghost;    /* ... though it is sent another way */
    size_t header_size;
    uint8_t header[];
};

/* A message with payload on its way in. */
struct cst_bulk_in {
    bool active;
    bool wanted;  /* into is where the owner wants it */
    bool arrived; /* all of it */
    bool pulls;   /* we are to read it from `from`, in the other's memory */
    struct cst_rows from;
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
    void (*push)(struct cst_links *links, struct cst_link *link);
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
    CST_PEER_EXPECTED, /* worker: it was named by others than the net so far */
    CST_PEER_IN,
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
    struct cst_peer_about *about; /* while it is in */
    struct cst_link *link;        /* once there was anything to say */
    struct cst_conn *control;     /* master: to that worker */
    uint32_t accused_by;          /* master: who could not reach it */
    struct cst_net_counts counts; /* of a link that is no more */
};

/* What links ask of those who know who is in the run. */
struct cst_links_hooks {
    /* Ask the peer, which is younger, to connect to us. */
    void (*call)(struct cst_links *links, uint32_t peer);
    /* The peer could not be reached for too long: one of us must go. */
    void (*accuse)(struct cst_links *links, uint32_t peer);
    /* While links->leaves: a link has had everything acknowledged. */
    void (*settled)(struct cst_links *links);
};

struct cst_mpi;

/* The links of a process. */
struct cst_links {
    struct cst_net net;
    struct cst_conns conns;
    const struct cst_links_hooks *hooks;
    struct cst_peer **peers; /* by number */
    uint32_t peers_count;
    uint32_t peers_capacity;
    bool over;   /* the owner is not called back any more */
    bool leaves; /* and waits until all is acknowledged */
    struct cst_link *dirty;
    struct iovec *iovecs; /* twice CST_IOVECS_MAX */
    uint8_t *waste;       /* where unwanted payload goes */
    uint64_t silent_ns;   /* MPI brings nothing so long: TCP */
    struct cst_mpi *mpi;  /* or NULL */

    int bell; /* eventfd; not in epoll: only a sleeper reads it */
    struct cst_shm_box *box;           /* or NULL: no shared memory */
    struct cst_conn *piped;            /* which have a pipe */
    uint8_t token[CST_SHM_TOKEN_SIZE]; /* by which our memory is known */
    uint32_t far;                      /* data connections that read a socket */
};

/* NULL when there never was one, or it is ourselves. */
static inline struct cst_peer *cst_link_peer(const struct cst_links *links,
                                             uint32_t number)
{
    return number < links->peers_count ? links->peers[number] : NULL;
}

/* ---- link.c -------------------------------------------------------------------- */

/* The link to that peer, made when there is none; NULL without memory. */
struct cst_link *cst_link_get(struct cst_peer *peer);

/* Drop it: what is on its way is lost. Tells. */
void cst_link_destroy(struct cst_links *links, struct cst_link *link);

CASTELL_MUST_CHECK enum castell_status
cst_link_send(struct cst_links *links, struct cst_link *link,
              const void *header, size_t header_size,
              const struct cst_net_payload *payload);

/* Is there something that the peer has not acknowledged? */
bool cst_link_busy(const struct cst_link *link);

/* There is something to push. */
void cst_link_touch(struct cst_links *links, struct cst_link *link);

/* Push what is queued on all links. */
void cst_link_push_all(struct cst_links *links);

/* The marks that tell the peer how far we are. */
struct cst_marks cst_link_marks(struct cst_link *link);

/* The peer has told its own: forget what has arrived. Tells. */
bool cst_link_acknowledge(struct cst_links *links, struct cst_link *link,
                          const struct cst_marks *marks);

/* Whatever was under way is lost: send again from what is acknowledged. */
void cst_link_rewind(struct cst_link *link);

/*
 * Bytes of the stream have come, from position link->stream_in on. Delivers the
 * whole messages among them; *ret_used is how many bytes they have. False when
 * they make no sense. Tells.
 */
bool cst_link_deliver(struct cst_links *links, struct cst_link *link,
                      const uint8_t *bytes, size_t size, size_t *ret_used);

/*
 * The header of a message with payload has come, of a number in the window.
 * NULL, with conns.why, when it makes no sense or there is no memory. Tells.
 */
struct cst_bulk_in *cst_link_bulk_begin(struct cst_links *links,
                                        struct cst_link *link,
                                        const struct cst_bulk_head *head);

/* All of a payload has come: deliver it, in its order. Tells. */
void cst_link_bulk_arrived(struct cst_links *links, struct cst_link *link,
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
void cst_connect_take(struct cst_links *links, struct cst_conn *conn);

/* An attempt of ours came to nothing: conns.why. */
void cst_connect_failed(struct cst_links *links, struct cst_conn *conn);

/* The link's connection is no more: conns.why. */
void cst_connect_broken(struct cst_links *links, struct cst_conn *conn);

/* Get a connection, now or when its time has come. */
void cst_connect_want(struct cst_links *links, struct cst_link *link);

/* The peer wants us to connect. */
void cst_connect_called(struct cst_links *links, uint32_t number);

/* LINK has come. Tells. */
bool cst_connect_linked(struct cst_links *links, struct cst_conn *conn,
                        const struct cst_marks *marks);

/* Look at the deadlines of a link. */
void cst_connect_timer(struct cst_links *links, struct cst_link *link);

/* ---- tcp.c ------------------------------------------------------------------------ */

extern const struct cst_carrier cst_tcp_carrier;

/* Something to read on a data connection. Tells. */
void cst_tcp_read(struct cst_links *links, struct cst_conn *conn);

/* Write what is to be written on it, of control segments at least. */
void cst_tcp_push(struct cst_links *links, struct cst_link *link);

#endif
