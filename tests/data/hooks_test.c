/*
 * What an owner hears of fragments that it gave numbers: each number that was
 * given is heard of once more when its fragment's memory is reused, pieces come
 * from fragments that had a number or were in use, what may not be forgotten is
 * not, and a fragment without a number is none of the owner's business.
 */
#include "data/data.h"
#include "data/random.h"
#include "graph/task.h"
#include "harness/tap.h"

#include <stdlib.h>

enum { ARENA = 256, BASE = 4096, NUMBERS_MAX = 1 << 18 };

struct owner {
    uint32_t given;
    uint32_t alive;
    uint32_t pieces;
    uint32_t reserved;
    uint32_t refused; /* times that may_forget() said no */
    bool wrong;
    bool keep; /* may nothing be forgotten? */
    enum castell_status status;
    struct cst_fragment **of; /* by number */
};

static void number(struct owner *owner, struct cst_fragment *fragment)
{
    uint32_t *user = cst_data_user(fragment);

    if (*user != 0 || owner->given + 1 >= NUMBERS_MAX)
        return;
    *user = ++owner->given;
    owner->of[*user] = fragment;
    owner->alive++;
}

static enum castell_status reserve(void *context, size_t pieces)
{
    struct owner *owner = context;

    owner->reserved = (uint32_t)pieces;
    return owner->status;
}

static void split(void *context, struct cst_fragment *old,
                  struct cst_fragment *piece)
{
    struct owner *owner = context;

    owner->wrong = owner->wrong || owner->reserved == 0 ||
                   *cst_data_user(piece) != 0 ||
                   !cst_region_includes(&old->region, &piece->region) ||
                   (*cst_data_user(old) == 0 && cst_place_idle(&old->place));
    owner->reserved--;
    owner->pieces++;
    number(owner, piece);
}

static bool may_forget(void *context, struct cst_fragment *fragment)
{
    struct owner *owner = context;

    owner->wrong = owner->wrong || *cst_data_user(fragment) == 0;
    owner->refused += owner->keep;
    return !owner->keep;
}

static void forgotten(void *context, struct cst_fragment *fragment)
{
    struct owner *owner = context;
    uint32_t user = *cst_data_user(fragment);

    owner->wrong = owner->wrong || user == 0 || owner->of[user] != fragment;
    owner->of[user] = NULL;
    owner->alive--;
}

static const struct cst_data_hooks hooks = {
    .domain = 0,
    .reserve = reserve,
    .split = split,
    .may_forget = may_forget,
    .forgotten = forgotten,
};

static struct cst_data *start(struct owner *owner)
{
    struct cst_data *data = NULL;

    *owner = (struct owner){.of = calloc(NUMBERS_MAX, sizeof(owner->of[0]))};
    if (!owner->of || cst_data_create(&data) != CASTELL_OK)
        tap_bail("no memory");
    cst_data_set_hooks(data, &hooks, owner);
    return data;
}

static size_t name(struct cst_data *data, uint64_t domain,
                   const struct cst_region *region,
                   struct cst_fragment *const **ret_fragments)
{
    size_t count = 0;

    if (cst_data_resolve(data, domain, region, ret_fragments, &count) !=
        CASTELL_OK)
        return 0;
    return count;
}

static void test_random(uint64_t seed, bool keep)
{
    struct cst_fragment *const *fragments;
    uint64_t state = random_start(seed);
    struct owner owner;
    struct cst_data *data = start(&owner);

    owner.keep = keep;
    for (int step = 0; step < 20000 && !owner.wrong; step++) {
        struct cst_region region = random_region(&state, BASE, ARENA);
        size_t count = name(data, 0, &region, &fragments);

        for (size_t i = 0; i < count; i++)
            number(&owner, fragments[i]);
        if (step % 16 == 0)
            (void)cst_data_forget(data, 0, &region);
        if (step % 64 == 0)
            cst_data_check(data);
    }
    ok(!owner.wrong, "what the owner hears is right (seed %d)", (int)seed);
    ok(!keep || owner.refused > 0, "and it is asked");
    ok(owner.pieces > 100, "of pieces too: %u", owner.pieces);
    cst_data_drop_domain(data, 0);
    ok(owner.alive == 0, "each number is heard of when it goes");
    cst_data_destroy(data);
    free(owner.of);
}

static void test_others(void)
{
    struct cst_region left = {BASE, 20, 1, 20};
    struct cst_region right = {BASE + 10, 20, 1, 20};
    struct cst_fragment *const *fragments;
    struct cst_hold hold = {.epoch = CST_EPOCH_READ, .reads = true};
    struct cst_task_list ready = {NULL, NULL};
    struct owner owner;
    struct cst_data *data = start(&owner);

    (void)name(data, 0, &left, &fragments);
    (void)name(data, 0, &right, &fragments);
    (void)name(data, 1, &left, &fragments);
    number(&owner, fragments[0]);
    (void)name(data, 1, &right, &fragments);
    ok(owner.pieces == 0,
       "no word of idle ones without a number, or elsewhere");
    must(name(data, 0, &left, &fragments) == 2, "two pieces");
    hold.place = &fragments[0]->place;
    (void)cst_place_join(hold.place, &hold);
    right = (struct cst_region){BASE + 5, 3, 1, 3};
    owner.status = CASTELL_ERR_NO_MEMORY;
    ok(name(data, 0, &right, &fragments) == 0, "where the owner has no memory");
    cst_data_check(data);
    ok(owner.pieces == 0, "nothing is split");
    owner.status = CASTELL_OK;
    ok(name(data, 0, &right, &fragments) == 1 && owner.pieces == 3,
       "where it has, one in use is, with a word");
    cst_place_leave(hold.place, &hold, false, &ready);
    cst_data_check(data);
    cst_data_destroy(data);
    free(owner.of);
}

int main(void)
{
    test_others();
    for (uint64_t seed = 1; seed <= 4; seed++)
        test_random(seed, seed % 2 == 0);
    return tap_done();
}
