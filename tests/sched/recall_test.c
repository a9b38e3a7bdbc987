/*
 * What was measured of implementations, as text and back: the same is chosen
 * without another look; what was changed by one byte anywhere, or cut off
 * anywhere, says nothing, and does no harm.
 */
#include "base/memory.h"
#include "harness/tap.h"
#include "sched/recall.h"

#include <string.h>

enum { SIZE = 5000, FAST_NS = 100, SLOW_NS = 900 };

static const struct cst_limits limits = {.name = "here", .cores = 2};

static int body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return 0;
}

static struct castell_kind slow = {.name = "pair", .body = body};
static struct castell_kind alone = {.name = "alone", .body = body};
static const struct castell_implementation fast = {.name = "fast",
                                                   .body = body};

/* A registry with both kinds, which recall that text. */
static struct cst_kinds *make(const char *text, size_t size, bool *ret_good,
                              struct cst_kind **ret_pair)
{
    struct cst_kinds *kinds = NULL;
    struct cst_kind *other;

    must(cst_kinds_create(&limits, &kinds) == CASTELL_OK, "a registry");
    *ret_good = text && cst_recall_read(kinds, text, size);
    must(cst_kinds_know(kinds, &slow, ret_pair) == CASTELL_OK &&
             cst_kinds_know(kinds, &alone, &other) == CASTELL_OK,
         "two kinds");
    return kinds;
}

static void run(struct cst_kind *kind, int times)
{
    for (int i = 0; i < times; i++) {
        uint32_t choice = cst_kind_choose(kind, SIZE, false);

        cst_kind_measured(kind, choice, SIZE,
                          (choice == 1 ? FAST_NS : SLOW_NS) + (uint64_t)i, 0);
    }
}

/* How many of the first 20 choices are the slow one. */
static int count_slow(struct cst_kind *kind)
{
    int count = 0;

    for (int i = 0; i < 20; i++) {
        uint32_t choice = cst_kind_choose(kind, SIZE, false);

        count += choice == 0;
        cst_kind_measured(kind, choice, SIZE, choice == 1 ? FAST_NS : SLOW_NS,
                          0);
    }
    return count;
}

static int slow_with(const char *text, size_t size, bool *ret_good)
{
    struct cst_kind *pair;
    struct cst_kinds *kinds = make(text, size, ret_good, &pair);
    int count = count_slow(pair);

    cst_kinds_destroy(kinds);
    return count;
}

/* Every byte another, every length shorter. */
static void test_damage(const char *text, size_t size)
{
    struct cst_kinds *kinds = NULL;
    char *copy = cst_alloc(size + 1);
    int taken = 0;

    must(copy && cst_kinds_create(&limits, &kinds) == CASTELL_OK, "memory");
    for (size_t i = 0; i < size; i++) {
        memcpy(copy, text, size + 1);
        copy[i] ^= 1;
        taken += cst_recall_read(kinds, copy, size);
        taken += cst_recall_read(kinds, text, i);
    }
    ok(taken == 0, "what is torn or changed is not taken");
    cst_kinds_destroy(kinds);
    cst_free(copy);
}

int main(void)
{
    struct cst_kind *pair;
    struct cst_kinds *kinds;
    char *text;
    size_t size = 0;
    bool good;

    ok(!cst_recall_is_wanted(), "nothing to choose from, nothing to recall");
    must(cst_kinds_implement(NULL, "pair", &fast) == CASTELL_OK, "a second");
    ok(cst_recall_is_wanted(), "now there is");
    kinds = make(NULL, 0, &good, &pair);
    ok(!cst_recall_text(kinds, &size), "nothing was measured");
    run(pair, 30);
    text = cst_recall_text(kinds, &size);
    must(text && strlen(text) == size, "what was measured");
    cst_kinds_destroy(kinds);

    ok(slow_with(NULL, 0, &good) == 3, "without it, it is measured again");
    ok(slow_with(text, size, &good) == 0 && good, "with it not");
    ok(slow_with("castell measures 1\n", 19, &good) == 3 && !good,
       "nothing in it");
    test_damage(text, size);
    cst_free(text);
    return tap_done();
}
