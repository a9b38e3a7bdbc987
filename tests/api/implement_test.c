/*
 * Several bodies for one kind: the one that takes less time is found by
 * measuring, and one that is not for this node never runs.
 */
#include "api/program.h"

#include <string.h>
#include <time.h>

enum { CALLS = 150, MICROSECOND = 1000 };

static atomic_int runs[3];
static atomic_bool spike;

static void busy(uint64_t ns)
{
    struct timespec begin;
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    while ((uint64_t)(now.tv_sec - begin.tv_sec) * 1000000000 +
               (uint64_t)now.tv_nsec <
           (uint64_t)begin.tv_nsec + ns);
}

static int slow_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&runs[0], 1);
    busy(400 * MICROSECOND);
    return 0;
}

static int fast_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&runs[1], 1);
    busy(atomic_exchange(&spike, false) ? 20000 * MICROSECOND
                                        : 20 * MICROSECOND);
    return 0;
}

static int never_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&runs[2], 1);
    return 0;
}

static struct castell_kind kind = {.name = "either", .body = slow_body};
static const struct castell_implementation fast = {.name = "fast",
                                                   .body = fast_body};
static const struct castell_implementation never = {
    .name = "never", .body = never_body, .constraint = {.arch = "vax"}};

static void call(int count)
{
    for (int i = 0; i < count; i++)
        submit(&kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
}

static void forget(void)
{
    for (int i = 0; i < 3; i++)
        atomic_store(&runs[i], 0);
}

static void test_choice(void)
{
    start(1);
    call(20); /* explored */
    forget();
    call(CALLS);
    ok(atomic_load(&runs[1]) >= CALLS * 9 / 10,
       "the faster body is chosen: %d of %d", atomic_load(&runs[1]), CALLS);
    atomic_store(&spike, true);
    call(5);
    forget();
    call(CALLS);
    ok(atomic_load(&runs[1]) >= CALLS * 9 / 10,
       "one slow run changes nothing: %d of %d", atomic_load(&runs[1]), CALLS);
    ok(atomic_load(&runs[2]) == 0,
       "a body that is not for this node never runs");
    stop();
}

/* A kind of which one body alone is for this node. */
static struct castell_kind bare = {.name = "bare"};
static const struct castell_implementation only = {.name = "only",
                                                   .body = fast_body};

static void test_only(void)
{
    struct castell_submission submission = {.kind = &bare};

    start(2);
    ok(failed_with(castell_task_submit(&submission, NULL), CASTELL_ERR_INVALID,
                   "bare body"),
       "a kind without a body is refused");
    GO(castell_kind_implement("bare", &never));
    ok(failed_with(castell_task_submit(&submission, NULL),
                   CASTELL_ERR_UNSATISFIABLE, "bare arch=vax"),
       "and where its only body is not for this node");
    GO(castell_kind_implement("bare", &only));
    forget();
    for (int i = 0; i < 20; i++)
        GO(castell_task_submit(&submission, NULL));
    GO(castell_barrier());
    ok(atomic_load(&runs[1]) == 20 && atomic_load(&runs[2]) == 0,
       "a body registered while the run goes on is used");
    stop();
    start(2);
    GO(castell_task_submit(&submission, NULL));
    GO(castell_barrier());
    ok(atomic_load(&runs[1]) == 21, "and in the next run");
    stop();
}

static struct castell_kind growing = {.name = "growing", .body = fast_body};
static const struct castell_implementation more[8] = {
    {.name = "1", .body = fast_body}, {.name = "2", .body = fast_body},
    {.name = "3", .body = fast_body}, {.name = "4", .body = fast_body},
    {.name = "5", .body = fast_body}, {.name = "6", .body = fast_body},
    {.name = "7", .body = fast_body}, {.name = "8", .body = fast_body}};

/* Registering beside running tasks, up to the limit. */
static void test_growing(void)
{
    enum castell_status last = CASTELL_OK;

    start(3);
    forget();
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 20; j++)
            submit(&growing, NULL, 0, NULL, 0);
        last = castell_kind_implement("growing", &more[i]);
        if (i < 7)
            GO(last);
    }
    ok(failed_with(last, CASTELL_ERR_LIMIT, "growing 8 implementations"),
       "the ninth body is refused");
    GO(castell_barrier());
    ok(atomic_load(&runs[1]) == 160, "all ran: %d of 160",
       atomic_load(&runs[1]));
    stop();
}

int main(void)
{
    GO(castell_kind_implement("either", &fast)); /* as a constructor would */
    GO(castell_kind_implement("either", &never));
    test_choice();
    test_only();
    test_growing();
    return tap_done();
}
