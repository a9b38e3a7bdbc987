/*
 * loopback_internal.h - letters between nets of one process.
 *
 * Layer: net, private to loopback.c and hub.c. Owner: the hub's.
 */
#ifndef CST_NET_LOOPBACK_INTERNAL_H
#define CST_NET_LOOPBACK_INTERNAL_H

#include "net/loopback.h"
#include "net/net_internal.h"

enum { CST_HUB_PEERS_MAX = 4096 };

/* Something that a net will find at its next poll. */
enum cst_letter_what {
    CST_LETTER_MESSAGE = 1,
    CST_LETTER_SENT, /* our payload has arrived, or not */
    CST_LETTER_JOINED,
    CST_LETTER_GONE,
    CST_LETTER_OVER,
};

struct cst_letter {
    struct cst_letter *next;
    enum cst_letter_what what;
    uint64_t stamp; /* of the hub, when it was put where it is */
    uint32_t peer;
    int how; /* enum cst_net_end, enum cst_net_over */
    bool has_payload;
    bool arrived;
    struct cst_rows from;
    void *cookie;
    size_t size;
    uint8_t bytes[]; /* the header, the hello, or why */
};

struct cst_mail {
    struct cst_letter *first;
    struct cst_letter **last;
};

struct cst_loop {
    struct cst_net net;
    struct cst_net_hub *hub;
    struct cst_mail in;
    struct cst_mail *out; /* to each peer, not flushed */
    struct cst_net_counts *counts;
    uint8_t *hello;
    size_t hello_size;
    bool dead; /* it may only be closed */
    bool over; /* it has heard, or will hear, over() */
    bool leaves;
};

struct cst_net_hub {
    struct cst_loop *loops[CST_HUB_PEERS_MAX]; /* NULL: gone */
    uint32_t count;
    uint32_t open; /* nets that are not closed */
    uint64_t posted;
};

extern const struct cst_net_ops cst_loop_ops;

void cst_mail_init(struct cst_mail *mail);

/* News of the hub's own, for one net. */
struct cst_letter *cst_hub_post(struct cst_loop *to, enum cst_letter_what what,
                                uint32_t peer, const void *bytes, size_t size);

#endif
