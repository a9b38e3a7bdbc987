/*
 * region.h - the arithmetic of regions: rows of bytes at equal distances.
 *
 * Layer: data. Pure functions; any thread.
 *
 * Two regions of one pitch are rectangles in a frame: address a stands at row
 * (a - origin) / pitch and column (a - origin) % pitch. A region whose rows
 * cross the frame's edge is two rectangles there, a range of bytes up to three,
 * so a comparison first looks for the origin that cuts least.
 */
#ifndef CST_DATA_REGION_H
#define CST_DATA_REGION_H

#include "castell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Normal form: rows == 1 and pitch == size, or rows > 1 and pitch > size. So
 * two normal regions are of the same bytes exactly when they are equal. The
 * last byte is below UINTPTR_MAX.
 */
struct cst_region {
    uintptr_t base;
    size_t size;  /* bytes of a row, > 0 */
    size_t rows;  /* >= 1 */
    size_t pitch; /* from the start of a row to that of the next */
};

/* A part of memory as one version of it has it: what one task left there. */
struct cst_piece {
    uint64_t version; /* unique in the run; never 0 */
    struct cst_region region;
};

/* A growing list. All zero is an empty one. */
struct cst_regions {
    struct cst_region *list;
    size_t count;
    size_t max;
};

/* One past the last byte. */
static inline uintptr_t cst_region_end(const struct cst_region *region)
{
    return region->base + (region->rows - 1) * region->pitch + region->size;
}

static inline size_t cst_region_bytes(const struct cst_region *region)
{
    return region->rows * region->size;
}

static inline bool cst_region_equal(const struct cst_region *a,
                                    const struct cst_region *b)
{
    return ((a->base ^ b->base) | (a->size ^ b->size) | (a->rows ^ b->rows) |
            (a->pitch ^ b->pitch)) == 0;
}

/* Bring a region to normal form: rows that touch become one row. */
static inline void cst_region_normalise(struct cst_region *region)
{
    if (region->rows > 1 && region->pitch == region->size) {
        region->size *= region->rows;
        region->rows = 1;
    }
    if (region->rows == 1)
        region->pitch = region->size;
}

/*
 * Of normal regions, exact, for any pitches. They cost a division or two, and
 * where both have several rows and the pitches differ, that for each row.
 */
bool cst_region_overlap(const struct cst_region *a, const struct cst_region *b);
bool cst_region_includes(const struct cst_region *outer,
                         const struct cst_region *inner);

/*
 * Append to *inside the bytes of `region` that are in `by` too, and to *outside
 * the others, each as few normal regions as one frame allows. Either list may
 * be NULL. Fails with CASTELL_ERR_NO_MEMORY; then the lists may have grown.
 */
CASTELL_MUST_CHECK enum castell_status
cst_region_cut(const struct cst_region *region, const struct cst_region *by,
               struct cst_regions *inside, struct cst_regions *outside);

/* Append a region. Fails with CASTELL_ERR_NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
cst_regions_append(struct cst_regions *regions, struct cst_region region);

/* Free the list; it is empty then. */
void cst_regions_release(struct cst_regions *regions);

#endif
