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
    CST_MESSAGE_DISBAND,
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
    /* From node to node; the version's bytes are the payload. */
    CST_MESSAGE_DATA,
    /* The same; they follow the piece. */
    CST_MESSAGE_SMALL,
    /* A piece of a message that is too long for one: u8 is it the last. */
    CST_MESSAGE_PART,
    /* To the master and back, with a trace: u64 our time, and the master's. */
    CST_MESSAGE_CLOCK = 64,
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
};

void cst_put_muster(struct cst_writer *writer,
                    const struct cst_message_muster *muster);
void cst_get_muster(struct cst_reader *reader,
                    struct cst_message_muster *ret_muster);

struct cst_message_done {
    uint64_t id;
    uint32_t attempt;
    bool failed;
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
    char name[CST_MESSAGE_NAME_MAX];
    char arch[CST_MESSAGE_NAME_MAX];
    char features[4 * CST_MESSAGE_NAME_MAX];
};

void cst_put_hello(struct cst_writer *writer, uint64_t table,
                   const struct cst_limits *limits);
/* limits' texts point into ret_hello. Returns false when it is none. */
bool cst_get_hello(const void *bytes, size_t size,
                   struct cst_message_hello *ret_hello);

#endif
