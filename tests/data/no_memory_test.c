/*
 * Each allocation that naming a region takes fails once, in states made by
 * hand and at random: the call says so, all invariants hold, every fragment is
 * what and where it was, and the next try succeeds.
 */
#include "base/memory.h"
#include "data/data_internal.h"
#include "data/random.h"
#include "harness/tap.h"

#include <stdio.h>
#include <string.h>

enum { ARENA = 256, BASE = 1 << 20, HOLDS_MAX = 4096, SEEN_MAX = 4096 };
enum { DOMAINS = 2 };

/* ---- a state ------------------------------------------------------------- */

static struct cst_task user;
static struct cst_hold holds[HOLDS_MAX];
static size_t holds_count;

static struct cst_data *new_data(void)
{
    struct cst_data *data = NULL;

    if (cst_data_create(&data) != CASTELL_OK)
        tap_bail("no memory");
    holds_count = 0;
    return data;
}

/* Name a region, and if `use`, let a task hold what it covers for ever. */
static void name(struct cst_data *data, uint64_t domain,
                 const struct cst_region *region, bool use)
{
    struct cst_fragment *const *fragments;
    size_t count = 0;

    if (cst_data_resolve(data, domain, region, &fragments, &count) !=
        CASTELL_OK)
        tap_bail("no memory");
    for (size_t i = 0; i < count && use && holds_count < HOLDS_MAX; i++) {
        struct cst_hold *hold = &holds[holds_count++];

        *hold = (struct cst_hold){.place = &fragments[i]->place,
                                  .task = &user,
                                  .epoch = CST_EPOCH_READ,
                                  .reads = true};
        (void)cst_place_join(hold->place, hold);
    }
}

/* All uses end, and with them the last reasons to keep what was split. */
static void destroy(struct cst_data *data)
{
    struct cst_task_list ready = {NULL, NULL};

    for (size_t i = 0; i < holds_count; i++)
        cst_place_leave(holds[i].place, &holds[i], false, &ready);
    cst_data_check(data);
    cst_data_destroy(data);
}

/* ---- what is known of it ------------------------------------------------- */

struct seen {
    const struct cst_fragment *fragment;
    struct cst_region region;
    bool idle;
    bool named;
};

struct picture {
    size_t count[DOMAINS];
    struct seen seen[DOMAINS][SEEN_MAX];
    size_t regions;
    size_t retired;
    size_t covers;
};

static void take(struct cst_data *data, struct picture *picture)
{
    static const struct cst_region all = {BASE - 4096, 1 << 20, 1, 1 << 20};
    struct cst_data_nodes nodes = {0};

    picture->regions = cst_data_regions_count(data);
    picture->retired = data->retired_count;
    picture->covers = data->covers_count;
    for (uint64_t id = 0; id < DOMAINS; id++) {
        struct cst_data_domain *domain = cst_data_domain_find(data, id);

        picture->count[id] = 0;
        if (!domain)
            continue;
        nodes.count = 0;
        if (cst_data_index_find(domain, &all, &nodes) != CASTELL_OK ||
            nodes.count > SEEN_MAX)
            tap_bail("no memory to look at all");
        picture->count[id] = nodes.count;
        for (size_t i = 0; i < nodes.count; i++)
            picture->seen[id][i] = (struct seen){
                .fragment = &nodes.list[i]->fragment,
                .region = nodes.list[i]->fragment.region,
                .idle = cst_place_idle(&nodes.list[i]->fragment.place),
                .named = nodes.list[i]->named,
            };
    }
    cst_free(nodes.list);
}

static bool equal(const struct picture *a, const struct picture *b)
{
    for (size_t id = 0; id < DOMAINS; id++) {
        if (a->count[id] != b->count[id])
            return false;
        for (size_t i = 0; i < a->count[id]; i++) {
            const struct seen *x = &a->seen[id][i];
            const struct seen *y = &b->seen[id][i];

            if (x->fragment != y->fragment || x->idle != y->idle ||
                x->named != y->named ||
                memcmp(&x->region, &y->region, sizeof(x->region)) != 0)
                return false;
        }
    }
    return a->regions == b->regions && a->retired == b->retired &&
           a->covers == b->covers;
}

static size_t bytes(struct cst_fragment *const *fragments, size_t count,
                    const struct cst_region *region)
{
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        if (cst_region_includes(region, &fragments[i]->region))
            sum += cst_region_bytes(&fragments[i]->region);
    return sum;
}

/* ---- failing ------------------------------------------------------------- */

struct result {
    int failed; /* allocations */
    int wrong;
};

/*
 * Name a region when the n-th allocation fails. Returns whether there were as
 * many; then all must be as before, and a second try succeed.
 */
static bool fail_once(struct cst_data *data, uint64_t domain,
                      const struct cst_region *region, uint64_t n,
                      struct result *result)
{
    static struct picture before, after;
    struct cst_fragment *const *fragments = NULL;
    enum castell_status status;
    size_t count = 0;
    bool failed;

    take(data, &before);
    cst_alloc_fail_after(n);
    status = cst_data_resolve(data, domain, region, &fragments, &count);
    failed = !cst_alloc_fail_pending();
    cst_alloc_fail_after(0);
    cst_data_check(data);
    if (failed) {
        take(data, &after);
        result->failed++;
        if (status != CASTELL_ERR_NO_MEMORY || !equal(&before, &after)) {
            printf("# allocation %d: status %d, %d fragments before, %d "
                   "after\n",
                   (int)n, (int)status, (int)before.count[domain],
                   (int)after.count[domain]);
            result->wrong++;
        }
        status = cst_data_resolve(data, domain, region, &fragments, &count);
        cst_data_check(data);
    }
    if (status != CASTELL_OK ||
        bytes(fragments, count, region) != cst_region_bytes(region))
        result->wrong++;
    return failed;
}

/* All allocations, one after another, each in a state that build() makes. */
static struct result fail_each(struct cst_data *(*build)(uint64_t seed),
                               uint64_t seed, uint64_t domain,
                               struct cst_region region)
{
    struct result result = {0, 0};
    bool failed = true;

    cst_region_normalise(&region);
    for (uint64_t n = 1; failed; n++) {
        struct cst_data *data = build(seed);

        failed = fail_once(data, domain, &region, n, &result);
        destroy(data);
    }
    return result;
}

/* ---- states -------------------------------------------------------------- */

static struct cst_data *build_empty(uint64_t unused)
{
    (void)unused;
    return new_data();
}

/* Rows of 16 bytes, of which some are in use. */
static struct cst_data *build_rows(uint64_t used)
{
    struct cst_data *data = new_data();

    for (size_t i = 0; i < 100; i++) {
        struct cst_region row = {BASE + 32 * i, 16, 1, 16};

        name(data, 0, &row, i < used);
    }
    return data;
}

/* The same, and regions of several of them. */
static struct cst_data *build_covers(uint64_t used)
{
    struct cst_data *data = build_rows(used);

    for (size_t i = 0; i < 20; i++) {
        struct cst_region rows = {BASE + 32 * i, 16, 4, 32};

        name(data, 0, &rows, false);
    }
    return data;
}

/* One of these is of more fragments now than when it was named. */
static struct cst_data *build_stale(uint64_t used)
{
    struct cst_data *data = build_covers(used);

    for (size_t i = 0; i < 4; i++) {
        struct cst_region part = {BASE + 32 * i, 8, 1, 8};

        name(data, 0, &part, false);
    }
    return data;
}

static void expect(const char *what, struct result result, int at_least)
{
    ok(result.wrong == 0 && result.failed >= at_least,
       "%s: %d allocations failed, %d changed something", what, result.failed,
       result.wrong);
}

static void test_by_hand(void)
{
    const struct cst_region columns = {BASE + 8, 8, 100, 32};
    const struct cst_region all = {BASE, 3200, 1, 3200};
    const struct cst_region fresh = {BASE + 16, 8, 1, 8};
    const struct cst_region part = {BASE + 4, 4, 1, 4};
    const struct cst_region others = {BASE + 8, 8, 50, 48};

    const struct cst_region rows = {BASE, 16, 4, 32};

    expect("the first region of all", fail_each(build_empty, 0, 0, fresh), 2);
    expect("one that overlaps nothing", fail_each(build_rows, 0, 1, fresh), 0);
    expect("a part of an idle one", fail_each(build_rows, 0, 0, part), 3);
    expect("a part of one in use", fail_each(build_rows, 100, 0, part), 4);
    expect("what cuts a hundred in use", fail_each(build_rows, 100, 0, columns),
           110);
    expect("and some of them idle, forgotten as a crowd",
           fail_each(build_rows, 50, 0, columns), 60);
    expect("what is around a hundred, and gaps",
           fail_each(build_rows, 100, 0, all), 8);
    expect("the same of idle ones, forgotten", fail_each(build_rows, 0, 0, all),
           5);
    expect("rows at another distance", fail_each(build_rows, 30, 0, others),
           20);
    expect("regions of several, cut", fail_each(build_covers, 100, 0, columns),
           110);
    expect("a region of more fragments than before",
           fail_each(build_stale, 0, 0, rows), 1);
    expect("the same in use", fail_each(build_stale, 100, 0, rows), 1);
}

static struct cst_data *build_random(uint64_t seed)
{
    struct cst_data *data = new_data();
    uint64_t state = random_start(seed);

    for (uint32_t i = 2 + random_below(&state, 12); i > 0; i--) {
        struct cst_region region = random_region(&state, BASE, ARENA);

        name(data, random_below(&state, 4) == 0, &region,
             random_below(&state, 2));
    }
    return data;
}

static void test_random(void)
{
    struct result sum = {0, 0};

    for (uint64_t seed = 1; seed <= 1000; seed++) {
        uint64_t state = random_start(seed + 1000000);
        struct result result =
            fail_each(build_random, seed, random_below(&state, 4) == 0,
                      random_region(&state, BASE, ARENA));

        sum.failed += result.failed;
        sum.wrong += result.wrong;
    }
    expect("1000 random states", sum, 1000);
}

/* Pools and tables grow now and then: so the next allocation always fails. */
static void test_growth(bool splits)
{
    struct cst_data *data = new_data();
    struct result result = {0, 0};
    int pools = 0;

    for (size_t i = 0; i < SEEN_MAX / 3; i++) {
        struct cst_region region = {BASE + 48 * i, 48, 1, 48};
        struct cst_region middle = {BASE + 48 * i + 16, 16, 1, 16};
        size_t things = cst_data_pool_things(&data->nodes);

        (void)fail_once(data, 0, &region, 1, &result);
        if (splits)
            (void)fail_once(data, 0, &middle, 1, &result);
        pools += cst_data_pool_things(&data->nodes) != things;
    }
    ok(pools > (splits ? 2 : 1), "the pool has grown %d times", pools);
    expect(splits ? "what grows, and is split" : "what grows", result,
           pools + 1);
    cst_data_destroy(data);
}

int main(void)
{
    test_by_hand();
    test_random();
    test_growth(false);
    test_growth(true);
    return tap_done();
}
