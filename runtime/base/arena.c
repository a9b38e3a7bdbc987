#include "base/arena.h"

#include "base/arena_internal.h"
#include "base/fail.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/pages.h"

#include <pthread.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(base, size)   ((void)(base), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(base, size) ((void)(base), (void)(size))
#endif

enum {
    HUGE_SHIFT = 21, /* log2 of a huge page */
    HUGE_MIN = 4 << 20,
    RANGE_MIN = 64 << 20,
};

struct arena {
    struct cst_arena range; /* first: what callers see */
    void *reserved;
    size_t reserved_size;
    /* All below is guarded by the lock of all arenas. */
    size_t bytes;
    struct cst_zone small; /* the lower half of the range: slabs and blocks */
    struct cst_zone huge;  /* the upper half: blocks of HUGE_MIN and more */
    struct cst_slabs slabs;
};

/* Where a block is. */
struct place {
    struct cst_zone *zone;
    uint32_t head;         /* of its run, or CST_RUN_NONE: it is nowhere */
    struct cst_slab *slab; /* NULL: it is the run */
    uint32_t object;       /* in the slab */
    char *start;
    size_t size;
};

/* One for all arenas, of which a program has one: so it is easily held across
   fork(), which leaves the arena usable in the child. */
static struct cst_lock lock;

static void lock_take(void) CST_UNCHECKED
{
    cst_lock_take(&lock);
}

static void lock_drop(void) CST_UNCHECKED
{
    cst_lock_drop(&lock);
}

static void lock_init(void)
{
    cst_pages_init();
    cst_lock_init(&lock, CST_RANK_ARENA, "arena");
    /* Without memory for that a child may find the lock taken for ever. */
    (void)pthread_atfork(lock_take, lock_drop, lock_drop);
}

static struct arena *arena_of(const struct cst_arena *arena)
{
    return (struct arena *)(uintptr_t)arena; // NOLINT
}

/* Reserve addresses aligned to a huge page; halve what is refused. */
static bool reserve(struct arena *arena, size_t size)
{
    const size_t align = (size_t)1 << HUGE_SHIFT;
    char *base = MAP_FAILED;

    if (cst_alloc_refused(size))
        return false;
    for (; size >= RANGE_MIN; size /= 2) {
        base = mmap(NULL, size + align, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base != MAP_FAILED)
            break;
    }
    if (base == MAP_FAILED)
        return false;
    arena->reserved = base;
    arena->reserved_size = size + align;
    base += align - (uintptr_t)base % align;
    arena->range.base = (uintptr_t)base;
    arena->range.size = size;
    return true;
}

static enum castell_status zones_init(struct arena *arena)
{
    size_t half = arena->range.size / 2;
    char *base = (char *)arena->reserved +
                 (arena->range.base - (uintptr_t)arena->reserved);
    enum castell_status status;

    status = cst_zone_init(&arena->small, base, half, CST_SLAB_SHIFT);
    if (status < 0)
        return status;
    status = cst_zone_init(&arena->huge, base + half, half, HUGE_SHIFT);
    if (status < 0)
        cst_zone_release(&arena->small);
    else /* Only advice: where it is refused, pages are small. */
        (void)madvise(base + half, half, MADV_HUGEPAGE);
    return status;
}

enum castell_status cst_arena_create(size_t range_size,
                                     struct cst_arena **ret_arena)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct arena *arena = cst_zalloc(sizeof(*arena));
    const size_t unit = (size_t)2 << HUGE_SHIFT;
    enum castell_status status;

    if (!arena)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for an arena");
    (void)pthread_once(&once, lock_init);
    if (range_size == 0)
        range_size = CST_ARENA_RANGE;
    if (!reserve(arena, (range_size + unit - 1) / unit * unit)) {
        status = cst_fail(CASTELL_ERR_NO_MEMORY,
                          "no %d MiB of address space for castell_alloc()",
                          RANGE_MIN >> 20);
        goto fail_free;
    }
    status = zones_init(arena);
    if (status < 0)
        goto fail_unmap;
    cst_slabs_init(&arena->slabs, &arena->small);
    *ret_arena = &arena->range;
    return CASTELL_OK;

fail_unmap:
    (void)munmap(arena->reserved, arena->reserved_size);
fail_free:
    cst_free(arena);
    return status;
}

void cst_arena_destroy(struct cst_arena *arena)
{
    struct arena *own = arena_of(arena);

    if (!own)
        return;
    cst_pages_withdraw(own->reserved, own->reserved_size);
    cst_slabs_release(&own->slabs);
    cst_zone_release(&own->small);
    cst_zone_release(&own->huge);
    ASAN_UNPOISON_MEMORY_REGION(own->reserved, own->reserved_size);
    (void)munmap(own->reserved, own->reserved_size);
    cst_free(own);
}

static void *run_take(struct arena *arena, size_t size, size_t *ret_size)
{
    struct cst_zone *zone = size < HUGE_MIN ? &arena->small : &arena->huge;
    size_t length = ((size - 1) >> zone->shift) + 1;
    uint32_t head;

    if (length > zone->granules)
        return NULL;
    head = cst_zone_take(zone, (uint32_t)length, CST_RUN_USED);
    if (head == CST_RUN_NONE)
        return NULL;
    *ret_size = length << zone->shift;
    return cst_zone_address(zone, head);
}

enum castell_status cst_arena_alloc(struct cst_arena *arena, size_t size,
                                    void **ret_block)
{
    struct arena *own = arena_of(arena);
    size_t taken = 0;
    void *block = NULL;

    if (size == 0)
        size = 1;
    cst_lock_take(&lock);
    if (!cst_alloc_refused(size))
        block = size <= CST_SLAB_OBJECT_SIZE_MAX
                    ? cst_slabs_take(&own->slabs, size, &taken)
                    : run_take(own, size, &taken);
    own->bytes += taken;
    cst_lock_drop(&lock);
    if (!block)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "castell_alloc() has no memory for %zu bytes", size);
    ASAN_POISON_MEMORY_REGION(block, taken);
    ASAN_UNPOISON_MEMORY_REGION(block, size);
    cst_pages_offer(block, taken);
    *ret_block = block;
    return CASTELL_OK;
}

/* The block that the address lies in, used or not. Without the lock too. */
static struct place find(const struct arena *arena, const void *address)
{
    struct arena *own = arena_of(&arena->range);
    struct place place = {.zone = &own->small};
    size_t offset = (uintptr_t)address - arena->range.base;
    uint32_t object_size;

    if (offset >= arena->range.size / 2)
        place.zone = &own->huge;
    place.head = cst_zone_find(place.zone, address);
    if (place.head == CST_RUN_NONE)
        return place;
    place.start = cst_zone_address(place.zone, place.head);
    place.size = (size_t)cst_zone_length(place.zone, place.head)
                 << place.zone->shift;
    place.slab = atomic_load_explicit(&place.zone->runs[place.head].slab,
                                      memory_order_acquire);
    if (!place.slab)
        return place;
    object_size =
        atomic_load_explicit(&place.slab->object_size, memory_order_relaxed);
    place.object =
        (uint32_t)((uintptr_t)address - (uintptr_t)place.start) / object_size;
    place.start += (size_t)place.object * object_size;
    place.size = object_size;
    return place;
}

static enum cst_object_state place_state(const struct place *place)
{
    if (place->head == CST_RUN_NONE)
        return CST_OBJECT_FREE;
    if (place->slab)
        return cst_slab_state(place->slab, place->object);
    return cst_zone_state(place->zone, place->head) == CST_RUN_USED
               ? CST_OBJECT_USED
               : CST_OBJECT_RETIRED;
}

static enum castell_status retire_locked(struct arena *arena, const void *block,
                                         size_t *ret_size)
{
    struct place place = find(arena, block);
    enum cst_object_state state = place_state(&place);

    if (state == CST_OBJECT_FREE)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_free(%p): this block was freed before, or "
                        "castell_alloc() never gave it",
                        block);
    if (place.start != (const char *)block)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_free(%p): not a block but an address %zu "
                        "bytes into one",
                        block, (size_t)((const char *)block - place.start));
    if (state == CST_OBJECT_RETIRED)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_free(%p): this block was freed before", block);
    if (place.slab)
        cst_slab_set_state(place.slab, place.object, CST_OBJECT_RETIRED);
    else
        cst_zone_set_state(place.zone, place.head, CST_RUN_RETIRED);
    if (ret_size)
        *ret_size = place.size;
    return CASTELL_OK;
}

enum castell_status cst_arena_retire(struct cst_arena *arena, const void *block,
                                     size_t *ret_size)
{
    struct arena *own = arena_of(arena);
    enum castell_status status;

    if (!cst_arena_owns(arena, block))
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_free(%p): not memory of castell_alloc()",
                        block);
    cst_lock_take(&lock);
    status = retire_locked(own, block, ret_size);
    cst_lock_drop(&lock);
    return status;
}

void cst_arena_release(struct cst_arena *arena, void *block)
{
    struct arena *own = arena_of(arena);
    struct place place;

    place = find(own, block);
    if (!place.slab) /* nobody but us takes a retired run away */
        cst_pages_withdraw(block, place.size);
    cst_lock_take(&lock);
    CST_ASSERT(place_state(&place) == CST_OBJECT_RETIRED);
    CST_ASSERT(place.start == (char *)block);
    ASAN_POISON_MEMORY_REGION(place.start, place.size);
    own->bytes -= place.size;
    if (place.slab)
        cst_slabs_give(&own->slabs, place.slab, place.object);
    else
        cst_zone_give(place.zone, place.head);
    cst_lock_drop(&lock);
}

bool cst_arena_is_retired(const struct cst_arena *arena, const void *base,
                          size_t size)
{
    const struct arena *own = arena_of(arena);
    const char *from = base;
    const char *end = from + size;

    while (from < end && cst_arena_owns(arena, from)) {
        struct place place = find(own, from);

        if (place_state(&place) != CST_OBJECT_USED)
            return true;
        from = place.start + place.size;
    }
    return false;
}

size_t cst_arena_bytes(struct cst_arena *arena)
{
    struct arena *own = arena_of(arena);
    size_t bytes;

    cst_lock_take(&lock);
    bytes = own->bytes;
    cst_lock_drop(&lock);
    return bytes;
}

/* The bytes of a run's blocks in use. */
static size_t run_check(const struct arena *arena, const struct cst_zone *zone,
                        uint32_t head)
{
    const struct cst_slab *slab =
        atomic_load_explicit(&zone->runs[head].slab, memory_order_relaxed);
    enum cst_run_state state = cst_zone_state(zone, head);

    CST_ASSERT((state == CST_RUN_SLAB) == (slab != NULL));
    if (slab) {
        CST_ASSERT(slab->granule == head);
        return cst_slabs_check(&arena->slabs, slab);
    }
    return state == CST_RUN_FREE
               ? 0
               : (size_t)cst_zone_length(zone, head) << zone->shift;
}

void cst_arena_check(struct cst_arena *arena)
{
    struct arena *own = arena_of(arena);
    const struct cst_zone *zones[] = {&own->small, &own->huge};
    size_t bytes = 0;

    cst_lock_take(&lock);
    for (int i = 0; i < 2; i++) {
        cst_zone_check(zones[i]);
        for (uint32_t head = 0; head < zones[i]->top;
             head += cst_zone_length(zones[i], head))
            bytes += run_check(own, zones[i], head);
    }
    CST_ASSERT(bytes == own->bytes);
    cst_lock_drop(&lock);
}
