/*
 * A desk between two threads: news arrive in order and none twice, also when
 * the ring was full; each task is taken once, whoever takes; who sleeps is
 * woken; and a seat is one thread's, claimed or not.
 */
#include "desk/desk.h"
#include "harness/tap.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>

enum { NEWS = 200000, TASKS = 200000, ROUNDS = 100000, SEATS = 20000 };

static struct cst_desk desk;
static atomic_int wrong;

/* Only addresses matter here, and that their low bits are free. */
static struct cst_task *task_of(uint64_t number)
{
    uintptr_t address = number * (CST_NEWS_MASK + 1);

    return (struct cst_task *)address; /* NOLINT(performance-no-int-to-ptr) */
}

static uint64_t number_of(uintptr_t news)
{
    return news / (CST_NEWS_MASK + 1);
}

static pthread_t start(void *(*run)(void *argument), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, argument) != 0)
        tap_bail("no thread");
    return thread;
}

/* Positions grow for ever: they pass the end of their type as well. */
static void init_late(void)
{
    const uint32_t late = UINT32_MAX - 100;

    cst_desk_init(&desk, 3);
    desk.news_head_seen = late;
    atomic_store(&desk.news_head, late);
    atomic_store(&desk.news_tail, late);
    atomic_store(&desk.work_head, late);
    atomic_store(&desk.work_tail, late);
    atomic_store(&wrong, 0);
}

/* ---- news ---------------------------------------------------------------- */

/* As who holds the baton does: read up to `most`. Returns how many. */
static uint32_t hear(uint64_t *number, uint32_t most)
{
    uint32_t head = atomic_load_explicit(&desk.news_head, memory_order_relaxed);
    uint32_t count =
        atomic_load_explicit(&desk.news_tail, memory_order_acquire) - head;

    if (count > most)
        count = most;
    for (uint32_t i = 0; i < count; i++) {
        uintptr_t news = atomic_load_explicit(
            &desk.news[(head + i) % CST_NEWS_MAX], memory_order_relaxed);

        (*number)++;
        if (number_of(news) != *number ||
            (news & CST_NEWS_MASK) != *number % (CST_NEWS_REFUSED + 1))
            atomic_fetch_add(&wrong, 1);
    }
    atomic_store_explicit(&desk.news_head, head + count, memory_order_release);
    return count;
}

static bool tell(uint64_t number)
{
    return cst_desk_tell(&desk,
                         (enum cst_news)(number % (CST_NEWS_REFUSED + 1)),
                         task_of(number));
}

static void test_full(void)
{
    uint64_t told = 0;
    uint64_t heard = 0;

    init_late();
    ok(!cst_desk_has_news(&desk), "no news at first");
    while (told < 2 * CST_NEWS_MAX && tell(told + 1))
        told++;
    ok(told == CST_NEWS_MAX && desk.since_poke == CST_NEWS_MAX,
       "a ring has room for %d: %d", CST_NEWS_MAX, (int)told);
    ok(cst_desk_has_news(&desk) && hear(&heard, 3) == 3, "three are heard");
    while (told < 2 * CST_NEWS_MAX && tell(told + 1))
        told++;
    ok(told == CST_NEWS_MAX + 3, "then three more fit");
    while (hear(&heard, 100) > 0)
        continue;
    ok(heard == told && atomic_load(&wrong) == 0 && !cst_desk_has_news(&desk),
       "all are heard, in order, and what they say");
}

static void *tell_all(void *argument)
{
    for (uint64_t told = 1; told <= NEWS; told++)
        while (!tell(told))
            (void)sched_yield();
    return argument;
}

static void test_news(void)
{
    uint64_t heard = 0;
    pthread_t teller;

    init_late();
    teller = start(tell_all, NULL);
    while (heard < NEWS)
        if (hear(&heard, 256) == 0)
            (void)sched_yield();
    (void)pthread_join(teller, NULL);
    ok(atomic_load(&wrong) == 0 && !cst_desk_has_news(&desk),
       "%d news from one thread to another, in order", NEWS);
}

/* ---- work ---------------------------------------------------------------- */

static atomic_uint taken[TASKS + 1];
static atomic_uint taken_count;
static atomic_uint takers_at_work;

/* The desk's own thread, or one that has run out of work. */
static void *take_all(void *argument)
{
    uint64_t *count = argument;
    uint64_t last = 0;

    while (atomic_load(&taken_count) < TASKS) {
        struct cst_task *task = cst_desk_take(&desk);
        uint64_t number = number_of((uintptr_t)task);

        if (!task) {
            (void)sched_yield();
            continue;
        }
        if (number <= last) /* the oldest first */
            atomic_fetch_add(&wrong, 1);
        last = number;
        atomic_fetch_add(&taken[number], 1);
        atomic_fetch_add(&taken_count, 1);
        if ((*count)++ > 0)
            continue;
        /* Each is to have one, or nothing is seen. */
        atomic_fetch_add(&takers_at_work, 1);
        while (atomic_load(&takers_at_work) < 2)
            (void)sched_yield();
    }
    return NULL;
}

static void test_work(void)
{
    uint64_t counts[2] = {0, 0};
    pthread_t takers[2];
    int lost = 0;

    init_late();
    ok(!cst_desk_take(&desk) && cst_desk_work_count(&desk) == 0,
       "no work at first");
    for (int i = 0; i < 2; i++)
        takers[i] = start(take_all, &counts[i]);
    for (uint64_t put = 1; put <= TASKS;) {
        if (cst_desk_work_count(&desk) < CST_WORK_MAX)
            cst_desk_put(&desk, task_of(put++));
        else
            (void)sched_yield();
    }
    for (int i = 0; i < 2; i++)
        (void)pthread_join(takers[i], NULL);
    for (int i = 1; i <= TASKS; i++)
        lost += atomic_load(&taken[i]) != 1;
    ok(lost == 0 && atomic_load(&wrong) == 0,
       "%d tasks are taken once each, the oldest first", TASKS);
    ok(counts[0] > 0 && counts[1] > 0 && counts[0] + counts[1] == TASKS,
       "by the desk's thread and by another: %d and %d", (int)counts[0],
       (int)counts[1]);
}

/* ---- the bell ------------------------------------------------------------ */

static _Atomic(uint64_t) brought; /* things to do, so far */
static _Atomic(uint64_t) done;
static atomic_uint slept;

static void *sleep_for_each(void *argument)
{
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        while (atomic_load_explicit(&brought, memory_order_relaxed) < round) {
            cst_desk_doze(&desk, NULL);
            if (atomic_load_explicit(&brought, memory_order_relaxed) >= round) {
                cst_desk_rouse(&desk);
            } else {
                atomic_fetch_add(&slept, 1);
                cst_desk_sleep(&desk);
            }
        }
        atomic_store(&done, round);
    }
    return argument;
}

/* One that is lost hangs, and the program is ended from outside. */
static void test_bell(const char *who)
{
    pthread_t sleeper;
    bool fence = cst_desk_needs_fence();
    unsigned rung = 0;

    cst_desk_init(&desk, 0);
    atomic_store(&brought, 0);
    atomic_store(&done, 0);
    atomic_store(&slept, 0);
    sleeper = start(sleep_for_each, NULL);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (uint64_t i = 0; i < round % 64; i++) /* now sooner, now later */
            cst_pause();
        atomic_store_explicit(&brought, round, memory_order_relaxed);
        if (fence)
            atomic_thread_fence(memory_order_seq_cst);
        if (cst_desk_is_asleep(&desk)) {
            cst_desk_ring(&desk);
            rung++;
        }
        for (int spins = 0; atomic_load(&done) < round; spins++)
            if (spins > 1000)
                (void)sched_yield();
    }
    (void)pthread_join(sleeper, NULL);
    ok(atomic_load(&done) == ROUNDS, "%d times woken in time, %s", ROUNDS, who);
    ok(rung > 0 && atomic_load(&slept) > 0, "of them %u asleep, %u rung",
       atomic_load(&slept), rung);
    ok(!cst_desk_is_asleep(&desk), "and awake in the end");
}

static void test_overslept(void)
{
    _Atomic(uint64_t) word = 4;
    struct cst_wait wait = {&word, 5};

    cst_desk_init(&desk, 0);
    cst_desk_ring(&desk); /* nobody sleeps: that is fine */
    ok(!cst_desk_overslept(&desk), "who is awake does not oversleep");
    cst_desk_doze(&desk, &wait);
    ok(cst_desk_is_asleep(&desk) && !cst_desk_overslept(&desk),
       "nor who sleeps until his wait is over");
    atomic_store(&word, 5);
    ok(cst_desk_overslept(&desk), "but then he does");
    cst_desk_rouse(&desk);
    ok(!cst_desk_is_asleep(&desk) && !cst_desk_overslept(&desk),
       "unless he gets up");
    cst_desk_doze(&desk, NULL);
    ok(!cst_desk_overslept(&desk), "who waits for work only never does");
    cst_desk_ring(&desk);
    cst_desk_sleep(&desk);
    ok(!cst_desk_is_asleep(&desk), "who was rung since does not fall asleep");
}

/* ---- seats and claims ---------------------------------------------------- */

static uint32_t serves(void)
{
    return atomic_load(&desk.serves);
}

/* As the engine makes a claim, and as its leader ends it. */
static void make_claim(void *claim)
{
    atomic_fetch_or(&desk.serves, CST_CLAIMED);
    atomic_store(&desk.claim, claim);
}

static void end_claim(void)
{
    atomic_store(&desk.claim, NULL);
    atomic_fetch_and(&desk.serves, ~(uint32_t)CST_CLAIMED);
}

static void test_seat(void)
{
    int some;
    void *claim = &some;

    cst_desk_init(&desk, 0);
    ok(cst_desk_sit(&desk, CST_SERVES) && serves() == CST_SERVES,
       "a free seat can be taken");
    ok(!cst_desk_sit(&desk, CST_SERVES) && !cst_desk_sit(&desk, CST_HELPS) &&
           serves() == CST_SERVES,
       "one that is taken cannot");
    ok(!cst_desk_leave(&desk) && serves() == CST_AWAY, "and left");
    ok(cst_desk_sit(&desk, CST_HELPS) && serves() == CST_HELPS &&
           !cst_desk_leave(&desk) && serves() == CST_AWAY,
       "to help as well");
    atomic_fetch_or(&desk.serves, CST_CLAIMED);
    ok(!cst_desk_sit(&desk, CST_SERVES) && serves() == CST_CLAIMED,
       "a seat whose core is claimed cannot be taken");
    end_claim();
    ok(cst_desk_sit(&desk, CST_SERVES), "until the claim ends");
    make_claim(claim);
    ok(cst_desk_leave(&desk) == claim && serves() == CST_CLAIMED &&
           !atomic_load(&desk.claim),
       "who leaves a claimed seat is told the claim, once");
    end_claim();
    ok(serves() == CST_AWAY, "then nobody is there");
}

static void *claim_late(void *argument)
{
    for (int i = 0; i < 1000; i++)
        (void)sched_yield();
    if (argument)
        atomic_store(&desk.claim, argument);
    else
        end_claim();
    return NULL;
}

static void test_claim_in_the_making(void)
{
    int some;
    void *claim = &some;
    pthread_t other;

    cst_desk_init(&desk, 0);
    must(cst_desk_sit(&desk, CST_SERVES), "sit");
    atomic_fetch_or(&desk.serves, CST_CLAIMED);
    other = start(claim_late, claim);
    ok(cst_desk_leave(&desk) == claim, "a claim that is being made is awaited");
    (void)pthread_join(other, NULL);
    end_claim();
    must(cst_desk_sit(&desk, CST_HELPS), "sit again");
    atomic_fetch_or(&desk.serves, CST_CLAIMED);
    other = start(claim_late, NULL);
    ok(!cst_desk_leave(&desk) && serves() == CST_AWAY,
       "so is the end of one that has just ended");
    (void)pthread_join(other, NULL);
}

static atomic_int sitting;

static void *sit_and_leave(void *argument)
{
    int *got = argument;

    for (int i = 0; i < SEATS; i++) {
        if (!cst_desk_sit(&desk, i % 2 ? CST_SERVES : CST_HELPS)) {
            (void)sched_yield();
            continue;
        }
        if (atomic_fetch_add(&sitting, 1) != 0)
            atomic_fetch_add(&wrong, 1);
        (*got)++;
        atomic_fetch_sub(&sitting, 1);
        if (cst_desk_leave(&desk))
            atomic_fetch_add(&wrong, 1);
    }
    return NULL;
}

static void test_one_sits(void)
{
    int got[2] = {0, 0};
    pthread_t threads[2];

    cst_desk_init(&desk, 0);
    atomic_store(&wrong, 0);
    for (int i = 0; i < 2; i++)
        threads[i] = start(sit_and_leave, &got[i]);
    for (int i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    ok(atomic_load(&wrong) == 0 && serves() == CST_AWAY,
       "of two threads one sits at a time: %d and %d times", got[0], got[1]);
}

int main(void)
{
    test_full();
    test_news();
    test_work();
    test_bell("the teller makes a fence");
    cst_desk_setup();
    if (cst_desk_needs_fence())
        tap_skip("a sleeper that makes the fences", "no membarrier()");
    else
        test_bell("the sleeper makes fences for both");
    test_overslept();
    test_seat();
    test_claim_in_the_making();
    test_one_sits();
    return tap_done();
}
