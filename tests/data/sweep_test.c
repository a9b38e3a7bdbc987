/*
 * What is idle is kept, but no more of it than twice what was in use lately;
 * what is in use or used again stays, and what was split in use goes when it is
 * idle.
 */
#include "data/data_internal.h"
#include "harness/tap.h"

enum { BASE = 1 << 20, KEPT_ALWAYS = 1 << 16, HOLDS_MAX = 100000 };
enum { NEW = 600000 }; /* ever new regions, many rounds of the hand */

static struct cst_task user;
static struct cst_hold holds[HOLDS_MAX];

static struct cst_data *new_data(void)
{
    struct cst_data *data = NULL;

    if (cst_data_create(&data) != CASTELL_OK)
        tap_bail("no memory");
    return data;
}

static struct cst_region nth(size_t n)
{
    return (struct cst_region){BASE + 32 * n, 32, 1, 32};
}

static struct cst_fragment *name(struct cst_data *data, uint64_t domain,
                                 struct cst_region region)
{
    struct cst_fragment *const *fragments;
    size_t count;

    if (cst_data_resolve(data, domain, &region, &fragments, &count) !=
        CASTELL_OK)
        tap_bail("no memory");
    return fragments[0];
}

static bool is_known(struct cst_data *data, uint64_t domain, size_t n)
{
    struct cst_region region = nth(n);

    return cst_data_find_one(data, domain, &region) != NULL;
}

static void join(struct cst_fragment *fragment, struct cst_hold *hold)
{
    *hold = (struct cst_hold){.place = &fragment->place,
                              .task = &user,
                              .epoch = CST_EPOCH_READ,
                              .reads = true};
    (void)cst_place_join(hold->place, hold);
}

static void leave(struct cst_hold *hold)
{
    struct cst_task_list ready = {NULL, NULL};

    cst_place_leave(hold->place, hold, false, &ready);
}

/* A task comes and goes. */
static void use(struct cst_data *data, size_t n)
{
    struct cst_hold hold;

    join(name(data, 0, nth(n)), &hold);
    leave(&hold);
}

/* Name new ones; with `again` > 0, use the first so many in turns. Returns the
   most that were known. */
static size_t flood(struct cst_data *data, size_t from, size_t again)
{
    size_t most = 0;

    for (size_t i = 0; i < NEW; i++) {
        (void)name(data, 0, nth(from + i));
        if (again > 0)
            use(data, i % again);
        if (data->known_count > most)
            most = data->known_count;
    }
    cst_data_check(data);
    return most;
}

static size_t known_of(struct cst_data *data, size_t from, size_t count)
{
    size_t known = 0;

    for (size_t i = from; i < from + count; i++)
        known += is_known(data, 0, i);
    return known;
}

static void test_few(void)
{
    struct cst_data *data = new_data();
    struct cst_region never = nth(NEW);

    for (size_t i = 0; i < KEPT_ALWAYS; i++)
        (void)name(data, 0, nth(i));
    ok(known_of(data, 0, KEPT_ALWAYS) == KEPT_ALWAYS,
       "%d that are idle are all kept", KEPT_ALWAYS);
    ok(!cst_data_forget(data, 0, &never),
       "and so it is known that another was never named");
    cst_data_destroy(data);
}

static void test_all_new(void)
{
    struct cst_data *data = new_data();
    struct cst_region never = nth(2 * NEW);
    size_t most;

    (void)name(data, 5, nth(0));
    most = flood(data, 0, 0);
    ok(most < (size_t)3 * KEPT_ALWAYS,
       "of %d that are used once, %d are known at most", NEW, (int)most);
    ok(known_of(data, 0, NEW / 4) == 0, "the first of them are forgotten");
    ok(known_of(data, NEW - 1000, 1000) == 1000, "the last are not");
    ok(!cst_data_domain_find(data, 5),
       "where a domain had none but those, it is too");
    ok(cst_data_forget(data, 0, &never),
       "it is not known any more that another was never named");
    cst_data_destroy(data);
}

static void test_in_use(void)
{
    struct cst_data *data = new_data();
    size_t most;

    for (size_t i = 0; i < HOLDS_MAX; i++)
        join(name(data, 0, nth(i)), &holds[i]);
    most = flood(data, HOLDS_MAX, 0);
    ok(known_of(data, 0, HOLDS_MAX) == HOLDS_MAX, "%d in use all stay",
       HOLDS_MAX);
    ok(most < (size_t)5 * HOLDS_MAX, "and some more beside them: %d at most",
       (int)most);
    for (size_t i = 0; i < HOLDS_MAX; i++)
        leave(&holds[i]);
    most = flood(data, HOLDS_MAX + NEW, 0);
    ok(known_of(data, 0, HOLDS_MAX) == 0 && data->known_count < most,
       "until they are idle for long: then %d", (int)data->known_count);
    cst_data_destroy(data);
}

static void test_used_again(void)
{
    enum { AGAIN = 20000, ONCE = 10000 };
    struct cst_data *data = new_data();

    for (size_t i = 0; i < AGAIN + ONCE; i++)
        use(data, i);
    (void)flood(data, AGAIN + ONCE, AGAIN);
    ok(known_of(data, 0, AGAIN) == AGAIN, "%d that are used again stay", AGAIN);
    ok(known_of(data, AGAIN, ONCE) == 0, "those that are not do not");
    cst_data_destroy(data);
}

static void test_split(void)
{
    enum { SPLIT = 500 };
    struct cst_data *data = new_data();

    for (size_t i = 0; i < SPLIT; i++)
        join(name(data, 0, nth(i)), &holds[i]);
    for (size_t i = 0; i < SPLIT; i++) {
        struct cst_region half = nth(i);

        half.size = half.pitch = 16;
        (void)name(data, 0, half);
    }
    ok(data->retired_count == SPLIT, "what is split in use stays aside");
    for (size_t i = SPLIT; i < 10 * SPLIT; i++)
        (void)name(data, 0, nth(i));
    cst_data_check(data);
    ok(data->retired_count == SPLIT, "as long as it is in use");
    for (size_t i = 0; i < SPLIT; i += 2)
        leave(&holds[i]);
    for (size_t i = 10 * SPLIT; i < 11 * SPLIT; i++)
        (void)name(data, 0, nth(i));
    cst_data_check(data);
    ok(data->retired_count == SPLIT / 2, "what is idle then goes: %d are left",
       (int)data->retired_count);
    for (size_t i = 1; i < SPLIT; i += 2)
        leave(&holds[i]);
    for (size_t i = 11 * SPLIT; i < 12 * SPLIT; i++)
        (void)name(data, 0, nth(i));
    cst_data_check(data);
    ok(data->retired_count == 0, "all of it in the end");
    cst_data_destroy(data);
}

int main(void)
{
    test_few();
    test_all_new();
    test_in_use();
    test_used_again();
    test_split();
    return tap_done();
}
