/*
 * frames.h - what processes say to each other, in bytes.
 *
 * Layer: conn. Pure.
 *
 * On a TCP connection everything is a segment: its type (1 byte), 3 bytes of
 * zero, its length (4 bytes), and as many bytes. Every decoder here is total:
 * any bytes give a struct that keeps to its limits, or false.
 */
#ifndef CST_CONN_FRAMES_H
#define CST_CONN_FRAMES_H

#include "base/rows.h"
#include "castell.h"
#include "shm/shm.h"
#include "wire/wire.h"

/*
 * A process of the run. A number is never given again in a run, to nobody.
 */
enum {
    CST_NET_MASTER = 0,
    CST_NET_PEERS_MAX = 1 << 16, /* numbers given in one run */
    CST_NET_HEADER_MAX = 64 << 10,
    CST_NET_HELLO_MAX = 64 << 10,
    CST_NET_WHY_MAX = 256, /* bytes of a sentence, with its end */
};
#define CST_NET_NOBODY UINT32_MAX

/* How a peer left the run. */
enum cst_net_end {
    CST_NET_LEFT = 1,  /* it said so, and everything it sent has arrived */
    CST_NET_SENT_AWAY, /* the master's owner said so: cst_net_expel() */
    CST_NET_DIED,      /* its connection broke, or it was silent too long */
};

/* How a worker's own stay came to its end. */
enum cst_net_over {
    CST_NET_OVER_LEFT = 1,  /* it asked to; the master has agreed */
    CST_NET_OVER_SENT_AWAY, /* the master told it to go, or ended the run */
    CST_NET_OVER_MASTER_LOST,
};

enum {
    CST_NET_VERSION = 1,
    CST_NONCE_SIZE = 32,
    CST_PROOF_SIZE = 32,
    CST_SEGMENT_PREFIX = 8,
    CST_STRANGER_MAX = 512,      /* bytes of a segment before the proof */
    CST_CONTROL_MAX = 128 << 10, /* on a control connection */
    CST_SEGMENT_MAX = 1 << 20,   /* on any */
    CST_ADDRESSES_MAX = 8,
    CST_ADDRESS_MAX = 48, /* bytes of a numeric address with its end */
};
#define CST_NET_MAGIC 0x4C545343u /* "CSTL" */

enum cst_segment {
    /* The handshake. The first one is the same in every version. */
    CST_SEGMENT_HELLO = 1,
    CST_SEGMENT_CHALLENGE,
    CST_SEGMENT_PROOF,
    CST_SEGMENT_REFUSED,

    /* Control links. */
    CST_SEGMENT_JOIN, /* to the master */
    CST_SEGMENT_LEAVE,
    CST_SEGMENT_CUT,
    CST_SEGMENT_WELCOME, /* from the master */
    CST_SEGMENT_PEER,
    CST_SEGMENT_GONE,
    CST_SEGMENT_GO,
    CST_SEGMENT_BEAT, /* both ways */
    CST_SEGMENT_CALL,

    /* Data links. */
    CST_SEGMENT_LINK,
    CST_SEGMENT_STREAM,
    CST_SEGMENT_BULK,
    CST_SEGMENT_DATA,
    CST_SEGMENT_ACK,
    CST_SEGMENT_PROBE,
    CST_SEGMENT_SLEEP,
    CST_SEGMENT_RING,
    CST_SEGMENT_CLOSED,
    CST_SEGMENT_NEAR,
    CST_SEGMENT_PULL,
};

/* NEAR, with descriptors beside it; see near.h. */
enum cst_near {
    CST_NEAR_OFFER = 1,
    CST_NEAR_ACCEPT,
    CST_NEAR_GO,
};
struct cst_near_text {
    uint8_t near;     /* enum cst_near */
    bool pulls;       /* ACCEPT, GO: it can read the other's memory */
    uint64_t address; /* of the token: OFFER, ACCEPT */
    uint8_t token[CST_SHM_TOKEN_SIZE];
};

/* What a connection is for. */
enum cst_link_kind {
    CST_LINK_CONTROL = 1,
    CST_LINK_DATA,
};

/* Where the data links of a process lead to. */
struct cst_where {
    uint64_t host;  /* the same number: the same machine and network */
    uint64_t world; /* of MPI; 0 is none */
    uint32_t rank;
    uint16_t port;
    uint32_t addresses_count;
    char addresses[CST_ADDRESSES_MAX][CST_ADDRESS_MAX];
};

struct cst_shake_hello {
    uint16_t version;
    uint8_t kind; /* enum cst_link_kind */
    uint32_t from;
    uint32_t to;
    uint8_t nonce[CST_NONCE_SIZE];
};

/* JOIN (number 0) and PEER. */
struct cst_peer_text {
    uint32_t number;
    struct cst_where where;
    const uint8_t *hello; /* in the bytes decoded */
    size_t hello_size;
};

struct cst_welcome {
    uint32_t number;
    uint64_t heartbeat_ns;
    uint64_t dead_ns;
};

/* GONE; GO, with an enum cst_net_over as `how` and no number; CUT, CALL and
   REFUSED, which use a part. */
struct cst_news_of {
    uint32_t number;
    uint8_t how;
    char why[CST_NET_WHY_MAX];
};

/* LINK, ACK, CLOSED: how far the sender has got what the other one sent. */
struct cst_marks {
    uint64_t stream; /* bytes */
    uint64_t bulk;   /* messages with payload */
    bool mpi;        /* LINK: may this pair use it? */
};

struct cst_bulk_head {
    uint64_t number;
    uint64_t payload_size;
    const uint8_t *header; /* in the bytes decoded */
    size_t header_size;
};

/* PULL: a message with payload; the receiver is to read it itself. */
struct cst_pull {
    struct cst_bulk_head head;
    struct cst_rows from; /* there */
};

/* SLEEP and RING, with how many batches came, or were sent, over MPI. */
struct cst_bell {
    struct cst_marks marks;
    uint64_t batches;
};

/* A message of MPI: a part of the stream, and headers of payloads behind it. */
struct cst_batch {
    uint64_t number;   /* of the batch; the first 8 bytes */
    uint64_t position; /* of the stream */
    struct cst_marks marks;
    const uint8_t *stream;
    size_t stream_size;
    struct cst_reader rest; /* when decoded */
};

/* Is it a numeric address, without a scope? */
bool cst_is_address(const char *text);

/* Begin and end a segment; what is between is put with wire.h. */
size_t cst_segment_begin(struct cst_writer *writer, enum cst_segment type);
void cst_segment_end(struct cst_writer *writer, size_t begin);

/* A whole segment with nothing in it. */
void cst_segment_empty(struct cst_writer *writer, enum cst_segment type);

/*
 * Is there a segment at the beginning of these bytes? Returns 1 and its body, 0
 * when more bytes are needed, and -1 when it can be none, or is longer than
 * `max`.
 */
int cst_segment_find(const uint8_t *bytes, size_t size, uint32_t max,
                     uint8_t *ret_type, uint32_t *ret_size);

void cst_put_where(struct cst_writer *writer, const struct cst_where *where);
void cst_put_shake_hello(struct cst_writer *writer,
                         const struct cst_shake_hello *hello);
void cst_put_peer(struct cst_writer *writer, enum cst_segment type,
                  const struct cst_peer_text *peer);
void cst_put_welcome(struct cst_writer *writer,
                     const struct cst_welcome *welcome);
void cst_put_news(struct cst_writer *writer, enum cst_segment type,
                  uint32_t number, uint8_t how, const char *why);
void cst_put_marks(struct cst_writer *writer, enum cst_segment type,
                   const struct cst_marks *marks);

void cst_put_bulk_head(struct cst_writer *writer, uint64_t number,
                       uint64_t payload_size, const void *header,
                       size_t header_size);
void cst_put_near(struct cst_writer *writer, const struct cst_near_text *text);
void cst_put_pull(struct cst_writer *writer, const struct cst_pull *pull);
void cst_put_bell(struct cst_writer *writer, enum cst_segment type,
                  const struct cst_bell *bell);
void cst_put_batch(struct cst_writer *writer, const struct cst_batch *batch);

bool cst_get_shake_hello(const uint8_t *bytes, size_t size,
                         struct cst_shake_hello *ret_hello);
bool cst_get_peer(const uint8_t *bytes, size_t size,
                  struct cst_peer_text *ret_peer);
bool cst_get_welcome(const uint8_t *bytes, size_t size,
                     struct cst_welcome *ret_welcome);
bool cst_get_news(const uint8_t *bytes, size_t size,
                  struct cst_news_of *ret_news);
bool cst_get_marks(const uint8_t *bytes, size_t size,
                   struct cst_marks *ret_marks);
bool cst_get_bulk_head(const uint8_t *bytes, size_t size,
                       struct cst_bulk_head *ret_head);
bool cst_get_near(const uint8_t *bytes, size_t size,
                  struct cst_near_text *ret_text);
bool cst_get_pull(const uint8_t *bytes, size_t size, struct cst_pull *ret_pull);
bool cst_get_bell(const uint8_t *bytes, size_t size, struct cst_bell *ret_bell);
bool cst_get_batch(const uint8_t *bytes, size_t size,
                   struct cst_batch *ret_batch);

/* One of several; for what is behind the stream of a batch. */
bool cst_get_next_bulk_head(struct cst_reader *reader,
                            struct cst_bulk_head *ret_head);

/* The file `master`, which people may read too. `capacity` of 1 KiB does. */
void cst_print_where(const struct cst_where *where, char *text,
                     size_t capacity);
bool cst_parse_where(const char *text, struct cst_where *ret_where);

#endif
