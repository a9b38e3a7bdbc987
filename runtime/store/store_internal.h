/*
 * store_internal.h - what the files of store/ share.
 */
#ifndef CST_STORE_STORE_INTERNAL_H
#define CST_STORE_STORE_INTERNAL_H

#include "base/map.h"
#include "base/spare.h"
#include "store/store.h"

/* Memory that stands for a region. Versions of parts of it may share it. */
struct cst_store_buffer {
    char *memory; /* where region.base is */
    struct cst_region region;
    size_t size; /* of the memory */
    uint32_t refs;
    bool home;                     /* main's own memory: all of it */
    struct cst_store_buffer *next; /* free ones of a class */
};

struct cst_store_target {
    uint32_t node;
    struct cst_store_target *next;
};

/* A buffer that an entry had before, and of which pushes may read. */
struct cst_store_former {
    struct cst_store_buffer *buffer;
    struct cst_store_former *next;
};

/* A version that is here, or that somebody here waits for. */
struct cst_store_entry {
    struct cst_piece piece;
    struct cst_store_buffer *buffer;   /* NULL: it is not here */
    struct cst_store_buffer *incoming; /* it is on its way into that */
    bool refused;                      /* from another, meanwhile */
    bool claimed;                      /* home is promised to it */
    uint32_t readers; /* jobs that read it and have not finished */
    uint32_t sending; /* pushes that read it now */
    struct cst_store_former *formers; /* while it has any of these */
    uint32_t makers;                  /* jobs that are to make it */
    bool dropped;                     /* to be freed when nobody uses it */
    bool stale;                       /* ... unless one of those jobs ends */
    struct cst_store_input *waiting;  /* jobs */
    struct cst_store_target *targets; /* to be sent there when it is here */
    /* It was cut from `origin`, while that is known; its own parts. */
    struct cst_store_entry *origin;
    struct cst_store_entry *parts;
    struct cst_store_entry *next_part;
    /* In the list of those that are to be brought home; the last: itself. */
    struct cst_store_entry *comes_home;
    /* In the list of those whose bytes at home are in use. */
    bool at_home;    /* it is in it */
    bool sends_home; /* some of its pushes read main's memory */
    struct cst_store_entry *next_home;
    struct cst_store_entry *previous_home;
};

enum { CST_STORE_CLASSES = 64 };

struct cst_store {
    const struct cst_store_ops *ops;
    void *context;
    bool is_home;
    struct cst_map entries;
    struct cst_map jobs;          /* by address, for the end */
    struct cst_store_job *firing; /* oldest first */
    struct cst_store_job *firing_last;
    bool fires; /* somebody does, further down the stack */
    struct cst_store_buffer home;
    struct cst_store_entry *coming_home;    /* when home is free */
    struct cst_store_entry *home_entries;   /* in use at home: home.c */
    struct cst_store_access *home_accesses; /* of jobs that run */
    struct cst_store_buffer *spare[CST_STORE_CLASSES];
    size_t spare_max;
    size_t spare_size;
    struct cst_spare small; /* jobs, entries, targets */
    struct cst_store_counters counters;
};

/* ---- buffer.c ---------------------------------------------------------- */

/* Memory for a region, refs == 1; or NULL. */
struct cst_store_buffer *cst_buffer_new(struct cst_store *store,
                                        const struct cst_region *region);
void cst_buffer_ref(struct cst_store_buffer *buffer);
void cst_buffer_unref(struct cst_store *store, struct cst_store_buffer *buffer);
/* Free what is kept for the next. */
void cst_buffers_release(struct cst_store *store);
/* Where a part of the buffer's region is. */
struct cst_rows cst_buffer_rows(const struct cst_store_buffer *buffer,
                                const struct cst_region *region);
bool cst_buffer_covers(const struct cst_store_buffer *buffer,
                       const struct cst_region *region);
void cst_buffer_copy(const struct cst_store_buffer *to,
                     const struct cst_store_buffer *from,
                     const struct cst_region *region);

/* ---- store.c ----------------------------------------------------------- */

/* Find or make one that is not here. NULL: no memory. */
struct cst_store_entry *cst_store_entry(struct cst_store *store,
                                        const struct cst_piece *piece);
/* The version has come to be in the buffer, of which it takes a reference. */
void cst_store_made(struct cst_store *store, struct cst_store_entry *entry,
                    struct cst_store_buffer *buffer);
/* It will not go home, if that was promised. */
void cst_store_unclaim(struct cst_store *store, struct cst_store_entry *entry);
/* Free it if nobody needs it. */
void cst_store_tidy(struct cst_store *store, struct cst_store_entry *entry);
/* Does anybody here use these bytes, by this version or a larger one? */
bool cst_store_is_used(const struct cst_store_entry *entry, uint32_t own);

/* ---- home.c ------------------------------------------------------------ */

/* Its buffer, readers or pushes have changed. */
void cst_home_update(struct cst_store *store, struct cst_store_entry *entry);
/* It lies in main's memory now. */
void cst_home_entered(struct cst_store *store, struct cst_store_entry *entry);
/* A running job begins, ends to use main's memory. */
void cst_home_enter(struct cst_store *store, struct cst_store_access *access);
void cst_home_leave(struct cst_store *store, struct cst_store_access *access);
/* Does nobody use these bytes of main's memory, but for the access itself? */
bool cst_home_is_free(const struct cst_store *store,
                      const struct cst_region *region,
                      const struct cst_store_access *own);
/* Bring home what may come by now. */
void cst_home_settle(struct cst_store *store);

/* ---- job.c ------------------------------------------------------------- */

/* One more of its inputs is here: fire it soon when that was the last. */
void cst_job_input_here(struct cst_store *store, struct cst_store_job *job);
/* Fire those: the last thing that a call does. */
void cst_jobs_fire(struct cst_store *store);

#endif
