#include "base/fail.h"
#include "base/memory.h"
#include "ledger/records.h"

#include <string.h>

/* ---- Things of one size ----------------------------------------------- */

enum { SLAB_FIRST = 32, SLAB_MAX = 4096, ALIGNMENT = 16 };

/* What was never taken was never touched either: the system gives memory for it
   when it is, and tasks that wait take much less than what they are owed. */
struct cst_plan_slab {
    struct cst_plan_slab *next;
    size_t fresh; /* things at its end; keeps what follows aligned */
};

void cst_plan_pool_init(struct cst_plan_pool *pool, size_t size)
{
    *pool = (struct cst_plan_pool){
        .size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT,
    };
}

void cst_plan_pool_release(struct cst_plan_pool *pool)
{
    while (pool->slabs) {
        struct cst_plan_slab *slab = pool->slabs;

        pool->slabs = slab->next;
        cst_free(slab);
    }
    cst_plan_pool_init(pool, pool->size);
}

static enum castell_status add_slab(struct cst_plan_pool *pool)
{
    size_t count = pool->things < SLAB_FIRST ? SLAB_FIRST
                   : pool->things < SLAB_MAX ? pool->things
                                             : SLAB_MAX;
    struct cst_plan_slab *slab = cst_alloc(sizeof(*slab) + count * pool->size);

    if (!slab)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory to plan more than %zu things", pool->things);
    slab->next = NULL;
    slab->fresh = count;
    if (pool->last)
        pool->last->next = slab;
    else
        pool->slabs = slab;
    pool->last = slab;
    if (!pool->fresh)
        pool->fresh = slab;
    pool->free_count += count;
    pool->things += count;
    return CASTELL_OK;
}

enum castell_status cst_plan_pool_reserve(struct cst_plan_pool *pool,
                                          size_t count)
{
    enum castell_status status = CASTELL_OK;

    while (pool->free_count < pool->owed + count && status == CASTELL_OK)
        status = add_slab(pool);
    return status;
}

/* Take one from the slab's end towards its beginning. */
static void *take_fresh(struct cst_plan_pool *pool)
{
    struct cst_plan_slab *slab = pool->fresh;
    char *thing;

    CST_ASSERT(slab);
    slab->fresh--;
    thing = (char *)(slab + 1) + slab->fresh * pool->size;
    if (slab->fresh == 0)
        pool->fresh = slab->next;
    return thing;
}

void *cst_plan_pool_take(struct cst_plan_pool *pool)
{
    void *thing = pool->free;

    if (thing)
        pool->free = *(void **)thing;
    else
        thing = take_fresh(pool);
    pool->free_count--;
    memset(thing, 0, pool->size);
    return thing;
}

void cst_plan_pool_put(struct cst_plan_pool *pool, void *thing)
{
    *(void **)thing = pool->free;
    pool->free = thing;
    pool->free_count++;
}

/* ---- Ids -------------------------------------------------------------- */

enum { SLOTS_MIN_LOG = 6, ID_BITS = 64 };

void cst_plan_ids_release(struct cst_plan_ids *ids)
{
    if (ids->slots)
        cst_unmap(ids->slots, (ids->mask + 1) * sizeof(*ids->slots));
    *ids = (struct cst_plan_ids){0};
}

/* Ids are given one after another, and used so: neighbours share a cache line.
   Groups of them are scattered, so that old ones are no wall to new ones. */
static size_t home_of(const struct cst_plan_ids *ids, uint64_t id)
{
    enum { NEIGHBOURS_LOG = 2 };
    uint64_t group = id >> NEIGHBOURS_LOG;

    return (size_t)(group * UINT64_C(0x9e3779b97f4a7c15) >>
                    (ids->shift + NEIGHBOURS_LOG))
               << NEIGHBOURS_LOG |
           (size_t)(id & ((1 << NEIGHBOURS_LOG) - 1));
}

enum castell_status cst_plan_ids_reserve(struct cst_plan_ids *ids, size_t count)
{
    size_t wanted = ids->count + ids->owed + count;
    struct cst_plan_ids bigger = {.owed = ids->owed};
    uint32_t log = ids->slots ? ID_BITS - ids->shift : SLOTS_MIN_LOG;

    if (ids->slots && 8 * wanted <= 5 * (ids->mask + 1))
        return CASTELL_OK;
    while (8 * wanted > 5 * ((size_t)1 << log))
        log++;
    bigger.mask = ((size_t)1 << log) - 1;
    bigger.shift = ID_BITS - log;
    bigger.slots = cst_map((bigger.mask + 1) * sizeof(*bigger.slots));
    if (!bigger.slots)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory to plan more than %zu things", wanted);
    for (size_t i = 0; ids->slots && i <= ids->mask; i++)
        if (ids->slots[i].id != 0)
            cst_plan_ids_add(&bigger, ids->slots[i].id, ids->slots[i].thing);
    cst_plan_ids_release(ids);
    *ids = bigger;
    return CASTELL_OK;
}

void cst_plan_ids_add(struct cst_plan_ids *ids, uint64_t id, void *thing)
{
    size_t i = home_of(ids, id);

    CST_ASSERT(id != 0 && ids->count < ids->mask);
    while (ids->slots[i].id != 0)
        i = (i + 1) & ids->mask;
    ids->slots[i] = (struct cst_plan_id){id, thing};
    ids->count++;
}

void *cst_plan_ids_find(const struct cst_plan_ids *ids, uint64_t id)
{
    if (!ids->slots || id == 0)
        return NULL;
    for (size_t i = home_of(ids, id); ids->slots[i].id != 0;
         i = (i + 1) & ids->mask)
        if (ids->slots[i].id == id)
            return ids->slots[i].thing;
    return NULL;
}

void cst_plan_ids_remove(struct cst_plan_ids *ids, uint64_t id)
{
    size_t hole = home_of(ids, id);

    while (ids->slots[hole].id != id) {
        CST_ASSERT(ids->slots[hole].id != 0);
        hole = (hole + 1) & ids->mask;
    }
    /* Move back what stands behind the hole only because it was taken. */
    for (size_t i = (hole + 1) & ids->mask; ids->slots[i].id != 0;
         i = (i + 1) & ids->mask) {
        size_t home = home_of(ids, ids->slots[i].id);

        if (((i - home) & ids->mask) < ((i - hole) & ids->mask))
            continue;
        ids->slots[hole] = ids->slots[i];
        hole = i;
    }
    ids->slots[hole] = (struct cst_plan_id){0, NULL};
    ids->count--;
}

/* ---- Blocks ----------------------------------------------------------- */

static struct cst_plan_pool *pool_for(struct cst_plan *plan, size_t size)
{
    size_t class = (size - 1) / CST_BLOCK_STEP;

    if (class >= CST_BLOCK_CLASSES)
        return NULL;
    if (plan->blocks[class].size == 0)
        cst_plan_pool_init(&plan->blocks[class], (class + 1) * CST_BLOCK_STEP);
    return &plan->blocks[class];
}

void *cst_plan_block_alloc(struct cst_plan *plan, size_t size)
{
    struct cst_plan_pool *pool = pool_for(plan, size);
    void *block;

    if (pool)
        return cst_plan_pool_reserve(pool, 1) == CASTELL_OK
                   ? cst_plan_pool_take(pool)
                   : NULL;
    block = cst_zalloc(size);
    if (block)
        plan->blocks_bytes += size;
    return block;
}

void cst_plan_block_free(struct cst_plan *plan, void *block, size_t size)
{
    struct cst_plan_pool *pool = pool_for(plan, size);

    if (pool) {
        cst_plan_pool_put(pool, block);
        return;
    }
    plan->blocks_bytes -= size;
    cst_free(block);
}
