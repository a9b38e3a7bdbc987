#include "common/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 65536, ALIGNMENT = 16 };

struct cst_memory_block {
    struct cst_memory_block *next;
    size_t used;
    size_t size;
    char bytes[] __attribute__((aligned(ALIGNMENT)));
};

void cst_memory_exhausted(void)
{
    (void)fputs("castellcc: out of memory\n", stderr);
    _Exit(EXIT_FAILURE);
}

void *cst_memory_take(struct cst_memory *memory, size_t size)
{
    struct cst_memory_block *block = memory->first;
    char *taken;

    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!block || block->size - block->used < size) {
        size_t block_size = size > BLOCK_SIZE ? size : BLOCK_SIZE;

        block = calloc(1, sizeof(*block) + block_size);
        if (!block)
            cst_memory_exhausted();
        block->size = block_size;
        block->next = memory->first;
        memory->first = block;
    }
    taken = block->bytes + block->used;
    block->used += size;
    return taken;
}

char *cst_memory_copy(struct cst_memory *memory, const char *bytes, size_t size)
{
    char *copy = cst_memory_take(memory, size + 1);

    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

char *cst_memory_format(struct cst_memory *memory, const char *format, ...)
{
    va_list args;
    char *text;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0)
        cst_memory_exhausted();
    text = cst_memory_take(memory, (size_t)size + 1);
    va_start(args, format);
    (void)vsnprintf(text, (size_t)size + 1, format, args);
    va_end(args);
    return text;
}

void *cst_memory_room(struct cst_memory *memory, void *items, size_t count,
                      size_t item_size)
{
    void *moved;

    /* It was made for 4 and has doubled each time that it was full. */
    if (count != 0 && (count < 4 || (count & (count - 1)) != 0))
        return items;
    moved = cst_memory_take(memory, (count ? 2 * count : 4) * item_size);
    if (count)
        memcpy(moved, items, count * item_size);
    return moved;
}

void cst_memory_release(struct cst_memory *memory)
{
    while (memory->first) {
        struct cst_memory_block *block = memory->first;

        memory->first = block->next;
        free(block);
    }
}
