/*
 * data.h - which places of the graph stand for a region of memory.
 *
 * Layer: data. May include base and graph. Pure: no thread, lock, clock, I/O.
 *
 * Owner: whoever holds the baton; only cst_data_key() is for everybody.
 *
 * A region (base, size, rows, pitch) is covered by fragments, which never
 * overlap one another. A region that is named for the first time and overlaps
 * nothing becomes one fragment: naming it again is one hash look-up. Where it
 * overlaps fragments partly, these are split, so that a region, when it is
 * named, is exactly a union of fragments. The pieces of a split fragment that
 * is in use follow it (cst_place_follow()): all that was submitted for the
 * whole is older than all that is submitted for the pieces.
 *
 * Two regions of the same pitch are compared as rectangles, so the blocks of a
 * row-major matrix do not overlap though their address ranges do. Regions whose
 * pitches differ are compared, and split, row by row.
 *
 * Regions belong to a domain: the tasks that one body submits have a domain of
 * their own, in which dependences are looked for.
 *
 * What is idle is kept, since programs name most regions again, but no more of
 * it than twice what was in use lately: sweep.c.
 */
#ifndef CST_DATA_DATA_H
#define CST_DATA_DATA_H

#include "castell.h"
#include "data/region.h"
#include "graph/graph.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cst_data;

/* The smallest piece that dependences are kept for. */
struct cst_fragment {
    struct cst_place place;
    struct cst_region region; /* rows and pitch are in the next cache line */
};

/*
 * For an owner that keeps something of its own about fragments: a number for
 * each, 0 at first, and word of what becomes of them. Nothing here may call
 * back into data.
 */
struct cst_data_hooks {
    uint64_t domain; /* whose fragments; the others have no number */
    /* See to it that split() will have memory for so many pieces. */
    enum castell_status (*reserve)(void *context, size_t pieces_count);
    /* `piece` is made of bytes of `old`, which has a number or is in use, and
       which no region will resolve to any more. */
    void (*split)(void *context, struct cst_fragment *old,
                  struct cst_fragment *piece);
    /* May a fragment that is idle and has a number be forgotten unasked? */
    bool (*may_forget)(void *context, struct cst_fragment *fragment);
    /* The memory of a fragment that has a number is about to be reused. */
    void (*forgotten)(void *context, struct cst_fragment *fragment);
};

CASTELL_MUST_CHECK enum castell_status
cst_data_create(struct cst_data **ret_data);

/* Before anything is resolved. hooks and context are kept. */
void cst_data_set_hooks(struct cst_data *data,
                        const struct cst_data_hooks *hooks, void *context);

/* The owner's number of a fragment. */
uint32_t *cst_data_user(struct cst_fragment *fragment);

/* Frees all fragments, idle or not. NULL is allowed. */
void cst_data_destroy(struct cst_data *data);

/*
 * Find or make the fragments that cover a normal region, in the order of their
 * first addresses. *ret_fragments is valid until the next call that takes data
 * (but cst_data_find() is none). So is a fragment, unless its place has a hold:
 * then it stays where it is until the hold has left.
 * Fails with CASTELL_ERR_NO_MEMORY; then every region has the fragments that it
 * had.
 */
CASTELL_MUST_CHECK enum castell_status
cst_data_resolve(struct cst_data *data, uint64_t domain,
                 const struct cst_region *region,
                 struct cst_fragment *const **ret_fragments, size_t *ret_count);

/*
 * The content of the region is not wanted any more: forget the fragments in it,
 * poison included; those in use as soon as they are idle and some call finds
 * them so. Returns false only if no byte of it was named since it was last
 * forgotten so; once something was forgotten unasked, never.
 */
bool cst_data_forget(struct cst_data *data, uint64_t domain,
                     const struct cst_region *region);

/* Forget all of a domain, poison included. Its fragments must be idle. */
void cst_data_drop_domain(struct cst_data *data, uint64_t id);

/* Fragments, and regions of several fragments, that are known. */
size_t cst_data_regions_count(const struct cst_data *data);

/* Abort unless every invariant holds. Walks everything: for tests. */
void cst_data_check(struct cst_data *data);

/* ---- the fast path --------------------------------------------------- */

/* What a slot's lowest bits say of what was found. */
enum cst_data_tag {
    CST_DATA_RANGE = 0, /* a fragment of one row */
    CST_DATA_GRID = 1,  /* a fragment of several */
    CST_DATA_COVER = 2, /* data_internal.h */
    CST_DATA_TAGS = 3,
};

struct cst_data_slot {
    uint64_t key;
    char *found; /* plus its tag; NULL: the slot is free */
};

/* Open addressing, linear probing from the key's highest bits. */
struct cst_data_table {
    struct cst_data_slot *slots;
    size_t mask; /* slots - 1, a power of two less one */
    uint32_t shift;
    size_t count;
};

/*
 * What a region is looked up by. For one region, the keys in different domains
 * differ: from the sum on, each step can be undone. So a slot whose key and
 * region agree is of the right domain, which is then nowhere compared.
 */
static inline uint64_t cst_data_key(uint64_t domain,
                                    const struct cst_region *region)
{
    uint64_t key = region->base * UINT64_C(0x9e3779b97f4a7c15) +
                   region->size * UINT64_C(0xc2b2ae3d27d4eb4f) +
                   region->rows * UINT64_C(0x165667b19e3779f9) +
                   region->pitch * UINT64_C(0xd6e8feb86659fd93) +
                   domain * UINT64_C(0xa0761d6478bd642f);

    key ^= key >> 32;
    key *= UINT64_C(0xe7037ed1a0b428db);
    return key ^ (key >> 29);
}

/* struct cst_data starts with its table of regions. */
static inline const struct cst_data_table *
cst_data_table_(const struct cst_data *data)
{
    return (const struct cst_data_table *)(const void *)data;
}

/* Bring a key's slot near: for callers that look up several regions. */
static inline void cst_data_prefetch(const struct cst_data *data, uint64_t key)
{
    const struct cst_data_table *table = cst_data_table_(data);

    __builtin_prefetch(&table->slots[key >> table->shift]);
}

/*
 * The fragment that covers the region, whose key is key, all by itself. NULL
 * when it is not known, or is covered by several: see cst_data_resolve().
 */
static inline struct cst_fragment *
cst_data_find(const struct cst_data *data, uint64_t key,
              const struct cst_region *region)
{
    const struct cst_data_table *table = cst_data_table_(data);
    size_t i = key >> table->shift;

    for (; table->slots[i].found; i = (i + 1) & table->mask) {
        uintptr_t tag = (uintptr_t)table->slots[i].found & CST_DATA_TAGS;
        struct cst_fragment *fragment =
            (struct cst_fragment *)(void *)(table->slots[i].found - tag);

        if (table->slots[i].key != key)
            continue;
        if (tag == CST_DATA_COVER)
            break;
        if (fragment->region.base != region->base ||
            fragment->region.size != region->size)
            continue;
        if (tag == CST_DATA_RANGE ? region->rows == 1
                                  : cst_region_equal(&fragment->region, region))
            return fragment;
    }
    return NULL;
}

static inline struct cst_fragment *
cst_data_find_one(const struct cst_data *data, uint64_t domain,
                  const struct cst_region *region)
{
    return cst_data_find(data, cst_data_key(domain, region), region);
}

#endif
