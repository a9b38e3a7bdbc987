/*
 * store.h - the versions that a node has, and the tasks that wait for them.
 *
 * Layer: store. May include base, graph and data. Pure: no thread, lock, clock
 * or I/O but memory.
 *
 * Owner: whoever holds the baton of the process. Between fire and
 * cst_store_finish() the executor reads and writes the job's buffers.
 *
 * The master says which tasks (jobs) a node runs, which versions they read and
 * make, and to which nodes a version is to be sent. Arrival is the firing rule:
 * a job is fired when all that it reads is here. Each version has memory of its
 * own, so that nobody who writes waits for a reader; only when nobody else here
 * wants what a job is to change, it is changed in place.
 *
 * Regions are named by main's addresses on every node. Memory for several rows
 * keeps their distances, so that a body's index arithmetic holds; what is
 * between the rows takes address space only. On the master's node a version lies
 * in the memory of the program itself ("home") when main wrote it, or when the
 * owner allows it.
 */
#ifndef CST_STORE_STORE_H
#define CST_STORE_STORE_H

#include "base/rows.h"
#include "castell.h"
#include "data/region.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cst_store;
struct cst_store_buffer;
struct cst_store_entry;
struct cst_store_job;

/* One version that a job reads. */
struct cst_store_input {
    struct cst_piece piece;
    bool consumed; /* nobody else will want it here: it may be changed in place,
                      and is gone when the job has run */
    /* The store's own. */
    struct cst_store_entry *entry;
    struct cst_store_job *job;
    struct cst_store_input *next; /* that waits for the same */
};

struct cst_store_access {
    struct cst_region region;
    struct cst_store_input *inputs; /* in order of addresses; none overlaps */
    struct cst_piece *outputs;
    uint32_t inputs_count;
    uint32_t outputs_count;
    uint8_t pointer; /* those of a job with the same number, not 0, lie in one
                        buffer, as they do in main's memory */
    /* The store's own. */
    struct cst_store_buffer *buffer; /* of outputs, or what was put together */
    struct cst_store_access *next;   /* that uses main's memory now */
    struct cst_store_access *previous;
};

/*
 * A task that was assigned to this node. Made by cst_store_job_new(); the
 * caller sets what is above the line.
 */
struct cst_store_job {
    uint64_t id;
    uint32_t attempt;
    void *owner; /* free for the caller */
    uint32_t accesses_count;
    struct cst_store_access *accesses;
    /* --- */
    void **buffers; /* accesses_count of them, once it is fired */
    uint32_t missing;
    bool fired;
    uint32_t inputs_used; /* while the job is filled in */
    uint32_t outputs_used;
    struct cst_store_input *inputs;
    struct cst_piece *outputs;
    struct cst_store_job *next; /* to be fired */
    size_t size;                /* of its memory */
};

/* Called from within the calls below; must not call back but where it says. */
struct cst_store_ops {
    /* All inputs are here and buffers are set; or, with an error, there is no
       memory for them, and the job is as finished and free. May call back. */
    void (*fire)(void *context, struct cst_store_job *job, const char *error);
    /* Send it to a node; cst_store_sent() when the memory was read. */
    void (*send)(void *context, uint32_t to, const struct cst_piece *piece,
                 const struct cst_rows *rows);
    /* Home only, else NULL. May main's memory be overwritten by that version,
       which is made or arrives here? Asked when no job and no push here uses
       what it would overwrite. Then home is that version's. */
    bool (*home_claim)(void *context, uint64_t version);
    /* It does not go there after all. */
    void (*home_unclaimed)(void *context, uint64_t version);
    /* What cst_store_come_home() asked for is done. */
    void (*home_filled)(void *context, uint64_t version);
    /* May be NULL, and must not call back: the version lies in main's memory
       now; it is not here any more. */
    void (*at_home)(void *context, const struct cst_piece *piece);
    void (*forgotten)(void *context, uint64_t version);
};

CASTELL_MUST_CHECK enum castell_status
cst_store_create(const struct cst_store_ops *ops, void *context,
                 struct cst_store **ret_store);
/* Of memory that is not used any more keep no more than that (256 MiB). */
void cst_store_keep_spare(struct cst_store *store, size_t most);
/* No job may be between fire and finish. Frees all others. */
void cst_store_destroy(struct cst_store *store);

/* ---- Jobs ------------------------------------------------------------ */

/* Room for a job, all zero, or NULL. inputs, outputs: of all accesses. */
struct cst_store_job *cst_store_job_new(struct cst_store *store,
                                        uint32_t accesses, uint32_t inputs,
                                        uint32_t outputs);
/* Free one that was not assigned. */
void cst_store_job_free(struct cst_store *store, struct cst_store_job *job);

/* Give the access so many inputs and outputs, to be filled in. */
void cst_store_job_room(struct cst_store_job *job, uint32_t access,
                        uint32_t inputs, uint32_t outputs);

/*
 * Fire the job when what it reads is here; perhaps at once. On
 * CASTELL_ERR_NO_MEMORY nothing has happened.
 */
CASTELL_MUST_CHECK enum castell_status
cst_store_assign(struct cst_store *store, struct cst_store_job *job);

/* More is to be said: fire nothing until it has been. Home only has to: what a
   job may overwrite there depends on all that was ordered. */
void cst_store_hold(struct cst_store *store);
void cst_store_let_go(struct cst_store *store);

/* A fired job's body has returned. `made`: what it was to make is there; else
   its outputs do not come to be. Frees the job. */
void cst_store_finish(struct cst_store *store, struct cst_store_job *job,
                      bool made);

/* A job that was not fired, or not begun since, is not to run here; frees it. */
void cst_store_withdraw(struct cst_store *store, struct cst_store_job *job);

/* ---- Versions -------------------------------------------------------- */

/* Home only: main has written it. */
CASTELL_MUST_CHECK enum castell_status
cst_store_born(struct cst_store *store, const struct cst_piece *piece);

/* Send the version to a node, when it is here. */
CASTELL_MUST_CHECK enum castell_status
cst_store_push(struct cst_store *store, uint32_t to,
               const struct cst_piece *piece);
/* Its memory was read; or, when not `whole`, somebody may still read it and
   does not matter: it is not given back to the system. */
void cst_store_sent(struct cst_store *store, uint64_t version, bool whole);

/* The node has left: what was to be sent to it is not any more. */
void cst_store_forget_node(struct cst_store *store, uint32_t to);

/* Nobody who is not waiting or running here will want it. */
void cst_store_drop(struct cst_store *store, uint64_t version);

/* child is a part of origin, wherever that is, now or later. */
CASTELL_MUST_CHECK enum castell_status
cst_store_cut(struct cst_store *store, const struct cst_piece *child,
              uint64_t origin);

/*
 * A version is coming: say where its bytes go. Returns false when it is not
 * wanted (it is here, or comes already, or there is no memory). `may_home`: the
 * sender will not write there any more after cst_store_abandon().
 */
bool cst_store_receive(struct cst_store *store, const struct cst_piece *piece,
                       bool may_home, struct cst_rows *ret_rows);
/* ... and has come, or will not. Returns true when it was refused meanwhile from
   somebody else, who thinks that it is here now: it is to be sent again. */
bool cst_store_received(struct cst_store *store, uint64_t version, bool whole);

/* ... or may still be written to by a node that is out of the run: the memory is
   left to it for ever, and the version may come from somebody else. */
bool cst_store_abandon(struct cst_store *store, uint64_t version);

/* Is the version here? */
bool cst_store_has(const struct cst_store *store, uint64_t version);

/*
 * Home only: bring a version that is here into main's memory, when no job and
 * no push here uses that; nothing else there is wanted. ops->home_filled()
 * follows, perhaps at once.
 */
CASTELL_MUST_CHECK enum castell_status
cst_store_come_home(struct cst_store *store, const struct cst_piece *piece);

/*
 * Home only: copy a version that lies in main's memory elsewhere: something is
 * about to overwrite it. Nothing happens when it lies elsewhere.
 */
CASTELL_MUST_CHECK enum castell_status
cst_store_save(struct cst_store *store, const struct cst_piece *piece);

/* Home only: does no job and nothing on its way use these bytes of main's
   memory? */
bool cst_store_home_is_idle(const struct cst_store *store,
                            const struct cst_region *region);
/* Home only: does a push read some of them? NULL: any of main's memory. */
bool cst_store_home_is_sent(const struct cst_store *store,
                            const struct cst_region *region);

struct cst_store_counters {
    uint64_t versions; /* here or expected */
    uint64_t bytes;    /* of memory for them, home excluded */
    uint64_t jobs;     /* waiting or running */
    uint64_t in_place; /* accesses that changed their input in place */
    uint64_t copied;   /* accesses that did not, and those put together */
};
void cst_store_counters(const struct cst_store *store,
                        struct cst_store_counters *ret_counters);

/* Abort unless every invariant holds: for tests. */
void cst_store_check(const struct cst_store *store);

#endif
