/* spare_test.c - what is given back is used again, all zero, and by its size. */
#include "base/memory.h"
#include "base/spare.h"
#include "harness/tap.h"

#include <string.h>

enum { SIZES = 1100, MANY = 3000 };

static bool is_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void test_sizes(void)
{
    struct cst_spare spare = {0};
    bool zero = true;

    for (int round = 0; round < 2; round++)
        for (size_t size = 1; size <= SIZES; size++) {
            unsigned char *memory = cst_spare_take(&spare, size);

            if (!memory)
                tap_bail("no memory");
            zero = zero && is_zero(memory, size);
            memset(memory, 0xA5, size);
            cst_spare_put(&spare, memory, size);
        }
    ok(zero, "memory is all zero, of any size, also when it was used before");
    cst_spare_put(&spare, NULL, 5);
    cst_spare_release(&spare);
    ok(spare.size == 0, "nothing is kept after a release");
}

static void test_again(void)
{
    struct cst_spare spare = {0};
    void *small = cst_spare_take(&spare, CST_SPARE_STEP);
    void *large = cst_spare_take(&spare, CST_SPARE_STEP + 1);

    cst_spare_put(&spare, small, CST_SPARE_STEP);
    cst_spare_put(&spare, large, CST_SPARE_STEP + 1);
#if defined(__SANITIZE_ADDRESS__)
    ok(spare.size == 0, "under AddressSanitizer nothing is kept");
#else
    ok(spare.size == 3 * (size_t)CST_SPARE_STEP, "both are kept");
    cst_alloc_fail_after(1);
    ok(!cst_spare_take(&spare, 1), "a test may refuse what is kept, too");
    ok(cst_spare_take(&spare, 1) == small, "the small one is used again");
    ok(cst_spare_take(&spare, 2 * (size_t)CST_SPARE_STEP) == large,
       "and the large one");
    cst_spare_put(&spare, small, 1);
    cst_spare_put(&spare, large, 2 * (size_t)CST_SPARE_STEP);
#endif
    cst_spare_release(&spare);
}

/* What is kept has a limit. */
static void test_limit(void)
{
    static void *pieces[MANY * 4];
    struct cst_spare spare = {0};
    size_t count = sizeof(pieces) / sizeof(pieces[0]);
    size_t size = CST_SPARE_CLASSES * (size_t)CST_SPARE_STEP;

    for (size_t i = 0; i < count; i++)
        pieces[i] = cst_spare_take(&spare, size);
    for (size_t i = 0; i < count; i++)
        cst_spare_put(&spare, pieces[i], size);
    ok(spare.size < count * size, "of %zu bytes %zu are kept", count * size,
       spare.size);
    cst_spare_release(&spare);
}

int main(void)
{
    test_sizes();
    test_again();
    test_limit();
    return tap_done();
}
