/*
 * What a task names: checked, and brought to its internal form.
 */
#include "api/api.h"
#include "base/fail.h"
#include "base/memory.h"
#include "data/data.h"

#include <stdlib.h>
#include <string.h>

enum { PAIRWISE_MAX = 24 }; /* accesses compared each with each */

struct mode {
    uint8_t epoch;
    bool reads;
    bool writes;
};

static const struct mode modes[] = {
    [CASTELL_IN] = {CST_EPOCH_READ, true, false},
    [CASTELL_OUT] = {CST_EPOCH_WRITE, false, true},
    [CASTELL_INOUT] = {CST_EPOCH_WRITE, true, true},
    [CASTELL_CONCURRENT] = {CST_EPOCH_CONCURRENT, true, true},
    [CASTELL_COMMUTATIVE] = {CST_EPOCH_COMMUTATIVE, true, true},
    [CASTELL_REDUCTION] = {CST_EPOCH_REDUCTION, true, true},
    [CASTELL_IN_DELETE] = {CST_EPOCH_READ, true, false},
};

static enum castell_status check_rows(const struct castell_access *from,
                                      size_t number, struct cst_access *access)
{
    struct cst_region region = {(uintptr_t)from->base, from->size, from->rows,
                                from->pitch};

    if (from->pitch < from->size)
        return cst_fail(CASTELL_ERR_INVALID,
                        "access %zu has rows of %zu bytes, only %zu apart",
                        number, from->size, from->pitch);
    if (from->rows > UINT32_MAX || from->pitch > SIZE_MAX / from->rows)
        return cst_fail(CASTELL_ERR_INVALID,
                        "access %zu has %zu rows, %zu bytes apart: too many",
                        number, from->rows, from->pitch);
    if ((from->rows - 1) * from->pitch >
        UINTPTR_MAX - (uintptr_t)from->base - from->size)
        return cst_fail(CASTELL_ERR_INVALID,
                        "access %zu goes beyond the address space", number);
    cst_region_normalise(&region);
    access->size = region.size;
    access->pitch = region.pitch;
    access->hold.user = (uint32_t)region.rows;
    return CASTELL_OK;
}

static enum castell_status check_memory(const struct castell_access *from,
                                        size_t number,
                                        struct cst_access *access)
{
    const struct cst_arena *arena = cst_run()->arena;

    if (!from->base || from->size == 0)
        return cst_fail(CASTELL_ERR_INVALID, "access %zu is %s", number,
                        from->base ? "empty: its size is 0" : "NULL");
    if (from->size > UINTPTR_MAX - (uintptr_t)from->base)
        return cst_fail(CASTELL_ERR_INVALID,
                        "access %zu goes beyond the address space", number);
    if (__builtin_expect(cst_arena_owns(arena, from->base), 0) &&
        cst_arena_is_retired(arena, from->base, from->size))
        return cst_fail(CASTELL_ERR_INVALID,
                        "access %zu names memory that castell_free() took",
                        number);
    access->base = (void *)(uintptr_t)from->base;
    if (from->rows > 1)
        return check_rows(from, number, access);
    access->size = from->size;
    access->pitch = from->size;
    access->hold.user = 1;
    return CASTELL_OK;
}

enum castell_status cst_access_check(const struct castell_access *from,
                                     size_t number, struct cst_task *task)
{
    struct cst_access *access = &cst_task_accesses(task)[number];
    struct cst_hold *hold = &access->hold;

    if ((unsigned)from->mode < CASTELL_IN ||
        (unsigned)from->mode > CASTELL_IN_DELETE)
        return cst_fail(CASTELL_ERR_INVALID,
                        "access %zu has mode %d, which is none", number,
                        (int)from->mode);
    if (from->mode == CASTELL_REDUCTION &&
        (!from->reduction || !from->reduction->combine ||
         !from->reduction->identity || from->reduction->element_size == 0))
        return cst_fail(CASTELL_ERR_INVALID,
                        "access %zu is a reduction without an operation",
                        number);
    if (from->mode == CASTELL_REDUCTION && !from->is_file &&
        from->size % from->reduction->element_size != 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "access %zu reduces rows of %zu bytes, which are not a "
                        "whole number of elements of %zu",
                        number, from->size, from->reduction->element_size);
    hold->epoch = modes[from->mode].epoch;
    hold->reads = modes[from->mode].reads;
    hold->writes = modes[from->mode].writes;
    hold->mode = (uint8_t)from->mode;
    hold->pointer = from->pointer;
    return from->is_file ? cst_api_name_file(from, number, task, access)
                         : check_memory(from, number, access);
}

/* ---- No two overlap ----------------------------------------------------- */

static uintptr_t end_of(const struct cst_access *access)
{
    return (uintptr_t)access->base + (access->hold.user - 1) * access->pitch +
           access->size;
}

static bool clash(const struct cst_access *a, const struct cst_access *b)
{
    struct cst_region first;
    struct cst_region second;

    if (!a->hold.writes && !b->hold.writes)
        return false;
    if (a->hold.user == 1 && b->hold.user == 1)
        return true; /* the caller has compared the ranges */
    first = (struct cst_region){(uintptr_t)a->base, a->size, a->hold.user,
                                a->pitch};
    second = (struct cst_region){(uintptr_t)b->base, b->size, b->hold.user,
                                 b->pitch};
    return cst_region_overlap(&first, &second);
}

static enum castell_status refuse(size_t a, size_t b)
{
    return cst_fail(CASTELL_ERR_INVALID,
                    "accesses %zu and %zu overlap, and one of them is written",
                    a < b ? a : b, a < b ? b : a);
}

struct sorted {
    uintptr_t base;
    uint32_t index;
};

static int by_base(const void *a, const void *b)
{
    const struct sorted *first = a;
    const struct sorted *second = b;

    return (first->base > second->base) - (first->base < second->base);
}

static enum castell_status many_disjoint(const struct cst_access *accesses,
                                         size_t count)
{
    struct sorted *sorted = cst_alloc(count * sizeof(*sorted));
    enum castell_status status = CASTELL_OK;

    if (!sorted)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for %zu accesses",
                        count);
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct sorted){(uintptr_t)accesses[i].base, (uint32_t)i};
    qsort(sorted, count, sizeof(*sorted), by_base);
    for (size_t i = 0; i < count && status == CASTELL_OK; i++) {
        const struct cst_access *a = &accesses[sorted[i].index];
        uintptr_t end = end_of(a);

        for (size_t j = i + 1; j < count && sorted[j].base < end; j++)
            if (clash(a, &accesses[sorted[j].index])) {
                status = refuse(sorted[i].index, sorted[j].index);
                break;
            }
    }
    cst_free(sorted);
    return status;
}

enum castell_status cst_accesses_disjoint(const struct cst_access *accesses,
                                          size_t count)
{
    if (count > PAIRWISE_MAX)
        return many_disjoint(accesses, count);
    for (size_t i = 1; i < count; i++) {
        uintptr_t base = (uintptr_t)accesses[i].base;
        uintptr_t end = end_of(&accesses[i]);

        for (size_t j = 0; j < i; j++)
            if ((uintptr_t)accesses[j].base < end &&
                base < end_of(&accesses[j]) &&
                clash(&accesses[i], &accesses[j]))
                return refuse(j, i);
    }
    return CASTELL_OK;
}
