#include "base/memory.h"

#include "base/fail.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Allocations up to the one that is to fail, that one included; 0: none. */
static atomic_uint_fast64_t countdown;

static bool refused(size_t size)
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
    return refused(size) ? NULL : malloc(size);
}

void *cst_zalloc(size_t size)
{
    return refused(size) ? NULL : calloc(1, size);
}

void *cst_realloc(void *memory, size_t size)
{
    return refused(size) ? NULL : realloc(memory, size);
}

void *cst_alloc_aligned(size_t alignment, size_t size)
{
    void *memory = NULL;

    if (refused(size) || posix_memalign(&memory, alignment, size) != 0)
        return NULL;
    return memory;
}

void cst_free(void *memory)
{
    free(memory);
}

void cst_alloc_fail_after(uint64_t n)
{
    atomic_store(&countdown, n);
}

bool cst_alloc_fail_pending(void)
{
    return atomic_load(&countdown) > 0;
}
