/*
 * memory.h - where the runtime gets memory from, and how a test takes it away.
 *
 * Layer: base. Any thread.
 *
 * Everything that the runtime allocates comes through here, so that a test can
 * let each allocation fail once and see that the caller gets an error and
 * nothing has changed.
 */
#ifndef CST_BASE_MEMORY_H
#define CST_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CST_CACHE_LINE = 64 };

/*
 * Memory as of malloc(), calloc(), realloc() and aligned_alloc(): NULL when
 * there is none, or when a test said so. No error text is set: the caller knows
 * what the memory was for. A size of 0 is a bug of the caller.
 */
void *cst_alloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *cst_zalloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *cst_realloc(void *memory, size_t size) __attribute__((alloc_size(2)));

/* alignment: a power of two, at least sizeof(void *). Freed by cst_free(). */
void *cst_alloc_aligned(size_t alignment, size_t size)
    __attribute__((malloc, alloc_size(2)));

/* NULL is allowed. */
void cst_free(void *memory);

/*
 * For tables: memory that is all zero and aligned to a cache line. Of a large
 * one the pages that are never touched take no memory, and a very large one is
 * on huge pages. Freed by cst_unmap() with the same size; NULL is allowed there.
 */
void *cst_map(size_t size) __attribute__((malloc, alloc_size(1)));
void cst_unmap(void *memory, size_t size);

/* A copy of a string, or of what printf() would print; freed by cst_free(). */
char *cst_strdup(const char *text) __attribute__((malloc));
char *cst_format(const char *format, ...)
    __attribute__((malloc, format(printf, 1, 2)));

/*
 * Is this allocation to fail, as a test said? For those who get memory from the
 * system in a way of their own, and must ask first.
 */
bool cst_alloc_refused(size_t size);

/*
 * For tests: let the n-th allocation from now on, of any thread, fail, once.
 * 1 is the next one; 0 calls it off.
 */
void cst_alloc_fail_after(uint64_t n);

/* For tests: is that failure still to come? */
bool cst_alloc_fail_pending(void);

#endif
