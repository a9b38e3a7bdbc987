/*
 * Memory for versions. What is freed is kept for the next of its size: to get
 * pages from the system costs more than to fill them, one at a time five times
 * as much.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/pages.h"
#include "store/store_internal.h"

#include <string.h>
#include <sys/mman.h>

enum {
    ALIGNMENT = 64,
    PAGE = 4096,
    MAP_FROM = 1 << 17, /* bytes; smaller ones come from malloc() */
    FILL_TO = 1 << 22,  /* up to so much gets its pages at once */
    SPARE_MAX = 256 << 20,
};

static size_t memory_size(const struct cst_region *region)
{
    size_t extent = cst_region_end(region) - region->base;
    size_t unit = extent < MAP_FROM ? ALIGNMENT : PAGE;

    return (extent + unit - 1) / unit * unit;
}

static size_t class_of(size_t size)
{
    return (size_t)((size * UINT64_C(0x9e3779b97f4a7c15)) >> 58) %
           CST_STORE_CLASSES;
}

/* Of a region in rows the gaps are to stay address space. */
static char *get_memory(size_t size, bool has_gaps)
{
    int now = size <= FILL_TO && !has_gaps ? MAP_POPULATE : 0;
    void *memory;

    if (size < MAP_FROM)
        return cst_alloc_aligned(ALIGNMENT, size);
    if (cst_alloc_refused(size))
        return NULL;
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | now, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (size > FILL_TO && !has_gaps)
        (void)madvise(memory, size, MADV_HUGEPAGE);
    if (!has_gaps) /* to pin them would fill them */
        cst_pages_offer(memory, size);
    return memory;
}

static void free_memory(char *memory, size_t size)
{
    if (size < MAP_FROM) {
        cst_free(memory);
        return;
    }
    cst_pages_withdraw(memory, size);
    (void)munmap(memory, size);
}

static struct cst_store_buffer *take_spare(struct cst_store *store, size_t size)
{
    struct cst_store_buffer **link = &store->spare[class_of(size)];

    while (*link && (*link)->size != size)
        link = &(*link)->next;
    if (*link) {
        struct cst_store_buffer *buffer = *link;

        *link = buffer->next;
        store->spare_size -= size;
        return buffer;
    }
    return NULL;
}

struct cst_store_buffer *cst_buffer_new(struct cst_store *store,
                                        const struct cst_region *region)
{
    size_t size = memory_size(region);
    struct cst_store_buffer *buffer = take_spare(store, size);

    if (!buffer) {
        buffer = cst_alloc(sizeof(*buffer));
        if (!buffer)
            return NULL;
        buffer->memory = get_memory(size, region->rows > 1);
        if (!buffer->memory) {
            cst_free(buffer);
            return NULL;
        }
        buffer->size = size;
    }
    buffer->region = *region;
    buffer->refs = 1;
    buffer->home = false;
    buffer->next = NULL;
    store->counters.bytes += size;
    return buffer;
}

void cst_buffer_ref(struct cst_store_buffer *buffer)
{
    if (!buffer->home)
        buffer->refs++;
}

void cst_buffer_unref(struct cst_store *store, struct cst_store_buffer *buffer)
{
    struct cst_store_buffer **list;

    if (buffer->home || --buffer->refs > 0)
        return;
    store->counters.bytes -= buffer->size;
    if (store->spare_size + buffer->size > store->spare_max) {
        free_memory(buffer->memory, buffer->size);
        cst_free(buffer);
        return;
    }
    list = &store->spare[class_of(buffer->size)];
    buffer->next = *list;
    *list = buffer;
    store->spare_size += buffer->size;
}

void cst_store_keep_spare(struct cst_store *store, size_t most)
{
    store->spare_max = most < SPARE_MAX ? most : SPARE_MAX;
}

void cst_buffers_release(struct cst_store *store)
{
    for (size_t i = 0; i < CST_STORE_CLASSES; i++)
        while (store->spare[i]) {
            struct cst_store_buffer *buffer = store->spare[i];

            store->spare[i] = buffer->next;
            free_memory(buffer->memory, buffer->size);
            cst_free(buffer);
        }
    store->spare_size = 0;
}

struct cst_rows cst_buffer_rows(const struct cst_store_buffer *buffer,
                                const struct cst_region *region)
{
    char *base = buffer->home
                     /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
                     ? (char *)region->base
                     : buffer->memory + (region->base - buffer->region.base);

    return (struct cst_rows){base, region->size, region->rows, region->pitch};
}

bool cst_buffer_covers(const struct cst_store_buffer *buffer,
                       const struct cst_region *region)
{
    return buffer->home ||
           (region->base >= buffer->region.base &&
            cst_region_end(region) <= cst_region_end(&buffer->region));
}

void cst_buffer_copy(const struct cst_store_buffer *to,
                     const struct cst_store_buffer *from,
                     const struct cst_region *region)
{
    struct cst_rows into = cst_buffer_rows(to, region);
    struct cst_rows source = cst_buffer_rows(from, region);

    for (size_t row = 0; row < region->rows; row++)
        memcpy((char *)into.base + row * region->pitch,
               (char *)source.base + row * region->pitch, region->size);
}
