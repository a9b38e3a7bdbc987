/*
 * history.h - what happened in a run, as its traces tell it.
 *
 * Layer: history. May include base, trace, and of data the arithmetic of
 * regions. Knows nothing of how it is shown.
 *
 * Owner: the caller; one thread. cst_history_open() reads every file of a run,
 * after that it does not change. What refers to something else does so by its
 * index in the array of that, CST_HISTORY_NONE for nothing. Times are
 * nanoseconds since the run began, on the master's clock.
 *
 * A trace may have holes: events were lost, a node was killed. What is not
 * known is NONE, 0 or CST_HISTORY_NEVER, and nothing here assumes otherwise.
 */
#ifndef CST_HISTORY_HISTORY_H
#define CST_HISTORY_HISTORY_H

#include "base/map.h"
#include "castell.h"
#include "data/region.h"
#include "trace/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CST_HISTORY_NONE  UINT32_MAX
#define CST_HISTORY_NEVER UINT64_MAX

/* Of a node; no trace of ours has more. */
enum { CST_HISTORY_CORES_MAX = 1 << 16 };

struct cst_history_node {
    uint32_t number;
    uint32_t cores;
    uint64_t memory;
    uint64_t storage;
    uint64_t process;
    char *host;     /* never NULL */
    bool has_trace; /* else it is only heard of */
    bool whole;     /* its trace has its end */
    bool has_counters;
    uint64_t lost;           /* events */
    uint64_t retried;        /* attempts that followed one that failed, as it
                                has told */
    uint64_t clock_error_ns; /* its times may be off by that */
    double drift;            /* of its clock, ns per ns */
    double offset_ns;        /* what its clock showed less than the master's */
    uint64_t begin_ns;       /* of its trace */
    uint64_t end_ns;
    uint64_t joined_ns; /* 0: it was there from the beginning */
    uint64_t gone_ns;   /* NEVER: it stayed */
    int gone;           /* how, of CST_TRACE_NODE_GONE; 0: it stayed */
    char *why;          /* or NULL */
    bool has_depot;
    struct cst_trace_counters counters;
    struct cst_trace_depot depot; /* what its devices did, as it has counted */
};

struct cst_history_track {
    uint32_t node;
    uint32_t number;   /* in its process */
    uint32_t executor; /* or NONE */
    uint32_t device;   /* whose tasks it has, or NONE */
};

enum cst_history_task_flags {
    CST_HISTORY_SUBMITTED = 1 << 0,
    CST_HISTORY_FAILED = 1 << 1,
    CST_HISTORY_CANCELLED = 1 << 2,
    CST_HISTORY_INTERNAL = 1 << 3, /* the runtime's own */
    CST_HISTORY_PARTIAL = 1 << 4,  /* some of its accesses are not known */
};

struct cst_history_task {
    uint64_t id;
    uint64_t submitted_ns; /* or NEVER */
    uint64_t complete_ns;  /* body and children have ended; 0: not seen */
    uint64_t outcome_ns;   /* when it had failed or was cancelled; 0: neither */
    uint64_t done_ns;      /* the master first heard that it was done; 0: not */
    uint32_t kind;
    uint32_t node; /* that submitted it, or NONE */
    uint32_t parent;
    uint32_t attempts;     /* the first of them in time, or NONE */
    uint32_t last_attempt; /* or NONE */
    uint32_t accesses;     /* the first */
    uint32_t accesses_count;
    uint32_t edges; /* the first */
    uint32_t edges_count;
    uint32_t flags;
};

/* One run of a body. */
struct cst_history_attempt {
    uint64_t assigned_ns; /* to its node, or NEVER */
    uint64_t ready_ns;    /* or NEVER */
    uint64_t started_ns;
    uint64_t ended_ns; /* where its end was not seen: the last that was */
    uint64_t inner_ns; /* within, it waited, or others ran on its track */
    uint64_t memory;
    uint64_t storage;
    uint32_t task;
    uint32_t track;
    uint32_t next; /* of the task, or NONE */
    uint32_t cores;
    uint32_t cause; /* the transfer that made it ready, or NONE */
    int32_t number; /* from 1 */
    int32_t result;
    bool ended;
    bool inside; /* right within another body of its track, on whose core */
};

enum cst_history_reason {
    CST_HISTORY_SENT = 0,   /* the first time, or its node has gone */
    CST_HISTORY_RETRY,      /* its body had failed */
    CST_HISTORY_RECOMPUTED, /* it was done, and what it had made was lost */
};

/* A task was sent to a node. */
struct cst_history_assignment {
    uint64_t ns;
    uint32_t task;
    uint32_t node;
    int32_t attempt;
    enum cst_history_reason reason;
};

enum cst_history_span_kind { CST_HISTORY_IDLE, CST_HISTORY_WAIT };

struct cst_history_span {
    uint64_t begin_ns;
    uint64_t end_ns;
    uint32_t track;
    uint32_t task; /* WAIT: that which waits, or NONE: the program */
    enum cst_history_span_kind kind;
};

struct cst_history_access {
    struct cst_region region;
    enum castell_mode mode;
};

enum cst_history_why {
    CST_HISTORY_FLOW = 0, /* it reads what the other wrote */
    CST_HISTORY_ANTI,     /* it overwrites what the other read */
    CST_HISTORY_OUTPUT,   /* it overwrites what the other wrote */
};

/* A task of the same parent's that came before. */
struct cst_history_edge {
    uint32_t task;
    uint8_t why;  /* enum cst_history_why */
    bool perhaps; /* regions overlap in part: it may have been overwritten */
};

struct cst_history_transfer {
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t version;
    uint64_t bytes;
    uint32_t from; /* or NONE */
    uint32_t to;
};

struct cst_history_text {
    uint64_t ns;
    uint32_t event; /* enum cst_trace_event */
    uint32_t node;
    uint32_t track; /* or NONE */
    uint32_t task;  /* or NONE */
    char *text;
};

struct cst_history_memory {
    uint64_t ns;
    uint64_t bytes;
    uint32_t node;
    uint32_t device; /* whose memory it is; NONE: the process's */
};

/* An accelerator of a node. */
struct cst_history_device {
    uint32_t node;
    uint32_t number; /* on the node */
    uint32_t kind;   /* enum castell_device; 0: not told */
    uint64_t memory; /* that tasks may have of it */
    char *name;      /* never NULL */
};

enum cst_history_way {
    CST_HISTORY_TO_DEVICE,
    CST_HISTORY_TO_MAIN,
    CST_HISTORY_BETWEEN, /* devices */
};

/* Data went between main memory and a device, or between devices. */
struct cst_history_copy {
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t bytes;
    uint64_t base;   /* its address in main memory */
    uint32_t device; /* of TO_DEVICE and BETWEEN: that gets it */
    uint32_t from;   /* of BETWEEN: the other; or NONE */
    enum cst_history_way way;
};

/* A device did what a task's body had it do. */
struct cst_history_kernel {
    uint64_t begin_ns;
    uint64_t end_ns;
    uint32_t task;
    uint32_t device;
};

/* One node that was asked for while the run went on. */
struct cst_history_request {
    uint32_t ticket;
    uint32_t class; /* or NONE */
    uint32_t node;  /* that came by it, or NONE */
    bool cancelled;
    uint64_t asked_ns;
    uint64_t started_ns; /* its job had a node; or NEVER, as below */
    uint64_t came_ns;
    uint64_t leaves_ns; /* it was told to leave */
    uint64_t over_ns;
    enum cst_trace_request_state state; /* the latest */
};

/* What was said of growing. */
struct cst_history_notice {
    uint64_t ns;
    uint32_t request; /* or NONE */
    enum cst_trace_request_state state;
    char *text; /* never NULL */
};

/* An array that grows: `name` and `name_count` of the struct. */
#define CST_HISTORY_LIST(type, name)                                           \
    type *name;                                                                \
    size_t name##_count;                                                       \
    size_t name##_max

struct cst_history {
    char *run;          /* its name; never NULL */
    uint64_t wall_ns;   /* when it began, since 1970 */
    uint64_t total_ns;  /* from the first event to the last */
    size_t others;      /* files of other runs in the directory */
    bool edges_missing; /* there are more than are kept */
    uint64_t unseen;    /* attempts that ended, so the master was told, and are
                           in no trace: their nodes died */
    CST_HISTORY_LIST(struct cst_history_node, nodes);
    CST_HISTORY_LIST(struct cst_history_track, tracks);
    CST_HISTORY_LIST(char *, kinds);                  /* names, each once */
    CST_HISTORY_LIST(struct cst_history_task, tasks); /* as submitted */
    CST_HISTORY_LIST(struct cst_history_attempt, attempts);
    CST_HISTORY_LIST(struct cst_history_assignment, assignments);
    CST_HISTORY_LIST(struct cst_history_span, spans);
    CST_HISTORY_LIST(struct cst_history_access, accesses);
    CST_HISTORY_LIST(struct cst_history_edge, edges);
    CST_HISTORY_LIST(struct cst_history_transfer, transfers);
    CST_HISTORY_LIST(struct cst_history_text, texts);
    CST_HISTORY_LIST(struct cst_history_memory, memory);
    CST_HISTORY_LIST(struct cst_history_device, devices);
    CST_HISTORY_LIST(struct cst_history_copy, copies);
    CST_HISTORY_LIST(struct cst_history_kernel, kernels);
    CST_HISTORY_LIST(char *, classes); /* names of those of nodes */
    CST_HISTORY_LIST(struct cst_history_request, requests); /* as asked for */
    CST_HISTORY_LIST(struct cst_history_notice, notices);   /* by time */
    struct cst_map ids; /* the index of a task, + 1, by its number */
};

/*
 * Read the traces in a directory: those of the latest run, where there are
 * several. Fails with CASTELL_ERR_SYSTEM (no directory, or a file cannot be
 * read), CASTELL_ERR_INVALID (no trace is there) or CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_history_open(const char *directory, struct cst_history **ret_history);

/* NULL is allowed. */
void cst_history_close(struct cst_history *history);

/* The task of that number, or NONE. */
uint32_t cst_history_find(const struct cst_history *history, uint64_t id);

/* How long the body itself ran: without what ran, or was waited for, within. */
static inline uint64_t
cst_history_own_ns(const struct cst_history_attempt *attempt)
{
    uint64_t all = attempt->ended_ns - attempt->started_ns;

    return all > attempt->inner_ns ? all - attempt->inner_ns : 0;
}

#endif
