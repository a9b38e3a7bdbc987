/*
 * arena.h - the memory of castell_alloc().
 *
 * Layer: base.
 *
 * Threads: any thread may call anything but create and destroy. One lock
 * (CST_RANK_ARENA) guards what alloc, retire and release change, and is held
 * across fork(); the questions (owns, is_retired) take none.
 *
 * One range of addresses is reserved for good, so that whether memory is the
 * arena's is one comparison, and memory of any other kind costs nothing. A
 * block is used (allocated), then retired (its user has freed it, but tasks
 * may still be at work on it: not to be named any more), then released (may be
 * allocated again). Blocks of 4 MiB and more lie on huge pages; big blocks
 * that were released go back to the system.
 *
 * What the arena knows about its blocks lies outside of them, so that a
 * program that writes past the end of one harms its data only.
 */
#ifndef CST_BASE_ARENA_H
#define CST_BASE_ARENA_H

#include "castell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CST_ARENA_ALIGNMENT = 64 };

/*
 * Addresses that are reserved where none are asked for. The sanitizers keep
 * books of every reserved byte, an eighth of its size and more, so they get
 * less.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CST_ARENA_RANGE ((size_t)1 << 30)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CST_ARENA_RANGE ((size_t)1 << 30)
#endif
#endif
#ifndef CST_ARENA_RANGE
#define CST_ARENA_RANGE ((size_t)1 << 40)
#endif

/* The range of an arena; the rest is private. */
struct cst_arena {
    uintptr_t base;
    size_t size;
};

/*
 * Reserve range_size bytes of addresses, less where the system refuses that
 * much; 0 means CST_ARENA_RANGE.
 * Fails with CASTELL_ERR_NO_MEMORY when not even 64 MiB can be had.
 */
CASTELL_MUST_CHECK enum castell_status
cst_arena_create(size_t range_size, struct cst_arena **ret_arena);

/* Give the whole range back, blocks in use too. NULL is allowed. */
void cst_arena_destroy(struct cst_arena *arena);

/*
 * Get a block of at least `size` bytes (a size of 0 gives one too), aligned to
 * CST_ARENA_ALIGNMENT. What is in it is undefined.
 * Fails with CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_arena_alloc(struct cst_arena *arena, size_t size, void **ret_block);

/*
 * The user has freed the block: from now on cst_arena_is_retired() holds for
 * all of it. *ret_size, if not NULL, is the size it was allocated with, at
 * least 1. Fails with CASTELL_ERR_INVALID unless `block` is what alloc gave and
 * is in use; the text says what it is instead.
 */
CASTELL_MUST_CHECK enum castell_status
cst_arena_retire(struct cst_arena *arena, const void *block, size_t *ret_size);

/* Nothing uses a retired block any more: it may be allocated again. */
void cst_arena_release(struct cst_arena *arena, void *block);

/* Is the address in the arena's range? */
static inline bool cst_arena_owns(const struct cst_arena *arena,
                                  const void *address)
{
    return (uintptr_t)address - arena->base < arena->size;
}

/*
 * Is any of these bytes, the first of which the arena owns, in memory that is
 * retired, or was released since, or was never allocated?
 */
bool cst_arena_is_retired(const struct cst_arena *arena, const void *base,
                          size_t size);

/* The bytes in blocks used and retired, as rounded up by the arena. */
size_t cst_arena_bytes(struct cst_arena *arena);

/* Abort unless all that the arena knows fits together. Walks all of it. */
void cst_arena_check(struct cst_arena *arena);

#endif
