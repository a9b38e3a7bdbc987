/*
 * What cst_data_resolve() promises: fragments that are just the bytes of the
 * region, apart from one another and in the order of addresses, the same ones
 * as long as nobody names what cuts them, with no memory as with enough of it;
 * and that what is not in use takes bounded memory. By hand on small shapes,
 * then on random regions, some of them in use, against maps of bytes.
 */
#include "base/memory.h"
#include "data/data.h"
#include "data/random.h"
#include "graph/task.h"
#include "harness/tap.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA = 256, BASE = 4096, USES_MAX = 64, PARTS_MAX = 512 };

/* A task that has one region, of any number of fragments. */
struct use {
    struct cst_task task;
    uint32_t parts;
    struct cst_hold holds[PARTS_MAX];
};

static struct cst_data *new_data(void)
{
    struct cst_data *data = NULL;

    if (cst_data_create(&data) != CASTELL_OK)
        tap_bail("no memory");
    return data;
}

static struct cst_region grid(uintptr_t base, size_t size, size_t rows,
                              size_t pitch)
{
    struct cst_region region = {base, size, rows, pitch};

    cst_region_normalise(&region);
    return region;
}

static size_t count_of(struct cst_data *data, uint64_t domain,
                       struct cst_region region)
{
    struct cst_fragment *const *fragments;
    size_t count = 0;

    if (cst_data_resolve(data, domain, &region, &fragments, &count) !=
        CASTELL_OK)
        tap_bail("no memory");
    cst_data_check(data);
    return count;
}

/* Count each byte of the region once more. */
static void mark(const struct cst_region *region, unsigned char map[ARENA])
{
    for (size_t row = 0; row < region->rows; row++)
        for (size_t i = 0; i < region->size; i++)
            map[region->base - BASE + row * region->pitch + i]++;
}

/* Do the fragments tile the region, in order? */
static bool tile(struct cst_fragment *const *fragments, size_t count,
                 const struct cst_region *region)
{
    unsigned char want[ARENA] = {0}, got[ARENA] = {0};

    mark(region, want);
    for (size_t i = 0; i < count; i++) {
        mark(&fragments[i]->region, got);
        if (i > 0 && fragments[i - 1]->region.base >= fragments[i]->region.base)
            return false;
    }
    return memcmp(want, got, ARENA) == 0;
}

/* Let a task use all fragments of the region, from now until stop(). */
static bool start(struct cst_data *data, uint64_t domain,
                  const struct cst_region *region, enum cst_epoch epoch,
                  struct use *use)
{
    struct cst_fragment *const *fragments;
    size_t count;

    if (cst_data_resolve(data, domain, region, &fragments, &count) !=
            CASTELL_OK ||
        count > PARTS_MAX || !tile(fragments, count, region))
        return false;
    *use = (struct use){.parts = (uint32_t)count};
    for (size_t i = 0; i < count; i++) {
        use->holds[i] = (struct cst_hold){
            .place = &fragments[i]->place,
            .task = &use->task,
            .epoch = (uint8_t)epoch,
            .reads = true,
            .writes = epoch == CST_EPOCH_WRITE,
        };
        use->task.waits_for +=
            !cst_place_join(&fragments[i]->place, &use->holds[i]);
    }
    return true;
}

static void stop(struct use *use, bool poison)
{
    struct cst_task_list ready = {NULL, NULL};

    for (uint32_t i = 0; i < use->parts; i++)
        cst_place_leave(use->holds[i].place, &use->holds[i], poison, &ready);
    use->parts = 0;
}

static void test_known_regions(void)
{
    struct cst_data *data = new_data();
    struct cst_region range = grid(BASE, 8, 1, 0);
    struct cst_region block = grid(BASE + 16, 4, 3, 16);

    ok(!cst_data_find_one(data, 0, &range), "nothing is known at first");
    ok(count_of(data, 0, range) == 1, "a new region is one fragment");
    ok(cst_data_find_one(data, 0, &range) != NULL, "and is found from then on");
    ok(count_of(data, 0, block) == 1 && cst_data_find_one(data, 0, &block),
       "so is a block");
    ok(!cst_data_find_one(data, 1, &range), "but not in another domain");
    ok(count_of(data, 1, range) == 1, "where it is another fragment");
    ok(cst_data_find_one(data, 0, &range) != cst_data_find_one(data, 1, &range),
       "indeed");
    ok(cst_data_regions_count(data) == 3, "that makes three");
    block.rows = 1;
    block.pitch = block.size;
    ok(!cst_data_find_one(data, 0, &block), "a block is not its first row");
    cst_data_drop_domain(data, 0);
    cst_data_drop_domain(data, 7);
    cst_data_check(data);
    ok(!cst_data_find_one(data, 0, &range) &&
           cst_data_find_one(data, 1, &range),
       "a dropped domain is gone, another stays");
    ok(cst_data_regions_count(data) == 1, "with what it has");
    cst_data_destroy(data);
    cst_data_destroy(NULL);
}

static void test_overlaps(void)
{
    struct cst_data *data = new_data();
    struct cst_region left = grid(BASE, 20, 1, 0);
    struct cst_region right = grid(BASE + 10, 20, 1, 0);

    ok(count_of(data, 0, left) == 1 && count_of(data, 0, right) == 2,
       "two ranges that overlap");
    ok(count_of(data, 0, left) == 2, "are of three fragments together");
    ok(cst_data_regions_count(data) == 5, "and two lists");
    ok(count_of(data, 0, grid(BASE, 30, 1, 0)) == 3, "so is their union");
    ok(count_of(data, 0, grid(BASE, 64, 16, 64)) == 4,
       "what surrounds them adds what they leave of it");
    ok(count_of(data, 0, grid(BASE + 10, 10, 1, 0)) == 1,
       "a piece that is named is found");
    ok(count_of(data, 0, grid(BASE + 32, 16, 10, 64)) == 1,
       "a block cut out of that is one again");
    cst_data_destroy(data);
}

static void test_in_use(void)
{
    struct cst_data *data = new_data();
    struct cst_region whole = grid(BASE, 64, 1, 0);
    struct cst_region part = grid(BASE + 8, 8, 4, 16);
    struct cst_region corner = grid(BASE + 12, 4, 2, 16);
    static struct use writer, second, third;

    must(start(data, 0, &whole, CST_EPOCH_WRITE, &writer), "a writer");
    must(start(data, 0, &part, CST_EPOCH_WRITE, &second), "one of a part");
    ok(second.parts == 1 && second.task.waits_for == 1, "waits for it");
    must(start(data, 0, &corner, CST_EPOCH_READ, &third), "a reader");
    ok(third.parts == 1 && third.task.waits_for == 1, "waits as well");
    cst_data_check(data);
    stop(&writer, false);
    ok(second.task.waits_for == 0, "the part is free when the whole is");
    ok(third.task.waits_for == 1, "its corner is not");
    stop(&second, true);
    ok(third.task.waits_for == 0, "before the part is");
    ok(third.holds[0].place->poisoned, "whose poison the corner has");
    stop(&third, false);
    cst_data_check(data);
    ok(cst_data_forget(data, 0, &whole), "what is known is forgotten");
    ok(cst_data_regions_count(data) == 0, "all of it");
    ok(!cst_data_forget(data, 0, &whole), "once");
    ok(count_of(data, 0, corner) == 1 &&
           !cst_data_find_one(data, 0, &corner)->place.poisoned,
       "poison too");
    cst_data_destroy(data);
}

/* Where a few are idle they are cut; a crowd of them is forgotten. */
static void test_crowd(void)
{
    enum { CROWD = 33 };
    static struct use inside;

    for (size_t count = CROWD - 1; count <= CROWD; count++) {
        struct cst_data *data = new_data();
        struct cst_region all = grid(BASE + 1, 6 * CROWD, 1, 0);
        struct cst_region one = grid(BASE + 20, 4, 1, 0);

        for (size_t i = 0; i < count; i++)
            (void)count_of(data, 0, grid(BASE + 5 * i, 4, 1, 0));
        must(start(data, 0, &one, CST_EPOCH_READ, &inside), "one in use");
        ok(count_of(data, 0, all) == (count < CROWD ? 2 * count : 3),
           "a region over %d idle ones and one in use", (int)count - 1);
        stop(&inside, false);
        cst_data_destroy(data);
    }
}

/* A region of many becomes one again when a crowd of them is forgotten. */
static void test_crowd_again(void)
{
    enum { PIECES = 40 };
    struct cst_data *data = new_data();
    struct cst_region whole = grid(BASE, 4 * PIECES, 1, 0);
    struct cst_region one = grid(BASE + 12, 4, 1, 0);

    for (size_t i = 0; i < PIECES; i++)
        (void)count_of(data, 0, grid(BASE + 4 * i, 4, 1, 0));
    ok(count_of(data, 0, whole) == PIECES, "a region that many tile");
    ok(cst_data_forget(data, 0, &one) && count_of(data, 0, whole) == 1 &&
           cst_data_find_one(data, 0, &whole),
       "without one of them it is one");
    cst_data_destroy(data);
}

/* What is poisoned and idle stays so in each of its pieces. */
static void test_idle_poison(void)
{
    struct cst_data *data = new_data();
    struct cst_region whole = grid(BASE, 32, 1, 0);
    struct cst_region part = grid(BASE + 8, 8, 1, 0);
    struct cst_fragment *const *fragments;
    static struct use writer;
    size_t count = 0;
    size_t poisoned = 0;

    must(start(data, 0, &whole, CST_EPOCH_WRITE, &writer), "a writer");
    stop(&writer, true);
    ok(count_of(data, 0, part) == 1 &&
           cst_data_find_one(data, 0, &part)->place.poisoned,
       "a part of what is poisoned is");
    must(cst_data_resolve(data, 0, &whole, &fragments, &count) == CASTELL_OK,
         "the whole");
    for (size_t i = 0; i < count; i++)
        poisoned += fragments[i]->place.poisoned;
    ok(count == 3 && poisoned == 3, "and so is the rest");
    cst_data_destroy(data);
}

/* A caller cannot know what was forgotten unasked, so nothing is refused. */
static void test_forgotten_unasked(void)
{
    struct cst_data *data = new_data();
    struct cst_region rows = grid(BASE, 4, 4, 16);
    struct cst_region others = grid(BASE, 4, 2, 32);
    struct cst_region second = grid(BASE + 16, 4, 1, 0);

    ok(!cst_data_forget(data, 0, &second), "what is not known is refused");
    (void)count_of(data, 0, rows);
    ok(count_of(data, 0, others) == 1, "rows at another distance drive out");
    ok(cst_data_forget(data, 0, &second), "what may yet be forgotten");
    cst_data_destroy(data);
}

static bool random_step(struct cst_data *data, uint64_t *state,
                        struct use *uses)
{
    static const enum cst_epoch epochs[] = {CST_EPOCH_READ, CST_EPOCH_WRITE,
                                            CST_EPOCH_CONCURRENT};
    struct use *use = &uses[random_below(state, USES_MAX)];
    struct cst_region region = random_region(state, BASE, ARENA);
    uint64_t domain = random_below(state, 2);

    if (random_below(state, 20) == 0)
        (void)cst_data_forget(data, domain, &region);
    if (use->parts == 0)
        return start(data, domain, &region, epochs[random_below(state, 3)],
                     use);
    if (use->task.waits_for == 0)
        stop(use, random_below(state, 10) == 0);
    return true;
}

static void test_random(uint64_t seed, int steps)
{
    struct use *uses = calloc(USES_MAX, sizeof(*uses));
    struct cst_data *data = new_data();
    uint64_t state = random_start(seed);
    int wrong = 0;
    uint32_t left = 0;

    if (!uses)
        tap_bail("no memory");
    for (int step = 0; step < steps && wrong == 0; step++) {
        wrong += !random_step(data, &state, uses);
        cst_data_check(data);
    }
    ok(wrong == 0, "%d random steps (seed %d)", steps, (int)seed);
    for (int round = 0; round < USES_MAX; round++)
        for (int i = 0; i < USES_MAX; i++)
            if (uses[i].parts && uses[i].task.waits_for == 0)
                stop(&uses[i], false);
    for (int i = 0; i < USES_MAX; i++)
        left += uses[i].parts;
    ok(left == 0, "each use could end");
    cst_data_drop_domain(data, 0);
    cst_data_drop_domain(data, 1);
    cst_data_check(data);
    ok(cst_data_regions_count(data) == 0, "nothing is left in the end");
    cst_data_destroy(data);
    free(uses);
}

int main(void)
{
    test_known_regions();
    test_overlaps();
    test_in_use();
    test_crowd();
    test_crowd_again();
    test_idle_poison();
    test_forgotten_unasked();
    for (uint64_t seed = 1; seed <= 12; seed++)
        test_random(seed, 4000);
    return tap_done();
}
