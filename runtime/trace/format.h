/*
 * format.h - a file of events.
 *
 * Layer: trace. The file outlives the run: README.md describes it, and room
 * history reads it. A header, then chunks: a struct cst_trace_chunk and as many
 * bytes as it says. All in the byte order and alignment of the machine that
 * wrote it, which `version` tells. A file may end anywhere: a run may die.
 */
#ifndef CST_TRACE_FORMAT_H
#define CST_TRACE_FORMAT_H

#include <stdint.h>

#define CST_TRACE_MAGIC "castell"

/* Whoever reads a version reads those from the oldest on. */
enum {
    CST_TRACE_VERSION = 4,
    CST_TRACE_VERSION_OLDEST = 3,
    CST_TRACE_MAGIC_SIZE = 8,
};

enum { CST_TRACE_NO_EXECUTOR = UINT16_MAX, CST_TRACE_KIND_MAX = UINT16_MAX };

struct cst_trace_header {
    char magic[CST_TRACE_MAGIC_SIZE];
    uint32_t version;
    uint32_t record_size;
    uint64_t process;
};

enum cst_trace_chunk_type {
    CST_TRACE_CHUNK_HOST = 1, /* its name, not terminated */
    CST_TRACE_CHUNK_CLOCK,    /* struct cst_trace_moment */
    CST_TRACE_CHUNK_TRACK,    /* track; number: its executor, or NO_EXECUTOR */
    CST_TRACE_CHUNK_KIND,     /* number: the kind; its name, not terminated */
    CST_TRACE_CHUNK_EVENTS,   /* track; records in the order of time */
    CST_TRACE_CHUNK_LOST,     /* number: events lost, of all tracks */
    CST_TRACE_CHUNK_END,      /* struct cst_trace_moment; the trace is whole */
    CST_TRACE_CHUNK_NODE,     /* struct cst_trace_node, and the run's name, not
                                 terminated: what is of one name is one run */
    CST_TRACE_CHUNK_TEXT,     /* struct cst_trace_text, and the text */
    CST_TRACE_CHUNK_SYNC,     /* struct cst_trace_sync */
    CST_TRACE_CHUNK_MEMORY,   /* struct cst_trace_memory */
    CST_TRACE_CHUNK_COUNTERS, /* struct cst_trace_counters */
    /* From version 4 on. */
    CST_TRACE_CHUNK_DEVICE,  /* number: the device of the node; struct
                                cst_trace_device, and its name, not terminated */
    CST_TRACE_CHUNK_DEPOT,   /* struct cst_trace_depot */
    CST_TRACE_CHUNK_CLASS,   /* number: a class of nodes that the run may ask
                                for; its name, not terminated */
    CST_TRACE_CHUNK_REQUEST, /* struct cst_trace_request, and a sentence */
};

struct cst_trace_chunk {
    uint16_t type;
    uint16_t track;
    uint32_t size; /* of what follows */
    uint64_t number;
};

/* The same moment on three clocks. */
struct cst_trace_moment {
    uint64_t ticks;
    uint64_t ns;   /* of cst_clock_ns() */
    uint64_t wall; /* nanoseconds since 1970 */
};

/* Which node of the run the process is, and what tasks may be promised there. */
struct cst_trace_node {
    uint32_t number; /* 0: the master, or the only one */
    uint32_t cores;
    uint64_t memory;
    uint64_t storage;
};

/* Something said about a moment: a user's mark, why something failed. */
struct cst_trace_text {
    uint64_t ticks;
    uint64_t subject; /* a task, or a node */
    uint32_t event;   /* enum cst_trace_event */
    uint32_t track;   /* UINT32_MAX: of none */
};

/*
 * What the master's clock showed when ours showed `ns`, the middle of a message
 * to it and back that took round_ns: right to within half of that.
 */
struct cst_trace_sync {
    uint64_t ns; /* of cst_clock_ns() */
    uint64_t master_ns;
    uint64_t round_ns;
};

struct cst_trace_memory {
    uint64_t ticks;
    uint64_t resident; /* bytes of the process */
};

/* What the process counted, at the end; see struct castell_counters. */
struct cst_trace_counters {
    uint64_t submitted;
    uint64_t finished;
    uint64_t failed;
    uint64_t cancelled;
    uint64_t retried;
    uint64_t recomputed; /* of several nodes: done again for lost data */
    uint64_t came;       /* data from other nodes, so often */
    uint64_t came_bytes;
};

/* A device of the node. The track of its tasks is that of the executor with the
   number cores + device. */
struct cst_trace_device {
    uint64_t memory; /* that tasks may have of it */
    uint32_t kind;   /* enum castell_device */
    uint32_t units;
};

/* What all devices of the process did, as it has counted, at the end. */
struct cst_trace_depot {
    uint64_t in, in_bytes;     /* copies to devices */
    uint64_t out, out_bytes;   /* and back */
    uint64_t peer, peer_bytes; /* from device to device */
    uint64_t kernels;          /* bodies that have ended on them */
    uint64_t evicted;          /* copies, for want of room */
};

/* What becomes of a node that was asked for. */
enum cst_trace_request_state {
    CST_TRACE_REQUEST_SAID = 0,  /* of no ticket: something about growing */
    CST_TRACE_REQUEST_ASKED,     /* sentence: why */
    CST_TRACE_REQUEST_PENDING,   /* sentence: what it waits for */
    CST_TRACE_REQUEST_STARTED,   /* its job has a node */
    CST_TRACE_REQUEST_CAME,      /* its worker has joined, as `node` */
    CST_TRACE_REQUEST_LEAVES,    /* it was told to; sentence: why */
    CST_TRACE_REQUEST_CANCELLED, /* it was; sentence: why */
    CST_TRACE_REQUEST_SUSPENDED, /* by SLURM */
    CST_TRACE_REQUEST_RESUMED,
    CST_TRACE_REQUEST_REFUSED, /* it is over: there was no job; sentence: why */
    CST_TRACE_REQUEST_ENDED,   /* it is over; sentence: how */
    CST_TRACE_REQUEST_STATES,
};

struct cst_trace_request {
    uint64_t ticks;
    uint32_t ticket; /* from 1 on; 0: of none */
    uint32_t state;  /* enum cst_trace_request_state */
    uint32_t class;
    uint32_t node; /* from CAME on; else 0 */
};

/*
 * What happened. A record whose comment says "and" is followed on its track by
 * records that go with it, which have other things in `ticks` and `task`.
 */
enum cst_trace_event {
    CST_TRACE_SUBMITTED = 1, /* and PARENT, ACCESS; value: how many follow */
    CST_TRACE_READY,         /* it waits for a core */
    CST_TRACE_STARTED,       /* by this thread, and perhaps HOLDS; value: the
                                attempt, from 1 */
    CST_TRACE_ENDED,         /* its body, in this thread; value: the result */
    CST_TRACE_FAILED,        /* for good */
    CST_TRACE_RETRIED,       /* it is; value: the attempt that failed */
    CST_TRACE_CANCELLED,
    CST_TRACE_WAIT_BEGIN, /* this thread waits for tasks; task: that which
                             waits, 0 for the program */
    CST_TRACE_WAIT_END,
    CST_TRACE_IDLE_BEGIN, /* this executor has nothing to do; task: 0 */
    CST_TRACE_IDLE_END,
    CST_TRACE_ASSIGNED, /* to a node; value: the node, with the attempt above
                              the low 16 bits */
    CST_TRACE_TRANSFER, /* and SIZE: data have come; task: the version; value:
                              the node that sent it */
    CST_TRACE_NODE_JOINED, /* task: the node; value: its cores */
    CST_TRACE_NODE_GONE,   /* task: the node; value: it left 1, was sent away 2,
                              died 3 */
    CST_TRACE_MARK,        /* of the user's, in a TEXT */
    CST_TRACE_MORE,        /* and ACCESS, of a task that has too many for one
                              group; value: how many follow */
    CST_TRACE_FIRED,       /* what became READY here since the last TRANSFER
                              waited for that */
    CST_TRACE_DONE,        /* the master is told that an attempt has ended;
                              value: as of ASSIGNED; kind: 1 when it failed */
    CST_TRACE_RECOMPUTED,  /* behind ASSIGNED, with its value: it had been
                              done, and what it had made was lost */
    CST_TRACE_COPY_IN,     /* and SIZE, BEGAN: a copy of main memory's to a
                              device is over; task: the address; value: the
                              device */
    CST_TRACE_COPY_OUT,    /* likewise from the device to main memory */
    CST_TRACE_COPY_PEER,   /* likewise to the device from another one, whose
                              number is above the low 16 bits of value */
    CST_TRACE_KERNEL,      /* and SIZE, of 0 bytes, BEGAN: what the task's body
                              had the device do is over; value: the device */
    CST_TRACE_DEVICE_MEMORY, /* task: the bytes that copies have of a device's
                                memory from now on; value: the device */
    CST_TRACE_EVENTS_END,

    CST_TRACE_PARENT = 100, /* ticks: the task whose body submitted it */
    CST_TRACE_ACCESS,       /* ticks: base; task: size of a row; kind: enum
                               castell_mode; value: rows, and where there are
                               several, PITCH */
    CST_TRACE_PITCH,        /* ticks: from row to row */
    CST_TRACE_HOLDS,        /* ticks: memory; task: storage; value: cores */
    CST_TRACE_SIZE,         /* ticks: bytes; task: nanoseconds that it took */
    CST_TRACE_BEGAN,        /* ticks: when that was, by cst_clock_ns() */
};

struct cst_trace_record {
    uint64_t ticks;
    uint64_t task;
    uint16_t event; /* enum cst_trace_event */
    uint16_t kind;
    int32_t value;
};

_Static_assert(sizeof(struct cst_trace_record) == 24, "the format of files");
_Static_assert(sizeof(struct cst_trace_chunk) == 16, "the format of files");
_Static_assert(sizeof(struct cst_trace_header) == 24, "the format of files");
_Static_assert(sizeof(struct cst_trace_text) == 24, "the format of files");
_Static_assert(sizeof(struct cst_trace_request) == 24, "the format of files");
_Static_assert(sizeof(struct cst_trace_device) == 16, "the format of files");

#endif
