/*
 * The blocks of one device: all that were ever allocated, and not given back,
 * are in a copy or free here. Drivers allocate slowly, and most programs ask for
 * few sizes: so a block is used again as it is, and only where sizes change, and
 * there is no room, free blocks go back to the driver, the oldest first.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "depot/depot_internal.h"

enum { BLOCK_MIN = 256, STEPS = 8 };

/* Eight sizes between a power of two and the next. */
size_t cst_pool_round(size_t size)
{
    size_t power = BLOCK_MIN;
    size_t step;

    if (size <= BLOCK_MIN)
        return BLOCK_MIN;
    while (power <= size / 2)
        power *= 2;
    step = power / STEPS;
    return (size + step - 1) / step * step;
}

static struct cst_block *take_free(struct cst_pool *pool, size_t size)
{
    struct cst_block *before = NULL;
    struct cst_block *block = pool->free;

    for (; block && block->size != size; block = block->next)
        before = block;
    if (!block)
        return NULL;
    if (before)
        before->next = block->next;
    else
        pool->free = block->next;
    if (!block->next)
        pool->free_last = before;
    block->next = NULL;
    return block;
}

/* The oldest free one goes back to the driver; false: there is none. */
static bool give_back(struct cst_pool *pool)
{
    struct cst_depot_device *device = pool->device;
    struct cst_block *block = pool->free;

    if (!block)
        return false;
    pool->free = block->next;
    if (!pool->free)
        pool->free_last = NULL;
    pool->size -= block->size;
    cst_tale_memory(pool);
    cst_event_unref_locked(&block->after);
    device->ops->free(device->handle, block->memory);
    cst_free(block);
    return true;
}

void cst_depot_pool_trim(struct cst_pool *pool)
{
    while (give_back(pool))
        continue;
}

enum castell_status cst_depot_pool_take(struct cst_pool *pool, size_t size,
                                        struct cst_block **ret_block)
{
    struct cst_depot_device *device = pool->device;
    struct cst_block *block = take_free(pool, size);
    enum castell_status status;

    if (block) {
        *ret_block = block;
        return CASTELL_OK;
    }
    while (pool->size + size > device->capacity)
        if (!give_back(pool))
            return CASTELL_ERR_LIMIT;
    block = cst_zalloc(sizeof(*block));
    if (!block)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory to keep account of a device's");
    do {
        status = device->ops->allocate(device->handle, size, &block->memory);
    } while (status == CASTELL_ERR_NO_MEMORY && give_back(pool));
    if (status != CASTELL_OK) {
        cst_free(block);
        /* Others use the device too: make do with what there is. */
        return status == CASTELL_ERR_NO_MEMORY && pool->size > 0
                   ? CASTELL_ERR_LIMIT
                   : status;
    }
    block->size = size;
    pool->size += size;
    cst_tale_memory(pool);
    *ret_block = block;
    return CASTELL_OK;
}

void cst_depot_pool_put(struct cst_pool *pool, struct cst_block *block)
{
    block->next = NULL;
    if (pool->free_last)
        pool->free_last->next = block;
    else
        pool->free = block;
    pool->free_last = block;
}
