#include "base/arena_internal.h"
#include "base/fail.h"
#include "base/memory.h"

#include <string.h>
#include <sys/mman.h>

enum {
    SEARCH_MAX = 64,           /* runs of the fitting bin that are looked at */
    OPEN_SIZE = 8 << 20,       /* address space is opened in steps of this */
    DIRTY_SIZE_MAX = 64 << 20, /* kept in free runs before the system gets it */
};

/* NOLINTNEXTLINE(readability-non-const-parameter): it is kept, to be written */
enum castell_status cst_zone_init(struct cst_zone *zone, char *base,
                                  size_t size, uint32_t shift)
{
    size_t granules = size >> shift;
    void *runs;

    CST_ASSERT(granules > 0 && granules < CST_RUN_NONE);
    if (cst_alloc_refused(size))
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory for the tables of %zu bytes of arena", size);
    /* Touched only where granules are in use, so it costs next to nothing. */
    runs = mmap(NULL, granules * sizeof(struct cst_run), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (runs == MAP_FAILED)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory for the tables of %zu bytes of arena", size);
    *zone = (struct cst_zone){
        .base = base,
        .granules = (uint32_t)granules,
        .shift = shift,
        .runs = runs,
    };
    for (int i = 0; i < CST_ZONE_BINS; i++)
        zone->bins[i] = CST_RUN_NONE;
    return CASTELL_OK;
}

void cst_zone_release(struct cst_zone *zone)
{
    if (zone->runs)
        (void)munmap(zone->runs, zone->granules * sizeof(struct cst_run));
    zone->runs = NULL;
}

static uint32_t bin_of(uint32_t length)
{
    return 31u - (uint32_t)__builtin_clz(length);
}

static uint32_t head_of(const struct cst_zone *zone, uint32_t granule)
{
    return atomic_load_explicit(&zone->runs[granule].head,
                                memory_order_relaxed);
}

static void set_head(struct cst_zone *zone, uint32_t granule, uint32_t head)
{
    atomic_store_explicit(&zone->runs[granule].head, head,
                          memory_order_relaxed);
}

static void set_length(struct cst_zone *zone, uint32_t head, uint32_t length)
{
    atomic_store_explicit(&zone->runs[head].length, length,
                          memory_order_relaxed);
}

static size_t bytes(const struct cst_zone *zone, uint32_t length)
{
    return (size_t)length << zone->shift;
}

static void free_run_insert(struct cst_zone *zone, uint32_t head,
                            uint32_t length, bool dirty)
{
    struct cst_run *run = &zone->runs[head];
    uint32_t *bin = &zone->bins[bin_of(length)];

    set_head(zone, head, head);
    set_head(zone, head + length - 1, head);
    set_length(zone, head, length);
    cst_zone_set_state(zone, head, CST_RUN_FREE);
    run->dirty = dirty;
    run->previous = CST_RUN_NONE;
    run->next = *bin;
    if (*bin != CST_RUN_NONE)
        zone->runs[*bin].previous = head;
    *bin = head;
    if (dirty)
        zone->dirty += bytes(zone, length);
}

static void free_run_remove(struct cst_zone *zone, uint32_t head)
{
    struct cst_run *run = &zone->runs[head];
    uint32_t length = cst_zone_length(zone, head);

    if (run->previous != CST_RUN_NONE)
        zone->runs[run->previous].next = run->next;
    else
        zone->bins[bin_of(length)] = run->next;
    if (run->next != CST_RUN_NONE)
        zone->runs[run->next].previous = run->previous;
    if (run->dirty)
        zone->dirty -= bytes(zone, length);
    cst_zone_set_state(zone, head, CST_RUN_NEVER);
}

/* A free run of at least that length: of the bin it would be in itself one of
   the first that fits, of a higher bin the first, which always does. */
static uint32_t find_free(const struct cst_zone *zone, uint32_t length)
{
    uint32_t bin = bin_of(length);
    uint32_t head = zone->bins[bin];

    for (int i = 0; i < SEARCH_MAX && head != CST_RUN_NONE; i++) {
        if (cst_zone_length(zone, head) >= length)
            return head;
        head = zone->runs[head].next;
    }
    for (bin++; bin < CST_ZONE_BINS; bin++) {
        if (zone->bins[bin] != CST_RUN_NONE)
            return zone->bins[bin];
    }
    return CST_RUN_NONE;
}

/* Make a free run of at least that length at the top. */
static uint32_t grow(struct cst_zone *zone, uint32_t length)
{
    uint32_t head = zone->top;
    uint32_t top;
    bool dirty = false;

    if (head > 0 &&
        cst_zone_state(zone, head_of(zone, head - 1)) == CST_RUN_FREE)
        head = head_of(zone, head - 1);
    if (length > zone->granules - head)
        return CST_RUN_NONE;
    top = head + length;
    if (top > zone->opened) {
        uint32_t step = (uint32_t)(OPEN_SIZE >> zone->shift);
        uint32_t opened =
            zone->granules - top > step ? top + step : zone->granules;

        if (mprotect(cst_zone_address(zone, zone->opened),
                     bytes(zone, opened - zone->opened),
                     PROT_READ | PROT_WRITE) != 0)
            return CST_RUN_NONE;
        zone->opened = opened;
    }
    if (head < zone->top) {
        dirty = zone->runs[head].dirty;
        free_run_remove(zone, head);
    }
    zone->top = top;
    free_run_insert(zone, head, length, dirty);
    return head;
}

uint32_t cst_zone_take(struct cst_zone *zone, uint32_t length,
                       enum cst_run_state state)
{
    uint32_t head = find_free(zone, length);
    uint32_t whole;

    if (head == CST_RUN_NONE)
        head = grow(zone, length);
    if (head == CST_RUN_NONE)
        return CST_RUN_NONE;
    whole = cst_zone_length(zone, head);
    free_run_remove(zone, head);
    if (whole > length)
        free_run_insert(zone, head + length, whole - length,
                        zone->runs[head].dirty);
    for (uint32_t i = 0; i < length; i++)
        set_head(zone, head + i, head);
    set_length(zone, head, length);
    cst_zone_set_state(zone, head, state);
    return head;
}

/* Give the memory of all dirty free runs back to the system. */
static void clean(struct cst_zone *zone)
{
    for (int bin = 0; bin < CST_ZONE_BINS; bin++) {
        for (uint32_t head = zone->bins[bin]; head != CST_RUN_NONE;
             head = zone->runs[head].next) {
            if (!zone->runs[head].dirty)
                continue;
            (void)madvise(cst_zone_address(zone, head),
                          bytes(zone, cst_zone_length(zone, head)),
                          MADV_DONTNEED);
            zone->runs[head].dirty = false;
        }
    }
    zone->dirty = 0;
}

void cst_zone_give(struct cst_zone *zone, uint32_t head)
{
    uint32_t length = cst_zone_length(zone, head);
    uint32_t after = head + length;

    atomic_store_explicit(&zone->runs[head].slab, NULL, memory_order_relaxed);
    cst_zone_set_state(zone, head, CST_RUN_NEVER);
    if (after < zone->top && cst_zone_state(zone, after) == CST_RUN_FREE) {
        length += cst_zone_length(zone, after);
        free_run_remove(zone, after);
    }
    if (head > 0 &&
        cst_zone_state(zone, head_of(zone, head - 1)) == CST_RUN_FREE) {
        head = head_of(zone, head - 1);
        length += cst_zone_length(zone, head);
        free_run_remove(zone, head);
    }
    free_run_insert(zone, head, length, true);
    if (zone->dirty > DIRTY_SIZE_MAX)
        clean(zone);
}

/*
 * Without the lock. A granule of a free run may name a head of long ago, whose
 * run is now another or shorter: so the head's length is looked at too.
 */
uint32_t cst_zone_find(const struct cst_zone *zone, const void *address)
{
    uint32_t granule =
        (uint32_t)(((uintptr_t)address - (uintptr_t)zone->base) >> zone->shift);
    uint32_t head = head_of(zone, granule);
    enum cst_run_state state = cst_zone_state(zone, head);

    if (state == CST_RUN_NEVER || state == CST_RUN_FREE ||
        granule - head >= cst_zone_length(zone, head))
        return CST_RUN_NONE;
    return head;
}

/* NOLINTNEXTLINE(readability-function-cognitive-complexity): a list of checks */
void cst_zone_check(const struct cst_zone *zone)
{
    uint32_t listed = 0;
    uint32_t found = 0;
    size_t dirty = 0;
    bool after_free = false;

    CST_ASSERT(zone->top <= zone->opened && zone->opened <= zone->granules);
    for (uint32_t bin = 0; bin < CST_ZONE_BINS; bin++) {
        uint32_t previous = CST_RUN_NONE;

        for (uint32_t head = zone->bins[bin]; head != CST_RUN_NONE;
             head = zone->runs[head].next) {
            CST_ASSERT(cst_zone_state(zone, head) == CST_RUN_FREE);
            CST_ASSERT(bin_of(cst_zone_length(zone, head)) == bin);
            CST_ASSERT(zone->runs[head].previous == previous);
            previous = head;
            listed++;
        }
    }
    for (uint32_t head = 0; head < zone->top;
         head += cst_zone_length(zone, head)) {
        bool is_free = cst_zone_state(zone, head) == CST_RUN_FREE;
        uint32_t length = cst_zone_length(zone, head);

        CST_ASSERT(cst_zone_state(zone, head) != CST_RUN_NEVER);
        CST_ASSERT(length > 0 && length <= zone->top - head);
        CST_ASSERT(head_of(zone, head) == head);
        CST_ASSERT(head_of(zone, head + length - 1) == head);
        CST_ASSERT(!(is_free && after_free));
        if (is_free && zone->runs[head].dirty)
            dirty += bytes(zone, length);
        found += is_free;
        after_free = is_free;
    }
    CST_ASSERT(found == listed);
    CST_ASSERT(dirty == zone->dirty);
}
