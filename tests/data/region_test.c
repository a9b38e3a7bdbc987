/*
 * The arithmetic of regions is that of sets of bytes: whether two overlap, one
 * includes another, and what cutting one by another leaves. Shapes that have
 * been got wrong elsewhere first, then random ones against maps of bytes.
 */
#include "base/memory.h"
#include "data/random.h"
#include "data/region.h"
#include "harness/tap.h"

#include <string.h>

enum { ARENA = 256, ROUNDS = 200000, BASE = 4096 };

static struct cst_region grid(uintptr_t base, size_t size, size_t rows,
                              size_t pitch)
{
    struct cst_region region = {base, size, rows, pitch};

    cst_region_normalise(&region);
    return region;
}

/* Count each byte of the region once more in a map of the arena. */
static void mark(const struct cst_region *region, unsigned char map[ARENA])
{
    for (size_t row = 0; row < region->rows; row++)
        for (size_t i = 0; i < region->size; i++)
            map[region->base - BASE + row * region->pitch + i]++;
}

static bool is_normal(const struct cst_region *region)
{
    return region->size > 0 &&
           (region->rows > 1
                ? region->pitch > region->size
                : region->rows == 1 && region->pitch == region->size);
}

/* Are the pieces normal, apart, and just the bytes marked 1 in `want`? */
static bool are_exactly(const struct cst_regions *pieces,
                        const unsigned char want[ARENA])
{
    unsigned char got[ARENA] = {0};

    for (size_t i = 0; i < pieces->count; i++) {
        if (!is_normal(&pieces->list[i]))
            return false;
        mark(&pieces->list[i], got);
    }
    return memcmp(got, want, ARENA) == 0;
}

/* Compare everything about a pair with maps of bytes. */
static bool pair_is_right(const struct cst_region *a,
                          const struct cst_region *b,
                          struct cst_regions *inside,
                          struct cst_regions *outside)
{
    unsigned char in_a[ARENA] = {0}, in_b[ARENA] = {0};
    unsigned char both[ARENA], only_a[ARENA];
    bool overlap = false, includes = true;

    mark(a, in_a);
    mark(b, in_b);
    for (int i = 0; i < ARENA; i++) {
        both[i] = in_a[i] && in_b[i];
        only_a[i] = in_a[i] && !in_b[i];
        overlap = overlap || both[i];
        includes = includes && (in_a[i] || !in_b[i]);
    }
    inside->count = outside->count = 0;
    return cst_region_overlap(a, b) == overlap &&
           cst_region_includes(a, b) == includes &&
           cst_region_cut(a, b, inside, outside) == CASTELL_OK &&
           are_exactly(inside, both) && are_exactly(outside, only_a);
}

static void test_pieces(const char *what, struct cst_region a,
                        struct cst_region b, size_t inside_count,
                        size_t outside_count)
{
    struct cst_regions inside = {0}, outside = {0};

    ok(pair_is_right(&a, &b, &inside, &outside), "%s: right", what);
    ok(inside.count == inside_count && outside.count == outside_count,
       "%s: %zu pieces inside (%zu), %zu outside (%zu)", what, inside.count,
       inside_count, outside.count, outside_count);
    cst_regions_release(&inside);
    cst_regions_release(&outside);
}

static void test_shapes(void)
{
    struct cst_region whole = grid(BASE, 128, 1, 128);
    struct cst_region block = grid(BASE + 4, 4, 4, 16);

    test_pieces("the middle of a range", grid(BASE, 30, 1, 0),
                grid(BASE + 10, 10, 1, 0), 1, 2);
    test_pieces("a block of a matrix", whole, block, 1, 3);
    test_pieces("a matrix by which a block is cut", block, whole, 1, 0);
    test_pieces("neighbouring blocks", block, grid(BASE + 8, 4, 4, 16), 0, 1);
    test_pieces("a block's middle", block, grid(BASE + 21, 2, 2, 16), 1, 4);
    test_pieces("a block that crosses the edge of the other's frame",
                grid(BASE + 12, 8, 4, 16), block, 0, 1);
    test_pieces("two that meet at both edges", grid(BASE, 14, 4, 16),
                grid(BASE + 12, 14, 4, 16), 2, 2);
    test_pieces("a range from within a block on", block,
                grid(BASE + 22, 42, 1, 0), 2, 2);
    test_pieces("a range in the gap between rows", block,
                grid(BASE + 9, 10, 1, 0), 0, 1);
    test_pieces("rows at another pitch, of which every third is cut",
                grid(BASE, 8, 6, 16), grid(BASE, 20, 4, 24), 5, 2);
}

static void test_random(uint64_t seed)
{
    struct cst_regions inside = {0}, outside = {0};
    uint64_t state = random_start(seed);
    int wrong = 0;

    for (int round = 0; round < ROUNDS; round++) {
        struct cst_region a = random_region(&state, BASE, ARENA);
        struct cst_region b = random_region(&state, BASE, ARENA);

        wrong += !pair_is_right(&a, &b, &inside, &outside);
    }
    ok(wrong == 0, "%d random pairs, %d wrong (seed %d)", ROUNDS, wrong,
       (int)seed);
    cst_regions_release(&inside);
    cst_regions_release(&outside);
}

static void test_no_memory(void)
{
    struct cst_region whole = grid(BASE, 128, 1, 128);
    struct cst_region block = grid(BASE + 4, 4, 4, 16);
    struct cst_regions inside = {0}, outside = {0};
    int failures = 0;

    for (;;) {
        enum castell_status status;

        cst_alloc_fail_after((uint64_t)failures + 1);
        status = cst_region_cut(&whole, &block, &inside, &outside);
        cst_regions_release(&inside);
        cst_regions_release(&outside);
        if (cst_alloc_fail_pending())
            break;
        failures += status == CASTELL_ERR_NO_MEMORY;
    }
    cst_alloc_fail_after(0);
    ok(failures == 2, "each of the two lists may find no memory");
}

int main(void)
{
    test_shapes();
    for (uint64_t seed = 1; seed <= 4; seed++)
        test_random(seed);
    test_no_memory();
    return tap_done();
}
