/*
 * Rules of saves: what was saved comes back, to the byte and as often as
 * wanted, and nothing else is touched; without memory there is an error and no
 * save.
 */
#include "base/memory.h"
#include "body/save.h"
#include "harness/tap.h"

#include <stdint.h>
#include <string.h>

enum { MATRIX = 50 * 40 };

static char matrix[MATRIX], before[MATRIX];
static char vector[30];

static struct cst_rows regions[] = {
    {matrix + 7, 10, 50, 40},
    {vector, sizeof(vector), 1, 0},
};

enum { REGIONS = sizeof(regions) / sizeof(regions[0]) };

static bool saved_part(int at)
{
    return at % 40 >= 7 && at % 40 < 17;
}

static void test_restore(void)
{
    struct cst_save *save = NULL;

    for (int i = 0; i < MATRIX; i++)
        before[i] = matrix[i] = (char)(i * 7);
    memset(vector, 5, sizeof(vector));
    must(cst_save_create(regions, REGIONS, &save) == CASTELL_OK, "saved");
    for (int attempt = 0; attempt < 2; attempt++) {
        bool right = true;

        memset(matrix, 99, MATRIX);
        memset(vector, 99, sizeof(vector));
        cst_save_restore(save);
        for (int i = 0; i < MATRIX; i++)
            right =
                right && matrix[i] == (saved_part(i) ? before[i] : (char)99);
        ok(right, "the rows come back, and only they");
        ok(vector[0] == 5 && vector[29] == 5, "and the other region");
    }
    cst_save_destroy(save);
    cst_save_destroy(NULL);
}

static void test_sizes(void)
{
    struct cst_save *save = NULL;
    struct cst_rows too_much[] = {{matrix, SIZE_MAX / 2, 1, 0},
                                  {matrix, SIZE_MAX / 2, 1, 0},
                                  {matrix, SIZE_MAX / 2, 1, 0}};

    ok(cst_save_bytes(regions, REGIONS) == 530, "the bytes are counted");
    ok(cst_save_bytes(too_much, 3) == SIZE_MAX, "even when there are too many");
    ok(cst_save_bytes(NULL, 0) == 0 &&
           cst_save_create(NULL, 0, &save) == CASTELL_OK,
       "nothing may be saved");
    cst_save_restore(save);
    cst_save_destroy(save);
}

static void test_no_memory(void)
{
    struct cst_save *save = NULL;
    uint64_t n = 1;

    for (;; n++) {
        enum castell_status status;

        cst_alloc_fail_after(n);
        status = cst_save_create(regions, REGIONS, &save);
        if (cst_alloc_fail_pending())
            break;
        if (status != CASTELL_ERR_NO_MEMORY || save != NULL)
            tap_bail("an allocation failed, and no error");
    }
    cst_alloc_fail_after(0);
    ok(n > 2, "each of %ju allocations may fail: %s", (uintmax_t)n - 1,
       castell_error_text());
    cst_save_destroy(save);
}

int main(void)
{
    test_restore();
    test_sizes();
    test_no_memory();
    return tap_done();
}
