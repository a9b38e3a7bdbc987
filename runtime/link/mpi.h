/*
 * mpi.h - carry links over MPI, between processes of one MPI world.
 *
 * Layer: link. Owner: the links's.
 *
 * A link that uses MPI keeps its TCP connection, for what MPI cannot be asked:
 * to wake who sleeps (RING), to be told how far the other one is (PROBE), and
 * to go on when MPI has fallen silent (CLOSED: both tell their marks, and send
 * again by TCP what is missing). A pair that has left MPI never returns to it.
 *
 * Small messages and the headers of those with payload go in *batches*; a
 * payload in *pieces* of CST_MPI_PIECE straight between the owners' rows, as a
 * *transfer*.
 *
 * A transfer whose link leaves MPI, or dies, is an *orphan*: its requests are
 * cancelled, but MPI ends some of them late or never. Where it sends, its memory
 * is not waited for: nobody asks for the rest. But MPI may read it, so the owner
 * is told by haunted() that it has to stay. Where it receives, the owner has its memory back,
 * by dropped(), when MPI lets go of it, or has been silent for silent_ns.
 */
#ifndef CST_LINK_MPI_H
#define CST_LINK_MPI_H

#include "castell.h"
#include "link/link.h"
#include "link/mpi_ops.h"

enum {
    CST_MPI_BATCH = 72 << 10,        /* bytes of a batch at most */
    CST_MPI_BATCH_STREAM = 64 << 10, /* of the stream in it */
    CST_MPI_RECEIVES = 8,            /* batches that may come at any time */
    CST_MPI_LOOK_EVERY = 8, /* polls; at others, look at the oldest only */
    CST_MPI_PIECE = 8 << 20,
    CST_MPI_PIECES = 4,           /* of a transfer, under way */
    CST_MPI_WINDOW = 4 << 20,     /* bytes of stream not acknowledged */
    CST_MPI_ACK_EVERY = 64 << 10, /* bytes of stream */
    CST_MPI_TAG_BATCH = 1,
    CST_MPI_TAG_BULK = 2, /* and the next CST_BULK_WINDOW */
};
#define CST_MPI_NAP_NS 50000 /* sleep no longer while MPI is at work */

struct cst_mpi_buffer {
    struct cst_mpi_buffer *next;
    uint32_t peer; /* to whom it goes */
    uint32_t rank; /* from whom it came, when it is kept */
    size_t size;
    bool kept; /* it came before its turn */
    uintptr_t request;
    uint8_t bytes[CST_MPI_BATCH];
};

struct cst_mpi_transfer {
    struct cst_mpi_transfer *next;
    struct cst_link *link; /* NULL: an orphan, nothing more is begun */
    uint32_t peer;
    uint32_t rank;
    bool incoming;
    bool failed;
    bool told;                   /* the owner knows all, or others tell it */
    struct cst_bulk_out *bulk;   /* outgoing: while it is not acknowledged */
    struct cst_bulk_out *haunts; /* outgoing, an orphan: the same; it is sent
                                    another way while MPI may read it */
    struct cst_bulk_in *in;      /* incoming: while the link has it */
    bool wanted;
    struct cst_rows rows;
    void *cookie;
    uint8_t *waste; /* incoming and not wanted */
    int tag;
    size_t size;
    size_t posted;
    size_t done;
    uint32_t active; /* requests */
    uintptr_t request[CST_MPI_PIECES];
    size_t request_size[CST_MPI_PIECES]; /* 0: none */
};

/* What a link knows while it uses MPI. */
struct cst_mpi_link {
    uint32_t rank;
    uint64_t batches_out;
    uint64_t batches_in;
    uint64_t rung_for; /* so many batches have been sent to us, RING said */
    bool peer_sleeps;  /* ring when something is sent */
    bool told;         /* the peer knows that we sleep */
    uint64_t moved_ns; /* when something was acknowledged, or moved, last */
    uint64_t probe_ns; /* when we asked last */
    uint32_t answers;  /* to that, since anything moved */
};

struct cst_mpi {
    const struct cst_mpi_ops *ops;
    struct cst_mpi_world world;
    struct cst_link **links; /* by rank; those with hope of MPI too */
    struct cst_mpi_buffer *spare;
    struct cst_mpi_buffer *out; /* being sent */
    struct cst_mpi_buffer *in;  /* posted receives, the oldest first */
    struct cst_mpi_buffer **in_last;
    uint32_t kept; /* of them, that have come before their turn */
    uint32_t polls;
    struct cst_mpi_transfer *transfers;
    uint32_t untold;  /* links whose peer thinks that we are awake */
    uint32_t awaited; /* links of which a batch must be there, or come */
};

/* ---- mpi_start.c --------------------------------------------------------------------- */

/*
 * Start MPI where this process was started under it. No failure: without MPI
 * there is TCP, and the log is told why. shared: others in this process use MPI
 * too, at the same time; where that cannot be, it is for them to see.
 */
void cst_mpi_start(struct cst_links *links, const char *modules, bool shared);

/* Is it a member of our world, and which? */
bool cst_mpi_rank(const struct cst_links *links, const struct cst_peer *peer,
                  uint32_t *ret_rank);

/* End it: finalize unless that could wait for the dead. */
void cst_mpi_stop(struct cst_links *links);

bool cst_mpi_exit_hard(void);

/* Something of MPI was left undone: never finalize. */
void cst_mpi_never_finish(void);

/* Somebody died: was it a member of our world? */
void cst_mpi_died(struct cst_links *links, const struct cst_peer *peer);

/* ---- mpi.c ------------------------------------------------------------------- */

extern const struct cst_carrier cst_mpi_carrier;

/* One more batch may come at any time. False without memory. */
bool cst_mpi_add_receive(struct cst_mpi *mpi);

/* May this link use MPI, as far as we know? Then batches may come. */
bool cst_mpi_hope(struct cst_links *links, struct cst_link *link);

/* Both sides may: from now on it does. False without memory. */
bool cst_mpi_attach(struct cst_links *links, struct cst_link *link);

/* It does not any more: the connection broke, or the peer is gone. */
void cst_mpi_detach(struct cst_links *links, struct cst_link *link);

/* MPI has failed for this pair, says links->conns.why: go on by TCP. */
void cst_mpi_close(struct cst_links *links, struct cst_link *link);

/* CLOSED has come. Tells. */
bool cst_mpi_closed(struct cst_links *links, struct cst_link *link,
                    const struct cst_marks *marks);

/* Take what has come, and go on with what is under way. Tells. */
void cst_mpi_poll(struct cst_links *links);

/* Is there anything that needs polling? */
bool cst_mpi_restless(const struct cst_mpi *mpi);

/* ---- mpi_bell.c ---------------------------------------------------------------- */

/* Tell all who think that we are awake that we are not. */
void cst_mpi_doze(struct cst_links *links);

/* A batch has been sent: ring if the peer sleeps. */
void cst_mpi_ring(struct cst_link *link);

/* A batch has come. */
void cst_mpi_heard(struct cst_links *links, struct cst_link *link);

/* SLEEP or RING has come. Tells. */
bool cst_mpi_bell(struct cst_links *links, struct cst_link *link, uint8_t type,
                  const uint8_t *body, uint32_t size);

/* Something has moved on this link; or an answer to a probe has come. */
void cst_mpi_moved(struct cst_links *links, struct cst_link *link);
void cst_mpi_answered(struct cst_link *link);

/* Has MPI fallen silent? Ask, then leave it. */
void cst_mpi_timer(struct cst_links *links, struct cst_link *link);

/* ---- mpi_bulk.c ------------------------------------------------------------------ */

/* Begin to send a payload. False without memory. */
bool cst_mpi_send_bulk(struct cst_links *links, struct cst_link *link,
                       struct cst_bulk_out *bulk);

/* Begin to receive one. False without memory: links->conns.why. */
bool cst_mpi_receive_bulk(struct cst_links *links, struct cst_link *link,
                          uint64_t number, struct cst_bulk_in *in);

/* Go on with all transfers. Tells. */
void cst_mpi_poll_bulk(struct cst_links *links);

/* The link does not use MPI any more: its transfers become orphans. */
void cst_mpi_orphan_bulk(struct cst_links *links, const struct cst_link *link);

/* The link has done with a payload that MPI may read: tell the owner. False: MPI
   has done with it too. */
bool cst_mpi_leave_ghost(struct cst_links *links, uint32_t peer,
                         struct cst_bulk_out *bulk, bool arrived);

/* Free what MPI still holds; the process is about to end. */
void cst_mpi_forget_bulk(struct cst_mpi *mpi);

#endif
