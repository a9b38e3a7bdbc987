/*
 * exit() in a body fails that body and ends nothing else. This program is
 * linked as castellcc and castell.pc say, so that calls of exit() are ours.
 */
#include "api/program.h"

#include <stdlib.h>
#include <string.h>

static atomic_int runs;
static long value;

static int exit_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&runs, 1);
    exit(7);
}

static int count_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&runs, 1);
    return 0;
}

static struct castell_kind exit_kind = {
    .name = "exit", .body = exit_body, .on_failure = CASTELL_IGNORE};
static struct castell_kind careful_kind = {.name = "careful",
                                           .body = exit_body,
                                           .retries = 2,
                                           .on_failure = CASTELL_IGNORE};
static struct castell_kind isolated_kind = {.name = "isolated",
                                            .body = exit_body,
                                            .flags = CASTELL_ISOLATED,
                                            .on_failure = CASTELL_IGNORE};
static struct castell_kind wide_kind = {.name = "wide",
                                        .body = exit_body,
                                        .constraint = {.cores = 2},
                                        .on_failure = CASTELL_IGNORE};
static struct castell_kind count_kind = {.name = "count", .body = count_body};

static void submit_on(const long *on, struct castell_kind *kind,
                      bool undeferred,
                      const struct castell_constraint *constraint)
{
    struct castell_access access = ACCESS(INOUT, *on);
    struct castell_submission submission = {
        .kind = kind,
        .accesses = &access,
        .accesses_count = 1,
        .undeferred = undeferred,
        .constraint = constraint,
    };

    GO(castell_task_submit(&submission, NULL));
}

static void submit_with(struct castell_kind *kind, bool undeferred,
                        const struct castell_constraint *constraint)
{
    submit_on(&value, kind, undeferred, constraint);
}

static void test_exit(struct castell_kind *kind, uint32_t cores, int wanted)
{
    struct castell_counters counters;
    bool said;

    start(cores);
    atomic_store(&runs, 0);
    catch_begin();
    for (int i = 0; i < 10; i++) {
        submit_with(kind, false, NULL);
        submit_with(&count_kind, false, NULL);
    }
    GO(castell_barrier());
    said = has_words(catch_end(), "exit(7)");
    castell_counters(&counters);
    ok(said && atomic_load(&runs) == 10 + wanted && counters.failed == 10 &&
           counters.running == 0,
       "%s: exit() fails the body, and the next task runs, %u executors: %d "
       "runs, %d failed, %d running",
       kind->name, cores, atomic_load(&runs), (int)counters.failed,
       (int)counters.running);
    stop();
}

/* ---- in bodies on top of one another -------------------------------------- */

static atomic_int outer_done;

static int outer_body(void *const *buffers, const void *argument)
{
    long own = 0; /* others of these bodies run beside this one */

    (void)buffers;
    (void)argument;
    submit(&exit_kind, NULL, 0, NULL, 0);
    submit(&careful_kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
    submit_on(&own, &exit_kind, true, NULL);
    submit_on(&own, &careful_kind, true, NULL);
    atomic_fetch_add(&outer_done, 1);
    return 0;
}

/* Leaves children behind. */
static int leaving_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    GO(castell_group_begin("left open"));
    for (int i = 0; i < 5; i++)
        submit(&count_kind, NULL, 0, NULL, 0);
    exit(8);
}

static struct castell_kind outer_kind = {.name = "outer", .body = outer_body};
static struct castell_kind leaving_kind = {
    .name = "leaving", .body = leaving_body, .on_failure = CASTELL_IGNORE};

static void test_nested(uint32_t cores)
{
    struct castell_counters counters;

    start(cores);
    atomic_store(&outer_done, 0);
    catch_begin();
    for (int i = 0; i < 10; i++)
        submit(&outer_kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
    (void)catch_end();
    castell_counters(&counters);
    ok(atomic_load(&outer_done) == 10 && counters.failed == 40 &&
           counters.running == 0,
       "bodies under one that calls exit() go on, %u executors", cores);
    stop();
}

static void test_leaving(uint32_t cores)
{
    long seven = 7;

    (void)seven;
    start(cores);
    atomic_store(&runs, 0);
    catch_begin();
    for (int i = 0; i < 10; i++)
        submit(&leaving_kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
    (void)catch_end();
    ok(atomic_load(&runs) == 50, "its children run: %d of 50, %u executors",
       atomic_load(&runs), cores);
    /* Were the group still open here, this would cancel what follows. */
    GO(castell_group_cancel("left open"));
    submit(&count_kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
    ok(atomic_load(&runs) == 51, "the groups that it left open are closed");
    stop();
}

/* ---- undeferred, in main; with several cores -------------------------------- */

static void test_main(void)
{
    struct castell_constraint two = {.cores = 2};

    start(2);
    atomic_store(&runs, 0);
    catch_begin();
    submit_with(&exit_kind, true, NULL);
    submit_with(&exit_kind, true, &two);
    submit_with(&exit_kind, false, &two);
    submit_with(&wide_kind, true, NULL);
    for (int i = 0; i < 10; i++)
        submit_with(&count_kind, false, &two);
    GO(castell_barrier());
    (void)catch_end();
    ok(atomic_load(&runs) == 14,
       "undeferred in main, and with several cores: %d of 14 ran",
       atomic_load(&runs));
    stop();
}

int main(void)
{
    for (uint32_t cores = 1; cores <= 3; cores++) {
        test_exit(&exit_kind, cores, 10);
        test_exit(&careful_kind, cores, 30);
        if (cores == 1 || may_fork())
            test_exit(&isolated_kind, cores, 0);
        test_nested(cores);
        test_leaving(cores);
    }
    test_exit(&wide_kind, 2, 10);
    test_main();
    return tap_done();
}
