/*
 * index.h - regions by address: which of them overlap one?
 *
 * Layer: data. Pure.
 *
 * Owner: who has the domain. Nodes belong to who adds them: to data/ itself, as
 * its fragments, none of which overlap; or to others, whose nodes may overlap.
 * They fill in `fragment.region` and `base`.
 */
#ifndef CST_DATA_INDEX_H
#define CST_DATA_INDEX_H

#include "data/data.h"

struct cst_data_cover;
struct cst_data_domain;

enum cst_data_node_state {
    CST_NODE_FREE = 0, /* in the pool */
    CST_NODE_KNOWN,    /* in the index of its domain */
    CST_NODE_RETIRED,  /* split while in use: alive until it is idle */
};

/* A fragment and what the index knows of it: two cache lines. */
struct cst_data_node {
    struct cst_fragment fragment;
    uintptr_t base;    /* the fragment's: the order of the index */
    uintptr_t max_end; /* the greatest end in this subtree */
    union {
        struct cst_data_node *child[2]; /* KNOWN: smaller base, greater base */
        struct {                        /* RETIRED: */
            struct cst_data_node *next;
            struct cst_hold *followers; /* an array of them, one a piece */
        } retired;
    };
    struct cst_data_domain *domain;
    uint8_t height;
    uint8_t state; /* enum cst_data_node_state */
    bool named;    /* the table of regions leads to it */
    bool fresh;    /* not yet seen by the sweep */
    uint32_t user; /* the number that the owner of the hooks gave it, or 0 */
};

_Static_assert(offsetof(struct cst_fragment, region) <= 48,
               "a place and where its bytes start and end fit in a line");
_Static_assert(sizeof(struct cst_data_node) == 128, "a node is two lines");

static inline struct cst_data_node *
cst_data_node_of(struct cst_fragment *fragment)
{
    return (struct cst_data_node *)(void *)fragment;
}

struct cst_data_domain {
    struct cst_data_domain *unused; /* the pool's link */
    uint64_t id;
    uint64_t generation; /* changes, to a new value, when a fragment goes */
    struct cst_data_node *root;
    struct cst_data_cover *covers;
    size_t nodes_count;
    size_t grids_count; /* nodes of several rows */
};

/* A growing list of nodes. */
struct cst_data_nodes {
    struct cst_data_node **list;
    size_t count;
    size_t max;
};

void cst_data_index_add(struct cst_data_domain *domain,
                        struct cst_data_node *node);
void cst_data_index_remove(struct cst_data_domain *domain,
                           struct cst_data_node *node);

/*
 * List the nodes that overlap the region, in the order of addresses. Fails
 * with NO_MEMORY, never where the list has room for all.
 */
CASTELL_MUST_CHECK enum castell_status
cst_data_index_find(const struct cst_data_domain *domain,
                    const struct cst_region *region,
                    struct cst_data_nodes *nodes);

CASTELL_MUST_CHECK enum castell_status
cst_data_nodes_reserve(struct cst_data_nodes *nodes, size_t count);

/* Abort unless the tree is in order and balanced. */
void cst_data_index_check(const struct cst_data_domain *domain);

#endif
