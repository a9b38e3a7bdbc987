/*
 * net.h - the links between the processes of a run.
 *
 * Layer: net. May include base and wire. Knows nothing of tasks: a message is a
 * header and perhaps a payload, bytes to it.
 *
 *   1. Words         3. Open, close        5. Send
 *   2. The owner     4. Poll, sleep, wake  6. Look inside
 *
 * Threads: one thread at a time, the owner (who holds the baton), calls what is
 * here; no call blocks but cst_net_join(), and that once, at start. Two may be
 * called by anybody: cst_net_sleep(), by one thread at a time, and
 * cst_net_wake(). The net has no thread of its own and calls its owner back
 * only from cst_net_poll() and cst_net_join().
 *
 * Order: messages without payload from one process to another arrive in the
 * order of sending. A message with a payload arrives when its payload is there,
 * which may be later than messages sent after it; those with payloads are in
 * order among themselves. Between different pairs nothing is promised, but a
 * process hears `joined` of a peer before anything else of it, and `gone` last.
 *
 * Loss: none, and nothing twice, while both ends are in the run; what a broken
 * connection, or an MPI that fell silent, took with it is sent again another
 * way. Nothing but the control link to the master decides who is in the run.
 */
#ifndef CST_NET_NET_H
#define CST_NET_NET_H

#include "base/rows.h"
#include "castell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- 1. Words --------------------------------------------------------- */

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

struct cst_net;

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

/* What goes with a header, from the owner's memory. */
struct cst_net_payload {
    struct cst_rows from; /* kept, unchanged, until sent(cookie) */
    void *cookie;
};

/* ---- 2. The owner ------------------------------------------------------ */

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
     * Something that a person may want to know, in one sentence: a stranger at
     * the port, a pair that moved from MPI to TCP. Each kind is told once. May
     * be NULL.
     */
    void (*log)(void *owner, const char *sentence);
};

/* ---- 3. Open, close ---------------------------------------------------- */

/* All are copied, or used during the call only. 0 and NULL mean the default. */
struct cst_net_options {
    const char *directory; /* of the run; must be ours, with mode 0700 */
    const char *address;   /* to listen on, numeric; NULL: all */
    const void *hello;     /* what the others hear of us in joined() */
    size_t hello_size;     /* at most CST_NET_HELLO_MAX */
    uint64_t heartbeat_ns; /* 500 ms; a worker takes over the master's */
    uint64_t dead_ns;      /* silent so long, dead: 5 s; the master's too */
    uint64_t shake_ns;     /* a stranger has that long to show itself: 5 s */
    uint64_t join_ns;      /* wait that long for the master: 60 s */
    uint64_t silent_ns;    /* MPI brings nothing so long, use TCP: 3 s */
    bool mpi;              /* use MPI where we were started under it */
    const char *modules;   /* where castell_mpi.so is; NULL: as installed */
};

/*
 * Make the secret of a run: 32 random bytes in file `secret` of the directory,
 * mode 0600. For the launcher, before it starts anything.
 * Fails with CASTELL_ERR_INVALID when the directory is not ours alone, and with
 * CASTELL_ERR_SYSTEM, also when there is one.
 */
CASTELL_MUST_CHECK enum castell_status
cst_net_make_secret(const char *directory);

/*
 * Be the master: listen, and write where to file `master` of the directory.
 * Fails with CASTELL_ERR_INVALID (the directory or the secret is not ours
 * alone, an option makes no sense), CASTELL_ERR_SYSTEM, CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_net_open(const struct cst_net_options *options,
             const struct cst_net_owner *owner, struct cst_net **ret_net);

/*
 * Be a worker: wait for file `master`, connect, and be admitted. Calls joined()
 * for who is there. Blocks, at most for join_ns.
 * Fails as cst_net_open(), with CASTELL_ERR_UNSATISFIABLE when the master
 * refused (the text is the master's sentence), and with CASTELL_ERR_NODE_LOST
 * when there was no master in that time.
 */
CASTELL_MUST_CHECK enum castell_status
cst_net_join(const struct cst_net_options *options,
             const struct cst_net_owner *owner, struct cst_net **ret_net);

/*
 * Worker: ask to leave the run. What was sent before arrives first. over()
 * follows from a later poll.
 */
void cst_net_leave(struct cst_net *net);

/*
 * Master: tell a worker to go; everybody hears gone(). It hears over(). What
 * was sent to it may be lost.
 */
void cst_net_expel(struct cst_net *net, uint32_t peer, const char *why);

/*
 * Close every connection, call nobody back. A master's workers hear over() (sent
 * away). Owner's memory of payloads is not used any more. NULL is allowed.
 */
void cst_net_close(struct cst_net *net);

/*
 * Must the process end by _exit()? So it is when it is in an MPI world that has
 * lost a member: its finalization would wait for the dead. Holds after
 * cst_net_close() too.
 */
bool cst_net_exit_hard(void);

/* ---- 4. Poll, sleep, wake ---------------------------------------------- */

/*
 * Send what is queued, take what has come, and call the owner back. Returns
 * how many events the owner was told. To be called often while there is work,
 * and at least every heartbeat_ns in any case.
 */
uint32_t cst_net_poll(struct cst_net *net);

/*
 * Owner: before somebody sleeps. Tells peers that use MPI to ring. Returns
 * false when something may have come since the last poll: poll first.
 */
bool cst_net_doze(struct cst_net *net);

/*
 * Sleep until there may be something to poll (a message, a deadline of the
 * net's own), until cst_net_wake(), or for timeout_ns. Any one thread, without
 * being the owner; after cst_net_doze(). Returns early whenever it likes.
 */
void cst_net_sleep(struct cst_net *net, uint64_t timeout_ns);

/* Any thread, and a signal handler: end a sleep, this or the next one. */
void cst_net_wake(struct cst_net *net);

/* ---- 5. Send ------------------------------------------------------------ */

/*
 * Queue a message; it goes out with the next flush or poll.
 *
 *   header    copied; at most CST_NET_HEADER_MAX; may be NULL when its size is 0.
 *   payload   NULL, or rows of the owner's memory that must stay as they are
 *             until sent(cookie). Never empty. The struct itself is copied.
 *
 * Fails, and then has done nothing, with CASTELL_ERR_NODE_LOST (no such peer, or
 * it is gone, or we are), CASTELL_ERR_NO_MEMORY, CASTELL_ERR_INVALID.
 */
CASTELL_MUST_CHECK enum castell_status
cst_net_send(struct cst_net *net, uint32_t peer, const void *header,
             size_t header_size, const struct cst_net_payload *payload);

/* Let what is queued go, as far as it goes now. */
void cst_net_flush(struct cst_net *net);

/* ---- 6. Look inside ------------------------------------------------------ */

/* Our own number. */
uint32_t cst_net_self(const struct cst_net *net);

struct cst_net_counts {
    uint64_t messages_sent; /* handed to a carrier, repeats not counted */
    uint64_t bytes_sent;    /* of headers and payloads */
    uint64_t messages_received;
    uint64_t bytes_received;
    uint64_t unacknowledged; /* messages sent that the peer may not have */
    const char *carrier;     /* "tcp", "mpi", "loopback", "none" so far */
};

/* False when there never was such a peer. */
bool cst_net_counts(const struct cst_net *net, uint32_t peer,
                    struct cst_net_counts *ret_counts);

#endif
