/*
 * watch.h - a run seen from outside while it goes on.
 *
 * Layer: watch. May include base and wire. Knows nothing of engines: its owner
 * fills in what there is to see, and does what is ordered.
 *
 *   1. What there is to see    3. Where runs are found
 *   2. The run's side          4. What goes over the socket
 *
 * The main process of a run listens on a Unix socket in a directory that only
 * its user can enter, and answers one question a connection. Who asks must be
 * the same user, as the kernel says; what is asked is small, must come soon, and
 * is refused when it makes no sense.
 *
 * Threads: one, that sleeps in poll() until somebody asks. It calls the owner.
 */
#ifndef CST_WATCH_WATCH_H
#define CST_WATCH_WATCH_H

#include "castell.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CST_WATCH_NAME_MAX = 64,  /* of a kind, a node or a program, with its end */
    CST_WATCH_TEXT_MAX = 512, /* of a sentence, with its end */
    CST_WATCH_PATH_MAX = 108, /* of a socket, with its end */
    CST_WATCH_COUNT_MAX = 1 << 17, /* kinds, or nodes */
};

/* ---- 1. What there is to see --------------------------------------------- */

/* Tasks of one kind. Those that are in none of these states wait. */
struct cst_watch_kind {
    char name[CST_WATCH_NAME_MAX];
    uint64_t submitted;
    uint64_t running;
    uint64_t done; /* well, or their failure is ignored */
    uint64_t failed;
    uint64_t cancelled;
    uint64_t measured;    /* bodies whose time was taken, ... */
    uint64_t measured_ns; /* ... and how long they took in all */
};

enum cst_watch_state {
    CST_WATCH_THERE = 0,
    CST_WATCH_SILENT, /* it has not answered */
    CST_WATCH_DRAINS, /* it gets no more tasks, and will leave */
    CST_WATCH_LEFT,
    CST_WATCH_LOST,
    CST_WATCH_STATES_COUNT,
};

/* One process of the run. */
struct cst_watch_node {
    uint32_t number;
    uint32_t state; /* enum cst_watch_state */
    uint32_t cores;
    uint32_t busy; /* cores on which a body runs */
    char name[CST_WATCH_NAME_MAX];
    uint64_t running;
    uint64_t queued; /* there, but not started */
    uint64_t ready;  /* of the queued: they wait for nothing but a core */
    uint64_t done;   /* with the failed ones */
    uint64_t memory_used;
    uint64_t memory;
    uint64_t came; /* data that others sent: how often, how many bytes */
    uint64_t came_bytes;
    uint64_t went;
    uint64_t went_bytes;
    uint64_t heard_ns; /* so long ago it told this */
};

enum cst_watch_request_state {
    CST_WATCH_WAITS = 0,
    CST_WATCH_STARTED,   /* its job has a node, its worker has not come */
    CST_WATCH_HERE,      /* it is a node of the run */
    CST_WATCH_ENDS,      /* its worker has left, its job is not over */
    CST_WATCH_CANCELLED, /* that was asked for, and it is not over */
    CST_WATCH_REQUESTS_COUNT,
};

/* A node that was asked for while the run went on. */
struct cst_watch_request {
    uint32_t ticket;
    uint32_t state; /* enum cst_watch_request_state */
    uint32_t node;  /* HERE: its number */
    uint64_t age_ns;
    char class[CST_WATCH_NAME_MAX];
    char job[CST_WATCH_NAME_MAX];     /* SLURM's number of it; "": not known */
    char reason[CST_WATCH_TEXT_MAX];  /* why it was asked for */
    char pending[CST_WATCH_TEXT_MAX]; /* what it waits for, as SLURM says */
};

struct cst_watch_picture {
    char program[CST_WATCH_NAME_MAX];
    uint32_t process;
    bool many;           /* it may have several nodes */
    uint64_t now_ns;     /* of the clock of the run's machine */
    uint64_t elapsed_ns; /* since castell_start() */
    uint64_t ready;      /* of those that wait: for nothing but a core */
    uint64_t retried;
    uint64_t recomputed;
    uint64_t task_memory; /* bytes that unfinished tasks take */
    uint64_t regions;
    char failure[CST_WATCH_TEXT_MAX]; /* why the run ends; empty: it does not */
    struct cst_watch_kind *kinds;
    size_t kinds_count;
    struct cst_watch_node *nodes;
    size_t nodes_count;
    struct cst_watch_request *requests;
    size_t requests_count;
};

/* Free what it points to. */
void cst_watch_picture_release(struct cst_watch_picture *picture);

/* One more, all zero; NULL: no memory. Others move. */
struct cst_watch_kind *cst_watch_add_kind(struct cst_watch_picture *picture);
struct cst_watch_node *cst_watch_add_node(struct cst_watch_picture *picture);
struct cst_watch_request *
cst_watch_add_request(struct cst_watch_picture *picture);

/* The kind of that name, added when there is none; NULL: no memory. */
struct cst_watch_kind *cst_watch_kind(struct cst_watch_picture *picture,
                                      const char *name);

/* Add counts to the kind of that name; false: no memory. */
bool cst_watch_count(struct cst_watch_picture *picture,
                     const struct cst_watch_kind *more);

/* All kinds in one; its name is empty. */
struct cst_watch_kind cst_watch_total(const struct cst_watch_picture *picture);

static inline uint64_t cst_watch_waiting(const struct cst_watch_kind *kind)
{
    return kind->submitted - kind->running - kind->done - kind->failed -
           kind->cancelled;
}

/* Counts are read one after the other: see that they add up. */
void cst_watch_straighten(struct cst_watch_picture *picture);

/* The memory that this process has in use. */
uint64_t cst_watch_memory_used(void);

/* Copy a name; one that is too long is cut. */
void cst_watch_name(char *to, const char *from);

/* ---- 2. The run's side ---------------------------------------------------- */

enum cst_watch_order {
    CST_WATCH_LOOK = 1,     /* its text is empty */
    CST_WATCH_CANCEL_GROUP, /* its name */
    CST_WATCH_DRAIN,        /* a node's number or name */
    CST_WATCH_GROW,         /* how many nodes are wanted at least; 0: none */
    CST_WATCH_ORDERS_END,
};

/* What the owner does; all are called by the thread of this room. */
struct cst_watch_ops {
    /* Fill in what there is to see; *picture is all zero. */
    enum castell_status (*look)(void *owner, struct cst_watch_picture *picture);
    /* Do it. Fails with a sentence. */
    enum castell_status (*order)(void *owner, enum cst_watch_order order,
                                 const char *text);
};

struct cst_watch;

/*
 * Listen, unless CASTELL_WATCH is 0: then *ret_watch is NULL. So it is too when
 * that cannot be, unless CASTELL_WATCH is 1. ops and owner are kept.
 * Fails with CASTELL_ERR_INVALID (CASTELL_WATCH makes no sense), and with
 * CASTELL_ERR_SYSTEM or CASTELL_ERR_NO_MEMORY when it is 1.
 */
CASTELL_MUST_CHECK enum castell_status
cst_watch_start(const struct cst_watch_ops *ops, void *owner,
                struct cst_watch **ret_watch);

/* No more; the owner is not called after this. NULL is allowed. */
void cst_watch_stop(struct cst_watch *watch);

/* ---- 3. Where runs are found ---------------------------------------------- */

/*
 * The n-th directory in which the user's runs may be, 0 being the one that they
 * are made in when it can be: $XDG_RUNTIME_DIR/castell, /run/user/UID/castell,
 * /tmp/castell-UID. False: there are no more.
 */
bool cst_watch_directory(size_t n, char *ret_path);

/* Is it a directory that belongs to us and lets nobody else in? Else says why
   in the error text. */
bool cst_watch_is_private(const char *path);

/* Connect to a socket whose other end is a process of ours; nothing blocks.
   Fails with CASTELL_ERR_SYSTEM; *ret_error is errno then: ECONNREFUSED when
   nobody listens there any more, EAGAIN when too many ask at once. */
CASTELL_MUST_CHECK enum castell_status
cst_watch_connect(const char *path, int *ret_socket, int *ret_error);

/* Is the other end of a connected socket a process of ours? */
bool cst_watch_is_ours(int socket);

/* Remove the sockets of a directory where nobody listens any more. */
void cst_watch_clean(const char *directory);

/* Is that the name of a socket, "PROGRAM.PID"? The PID is what ends it. */
bool cst_watch_read_name(const char *name, size_t *ret_program, long *ret_pid);

/* ---- 4. What goes over the socket ----------------------------------------- */

/*
 * A question and an answer begin alike: a magic number, the version of what
 * follows, what it is, and how many bytes follow. Then the text of an order; a
 * picture; or a sentence.
 */
enum {
    CST_WATCH_VERSION = 2,
    CST_WATCH_HEAD = 10,     /* bytes */
    CST_WATCH_ASK_MAX = 256, /* bytes of the text of an order */
    CST_WATCH_ANSWER_MAX = 64 << 20,
};

enum cst_watch_answer {
    CST_WATCH_PICTURE = 1,
    CST_WATCH_DONE,
    CST_WATCH_REFUSED,
    CST_WATCH_ANSWERS_END,
};

void cst_watch_put_head(uint8_t *head, uint8_t what, size_t size);
/* Fails with CASTELL_ERR_INVALID: of another version, or nothing of ours. */
CASTELL_MUST_CHECK enum castell_status cst_watch_get_head(const uint8_t *head,
                                                          size_t size_max,
                                                          uint8_t *ret_what,
                                                          size_t *ret_size);

void cst_watch_put_kind(struct cst_writer *writer,
                        const struct cst_watch_kind *kind);
void cst_watch_get_kind(struct cst_reader *reader,
                        struct cst_watch_kind *ret_kind);
void cst_watch_put_node(struct cst_writer *writer,
                        const struct cst_watch_node *node);
void cst_watch_get_node(struct cst_reader *reader,
                        struct cst_watch_node *ret_node);
void cst_watch_put_request(struct cst_writer *writer,
                           const struct cst_watch_request *request);
void cst_watch_get_request(struct cst_reader *reader,
                           struct cst_watch_request *ret_request);
void cst_watch_put_picture(struct cst_writer *writer,
                           const struct cst_watch_picture *picture);
/* Total: any bytes give a picture, which is to be released, or false. */
bool cst_watch_get_picture(const void *bytes, size_t size,
                           struct cst_watch_picture *ret_picture);

#endif
