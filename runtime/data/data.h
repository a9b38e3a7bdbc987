/*
 * data.h - which places of the graph stand for a region of memory.
 *
 * Layer: data. May include base and graph. Pure: no thread, lock, clock, I/O.
 *
 * Owner: whoever holds the baton.
 *
 * A region (base, size, rows, pitch) is covered by fragments, which never
 * overlap one another. A region that is named for the first time and overlaps
 * nothing becomes one fragment: naming it again is one hash look-up. Where it
 * overlaps fragments partly, these are split so that each region ever named
 * and still in use is exactly a union of fragments. The pieces of a split
 * fragment that is in use follow it (cst_place_follow()): all that was
 * submitted for the whole is older than all that is submitted for the pieces.
 *
 * Two regions of the same pitch are compared as rectangles, so the blocks of a
 * row-major matrix do not overlap though their address ranges do. Regions whose
 * pitches differ are compared, and split, row by row.
 *
 * Regions belong to a domain: the tasks that one body submits have a domain of
 * their own, in which dependences are looked for.
 */
#ifndef CST_DATA_DATA_H
#define CST_DATA_DATA_H

#include "castell.h"
#include "graph/graph.h"

#include <stddef.h>
#include <stdint.h>

struct cst_data;

struct cst_region {
    uintptr_t base;
    size_t size;  /* bytes of a row, > 0 */
    size_t rows;  /* >= 1 */
    size_t pitch; /* == size when rows == 1 or the rows touch: see normalise */
};

/* The smallest piece that dependences are kept for. */
struct cst_fragment {
    struct cst_place place;
    struct cst_region region;
    /* ... private members follow */
};

/*
 * Bring a region to its one normal form: rows that touch become one row.
 * Every region given to the functions below must be normal.
 */
void cst_region_normalise(struct cst_region *region);

/* Do two regions share a byte? Exact, for any pitches. */
bool cst_region_overlap(const struct cst_region *a, const struct cst_region *b);

CASTELL_MUST_CHECK enum castell_status
cst_data_create(struct cst_data **ret_data);
void cst_data_destroy(struct cst_data *data);

/*
 * Find or make the fragments that cover a region, in the order of addresses.
 * *ret_fragments is valid until the next call on data. A fragment that is
 * idle may be forgotten by any later call; one whose place has a hold is not.
 * Fails with CASTELL_ERR_NO_MEMORY; then data is as it was.
 */
CASTELL_MUST_CHECK enum castell_status
cst_data_resolve(struct cst_data *data, uint64_t domain,
                 const struct cst_region *region,
                 struct cst_fragment *const **ret_fragments, size_t *ret_count);

/*
 * The content of the region is not wanted any more: forget it, as soon as its
 * fragments are idle. Returns whether any of its bytes was known.
 */
bool cst_data_forget(struct cst_data *data, uint64_t domain,
                     const struct cst_region *region);

/* Forget all of a domain; its fragments must be idle. */
void cst_data_drop_domain(struct cst_data *data, uint64_t domain);

/* Regions known. */
size_t cst_data_regions_count(const struct cst_data *data);

/* Abort unless every invariant holds. Walks everything: for tests. */
void cst_data_check(const struct cst_data *data);

#endif
