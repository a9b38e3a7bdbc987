/*
 * owner.h - what whoever owns a net is told, and asked.
 *
 * Layer: link. net/net.h is what one does with a net; this is its other half.
 */
#ifndef CST_LINK_OWNER_H
#define CST_LINK_OWNER_H

#include "base/rows.h"
#include "conn/frames.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What goes with a header, from the owner's memory. */
struct cst_net_payload {
    struct cst_rows from; /* kept, unchanged, until sent(cookie) */
    void *cookie;
};

/*
 * What the owner is told, and asked. Every pointer that it is given is valid
 * during the call only. A function may call cst_net_send(), cst_net_expel()
 * and cst_net_leave(), and nothing else here. None may be NULL but where it
 * says so.
 */
struct cst_net_owner {
    void *owner; /* the first argument of each */

    /*
     * Master only. May it join? Return false to refuse, with a sentence in
     * `why`, of CST_NET_WHY_MAX. When it may, joined() follows at once.
     */
    bool (*admit)(void *owner, const void *hello, size_t hello_size, char *why);

    /*
     * Somebody is in the run, with the hello that it was opened with. A worker
     * hears of the master first, then of all others that are there. Nobody
     * hears of itself.
     */
    void (*joined)(void *owner, uint32_t peer, const void *hello,
                   size_t hello_size);

    /*
     * Somebody is not in the run any more. Every message that it was sent and
     * has not acknowledged is lost: sent(cookie, false) has been or will be
     * called for each payload. A message of it of which the payload
     * has not arrived will not come: dropped() has been or will be called; with
     * MPI perhaps never, for who only hung may go on, and write.
     */
    void (*gone)(void *owner, uint32_t peer, enum cst_net_end how,
                 const char *why);

    /* Worker only: it is not in the run any more. The last call of all. */
    void (*over)(void *owner, enum cst_net_over how, const char *why);

    /*
     * A message has come. `into` is what payload_into() said, or NULL when
     * there was no payload, or the owner did not want it.
     */
    void (*message)(void *owner, uint32_t peer, const void *header,
                    size_t header_size, const struct cst_rows *into);

    /*
     * The header of a message with a payload of `payload_size` bytes has come.
     * Where to? Fill *ret_into with rows of as many bytes in all (their shape
     * need not be the sender's) and return true; then message() or dropped()
     * follows. Or return false: the payload is thrown away as it comes, and
     * message() follows. Asked once for each message; and again when MPI failed
     * in the middle of it: then name another place, for dropped() follows for
     * the first one.
     */
    bool (*payload_into)(void *owner, uint32_t peer, const void *header,
                         size_t header_size, size_t payload_size,
                         struct cst_rows *ret_into);

    /* Nothing will be written any more to what payload_into() said, and what is
       in it is undefined: the sender is gone, or will send it again. May come
       after gone(). */
    void (*dropped)(void *owner, uint32_t peer, const struct cst_rows *into);

    /*
     * The memory of a payload is not read any more. When `arrived`, the peer
     * has all of it; else the peer is gone. May come after gone().
     */
    void (*sent)(void *owner, uint32_t peer, void *cookie, bool arrived);

    /*
     * In place of sent(), and rarely: MPI, which this pair does not use any
     * more, has not let go of that memory and perhaps never will. It may be
     * written to, but must stay as long as the process. At most CST_BULK_WINDOW
     * payloads of a pair, once. NULL: sent() is called all the same.
     */
    void (*haunted)(void *owner, uint32_t peer, void *cookie, bool arrived);

    /*
     * Something that a person may want to know, in one sentence: a stranger at
     * the port, a pair that moved from MPI to TCP. Each kind is told once. May
     * be NULL.
     */
    void (*log)(void *owner, const char *sentence);
};

struct cst_net_counts {
    uint64_t messages_sent; /* handed to a carrier, repeats not counted */
    uint64_t bytes_sent;    /* of headers and payloads */
    uint64_t messages_received;
    uint64_t bytes_received;
    uint64_t unacknowledged; /* messages sent that the peer may not have */
    const char *carrier;     /* "tcp", "shm", "mpi", "loopback"; or "none" */
};

struct cst_net_ops;

/* What every net begins with. */
struct cst_net {
    const struct cst_net_ops *ops; /* of room net */
    struct cst_net_owner owner;
    uint32_t self;
    uint32_t told; /* events, by the poll that is going on */
};

#endif
