#include "base/fail.h"
#include "base/memory.h"
#include "data/region.h"

/*
 * Cutting one region by another. Where both fit one frame they become a few
 * rectangles each, and those of the first are cut by those of the second one
 * after another. Else the rows of the first are cut one by one.
 */

enum {
    RECTANGLES_MAX = 3,  /* that one region becomes in a frame */
    LEFT_OVERS_MAX = 32, /* 3, each cut by 2 into 7, is the most */
};

struct frame {
    uintptr_t origin;
    size_t pitch;
};

struct rectangle {
    intptr_t row;
    intptr_t rows;
    size_t column;
    size_t width;
};

struct rectangles {
    size_t count;
    struct rectangle list[LEFT_OVERS_MAX];
};

/* ---- lists ----------------------------------------------------------- */

enum castell_status cst_regions_append(struct cst_regions *regions,
                                       struct cst_region region)
{
    enum { FIRST_MAX = 16 };

    if (regions->count == regions->max) {
        size_t max = regions->max ? 2 * regions->max : FIRST_MAX;
        struct cst_region *list =
            cst_realloc(regions->list, max * sizeof(*list));

        if (!list)
            return cst_fail(CASTELL_ERR_NO_MEMORY,
                            "no memory for a list of %zu regions", max);
        regions->list = list;
        regions->max = max;
    }
    regions->list[regions->count++] = region;
    return CASTELL_OK;
}

void cst_regions_release(struct cst_regions *regions)
{
    cst_free(regions->list);
    *regions = (struct cst_regions){0};
}

/* Append, or lengthen a range since `first` that ends or starts there. */
static enum castell_status append_joined(struct cst_regions *regions,
                                         size_t first, struct cst_region region)
{
    if (!regions)
        return CASTELL_OK;
    for (size_t i = first; i < regions->count && region.rows == 1; i++) {
        struct cst_region *other = &regions->list[i];

        if (other->rows > 1)
            continue;
        if (other->base + other->size != region.base &&
            region.base + region.size != other->base)
            continue;
        if (region.base < other->base)
            other->base = region.base;
        other->size += region.size;
        other->pitch = other->size;
        return CASTELL_OK;
    }
    return cst_regions_append(regions, region);
}

/* Add a rectangle, or lengthen one that it stands under or on. */
static void add(struct rectangles *to, struct rectangle rectangle)
{
    for (size_t i = 0; i < to->count; i++) {
        struct rectangle *other = &to->list[i];

        if (other->column != rectangle.column ||
            other->width != rectangle.width)
            continue;
        if (other->row + other->rows != rectangle.row &&
            rectangle.row + rectangle.rows != other->row)
            continue;
        if (rectangle.row < other->row)
            other->row = rectangle.row;
        other->rows += rectangle.rows;
        return;
    }
    CST_ASSERT(to->count < LEFT_OVERS_MAX);
    to->list[to->count++] = rectangle;
}

/* ---- frames ---------------------------------------------------------- */

static size_t rectangles_of(const struct frame *frame,
                            const struct cst_region *region,
                            struct rectangle list[RECTANGLES_MAX])
{
    intptr_t pitch = (intptr_t)frame->pitch;
    intptr_t distance = (intptr_t)(region->base - frame->origin);
    intptr_t row = distance / pitch - (distance % pitch < 0);
    size_t column = (size_t)(distance - row * pitch);
    size_t room = frame->pitch - column;
    size_t left = region->size;
    size_t count = 0;

    if (region->rows > 1) {
        intptr_t rows = (intptr_t)region->rows;

        list[0] = (struct rectangle){row, rows, column, left};
        if (left <= room)
            return 1;
        list[0].width = room;
        list[1] = (struct rectangle){row + 1, rows, 0, left - room};
        return 2;
    }
    if (column > 0 || left < frame->pitch) {
        size_t width = left < room ? left : room;

        list[count++] = (struct rectangle){row++, 1, column, width};
        left -= width;
    }
    if (left >= frame->pitch) {
        intptr_t rows = (intptr_t)(left / frame->pitch);

        list[count++] = (struct rectangle){row, rows, 0, frame->pitch};
        row += rows;
        left %= frame->pitch;
    }
    if (left > 0)
        list[count++] = (struct rectangle){row, 1, 0, left};
    return count;
}

static struct cst_region region_of(const struct frame *frame,
                                   const struct rectangle *rectangle)
{
    struct cst_region region = {
        .base = frame->origin + rectangle->column +
                (uintptr_t)rectangle->row * frame->pitch,
        .size = rectangle->width,
        .rows = (size_t)rectangle->rows,
        .pitch = frame->pitch,
    };

    cst_region_normalise(&region);
    return region;
}

/*
 * Put what x and `by` share into *shared and the rest of x into *rest: the rows
 * above and below as wide as x, what is beside `by` between them.
 */
static void cut_rectangle(struct rectangle x, const struct rectangle *by,
                          struct rectangles *shared, struct rectangles *rest)
{
    intptr_t top = x.row > by->row ? x.row : by->row;
    intptr_t end = x.row + x.rows;
    intptr_t bottom = end < by->row + by->rows ? end : by->row + by->rows;
    size_t left = x.column > by->column ? x.column : by->column;
    size_t x_right = x.column + x.width;
    size_t right = by->column + by->width;

    if (right > x_right)
        right = x_right;
    if (top >= bottom || left >= right) {
        add(rest, x);
        return;
    }
    if (x.row < top)
        add(rest, (struct rectangle){x.row, top - x.row, x.column, x.width});
    if (x.column < left)
        add(rest,
            (struct rectangle){top, bottom - top, x.column, left - x.column});
    if (right < x_right)
        add(rest,
            (struct rectangle){top, bottom - top, right, x_right - right});
    if (bottom < end)
        add(rest, (struct rectangle){bottom, end - bottom, x.column, x.width});
    add(shared, (struct rectangle){top, bottom - top, left, right - left});
}

static enum castell_status append_all(const struct frame *frame,
                                      const struct rectangles *from,
                                      struct cst_regions *to)
{
    size_t first = to ? to->count : 0;
    enum castell_status status = CASTELL_OK;

    for (size_t i = 0; i < from->count && status == CASTELL_OK; i++)
        status = append_joined(to, first, region_of(frame, &from->list[i]));
    return status;
}

/* The origin in which the two become the fewest rectangles. */
static struct frame best_frame(const struct cst_region *region,
                               const struct cst_region *by)
{
    struct rectangle unused[RECTANGLES_MAX];
    struct frame own = {.origin = region->base};
    struct frame other = {.origin = by->base};
    size_t in_own, in_other;

    if (region->rows > 1)
        own.pitch = region->pitch;
    else if (by->rows > 1)
        own.pitch = by->pitch;
    else /* two ranges: a row that is long enough for both */
        own.pitch = SIZE_MAX / 4;
    other.pitch = own.pitch;
    in_own =
        rectangles_of(&own, region, unused) + rectangles_of(&own, by, unused);
    in_other = rectangles_of(&other, region, unused) +
               rectangles_of(&other, by, unused);
    return in_own <= in_other ? own : other;
}

static enum castell_status cut_in_frame(const struct cst_region *region,
                                        const struct cst_region *by,
                                        struct cst_regions *inside,
                                        struct cst_regions *outside)
{
    struct frame frame = best_frame(region, by);
    struct rectangle knives[RECTANGLES_MAX];
    size_t knives_count = rectangles_of(&frame, by, knives);
    struct rectangles shared, rests[2];
    struct rectangles *rest = &rests[0], *before = &rests[1];
    enum castell_status status;

    shared.count = 0;
    rest->count = rectangles_of(&frame, region, rest->list);
    for (size_t k = 0; k < knives_count; k++) {
        struct rectangles *swapped = before;

        before = rest;
        rest = swapped;
        rest->count = 0;
        for (size_t i = 0; i < before->count; i++)
            cut_rectangle(before->list[i], &knives[k], &shared, rest);
    }
    status = append_all(&frame, &shared, inside);
    if (status == CASTELL_OK)
        status = append_all(&frame, rest, outside);
    return status;
}

/* ---- rows ------------------------------------------------------------ */

static struct cst_region some_rows(const struct cst_region *region,
                                   size_t first, size_t end)
{
    struct cst_region some = {
        .base = region->base + first * region->pitch,
        .size = region->size,
        .rows = end - first,
        .pitch = region->pitch,
    };

    cst_region_normalise(&some);
    return some;
}

/* Append rows first..end-1, which share a fate; none is none. */
static enum castell_status append_rows(struct cst_regions *to,
                                       const struct cst_region *region,
                                       size_t first, size_t end)
{
    if (!to || first == end)
        return CASTELL_OK;
    return cst_regions_append(to, some_rows(region, first, end));
}

static enum castell_status cut_by_rows(const struct cst_region *region,
                                       const struct cst_region *by,
                                       struct cst_regions *inside,
                                       struct cst_regions *outside)
{
    struct cst_regions *run = outside; /* rows `first` to row-1 belong there */
    size_t first = 0;
    enum castell_status status = CASTELL_OK;

    for (size_t row = 0; row < region->rows && status == CASTELL_OK; row++) {
        struct cst_region one = some_rows(region, row, row + 1);
        bool in = cst_region_includes(by, &one);
        bool out = !in && !cst_region_overlap(by, &one);

        if ((in && run == inside) || (out && run == outside))
            continue;
        status = append_rows(run, region, first, row);
        run = in ? inside : outside;
        first = row;
        if (in || out || status != CASTELL_OK)
            continue;
        status = cut_in_frame(&one, by, inside, outside);
        first = row + 1;
    }
    if (status == CASTELL_OK)
        status = append_rows(run, region, first, region->rows);
    return status;
}

enum castell_status cst_region_cut(const struct cst_region *region,
                                   const struct cst_region *by,
                                   struct cst_regions *inside,
                                   struct cst_regions *outside)
{
    if (!cst_region_overlap(region, by))
        return outside ? cst_regions_append(outside, *region) : CASTELL_OK;
    if (region->rows > 1 && by->rows > 1 && region->pitch != by->pitch)
        return cut_by_rows(region, by, inside, outside);
    return cut_in_frame(region, by, inside, outside);
}
