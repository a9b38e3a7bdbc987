#include "base/fail.h"
#include "base/memory.h"
#include "data/data_internal.h"

/*
 * Each chunk doubles the whole: chunk 0 has first_count things, chunk k > 0 has
 * first_count << (k - 1). What is not used yet is not touched, so that half of
 * the whole, at most, takes addresses but no memory.
 */

void cst_data_pool_init(struct cst_data_pool *pool, size_t size,
                        size_t first_count)
{
    *pool = (struct cst_data_pool){.size = size, .first_count = first_count};
}

static size_t chunk_size(const struct cst_data_pool *pool, size_t chunk)
{
    return (pool->first_count << (chunk > 0 ? chunk - 1 : 0)) * pool->size;
}

void cst_data_pool_release(struct cst_data_pool *pool)
{
    for (size_t i = 0; i < pool->chunks_count; i++)
        cst_unmap(pool->chunks[i], chunk_size(pool, i));
    cst_data_pool_init(pool, pool->size, pool->first_count);
}

size_t cst_data_pool_things(const struct cst_data_pool *pool)
{
    if (pool->chunks_count == 0)
        return 0;
    return pool->first_count << (pool->chunks_count - 1);
}

void *cst_data_pool_thing(const struct cst_data_pool *pool, size_t number)
{
    size_t chunk = 0;

    while (number >= pool->first_count << chunk)
        chunk++;
    if (chunk > 0)
        number -= pool->first_count << (chunk - 1);
    return pool->chunks[chunk] + number * pool->size;
}

static enum castell_status no_memory(const struct cst_data_pool *pool)
{
    return cst_fail(CASTELL_ERR_NO_MEMORY,
                    "no memory to keep track of more than %zu regions",
                    cst_data_pool_things(pool));
}

static enum castell_status add_chunk(struct cst_data_pool *pool)
{
    size_t size = chunk_size(pool, pool->chunks_count);
    char *chunk =
        pool->chunks_count < CST_POOL_CHUNKS_MAX ? cst_map(size) : NULL;

    if (!chunk)
        return no_memory(pool);
    for (; pool->untouched < pool->end; pool->untouched += pool->size) {
        pool->free_count--; /* it was counted as untouched */
        cst_data_pool_put(pool, pool->untouched);
    }
    pool->chunks[pool->chunks_count++] = chunk;
    pool->untouched = chunk;
    pool->end = chunk + size;
    pool->free_count += size / pool->size;
    return CASTELL_OK;
}

enum castell_status cst_data_pool_reserve(struct cst_data_pool *pool,
                                          size_t count)
{
    enum castell_status status = CASTELL_OK;

    while (pool->free_count < count && status == CASTELL_OK)
        status = add_chunk(pool);
    return status;
}

void *cst_data_pool_take(struct cst_data_pool *pool)
{
    void *thing = pool->free;

    CST_ASSERT(pool->free_count > 0);
    pool->free_count--;
    if (thing) {
        pool->free = *(void **)thing;
    } else {
        thing = pool->untouched;
        pool->untouched += pool->size;
    }
    return thing;
}

void cst_data_pool_put(struct cst_data_pool *pool, void *thing)
{
    *(void **)thing = pool->free;
    pool->free = thing;
    pool->free_count++;
}
