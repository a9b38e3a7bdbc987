/*
 * data_internal.h - what the files of data/ share.
 *
 * Layer: data, private to it.
 *
 * The truth about a domain is its index: the fragments that are known in it,
 * none overlapping another. All else is a cache of it: the table of regions
 * gives for a key the fragment that has just this region, or a cover: the list
 * of the fragments of a region, as long as the domain has not lost a fragment
 * since the list was made.
 */
#ifndef CST_DATA_DATA_INTERNAL_H
#define CST_DATA_DATA_INTERNAL_H

#include "data/data.h"
#include "data/index.h"
#include "graph/task.h"

struct cst_data_domain;

/* ---- pool.c: things of one size -------------------------------------- */

enum { CST_POOL_CHUNKS_MAX = 32 };

struct cst_data_pool {
    size_t size;        /* of a thing: a multiple of its alignment */
    size_t first_count; /* things in the first chunk */
    char *chunks[CST_POOL_CHUNKS_MAX];
    size_t chunks_count;
    char *untouched; /* all zero from here to end, in the last chunk */
    char *end;
    void *free; /* the others that are free, linked by their first words */
    size_t free_count; /* with the untouched ones */
};

void cst_data_pool_init(struct cst_data_pool *pool, size_t size,
                        size_t first_count);
void cst_data_pool_release(struct cst_data_pool *pool);

/* All things, free or not, have numbers from 0 on. */
size_t cst_data_pool_things(const struct cst_data_pool *pool);
void *cst_data_pool_thing(const struct cst_data_pool *pool, size_t number);

/* See to it that `count` things can be taken. Fails with NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
cst_data_pool_reserve(struct cst_data_pool *pool, size_t count);

/* Cannot fail after a reserve. The content is undefined. */
void *cst_data_pool_take(struct cst_data_pool *pool);
void cst_data_pool_put(struct cst_data_pool *pool, void *thing);

/* ---- table.c: from keys to what they name ---------------------------- */

CASTELL_MUST_CHECK enum castell_status
cst_data_table_init(struct cst_data_table *table);
void cst_data_table_release(struct cst_data_table *table);

/* See to it that one more fits. Fails with NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
cst_data_table_reserve(struct cst_data_table *table);

/* Cannot fail after a reserve. Nothing equal may be there. */
void cst_data_table_add(struct cst_data_table *table, uint64_t key,
                        char *found);

/* It must be there. */
void cst_data_table_remove(struct cst_data_table *table, uint64_t key,
                           const char *found);

/* The list of the fragments of a region that has several. */
struct cst_data_cover {
    struct cst_region region;
    uint64_t key;
    uint64_t generation; /* the domain's, when it was filled */
    struct cst_data_domain *domain;
    struct cst_data_cover *older; /* in the order of use */
    struct cst_data_cover *newer;
    struct cst_data_cover *previous; /* in its domain */
    struct cst_data_cover *next;
    size_t max;
    size_t count;
    struct cst_fragment *fragments[];
};

/* ---- the whole ------------------------------------------------------- */

/* A known node that is not to stay as it is. */
struct cst_data_cut {
    struct cst_data_node *node;
    size_t inside_end;          /* its pieces end there in plan.inside */
    size_t outside_end;         /* and there in plan.outside */
    struct cst_hold *followers; /* for its pieces, when it is in use */
};

/* What resolve() is going to do; see resolve.c. */
struct cst_data_plan {
    struct cst_data_cut *cuts;
    size_t cuts_count;
    size_t cuts_max;
    struct cst_regions inside;  /* pieces in the region */
    struct cst_regions outside; /* the other pieces of the nodes that are cut */
    struct cst_regions gaps;    /* of the region: where nothing is known */
    struct cst_regions rest;    /* to and fro while looking for gaps */
    struct cst_regions spare;
    size_t kept_count;  /* nodes in the region that stay as they are */
    size_t known_bytes; /* of the region in nodes that stay or are cut */
};

struct cst_data {
    struct cst_data_table regions;  /* first: see cst_data_table_() */
    struct cst_data_table domains;  /* by mixed ids */
    struct cst_data_domain *domain; /* the last one looked up, or NULL */
    uint64_t generation;            /* the last one given to a domain */

    struct cst_data_pool nodes;
    struct cst_data_pool domains_pool;
    size_t known_count; /* nodes that are KNOWN */

    struct cst_data_node *retired; /* oldest first */
    struct cst_data_node *retired_last;
    size_t retired_count;

    struct cst_data_cover *oldest; /* covers in the order of use */
    struct cst_data_cover *newest;
    size_t covers_count;
    size_t covered_count; /* the sum of their max */

    struct {
        size_t created; /* nodes, since the last call of cst_data_sweep() */
        size_t owed;    /* nodes to look at */
        size_t at;      /* sweep while more are known than this */
        size_t hand;    /* number of the next node to look at */
        size_t needed;  /* seen in use or used again since number 0 */
        bool happened;  /* something was forgotten unasked */
    } sweep;

    const struct cst_data_hooks *hooks; /* NULL: none */
    void *hooks_context;

    struct cst_fragment *one; /* what resolve() points to when it is one */
    struct cst_data_nodes found;
    struct cst_data_plan plan;
};

/* data.c: NULL when there is none of that id. */
struct cst_data_domain *cst_data_domain_find(struct cst_data *data,
                                             uint64_t id);
/* There is none. Fails with NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
cst_data_domain_create(struct cst_data *data, uint64_t id,
                       struct cst_data_domain **ret_domain);
/* Forget one whose index is empty. */
void cst_data_domain_destroy(struct cst_data *data,
                             struct cst_data_domain *domain);

/* node.c: may it be forgotten unasked? */
bool cst_data_node_may_forget(const struct cst_data *data,
                              struct cst_data_node *node);
/* Make a fragment known; its node has been reserved. */
struct cst_data_node *cst_data_node_create(struct cst_data *data,
                                           struct cst_data_domain *domain,
                                           const struct cst_region *region);
/* Let the table lead to it; room for that has been reserved. */
void cst_data_node_name(struct cst_data *data, struct cst_data_node *node,
                        uint64_t key);
/* Free one whose index is about to go as a whole. */
void cst_data_node_drop(struct cst_data *data, struct cst_data_node *node);
/* Take it out of table and index; what follows is free() or retire(). */
void cst_data_node_unlink(struct cst_data *data, struct cst_data_node *node);
/* Free what is unlinked and idle. */
void cst_data_node_free(struct cst_data *data, struct cst_data_node *node);
/* Keep what is unlinked until it is idle, with the followers, which are given.
 */
void cst_data_node_retire(struct cst_data *data, struct cst_data_node *node,
                          struct cst_hold *followers);

/* cover.c: one of that region, with room for max fragments, or NULL. */
struct cst_data_cover *cst_data_cover_find(const struct cst_data *data,
                                           uint64_t key,
                                           const struct cst_region *region);
CASTELL_MUST_CHECK enum castell_status
cst_data_cover_alloc(size_t max, struct cst_data_cover **ret_cover);
/* Enter one that alloc() gave; then fill() it with what data->found lists. */
void cst_data_cover_enter(struct cst_data *data, struct cst_data_domain *domain,
                          const struct cst_region *region,
                          struct cst_data_cover *cover);
void cst_data_cover_fill(struct cst_data *data, struct cst_data_cover *cover);
void cst_data_cover_use(struct cst_data *data, struct cst_data_cover *cover);
void cst_data_cover_destroy(struct cst_data *data,
                            struct cst_data_cover *cover);

/* sweep.c: forget some of what is idle, in proportion to what was created. */
void cst_data_sweep(struct cst_data *data);

#endif
