#include "data/region.h"

/* Do the bytes from..to-1 meet the region? */
static bool meets(const struct cst_region *region, uintptr_t from, uintptr_t to)
{
    size_t distance, row;

    if (to <= region->base || from >= cst_region_end(region))
        return false;
    if (region->rows == 1 || from < region->base)
        return true;
    distance = from - region->base;
    row = distance / region->pitch;
    if (distance - row * region->pitch < region->size)
        return true;
    /* from is behind the end of its row: is the start of the next one met? */
    return row + 1 < region->rows &&
           region->base + (row + 1) * region->pitch < to;
}

/* Are all the bytes from..to-1 in the region? */
static bool holds(const struct cst_region *region, uintptr_t from, uintptr_t to)
{
    size_t distance;

    if (from < region->base || to > cst_region_end(region))
        return false;
    if (region->rows == 1)
        return true;
    distance = from - region->base;
    return distance % region->pitch + (to - from) <= region->size;
}

/* Both have rows of one pitch, and a does not start behind b. */
static bool grids_overlap(const struct cst_region *a,
                          const struct cst_region *b)
{
    size_t distance = b->base - a->base;
    size_t row = distance / a->pitch;
    size_t column = distance - row * a->pitch;

    if (row >= a->rows)
        return false;
    if (column < a->size)
        return true;
    return column + b->size > a->pitch && row + 1 < a->rows;
}

/* What the two functions of region.h ask of each row of `rows`. */
static bool any_row_meets(const struct cst_region *rows,
                          const struct cst_region *region)
{
    uintptr_t from = rows->base;

    for (size_t row = 0; row < rows->rows; row++, from += rows->pitch)
        if (meets(region, from, from + rows->size))
            return true;
    return false;
}

static bool each_row_is_held(const struct cst_region *rows,
                             const struct cst_region *region)
{
    uintptr_t from = rows->base;

    for (size_t row = 0; row < rows->rows; row++, from += rows->pitch)
        if (!holds(region, from, from + rows->size))
            return false;
    return true;
}

bool cst_region_overlap(const struct cst_region *a, const struct cst_region *b)
{
    if (b->rows == 1)
        return meets(a, b->base, b->base + b->size);
    if (a->rows == 1)
        return meets(b, a->base, a->base + a->size);
    if (a->base >= cst_region_end(b) || b->base >= cst_region_end(a))
        return false;
    if (a->pitch == b->pitch)
        return a->base <= b->base ? grids_overlap(a, b) : grids_overlap(b, a);
    return a->rows < b->rows ? any_row_meets(a, b) : any_row_meets(b, a);
}

bool cst_region_includes(const struct cst_region *outer,
                         const struct cst_region *inner)
{
    if (inner->base < outer->base ||
        cst_region_end(inner) > cst_region_end(outer))
        return false;
    if (outer->rows == 1)
        return true;
    /* The first row tells for all where the rows lie alike: the last one ends
       before outer does. */
    if (inner->rows == 1 || inner->pitch == outer->pitch)
        return holds(outer, inner->base, inner->base + inner->size);
    return each_row_is_held(inner, outer);
}
