/*
 * Rules of rows: what can exist is told from what cannot; packing takes the
 * rows and nothing between them, and unpacking puts them back.
 */
#include "base/rows.h"
#include "harness/tap.h"

#include <stdint.h>
#include <string.h>

static void test_valid(void)
{
    char byte;
    struct cst_rows good[] = {
        {&byte, 1, 0, 0},
        {&byte, 1, 1, 0},
        {&byte, 8, 5, 8},
        {&byte, 8, 5, 100},
        {(void *)16, 8, (size_t)1 << 40, 1 << 20},
    };
    struct cst_rows bad[] = {
        {NULL, 1, 1, 0},
        {&byte, 0, 1, 0},
        {&byte, 8, 2, 7},
        {&byte, SIZE_MAX, 1, 0},
        {&byte, 8, SIZE_MAX, 8},
        {&byte, 8, 3, SIZE_MAX / 2},
        {(void *)16, 8, ((size_t)1 << 44) + 1, 1 << 20},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ok(cst_rows_valid(&good[i]), "rows %zu may exist", i);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ok(!cst_rows_valid(&bad[i]), "rows %zu may not", i);
}

static void test_sizes(void)
{
    char byte;
    struct cst_rows one = {&byte, 7, 0, 0};
    struct cst_rows many = {&byte, 7, 3, 10};

    ok(cst_rows_bytes(&one) == 7 && cst_rows_extent(&one) == 7, "of one row");
    ok(cst_rows_bytes(&many) == 21 && cst_rows_extent(&many) == 27,
       "of three rows");
}

static void test_pack(size_t rows, size_t pitch)
{
    enum { SIZE = 5, MEMORY = 64 };
    char memory[MEMORY], before[MEMORY], packed[MEMORY] = {0};
    struct cst_rows region = {memory + 3, SIZE, rows, pitch};
    size_t count = rows > 0 ? rows : 1;
    bool right = true;

    for (int i = 0; i < MEMORY; i++)
        memory[i] = (char)i;
    memcpy(before, memory, MEMORY);
    cst_rows_pack(&region, packed);
    for (size_t i = 0; i < count * SIZE; i++)
        right = right && packed[i] == (char)(3 + i / SIZE * pitch + i % SIZE);
    ok(right && packed[count * SIZE] == 0, "%zu rows at %zu are packed", rows,
       pitch);
    for (size_t i = 0; i < count; i++)
        memset(memory + 3 + i * pitch, -1, SIZE);
    cst_rows_unpack(&region, packed);
    ok(memcmp(memory, before, MEMORY) == 0, "and unpacked");
    memset(memory, -1, MEMORY);
    cst_rows_unpack(&region, packed);
    right = true;
    for (size_t i = 0; i < MEMORY; i++) {
        bool inside = i >= 3 && (i - 3) / (pitch > 0 ? pitch : SIZE) < count &&
                      (i - 3) % (pitch > 0 ? pitch : SIZE) < SIZE;

        right = right && (memory[i] == -1) != inside;
    }
    ok(right, "and nothing else is written");
}

int main(void)
{
    test_valid();
    test_sizes();
    test_pack(0, 0);
    test_pack(1, 9);
    test_pack(4, 5);
    test_pack(4, 11);
    return tap_done();
}
