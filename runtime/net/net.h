/*
 * net.h - the links between the processes of a run.
 *
 * Layer: net. May include base, wire, shm, conn and link. Knows nothing of tasks: a message is a
 * header and perhaps a payload, bytes to it.
 *
 *   1. Words, and the owner    3. Poll, sleep, wake    5. Look inside
 *   2. Open, close             4. Send
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

#include "castell.h"
#include "link/owner.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- 1. Words, and the owner --------------------------------------------------------- */

/*
 * Processes, and the limits of what they say: conn/frames.h. What the owner is
 * told, and asked: link/owner.h.
 */
struct cst_net;

/* ---- 2. Open, close ---------------------------------------------------- */

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
    bool mpi_shared;       /* other threads of the process use it too */
    const char *modules;   /* where castell_mpi.so is; NULL: as installed */
    bool shm;              /* share memory with processes of this machine */
};

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
 * for who is there, and over() when it has been told to go since. Blocks, at
 * most for join_ns.
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

/* ---- 3. Poll, sleep, wake ---------------------------------------------- */

/*
 * Send what is queued, take what has come, and call the owner back. Returns
 * how many events the owner was told. To be called often while there is work,
 * and at least every heartbeat_ns in any case.
 */
uint32_t cst_net_poll(struct cst_net *net);

/*
 * Any thread: a word that is not 0 when something has come that the next poll
 * takes. NULL: there is none, poll to see.
 */
const _Atomic(uint32_t) *cst_net_mail(const struct cst_net *net);

/*
 * Owner: before somebody sleeps. Tells peers that use MPI to ring. Returns
 * false when something may have come since the last poll: poll first.
 */
bool cst_net_doze(struct cst_net *net);

/*
 * Sleep until there may be something to poll (a message, a deadline of the
 * net's own), until cst_net_wake(), or for timeout_ns. Any one thread, without
 * being the owner; after cst_net_doze(). Returns early whenever it likes; true
 * when it was rung for, be it by cst_net_nudge(): then a message is about to come.
 */
bool cst_net_sleep(struct cst_net *net, uint64_t timeout_ns);

/*
 * Any thread: some thread has begun to poll all the time (or ended that) while
 * another sleeps: nobody has to wake that one meanwhile.
 */
void cst_net_attend(struct cst_net *net, bool begins);

/* Any thread, and a signal handler: end a sleep, this or the next one. */
void cst_net_wake(struct cst_net *net);

/* ---- 4. Send ------------------------------------------------------------ */

/*
 * Queue a message; it goes out with the next flush or poll.
 *
 *   header    copied; at most CST_NET_HEADER_MAX; may be NULL when its size is 0.
 *   payload   NULL, or rows of the owner's memory that must stay as they are
 *             until sent(cookie). Never empty. The struct itself is copied.
 *
 * On a worker the peer may be one of whom joined() has not told yet: the message
 * waits for it, for who joins is made known by another way than what others say
 * of it.
 *
 * Fails, and then has done nothing, with CASTELL_ERR_NODE_LOST (the master: no
 * such peer; or it is gone, or we are), CASTELL_ERR_NO_MEMORY,
 * CASTELL_ERR_INVALID.
 */
CASTELL_MUST_CHECK enum castell_status
cst_net_send(struct cst_net *net, uint32_t peer, const void *header,
             size_t header_size, const struct cst_net_payload *payload);

/* Let what is queued go, as far as it goes now. */
void cst_net_flush(struct cst_net *net);

/*
 * A message for that peer is about to be queued: if it sleeps let it wake up
 * meanwhile, where that takes no message. True: it does.
 */
bool cst_net_nudge(struct cst_net *net, uint32_t peer);

/* ---- 5. Look inside ------------------------------------------------------ */

/* Our own number. */
uint32_t cst_net_self(const struct cst_net *net);

/* Owner: the rank of a peer in MPI_COMM_WORLD; false: that is not also ours. */
bool cst_net_rank(const struct cst_net *net, uint32_t peer, uint32_t *ret_rank);

/* False when there never was such a peer. */
bool cst_net_counts(const struct cst_net *net, uint32_t peer,
                    struct cst_net_counts *ret_counts);

#endif
