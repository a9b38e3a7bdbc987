/*
 * memory.h - memory that is freed all at once.
 *
 * Layer: common, the lowest room of annotations/.
 *
 * castellcc lives for a fraction of a second and keeps nearly all it reads
 * until the end: nothing taken here is freed alone. Owner: main().
 * When there is no memory these functions say so and end the program.
 */
#ifndef CST_COMMON_MEMORY_H
#define CST_COMMON_MEMORY_H

#include <stddef.h>

struct cst_memory {
    struct cst_memory_block *first;
};

/* Zeroed memory, aligned for any type; never NULL. */
void *cst_memory_take(struct cst_memory *memory, size_t size);

/* A copy of these bytes with a 0 behind them. */
char *cst_memory_copy(struct cst_memory *memory, const char *bytes,
                      size_t size);

/* The text that printf would print. */
char *cst_memory_format(struct cst_memory *memory, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The array `items`, which has `count` of them, moved where need be so that it
 * has room for one more. It must have grown by this function alone, from NULL.
 */
void *cst_memory_room(struct cst_memory *memory, void *items, size_t count,
                      size_t item_size);

void cst_memory_release(struct cst_memory *memory);

/* Say that there is no memory and end the program. */
_Noreturn void cst_memory_exhausted(void);

#endif
