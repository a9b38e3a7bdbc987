/*
 * pass.h - a file of events while it is read.
 *
 * Private to history.
 */
#ifndef CST_HISTORY_PASS_H
#define CST_HISTORY_PASS_H

#include "history/history_internal.h"

/* What began on a track, and has not ended: an attempt, or a span. */
struct cst_history_open {
    enum cst_trace_event event; /* that began it */
    uint32_t index;             /* of the attempt, or the span */
    uint64_t id;                /* the task's */
    uint64_t begin_ns;
    uint64_t inner_ns;
};

/* Where a track stands. */
struct cst_history_stack {
    uint64_t last_ns; /* the latest event */
    struct cst_history_open *spans;
    size_t spans_count;
    size_t spans_max;
    uint32_t told;     /* the task that is being described, or NONE */
    int32_t told_left; /* records of it that are still to come */
    uint32_t came;     /* the latest transfer, until FIRED, or NONE */
    size_t came_ready; /* the first READY after it */
    uint32_t sized;    /* the transfer, and the attempt, that the next record */
    uint32_t held;     /* may belong to; or NONE */
    uint32_t pitched;  /* the access likewise, */
    uint32_t copied;   /* the copy, */
    uint32_t ran;      /* and the kernel */
};

struct cst_history_pass {
    struct cst_history_loader *loader;
    struct cst_history *history;
    struct cst_history_file *file;
    struct cst_history_stack *stacks; /* content.tracks_count */
    struct cst_history_stack *stack;  /* of this record */
    uint32_t track;
    uint64_t ns; /* of this record */
};

/* ---- describe.c: what a task is ------------------------------------------- */

/* What has not come of the description that goes on will not. */
void cst_history_end_told(struct cst_history_pass *pass);
/* A task's description goes on; false: no memory. */
bool cst_history_tell(struct cst_history_pass *pass,
                      const struct cst_trace_record *record);
bool cst_history_submitted(struct cst_history_pass *pass,
                           const struct cst_trace_record *record);
/* A record that goes with the one before. */
bool cst_history_go_on(struct cst_history_pass *pass,
                       const struct cst_trace_record *record);

/* ---- beside.c: devices, and nodes that were asked for ---------------------- */

/* False: no memory, as below. */
bool cst_history_on_device(struct cst_history_pass *pass,
                           const struct cst_trace_record *record);
/* SIZE or BEGAN of what came before. */
void cst_history_lasted(struct cst_history_pass *pass,
                        const struct cst_trace_record *record);
/* A chunk: DEVICE, CLASS or REQUEST. */
bool cst_history_beside(struct cst_history_pass *pass);

/* Which kind that is of the run; one without a name gets one. */
uint32_t cst_history_kind_at(const struct cst_history_pass *pass,
                             uint16_t kind);

#endif
