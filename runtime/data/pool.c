#include "base/fail.h"
#include "base/memory.h"
#include "data/data_internal.h"

#include <string.h>

void cst_data_pool_init(struct cst_data_pool *pool, size_t size,
                        size_t per_chunk)
{
    *pool = (struct cst_data_pool){.size = size, .per_chunk = per_chunk};
}

void cst_data_pool_release(struct cst_data_pool *pool)
{
    for (size_t i = 0; i < pool->chunks_count; i++)
        cst_free(pool->chunks[i]);
    cst_free(pool->chunks);
    cst_data_pool_init(pool, pool->size, pool->per_chunk);
}

static enum castell_status no_memory(const struct cst_data_pool *pool)
{
    return cst_fail(CASTELL_ERR_NO_MEMORY,
                    "no memory to keep track of more than %zu regions",
                    pool->chunks_count * pool->per_chunk);
}

static enum castell_status add_chunk(struct cst_data_pool *pool)
{
    enum { CHUNKS_MIN = 8 };
    char *chunk;

    if (pool->chunks_count == pool->chunks_max) {
        size_t max = pool->chunks_max ? 2 * pool->chunks_max : CHUNKS_MIN;
        char **chunks = cst_realloc(pool->chunks, max * sizeof(*chunks));

        if (!chunks)
            return no_memory(pool);
        pool->chunks = chunks;
        pool->chunks_max = max;
    }
    chunk = cst_alloc_aligned(CST_CACHE_LINE, pool->per_chunk * pool->size);
    if (!chunk)
        return no_memory(pool);
    memset(chunk, 0, pool->per_chunk * pool->size);
    pool->chunks[pool->chunks_count++] = chunk;
    /* The last first, so that they are taken in the order of addresses. */
    for (size_t i = pool->per_chunk; i-- > 0;)
        cst_data_pool_put(pool, chunk + i * pool->size);
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
    pool->free = *(void **)thing;
    pool->free_count--;
    return thing;
}

void cst_data_pool_put(struct cst_data_pool *pool, void *thing)
{
    *(void **)thing = pool->free;
    pool->free = thing;
    pool->free_count++;
}
