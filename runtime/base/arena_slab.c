#include "base/arena_internal.h"
#include "base/fail.h"
#include "base/memory.h"

enum {
    ALIGNMENT = 64,
    SLAB_SIZE = 1 << CST_SLAB_SHIFT,
    LINEAR_MAX = 512, /* up to here a class every 64 bytes, then */
    LINEAR_CLASSES = LINEAR_MAX / ALIGNMENT, /* four for each power of two */
};

void cst_slabs_init(struct cst_slabs *slabs, struct cst_zone *zone)
{
    *slabs = (struct cst_slabs){.zone = zone};
}

void cst_slabs_release(struct cst_slabs *slabs)
{
    while (slabs->made_last) {
        struct cst_slab *slab = slabs->made_last;

        slabs->made_last = slab->made_before;
        cst_free(slab);
    }
}

static uint32_t class_of(size_t size)
{
    uint32_t power;

    if (size <= LINEAR_MAX)
        return (uint32_t)(size - 1) / ALIGNMENT;
    power = 31u - (uint32_t)__builtin_clz((uint32_t)size - 1); /* at least 9 */
    return (uint32_t)LINEAR_CLASSES + (power - 9) * 4 +
           ((uint32_t)(size - 1) >> (power - 2)) - 4;
}

static uint32_t class_size(uint32_t class)
{
    uint32_t quarter;
    uint32_t power;

    if (class < LINEAR_CLASSES)
        return (class + 1) * ALIGNMENT;
    power = (class - LINEAR_CLASSES) / 4 + 9;
    quarter = (class - LINEAR_CLASSES) % 4;
    return (quarter + 5) << (power - 2);
}

static void slab_link(struct cst_slabs *slabs, struct cst_slab *slab)
{
    struct cst_slab **list = &slabs->partial[slab->class];

    slab->previous = NULL;
    slab->next = *list;
    if (*list)
        (*list)->previous = slab;
    *list = slab;
}

static void slab_unlink(struct cst_slabs *slabs, struct cst_slab *slab)
{
    if (slab->previous)
        slab->previous->next = slab->next;
    else
        slabs->partial[slab->class] = slab->next;
    if (slab->next)
        slab->next->previous = slab->previous;
}

/* A slab without a granule. */
static struct cst_slab *slab_spare(struct cst_slabs *slabs)
{
    struct cst_slab *slab = slabs->spare;

    if (slab) {
        slabs->spare = slab->next;
        return slab;
    }
    slab = cst_zalloc(sizeof(*slab));
    if (slab) {
        slab->made_before = slabs->made_last;
        slabs->made_last = slab;
    }
    return slab;
}

static void slab_spare_put(struct cst_slabs *slabs, struct cst_slab *slab)
{
    slab->next = slabs->spare;
    slabs->spare = slab;
}

static struct cst_slab *slab_make(struct cst_slabs *slabs, uint32_t class)
{
    struct cst_slab *slab = slab_spare(slabs);
    uint32_t object_size = class_size(class);

    if (!slab)
        return NULL;
    slab->granule = cst_zone_take(slabs->zone, 1, CST_RUN_SLAB);
    if (slab->granule == CST_RUN_NONE) {
        slab_spare_put(slabs, slab);
        return NULL;
    }
    slab->class = class;
    slab->count = slab->free_count = SLAB_SIZE / object_size;
    slab->hint = 0;
    atomic_store_explicit(&slab->object_size, object_size,
                          memory_order_relaxed);
    slab_link(slabs, slab);
    atomic_store_explicit(&slabs->zone->runs[slab->granule].slab, slab,
                          memory_order_release);
    return slab;
}

void *cst_slabs_take(struct cst_slabs *slabs, size_t size, size_t *ret_size)
{
    uint32_t class = class_of(size);
    struct cst_slab *slab = slabs->partial[class];
    uint32_t object;

    if (!slab)
        slab = slab_make(slabs, class);
    if (!slab)
        return NULL;
    object = slab->hint;
    while (cst_slab_state(slab, object) != CST_OBJECT_FREE)
        object++;
    CST_ASSERT(object < slab->count);
    cst_slab_set_state(slab, object, CST_OBJECT_USED);
    slab->hint = object + 1;
    if (--slab->free_count == 0)
        slab_unlink(slabs, slab);
    *ret_size = class_size(class);
    return cst_zone_address(slabs->zone, slab->granule) +
           (size_t)object * class_size(class);
}

void cst_slabs_give(struct cst_slabs *slabs, struct cst_slab *slab,
                    uint32_t object)
{
    cst_slab_set_state(slab, object, CST_OBJECT_FREE);
    if (object < slab->hint)
        slab->hint = object;
    if (slab->free_count++ == 0)
        slab_link(slabs, slab);
    /* An empty slab goes, unless it is the only one of its class with room:
       else a single block taken and given would make one each time. */
    if (slab->free_count < slab->count || (!slab->next && !slab->previous))
        return;
    slab_unlink(slabs, slab);
    cst_zone_give(slabs->zone, slab->granule);
    slab_spare_put(slabs, slab);
}

size_t cst_slabs_check(const struct cst_slabs *slabs,
                       const struct cst_slab *slab)
{
    uint32_t free_count = 0;
    const struct cst_slab *listed = slabs->partial[slab->class];

    for (uint32_t i = 0; i < slab->count; i++) {
        bool is_free = cst_slab_state(slab, i) == CST_OBJECT_FREE;

        CST_ASSERT(!is_free || i >= slab->hint);
        free_count += is_free;
    }
    CST_ASSERT(free_count == slab->free_count);
    while (listed && listed != slab)
        listed = listed->next;
    CST_ASSERT((free_count > 0) == (listed != NULL));
    return (size_t)(slab->count - free_count) * class_size(slab->class);
}
