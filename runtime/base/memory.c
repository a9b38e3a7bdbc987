#include "base/memory.h"

#include "base/fail.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * From MAP_MIN on, cst_map() takes whole pages from the system. Huge ones only
 * for what is much larger than one: the first touch of each costs up to a
 * millisecond, which a small program would notice.
 */
static const size_t MAP_MIN = (size_t)64 << 10;
static const size_t HUGE_MIN = (size_t)4 << 20;
static const size_t HUGE_PAGE = (size_t)2 << 20;

/* Allocations up to the one that is to fail, that one included; 0: none. */
static atomic_uint_fast64_t countdown;

bool cst_alloc_refused(size_t size)
{
    uint_fast64_t left = atomic_load_explicit(&countdown, memory_order_relaxed);

    CST_ASSERT(size > 0);
    while (left > 0)
        if (atomic_compare_exchange_weak(&countdown, &left, left - 1))
            return left == 1;
    return false;
}

void *cst_alloc(size_t size)
{
    return cst_alloc_refused(size) ? NULL : malloc(size);
}

void *cst_zalloc(size_t size)
{
    return cst_alloc_refused(size) ? NULL : calloc(1, size);
}

void *cst_realloc(void *memory, size_t size)
{
    return cst_alloc_refused(size) ? NULL : realloc(memory, size);
}

void *cst_alloc_aligned(size_t alignment, size_t size)
{
    void *memory = NULL;

    if (cst_alloc_refused(size) ||
        posix_memalign(&memory, alignment, size) != 0)
        return NULL;
    return memory;
}

void cst_free(void *memory)
{
    free(memory);
}

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

/* Map a huge page more than is needed, and give back what stands out. */
static void *map_huge(size_t size)
{
    char *memory = map(size + HUGE_PAGE);
    size_t before;

    if (!memory)
        return NULL;
    before = HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE;
    (void)munmap(memory, before);
    if (before < HUGE_PAGE)
        (void)munmap(memory + before + size, HUGE_PAGE - before);
    (void)madvise(memory + before, size, MADV_HUGEPAGE);
    return memory + before;
}

static size_t mapped_size(size_t size)
{
    return size < HUGE_MIN ? size
                           : (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

void *cst_map(size_t size)
{
    void *memory;

    if (size >= HUGE_MIN)
        return cst_alloc_refused(size) ? NULL : map_huge(mapped_size(size));
    if (size >= MAP_MIN)
        return cst_alloc_refused(size) ? NULL : map(size);
    memory = cst_alloc_aligned(CST_CACHE_LINE, size);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

void cst_unmap(void *memory, size_t size)
{
    if (size < MAP_MIN)
        free(memory);
    else if (memory)
        (void)munmap(memory, mapped_size(size));
}

char *cst_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = cst_alloc(size);

    return copy ? memcpy(copy, text, size) : NULL;
}

char *cst_format(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0)
        text = cst_alloc((size_t)length + 1);
    if (!text)
        return NULL;
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

void cst_alloc_fail_after(uint64_t n)
{
    atomic_store(&countdown, n);
}

bool cst_alloc_fail_pending(void)
{
    return atomic_load(&countdown) > 0;
}
