/*
 * Memory of tasks. Submitters take it from lists of their own; whoever ends
 * tasks collects them, and when it drops the baton gives the whole collection
 * to the next submitter whose list is empty.
 *
 * A block once used for a task is never used for anything else, so that its
 * generation can be asked for ever.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "engine/engine_internal.h"
#include "files/files.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    UNIT = 32,             /* classes 1 to 32: so many units */
    LINEAR_CLASSES = 32,   /* then powers of two, from 2 KiB */
    CHUNK_FIRST = 1 << 16, /* chunks grow with the need, to a huge page */
    CHUNK_MAX = 1 << 21,
    RUN = 32, /* blocks cut at a time */
};

struct chunk {
    struct chunk *next;
    size_t size;
    size_t used; /* a multiple of UNIT */
};

static size_t class_size(uint32_t class)
{
    return class <= LINEAR_CLASSES
               ? (size_t) class * UNIT
               : (size_t)LINEAR_CLASSES * UNIT << (class - LINEAR_CLASSES);
}

/* The class for a size; CST_SIZES_MAX when there is none. */
static uint32_t class_of(size_t size)
{
    uint32_t class = LINEAR_CLASSES;

    if (size <= (size_t)LINEAR_CLASSES * UNIT)
        return (uint32_t)((size + UNIT - 1) / UNIT);
    while (class < CST_SIZES_MAX && class_size(class) < size)
        class ++;
    return class;
}

/* Map whole huge pages, where they begin. */
static void *map_huge(size_t size)
{
    char *memory = mmap(NULL, size + CHUNK_MAX, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;

    if (memory == MAP_FAILED)
        return memory;
    before = (CHUNK_MAX - (uintptr_t)memory % CHUNK_MAX) % CHUNK_MAX;
    if (before > 0)
        (void)munmap(memory, before);
    (void)munmap(memory + before + size, CHUNK_MAX - before);
    (void)madvise(memory + before, size, MADV_HUGEPAGE);
    return memory + before;
}

static struct chunk *chunk_new(struct cst_engine *engine, size_t needed)
{
    size_t size = CHUNK_FIRST;
    struct chunk *chunk;
    void *memory;

    while (size < CHUNK_MAX && size < atomic_load(&engine->chunks_size) / 4)
        size *= 2;
    while (size < needed + UNIT)
        size *= 2;
    if (cst_alloc_refused(size))
        return NULL;
    memory = size >= CHUNK_MAX ? map_huge(size)
                               : mmap(NULL, size, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    chunk = memory;
    chunk->size = size;
    chunk->used = UNIT;
    chunk->next = engine->chunks;
    engine->chunks = chunk;
    atomic_fetch_add(&engine->chunks_size, size);
    return chunk;
}

/* Cut some blocks of one class from a chunk; returns them as a list. */
static struct cst_task *carve(struct cst_engine *engine, uint32_t class)
{
    size_t size = class_size(class);
    struct cst_task *list = NULL;
    struct cst_task **end = &list;
    struct chunk *chunk;

    cst_lock_take(&engine->ports_lock);
    chunk = engine->chunks;
    if (!chunk || chunk->size - chunk->used < size)
        chunk = chunk_new(engine, size);
    for (int i = 0; chunk && i < RUN && chunk->size - chunk->used >= size;
         i++) {
        struct cst_task *task =
            (struct cst_task *)(void *)((char *)chunk + chunk->used);

        chunk->used += size;
        task->size_class = (uint8_t) class;
        task->next = NULL;
        *end = task;
        end = &task->next;
    }
    cst_lock_drop(&engine->ports_lock);
    return list;
}

static void count_allocated(struct cst_cache *cache, uint64_t size)
{
    /* One writer: no need for an atomic addition. */
    atomic_store_explicit(
        &cache->allocated,
        atomic_load_explicit(&cache->allocated, memory_order_relaxed) + size,
        memory_order_relaxed);
}

static struct cst_task *block_new(struct cst_engine *engine,
                                  struct cst_cache *cache, size_t size)
{
    uint32_t class = class_of(size);
    struct cst_task *task;

    if (class >= CST_SIZES_MAX)
        return NULL;
    task = cache->free[class];
    if (!task)
        task = atomic_exchange_explicit(&engine->returned[class], NULL,
                                        memory_order_acquire);
    if (!task)
        task = carve(engine, class);
    if (!task)
        return NULL;
    cache->free[class] = task->next;
    count_allocated(cache, class_size(class));
    return task;
}

static void free_extra(struct cst_task *task)
{
    if ((task->flags & CST_TASK_FILES) && task->extra)
        cst_file_uses_free(task->extra->uses, task->accesses_count);
    cst_free(task->extra);
}

struct cst_task *cst_engine_task_new(struct cst_engine *engine,
                                     struct cst_port *port,
                                     uint32_t accesses_count,
                                     size_t argument_size, int64_t leaves)
{
    size_t size = cst_task_argument_offset(accesses_count) + argument_size;
    struct cst_task *task = block_new(engine, &port->cache, size);
    uint8_t class;

    if (!task)
        return NULL;
    class = task->size_class;
    memset(task, 0, offsetof(struct cst_task, generation));
    atomic_store_explicit(&task->children_finished, 0, memory_order_relaxed);
    task->size_class = class;
    task->accesses_count = accesses_count;
    if (leaves < 0)
        return task;

    task->extra = cst_zalloc(sizeof(*task->extra) +
                             (size_t)leaves * sizeof(struct cst_leaf));
    if (!task->extra) {
        cst_engine_task_discard(engine, port, task);
        return NULL;
    }
    task->extra->deadline_ns = UINT64_MAX;
    return task;
}

void cst_engine_task_discard(struct cst_engine *engine, struct cst_port *port,
                             struct cst_task *task)
{
    uint32_t class = task->size_class;

    (void)engine;
    free_extra(task);
    task->next = port->cache.free[class];
    port->cache.free[class] = task;
    count_allocated(&port->cache, 0 - (uint64_t)class_size(class));
}

void cst_pool_free(struct cst_engine *engine, struct cst_task *task)
{
    uint32_t class = task->size_class;

    if (task->extra)
        free_extra(task);
    while (task->more) {
        struct cst_hold_chunk *chunk = task->more;

        task->more = chunk->next;
        cst_free(chunk);
    }
    task->state = CST_TASK_FREE;
    task->next = engine->freed[class];
    if (!task->next) {
        engine->freed_last[class] = task;
        engine->freed_classes |= UINT64_C(1) << class;
    }
    engine->freed[class] = task;
    atomic_store_explicit(
        &engine->freed_size,
        atomic_load_explicit(&engine->freed_size, memory_order_relaxed) +
            class_size(class),
        memory_order_relaxed);
}

void cst_pool_publish(struct cst_engine *engine)
{
    while (engine->freed_classes) {
        uint32_t class = (uint32_t)__builtin_ctzll(engine->freed_classes);
        struct cst_task *head = atomic_load_explicit(&engine->returned[class],
                                                     memory_order_relaxed);

        do
            engine->freed_last[class]->next = head;
        while (!atomic_compare_exchange_weak_explicit(
            &engine->returned[class], &head, engine->freed[class],
            memory_order_release, memory_order_relaxed));
        engine->freed[class] = NULL;
        engine->freed_classes &= engine->freed_classes - 1;
    }
}

void cst_pool_release(struct cst_engine *engine)
{
    struct chunk *chunk = engine->chunks;

    while (chunk) {
        struct chunk *next = chunk->next;

        (void)munmap(chunk, chunk->size);
        chunk = next;
    }
}
