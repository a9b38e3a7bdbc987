#include "body/reduction.h"

#include "base/fail.h"
#include "base/lock.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

enum {
    ALIGNMENT = 64,
    LEVELS = 64,
    BUCKETS_MIN = 16,     /* a power of two */
    MAPPED_MIN = 1 << 20, /* below it, gaps are just allocated */
    PART = 8192,          /* bytes that are combined at one time */
};

/*
 * A node of the tree: the combined share of leaves index << level to
 * (index + 1) << level. Its copy of the region follows it.
 */
struct partial {
    struct partial *next; /* in its bucket or the list of spare ones */
    uint64_t index;
    uint32_t level;
};

_Static_assert(sizeof(struct partial) <= ALIGNMENT, "partial fits its space");

struct cst_reduction {
    struct cst_rows into;
    const struct castell_reduction *operation;
    size_t partial_size;
    bool mapped; /* partials are: the gaps between rows are wide */
    atomic_size_t buffers;
    struct cst_lock lock; /* guards all below */
    struct partial *spare;
    struct partial **buckets; /* of partials whose neighbour is not there yet */
    size_t buckets_count;     /* a power of two */
    size_t waiting;           /* partials in buckets */
};

static size_t rows_count(const struct cst_reduction *reduction)
{
    return reduction->into.rows > 1 ? reduction->into.rows : 1;
}

static char *buffer_of(struct partial *partial)
{
    return (char *)partial + ALIGNMENT;
}

static struct partial *partial_of(void *buffer)
{
    return (struct partial *)(void *)((char *)buffer - ALIGNMENT);
}

enum castell_status
cst_reduction_create(const struct cst_rows *into,
                     const struct castell_reduction *operation,
                     struct cst_reduction **ret_reduction)
{
    size_t extent = cst_rows_extent(into);
    struct cst_reduction *reduction;

    if (!operation || !operation->identity || !operation->combine ||
        operation->element_size == 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "a reduction needs an identity, a combine and the size "
                        "of an element");
    if (into->size % operation->element_size != 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "a reduction of rows of %zu bytes, which are not a "
                        "whole number of elements of %zu",
                        into->size, operation->element_size);
    if (extent > SIZE_MAX - 2 * (size_t)ALIGNMENT)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory for a copy of %zu bytes", extent);
    reduction = cst_zalloc(sizeof(*reduction));
    if (!reduction)
        goto fail;
    reduction->buckets = cst_zalloc(BUCKETS_MIN * sizeof(*reduction->buckets));
    if (!reduction->buckets)
        goto fail_free;
    reduction->buckets_count = BUCKETS_MIN;
    reduction->into = *into;
    reduction->operation = operation;
    /* Whole lines, as cst_alloc_aligned() wants. */
    reduction->partial_size =
        (ALIGNMENT + extent + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    reduction->mapped =
        extent >= MAPPED_MIN && extent / 2 >= cst_rows_bytes(into);
    cst_lock_init(&reduction->lock, CST_RANK_REDUCTION, "reduction");
    *ret_reduction = reduction;
    return CASTELL_OK;

fail_free:
    cst_free(reduction);
fail:
    return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a reduction");
}

static struct partial *partial_create(struct cst_reduction *reduction)
{
    void *memory;

    if (reduction->mapped) {
        if (cst_alloc_refused(reduction->partial_size))
            return NULL;
        memory = mmap(NULL, reduction->partial_size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            memory = NULL;
    } else {
        memory = cst_alloc_aligned(ALIGNMENT, reduction->partial_size);
    }
    if (memory)
        atomic_fetch_add_explicit(&reduction->buffers, 1, memory_order_relaxed);
    return memory;
}

static void partial_destroy(struct cst_reduction *reduction,
                            struct partial *partial)
{
    if (reduction->mapped)
        (void)munmap(partial, reduction->partial_size);
    else
        cst_free(partial);
    atomic_fetch_sub_explicit(&reduction->buffers, 1, memory_order_relaxed);
}

static void spare_destroy(struct cst_reduction *reduction)
{
    while (reduction->spare) {
        struct partial *partial = reduction->spare;

        reduction->spare = partial->next;
        partial_destroy(reduction, partial);
    }
}

void cst_reduction_destroy(struct cst_reduction *reduction)
{
    if (!reduction)
        return;
    for (size_t i = 0; i < reduction->buckets_count; i++) {
        while (reduction->buckets[i]) {
            struct partial *partial = reduction->buckets[i];

            reduction->buckets[i] = partial->next;
            partial_destroy(reduction, partial);
        }
    }
    spare_destroy(reduction);
    cst_lock_release(&reduction->lock);
    cst_free(reduction->buckets);
    cst_free(reduction);
}

enum castell_status cst_reduction_begin(struct cst_reduction *reduction,
                                        void **ret_buffer)
{
    const struct castell_reduction *operation = reduction->operation;
    size_t count = reduction->into.size / operation->element_size;
    struct partial *partial;
    char *row;

    cst_lock_take(&reduction->lock);
    partial = reduction->spare;
    if (partial)
        reduction->spare = partial->next;
    cst_lock_drop(&reduction->lock);
    if (!partial)
        partial = partial_create(reduction);
    if (!partial)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no %zu bytes for a private copy of a reduction",
                        reduction->partial_size);
    row = buffer_of(partial);
    for (size_t i = 0; i < rows_count(reduction); i++)
        operation->identity(row + i * reduction->into.pitch, count);
    *ret_buffer = buffer_of(partial);
    return CASTELL_OK;
}

static void combine(const struct cst_reduction *reduction, char *into,
                    const char *from)
{
    const struct castell_reduction *operation = reduction->operation;
    size_t count = reduction->into.size / operation->element_size;

    for (size_t i = 0; i < rows_count(reduction); i++)
        operation->combine(into + i * reduction->into.pitch,
                           from + i * reduction->into.pitch, count);
}

/* ---- the table of partials that wait for their neighbour ---- */

static struct partial **bucket_of(const struct cst_reduction *reduction,
                                  uint32_t level, uint64_t index)
{
    uint64_t hash = ((index >> 1) + level) * UINT64_C(0x9E3779B97F4A7C15);

    return &reduction->buckets[(hash >> 32) & (reduction->buckets_count - 1)];
}

/* Without memory for more the table just stays small. */
static void waiting_grow(struct cst_reduction *reduction)
{
    struct partial **old = reduction->buckets;
    size_t old_count = reduction->buckets_count;
    struct partial **buckets = cst_zalloc(old_count * 2 * sizeof(*buckets));

    if (!buckets)
        return;
    reduction->buckets = buckets;
    reduction->buckets_count = old_count * 2;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct partial *partial = old[i];
            struct partial **bucket =
                bucket_of(reduction, partial->level, partial->index);

            old[i] = partial->next;
            partial->next = *bucket;
            *bucket = partial;
        }
    }
    cst_free(old);
}

static void waiting_put(struct cst_reduction *reduction,
                        struct partial *partial)
{
    struct partial **bucket;

    if (reduction->waiting >= 2 * reduction->buckets_count)
        waiting_grow(reduction);
    bucket = bucket_of(reduction, partial->level, partial->index);
    partial->next = *bucket;
    *bucket = partial;
    reduction->waiting++;
}

/* The other half of the partial's pair, out of the table, or NULL. */
static struct partial *waiting_take(struct cst_reduction *reduction,
                                    const struct partial *partial)
{
    struct partial **link =
        bucket_of(reduction, partial->level, partial->index);
    struct partial *other;

    while (*link && ((*link)->level != partial->level ||
                     (*link)->index != (partial->index ^ 1)))
        link = &(*link)->next;
    other = *link;
    if (other) {
        *link = other->next;
        reduction->waiting--;
    }
    return other;
}

static void spare_put(struct cst_reduction *reduction, struct partial *partial)
{
    partial->next = reduction->spare;
    reduction->spare = partial;
}

/* Combine the two halves of a pair; *ret_spare is the one not needed now. */
static struct partial *pair_combine(const struct cst_reduction *reduction,
                                    struct partial *one, struct partial *other,
                                    struct partial **ret_spare)
{
    struct partial *left = one->index < other->index ? one : other;
    struct partial *right = left == one ? other : one;

    combine(reduction, buffer_of(left), buffer_of(right));
    left->level++;
    left->index >>= 1;
    *ret_spare = right;
    return left;
}

void cst_reduction_end(struct cst_reduction *reduction, uint64_t leaf,
                       void *buffer)
{
    struct partial *partial = partial_of(buffer);
    struct partial *other;

    partial->level = 0;
    partial->index = leaf;
    cst_lock_take(&reduction->lock);
    while ((other = waiting_take(reduction, partial)) != NULL) {
        struct partial *spare;

        cst_lock_drop(&reduction->lock);
        partial = pair_combine(reduction, partial, other, &spare);
        cst_lock_take(&reduction->lock);
        spare_put(reduction, spare);
    }
    waiting_put(reduction, partial);
    cst_lock_drop(&reduction->lock);
}

void cst_reduction_drop(struct cst_reduction *reduction, void *buffer)
{
    cst_lock_take(&reduction->lock);
    spare_put(reduction, partial_of(buffer));
    cst_lock_drop(&reduction->lock);
}

/* Take all of a level out of the table. */
static struct partial *level_take(struct cst_reduction *reduction,
                                  uint32_t level)
{
    struct partial *taken = NULL;

    for (size_t i = 0; i < reduction->buckets_count; i++) {
        struct partial **link = &reduction->buckets[i];

        while (*link) {
            struct partial *partial = *link;

            if (partial->level != level) {
                link = &partial->next;
                continue;
            }
            *link = partial->next;
            partial->next = taken;
            taken = partial;
            reduction->waiting--;
        }
    }
    return taken;
}

/*
 * Bring each partial of a level to the next: with its neighbour where there is
 * one now, else alone, for then no leaf of the neighbour's has contributed.
 * Returns the one that has no neighbour because the leaves end with it.
 */
static struct partial *level_finish(struct cst_reduction *reduction,
                                    uint32_t level, uint64_t leaves_count)
{
    bool has_last = (leaves_count >> level) & 1;
    uint64_t last = (leaves_count >> level) - 1;
    struct partial *found = NULL;
    struct partial *taken = level_take(reduction, level);

    while (taken) {
        struct partial *partial = taken;
        struct partial *other;
        struct partial *spare;

        taken = partial->next;
        if (has_last && partial->index == last) {
            found = partial;
            continue;
        }
        other = waiting_take(reduction, partial);
        if (other) {
            partial = pair_combine(reduction, partial, other, &spare);
            spare_put(reduction, spare);
        }
        waiting_put(reduction, partial);
    }
    taken = level_take(reduction, level);
    while (taken) {
        struct partial *partial = taken;

        taken = partial->next;
        partial->level++;
        partial->index >>= 1;
        waiting_put(reduction, partial);
    }
    return found;
}

void cst_reduction_finish(struct cst_reduction *reduction,
                          uint64_t leaves_count)
{
    struct partial *last[LEVELS] = {NULL};
    struct partial *sum = NULL;

    for (uint32_t level = 0; level < LEVELS && reduction->waiting > 0; level++)
        last[level] = level_finish(reduction, level, leaves_count);
    CST_ASSERT(reduction->waiting == 0);
    /* From left to right: the highest level is the leftmost. */
    for (int level = LEVELS - 1; level >= 0; level--) {
        if (!last[level])
            continue;
        if (!sum) {
            sum = last[level];
            continue;
        }
        combine(reduction, buffer_of(sum), buffer_of(last[level]));
        spare_put(reduction, last[level]);
    }
    if (sum) {
        combine(reduction, reduction->into.base, buffer_of(sum));
        spare_put(reduction, sum);
    }
    spare_destroy(reduction);
}

size_t cst_reduction_buffers(const struct cst_reduction *reduction)
{
    return atomic_load_explicit(&reduction->buffers, memory_order_relaxed);
}

/* ---- leaves that are all there ---- */

/* The partials of leaves that have been read: each is of a higher level than
   the one after it. */
struct stack {
    const struct castell_reduction *operation;
    char *memory; /* a part for each level */
    size_t part;  /* bytes */
    uint32_t depth;
    uint32_t levels[LEVELS];
};

static char *partial_at(const struct stack *stack, uint32_t depth)
{
    return stack->memory + depth * stack->part;
}

/* One more: the leaf by itself, or with its neighbour to the right. */
static void stack_push(struct stack *stack, const char *leaf,
                       const char *neighbour, size_t size)
{
    size_t count = size / stack->operation->element_size;
    char *top = partial_at(stack, stack->depth);

    memcpy(top, leaf, size);
    if (neighbour)
        stack->operation->combine(top, neighbour, count);
    stack->levels[stack->depth++] = neighbour != NULL;
    while (stack->depth >= 2 &&
           stack->levels[stack->depth - 2] == stack->levels[stack->depth - 1]) {
        stack->depth--;
        stack->operation->combine(partial_at(stack, stack->depth - 1),
                                  partial_at(stack, stack->depth), count);
        stack->levels[stack->depth - 1]++;
    }
}

/* All leaves, from a byte on, into the same bytes of the region. */
static void combine_part(struct stack *stack, char *into, void *const *leaves,
                         size_t leaves_count, size_t at, size_t size)
{
    size_t count = size / stack->operation->element_size;

    stack->depth = 0;
    for (size_t i = 0; i < leaves_count; i += 2)
        stack_push(stack, (const char *)leaves[i] + at,
                   i + 1 < leaves_count ? (const char *)leaves[i + 1] + at
                                        : NULL,
                   size);
    for (uint32_t i = 1; i < stack->depth; i++)
        stack->operation->combine(stack->memory, partial_at(stack, i), count);
    if (stack->depth > 0)
        stack->operation->combine(into + at, stack->memory, count);
}

enum castell_status
cst_reduction_combine(const struct cst_rows *into,
                      const struct castell_reduction *operation,
                      void *const *leaves, size_t leaves_count)
{
    size_t element = operation->element_size;
    size_t rows = into->rows > 1 ? into->rows : 1;
    struct stack stack = {.operation = operation};
    uint32_t levels = 2;

    while (leaves_count >> levels > 0)
        levels++;
    stack.part = element < PART ? PART / element * element : element;
    if (stack.part > into->size)
        stack.part = into->size;
    stack.memory = cst_alloc(levels * stack.part);
    if (!stack.memory)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory to combine %zu copies", leaves_count);
    for (size_t row = 0; row < rows; row++)
        for (size_t done = 0; done < into->size; done += stack.part) {
            size_t left = into->size - done;

            combine_part(&stack, into->base, leaves, leaves_count,
                         row * into->pitch + done,
                         left < stack.part ? left : stack.part);
        }
    cst_free(stack.memory);
    return CASTELL_OK;
}
