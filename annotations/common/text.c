#include "common/text.h"

#include "common/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_room(struct cst_text *text, size_t size)
{
    size_t capacity = text->capacity ? text->capacity : 1024;
    char *bytes;

    if (text->bytes && text->capacity - text->size > size)
        return;
    while (capacity - text->size <= size)
        capacity *= 2;
    bytes = realloc(text->bytes, capacity);
    if (!bytes)
        cst_memory_exhausted();
    text->bytes = bytes;
    text->capacity = capacity;
}

void cst_text_add(struct cst_text *text, const char *bytes, size_t size)
{
    make_room(text, size);
    if (size)
        memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

void cst_text_string(struct cst_text *text, const char *string)
{
    cst_text_add(text, string, strlen(string));
}

void cst_text_format(struct cst_text *text, const char *format, ...)
{
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0)
        cst_memory_exhausted();
    make_room(text, (size_t)size);
    va_start(args, format);
    (void)vsnprintf(text->bytes + text->size, (size_t)size + 1, format, args);
    va_end(args);
    text->size += (size_t)size;
}

void cst_text_spaces(struct cst_text *text, size_t count)
{
    make_room(text, count);
    memset(text->bytes + text->size, ' ', count);
    text->size += count;
    text->bytes[text->size] = '\0';
}

void cst_text_literal(struct cst_text *text, const char *string)
{
    cst_text_add(text, "\"", 1);
    for (; *string; string++) {
        unsigned char byte = (unsigned char)*string;

        if (byte == '"' || byte == '\\')
            cst_text_format(text, "\\%c", byte);
        else if (byte < ' ')
            cst_text_format(text, "\\%03o", byte);
        else
            cst_text_add(text, string, 1);
    }
    cst_text_add(text, "\"", 1);
}

void cst_text_release(struct cst_text *text)
{
    free(text->bytes);
    text->bytes = NULL;
    text->size = text->capacity = 0;
}
