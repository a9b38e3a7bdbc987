/*
 * message.h - what the processes of a run tell one another, as bytes.
 *
 * Layer: cluster. Pure functions; any thread.
 *
 * Orders go from the master to a node (also to itself), reports from a node to
 * the master, data from node to node. Every decoder is total: whatever the
 * bytes, it returns, and says in reader->bad when they were no such message.
 */
#ifndef CST_CLUSTER_MESSAGE_H
#define CST_CLUSTER_MESSAGE_H

#include "data/region.h"
#include "files/content.h"
#include "files/path.h"
#include "sched/kind.h"
#include "wire/wire.h"

enum cst_message {
    /* Orders. */
    CST_MESSAGE_ASSIGN = 1,
    CST_MESSAGE_PUSH,
    CST_MESSAGE_DROP,
    CST_MESSAGE_CUT,
    CST_MESSAGE_RECALL,
    CST_MESSAGE_CANCEL,
    CST_MESSAGE_BERTH,
    CST_MESSAGE_UNBERTH,
    CST_MESSAGE_MUSTER,
    CST_MESSAGE_JOIN, /* as a muster, to the others, where they share a world */
    CST_MESSAGE_DISBAND,
    CST_MESSAGE_RUN, /* the number of the run, for names: the first order */
    /* Orders to node 0. */
    CST_MESSAGE_ROOT,
    CST_MESSAGE_HOME,
    CST_MESSAGE_SAVE,
    /* Reports. */
    CST_MESSAGE_DONE,
    CST_MESSAGE_ARRIVED,  /* a version, nanoseconds */
    CST_MESSAGE_RECALLED, /* a task, its attempt */
    CST_MESSAGE_NOT_COME, /* a version, 0 */
    CST_MESSAGE_FIRED,    /* a task, its attempt: so with berthed */
    CST_MESSAGE_BERTHED,
    CST_MESSAGE_STRAYED,
    /* From node to node; the version's bytes are the payload. */
    CST_MESSAGE_DATA,
    /* The same; they follow the piece. */
    CST_MESSAGE_SMALL,
    /* A piece of a message that is too long for one: u8 is it the last. */
    CST_MESSAGE_PART,
    /* A version of a file: struct cst_message_offer; the answers, with the
       version: it is wanted, or the next piece of it; it is there. A piece:
       version, u8 flags, bytes of its stream, or why there are none. */
    CST_MESSAGE_OFFER,
    CST_MESSAGE_MORE,
    CST_MESSAGE_TAKEN,
    CST_MESSAGE_PIECE,
    /* To the master and back, with a trace: u64 our time, and the master's. */
    CST_MESSAGE_CLOCK = 64,
    /* To a node: u32, a question; and back, with what there is to see of it. */
    CST_MESSAGE_LOOK,
    /* To a node: it may leave the run. To the master: it has to. */
    CST_MESSAGE_LEAVE,
};

enum {
    CST_MESSAGE_TEXT_MAX = 1024,
    CST_MESSAGE_NAME_MAX = 256,
    CST_MESSAGE_PART_MAX = 60 << 10,
    CST_MESSAGE_SMALL_MAX = 4 << 10, /* bytes of a version */
};

/* The beginning of an assignment; the argument and the accesses follow. */
struct cst_message_assign {
    uint64_t id;
    uint32_t attempt;
    uint32_t flags; /* enum cst_message_flags */
    uint64_t kind;  /* cst_kind_hash() of its name */
    int32_t priority;
    struct castell_constraint constraint; /* with HAS_CONSTRAINT */
    const void *argument;
    uint32_t argument_size;
    uint32_t accesses;
    uint32_t inputs; /* in all */
    uint32_t outputs;
    uint32_t fold; /* FOLD: which reduction of the kind; the access after the
                      first are its leaves */
};

enum cst_message_flags {
    CST_MESSAGE_LAST = 1 << 0, /* CST_PLAN_LAST */
    CST_MESSAGE_SUSPECT = 1 << 1,
    CST_MESSAGE_HAS_CONSTRAINT = 1 << 2,
    CST_MESSAGE_REDUCES = 1 << 3,
    CST_MESSAGE_FOLD = 1 << 4,
    CST_MESSAGE_FINAL = 1 << 5,
    CST_MESSAGE_GANG = 1 << 6,
};

/* Of an access, an offer, a piece. */
enum cst_message_file_flags {
    CST_MESSAGE_DIRECTORY = 1 << 0,    /* what is named is one */
    CST_MESSAGE_IN_DIRECTORY = 1 << 1, /* the path is one */
    CST_MESSAGE_KEEPS = 1 << 2,        /* what is named is read too */
    CST_MESSAGE_IN_PLACE = 1 << 3,     /* it is the file itself */
    CST_MESSAGE_SEEN = 1 << 4,         /* others may see it there */
    CST_MESSAGE_NOTHING = 1 << 5,      /* there is none */
    CST_MESSAGE_BROKEN = 1 << 6,       /* the name says why there is none */
    CST_MESSAGE_ENDS = 1 << 7,         /* the last piece */
};

struct cst_message_access {
    struct cst_region region;
    uint8_t mode;       /* enum castell_mode */
    uint8_t pointer;    /* of castell_access */
    uint32_t reduction; /* REDUCTION: which of the kind */
    uint32_t inputs;
    uint32_t outputs;
    const char *path; /* of a file; not ended by a 0 when it was read. NULL: it
                         is none */
    size_t path_size;
    const char *below; /* in it; likewise */
    size_t below_size;
    uint8_t file_flags; /* enum cst_message_file_flags */
};

void cst_put_region(struct cst_writer *writer, const struct cst_region *region);
void cst_get_region(struct cst_reader *reader, struct cst_region *ret_region);

/* `like` is a region that it probably is; `mark` a bit that goes with it. */
void cst_put_piece(struct cst_writer *writer, const struct cst_piece *piece,
                   const struct cst_region *like, bool mark);
void cst_get_piece(struct cst_reader *reader, const struct cst_region *like,
                   struct cst_piece *ret_piece, bool *ret_mark);

void cst_put_assign(struct cst_writer *writer,
                    const struct cst_message_assign *assign);
/* argument points into the message. */
void cst_get_assign(struct cst_reader *reader,
                    struct cst_message_assign *ret_assign);
/* The pieces follow: inputs, then outputs. */
void cst_put_access(struct cst_writer *writer,
                    const struct cst_message_access *access);
void cst_get_access(struct cst_reader *reader,
                    struct cst_message_access *ret_access);

/* A version of a file. The texts are not ended by a 0 when they were read. */
struct cst_message_offer {
    struct cst_piece piece;
    uint32_t flags;   /* enum cst_message_file_flags */
    const char *path; /* the file's own */
    size_t path_size;
    const char *name; /* where it is */
    size_t name_size;
    struct cst_content_mark mark; /* of what is there */
};

void cst_put_offer(struct cst_writer *writer,
                   const struct cst_message_offer *offer);
void cst_get_offer(struct cst_reader *reader,
                   struct cst_message_offer *ret_offer);

/* Keep so much for an attempt that another node leads. */
struct cst_message_berth {
    uint64_t id;
    uint32_t attempt;
    struct castell_constraint constraint; /* cores, memory and storage of it */
};

void cst_put_berth(struct cst_writer *writer,
                   const struct cst_message_berth *berth);
void cst_get_berth(struct cst_reader *reader,
                   struct cst_message_berth *ret_berth);

/* Start a task on several nodes. */
struct cst_message_muster {
    uint64_t id;
    uint32_t attempt;
    uint32_t nodes;
    const char *hosts; /* not ended by a 0 when it was read */
    size_t hosts_size;
    const uint8_t *ranks; /* in the MPI world, u32 each, or none */
    size_t ranks_size;
};

void cst_put_muster(struct cst_writer *writer,
                    const struct cst_message_muster *muster);
void cst_get_muster(struct cst_reader *reader,
                    struct cst_message_muster *ret_muster);

struct cst_message_done {
    uint64_t id;
    uint32_t attempt;
    bool failed;
    bool kept; /* failed, and what it has made is there all the same */
    bool off;  /* failed, as the run has, there: it was not run, or does not
                  count */
    uint64_t duration_ns;
    char text[CST_MESSAGE_TEXT_MAX]; /* how it failed */
};

void cst_put_done(struct cst_writer *writer,
                  const struct cst_message_done *done);
void cst_get_done(struct cst_reader *reader, struct cst_message_done *ret_done);

/* What a process says of itself when it joins. */
struct cst_message_hello {
    uint64_t table; /* cst_kinds_table_hash() */
    struct cst_limits limits;
    uint32_t
        ticket; /* by which it was asked for; 0: it was there at the start */
    char name[CST_MESSAGE_NAME_MAX];
    char arch[CST_MESSAGE_NAME_MAX];
    char features[4 * CST_MESSAGE_NAME_MAX];
};

void cst_put_hello(struct cst_writer *writer, uint64_t table,
                   const struct cst_limits *limits, uint32_t ticket);
/* limits' texts point into ret_hello. Returns false when it is none. */
bool cst_get_hello(const void *bytes, size_t size,
                   struct cst_message_hello *ret_hello);

#endif
