/*
 * Random mixes of everything, from several threads, with seven executors; for
 * seconds, and mostly for the sanitizers. SEED repeats one.
 */
#include "api/program.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS = 3, REGIONS = 24, BATCH = 60, EXECUTORS = 7, SECONDS = 3 };

/* What one thread works on; `model` is what the values must be. */
struct party {
    uint64_t random;
    long values[REGIONS];
    long model[REGIONS];
    atomic_long tasks; /* that its bodies submitted */
    long wrong;
};

static atomic_bool over;

static uint32_t draw(struct party *party, uint32_t below)
{
    party->random = party->random * UINT64_C(6364136223846793005) +
                    UINT64_C(1442695040888963407);
    return (uint32_t)(party->random >> 33) % below;
}

static long mix(long old, long add)
{
    return (long)(((uint64_t)old * 31 + (uint64_t)add) % 1000003);
}

static int mix_body(void *const *buffers, const void *argument)
{
    long add;

    memcpy(&add, argument, sizeof(add));
    *(long *)buffers[0] = mix(*(long *)buffers[0], add);
    return 0;
}

static int mix_again_body(void *const *buffers, const void *argument)
{
    (void)mix_body(buffers, argument);
    return castell_task_attempt() < 2;
}

static int add_body(void *const *buffers, const void *argument)
{
    (void)argument;
    *(long *)buffers[0] += 1;
    return 0;
}

static int fail_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return 1;
}

static void zero(void *into, size_t count)
{
    memset(into, 0, count * sizeof(long));
}

static void sum(void *into, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((long *)into)[i] += ((const long *)from)[i];
}

static const struct castell_reduction plus = {sizeof(long), zero, sum};

static struct castell_kind mix_kind = {.name = "mix", .body = mix_body};
static struct castell_kind again_kind = {
    .name = "again", .body = mix_again_body, .retries = 1};
static struct castell_kind add_kind = {.name = "add", .body = add_body};
static struct castell_kind fail_kind = {
    .name = "fail", .body = fail_body, .on_failure = CASTELL_IGNORE};

struct nest {
    struct party *party;
    int children;
    int depth;
};

static int nest_body(void *const *buffers, const void *argument);
static struct castell_kind nest_kind = {.name = "nest", .body = nest_body};

static int nest_body(void *const *buffers, const void *argument)
{
    struct nest nest;
    long *into = buffers[0];

    memcpy(&nest, argument, sizeof(nest));
    for (int i = 0; i < nest.children; i++) {
        SUBMIT(mix_kind, (long){i}, ELEMENTS(INOUT, into, (size_t)1));
        atomic_fetch_add(&nest.party->tasks, 1);
    }
    if (nest.depth-- > 0)
        SUBMIT(nest_kind, nest, ELEMENTS(INOUT, into, (size_t)1));
    if (nest.children % 2)
        GO(castell_barrier());
    return 0;
}

static long nest_model(long value, int children, int depth)
{
    for (; depth >= 0; depth--)
        for (int i = 0; i < children; i++)
            value = mix(value, i);
    return value;
}

/* ---- one step -------------------------------------------------------------- */

static void submit_mix(struct party *party, uint32_t at)
{
    struct castell_access access =
        ELEMENTS(INOUT, party->values + at, (size_t)1);
    long add = (long)draw(party, 1000);
    struct castell_constraint constraint = {
        .cores = draw(party, 8) == 0 ? 2 + draw(party, 2) : 1,
        .memory = draw(party, 4) == 0 ? draw(party, 900) : 0};
    struct castell_submission submission = {
        .kind = draw(party, 4) ? &mix_kind : &again_kind,
        .argument = &add,
        .argument_size = sizeof(add),
        .accesses = &access,
        .accesses_count = 1,
        .constraint = draw(party, 3) == 0 ? &constraint : NULL,
        .priority = draw(party, 5) == 0 ? (int)draw(party, 20) - 10 : 0,
        .undeferred = draw(party, 16) == 0,
        .final = draw(party, 16) == 0,
    };

    GO(castell_task_submit(&submission, NULL));
    party->model[at] = mix(party->model[at], add);
}

static void submit_several(struct party *party, uint32_t at)
{
    struct nest nest = {party, (int)draw(party, 5), (int)draw(party, 3)};

    switch (draw(party, 4)) {
    case 0:
        for (int i = 0; i < 4; i++)
            SUBMIT_PLAIN(add_kind, {.base = party->values + at,
                                    .size = sizeof(long),
                                    .mode = CASTELL_REDUCTION,
                                    .reduction = &plus});
        party->model[at] += 4;
        break;
    case 1:
        for (int i = 0; i < 4; i++)
            SUBMIT_PLAIN(add_kind,
                         ELEMENTS(COMMUTATIVE, party->values + at, (size_t)1));
        party->model[at] += 4;
        break;
    case 2:
        SUBMIT(nest_kind, nest, ELEMENTS(INOUT, party->values + at, (size_t)1));
        party->model[at] =
            nest_model(party->model[at], nest.children, nest.depth);
        break;
    default:
        SUBMIT_PLAIN(fail_kind,
                     ELEMENTS(IN, party->values, (size_t)draw(party, 20) + 1));
        break;
    }
}

static void check(struct party *party)
{
    struct castell_access some = ELEMENTS(
        IN, party->values + draw(party, REGIONS / 2), (size_t)REGIONS / 2);
    struct castell_access all = ACCESS(IN, party->values);

    GO(castell_wait_on(&some, 1));
    GO(castell_wait_on(&all, 1));
    if (draw(party, 3) == 0)
        GO(castell_barrier());
    party->wrong +=
        memcmp(party->values, party->model, sizeof(party->values)) != 0;
}

static void work(struct party *party)
{
    bool grouped = draw(party, 2) == 0;
    void *block = castell_alloc(sizeof(long) + draw(party, 5000));

    NEED(block != NULL, "no memory");
    *(long *)block = 0;
    SUBMIT_PLAIN(add_kind,
                 {.base = block, .size = sizeof(long), .mode = CASTELL_INOUT});
    if (grouped)
        GO(castell_group_begin("some"));
    for (int i = 0; i < BATCH; i++) {
        if (draw(party, 3))
            submit_mix(party, draw(party, REGIONS));
        else
            submit_several(party, draw(party, REGIONS));
    }
    if (grouped) {
        GO(castell_group_end());
        GO(castell_group_wait("some"));
    }
    castell_free(block);
    check(party);
}

static void *attend(void *argument)
{
    while (!atomic_load(&over))
        work(argument);
    return argument;
}

static void run_parties(uint64_t seed)
{
    static struct party parties[THREADS + 1];
    pthread_t threads[THREADS];
    struct timespec begin;
    struct timespec now;
    struct castell_counters counters;
    long wrong = 0;

    memset(parties, 0, sizeof(parties));
    for (uint64_t i = 0; i <= THREADS; i++)
        parties[i].random = seed * 977 + i;
    for (int i = 0; i < THREADS; i++)
        NEED(pthread_create(&threads[i], NULL, attend, &parties[i]) == 0,
             "no thread");
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        work(&parties[THREADS]);
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - begin.tv_sec < SECONDS);
    atomic_store(&over, true);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    GO(castell_barrier());
    for (int i = 0; i <= THREADS; i++)
        wrong += parties[i].wrong;
    castell_counters(&counters);
    ok(wrong == 0 && counters.finished == counters.submitted,
       "%llu tasks of %d threads: as in sequence (SEED=%llu)",
       (unsigned long long)counters.submitted, THREADS + 1,
       (unsigned long long)seed);
}

int main(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    GO(castell_start_with(&(struct castell_options){
        .cores = EXECUTORS, .memory = 1000, .tasks_max = 500}));
    catch_begin();
    run_parties(seed);
    (void)catch_end();
    stop();
    return tap_done();
}
