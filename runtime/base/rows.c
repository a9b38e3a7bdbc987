#include "base/rows.h"

#include <stdint.h>
#include <string.h>

static size_t count(const struct cst_rows *rows)
{
    return rows->rows > 1 ? rows->rows : 1;
}

/* Rows that touch are one. */
static bool in_one_piece(const struct cst_rows *rows)
{
    return count(rows) == 1 || rows->pitch == rows->size;
}

bool cst_rows_valid(const struct cst_rows *rows)
{
    size_t before_last = 0;
    size_t room;

    if (!rows->base || rows->size == 0)
        return false;
    room = UINTPTR_MAX - (uintptr_t)rows->base;
    if (rows->size > room)
        return false;
    if (count(rows) == 1)
        return true;
    return rows->pitch >= rows->size &&
           !__builtin_mul_overflow(rows->pitch, rows->rows - 1, &before_last) &&
           before_last <= room - rows->size;
}

size_t cst_rows_bytes(const struct cst_rows *rows)
{
    return rows->size * count(rows);
}

size_t cst_rows_extent(const struct cst_rows *rows)
{
    size_t before_last = count(rows) - 1;

    return before_last > 0 ? before_last * rows->pitch + rows->size
                           : rows->size;
}

void cst_rows_pack(const struct cst_rows *rows, void *packed)
{
    const char *from = rows->base;
    char *into = packed;

    if (in_one_piece(rows)) {
        memcpy(into, from, cst_rows_bytes(rows));
        return;
    }
    for (size_t i = 0; i < rows->rows; i++)
        memcpy(into + i * rows->size, from + i * rows->pitch, rows->size);
}

void cst_rows_unpack(const struct cst_rows *rows, const void *packed)
{
    const char *from = packed;
    char *into = rows->base;

    if (in_one_piece(rows)) {
        memcpy(into, from, cst_rows_bytes(rows));
        return;
    }
    for (size_t i = 0; i < rows->rows; i++)
        memcpy(into + i * rows->pitch, from + i * rows->size, rows->size);
}
