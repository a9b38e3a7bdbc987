/*
 * history_internal.h - what the files of history/ share.
 */
#ifndef CST_HISTORY_HISTORY_INTERNAL_H
#define CST_HISTORY_HISTORY_INTERNAL_H

#include "history/content.h"
#include "history/history.h"
#include "history/reader.h"

/* One file of a directory. */
struct cst_history_file {
    struct cst_history_reader reader;
    struct cst_history_content content;
    bool open;
    uint32_t node;
    uint32_t *kinds;  /* content.kinds_count of them: ours */
    uint32_t *tracks; /* content.tracks_count of them: ours */
    /* The master's clock: ours + offset + drift x (ours - since). */
    double offset;
    double drift;
    double since;
};

/* A task had what it needs, on some node. */
struct cst_history_ready {
    uint64_t ns;
    uint32_t task;
    uint32_t node;
    uint32_t cause;
};

/* The master was told that an attempt has ended. */
struct cst_history_done {
    uint64_t ns;
    uint32_t task;
    uint32_t node;
    int32_t attempt;
    bool failed;
};

/* A history while it is read. */
struct cst_history_loader {
    struct cst_history *history;
    double origin; /* the master's cst_clock_ns() when the run began */
    CST_HISTORY_LIST(struct cst_history_file, files);
    CST_HISTORY_LIST(struct cst_history_ready, ready);
    CST_HISTORY_LIST(struct cst_history_done, dones);
};

/*
 * Make room for one more; `list` is the address of a pointer to elements of
 * that size. New ones are all zero.
 */
bool cst_history_reserve(void *list, size_t count, size_t *max, size_t size);

/* A new element at the end of a list, or NULL. */
#define CST_HISTORY_PUSH(owner, name)                                          \
    (cst_history_reserve(&(owner)->name, (owner)->name##_count,                \
                         &(owner)->name##_max, sizeof(*(owner)->name))         \
         ? &(owner)->name[(owner)->name##_count++]                             \
         : NULL)

enum castell_status cst_history_no_memory(void);

/* The task of that number, made where there is none; NONE: no memory. */
uint32_t cst_history_task_of(struct cst_history *history, uint64_t id);

/* The node of that number likewise. */
uint32_t cst_history_node_of(struct cst_history *history, uint32_t number);

/* The kind of that name likewise. */
uint32_t cst_history_kind_of(struct cst_history *history, const char *bytes,
                             size_t size);

/* beside.c: the device of that number on a node, likewise. */
uint32_t cst_history_device_of(struct cst_history *history, uint32_t node,
                               uint32_t number);

/* align.c: how the clocks of the files stand to the master's. */
void cst_history_align(struct cst_history_loader *loader);
/* The run's time at those ticks of that file. */
uint64_t cst_history_time(const struct cst_history_loader *loader,
                          const struct cst_history_file *file, uint64_t ticks);
/* The same, when its own cst_clock_ns() was that. */
uint64_t cst_history_time_at(const struct cst_history_loader *loader,
                             const struct cst_history_file *file,
                             uint64_t clock_ns);

/* events.c: all events of a file. */
CASTELL_MUST_CHECK enum castell_status
cst_history_read_events(struct cst_history_loader *loader,
                        struct cst_history_file *file);

/* order.c: put all in order, and join what belongs together. */
CASTELL_MUST_CHECK enum castell_status
cst_history_order(struct cst_history_loader *loader);

/* depend.c: which task waits for which. */
CASTELL_MUST_CHECK enum castell_status
cst_history_depend(struct cst_history *history);

#endif
