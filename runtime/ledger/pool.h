/*
 * pool.h - memory of the plan: things of one size, maps from ids, blocks.
 *
 * Layer: ledger. What has been reserved can be taken without
 * failing.
 */
#ifndef CST_LEDGER_POOL_H
#define CST_LEDGER_POOL_H

#include "castell.h"

#include <stddef.h>
#include <stdint.h>

struct cst_plan;
struct cst_plan_slab;

/* Things of one size. */
struct cst_plan_pool {
    size_t size;
    void *free;        /* those given back, linked by their first words */
    size_t free_count; /* with those that were never taken */
    size_t owed; /* of those: to tasks that were added and not yet placed */
    size_t things;
    struct cst_plan_slab *slabs; /* oldest first */
    struct cst_plan_slab *last;
    struct cst_plan_slab *fresh; /* the first of which some were never taken */
};

void cst_plan_pool_init(struct cst_plan_pool *pool, size_t size);
void cst_plan_pool_release(struct cst_plan_pool *pool);
/* See to it that `count` can be taken beyond what is owed. */
CASTELL_MUST_CHECK enum castell_status
cst_plan_pool_reserve(struct cst_plan_pool *pool, size_t count);
/* All zero; cannot fail after a reserve. */
void *cst_plan_pool_take(struct cst_plan_pool *pool);
void cst_plan_pool_put(struct cst_plan_pool *pool, void *thing);

/* From ids, which are not 0, to things. Open addressing, linear probing. */
struct cst_plan_id {
    uint64_t id;
    void *thing;
};
struct cst_plan_ids {
    struct cst_plan_id *slots;
    size_t mask;
    uint32_t shift;
    size_t count;
    size_t owed;
};

void cst_plan_ids_release(struct cst_plan_ids *ids);
CASTELL_MUST_CHECK enum castell_status
cst_plan_ids_reserve(struct cst_plan_ids *ids, size_t count);
void cst_plan_ids_add(struct cst_plan_ids *ids, uint64_t id, void *thing);
void *cst_plan_ids_find(const struct cst_plan_ids *ids, uint64_t id);
void cst_plan_ids_remove(struct cst_plan_ids *ids, uint64_t id);

/* Memory of any size, kept for the next of about that size. */
enum { CST_BLOCK_STEP = 64, CST_BLOCK_CLASSES = 24 };
void *cst_plan_block_alloc(struct cst_plan *plan, size_t size);
void cst_plan_block_free(struct cst_plan *plan, void *block, size_t size);

#endif
