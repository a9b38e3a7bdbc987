/*
 * Bodies that fail: the four policies, retries, and what becomes of others.
 */
#include "api/program.h"

#include <string.h>

enum { SIZE = 16 };

static atomic_int runs;
static atomic_int attempts_seen;
static long data[SIZE];
static long other;

static int fail_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&runs, 1);
    return 3;
}

static int count_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&runs, 1);
    return 0;
}

static struct castell_kind fatal_kind = {.name = "fatal",
                                         .label = "the fatal one",
                                         .where = "kind.c:7",
                                         .body = fail_body};
static struct castell_kind ignored_kind = {
    .name = "ignored", .body = fail_body, .on_failure = CASTELL_IGNORE};
static struct castell_kind cancelling_kind = {.name = "cancelling",
                                              .where = "kind.c:9",
                                              .body = fail_body,
                                              .on_failure =
                                                  CASTELL_CANCEL_SUCCESSORS};
static struct castell_kind count_kind = {.name = "count", .body = count_body};

/* ---- fail: the run ends --------------------------------------------------- */

/* Unless the run has failed by now. */
static void submit_successor(void)
{
    struct castell_access access = ACCESS(INOUT, data);
    struct castell_submission submission = {
        .kind = &count_kind, .accesses = &access, .accesses_count = 1};
    enum castell_status status = castell_task_submit(&submission, NULL);

    NEED(status == CASTELL_OK || status == CASTELL_ERR_TASK_FAILED,
         "a successor was refused");
}

static void test_fail(uint32_t cores)
{
    struct castell_access region = ACCESS(IN, data);
    struct castell_submission more = {.kind = &count_kind};
    enum castell_status on;
    enum castell_status all;
    enum castell_status one;
    struct castell_task task;
    const char *said;
    int result;

    start(cores);
    atomic_store(&runs, 0);
    catch_begin();
    task = SUBMIT_PLAIN(fatal_kind, ACCESS(OUT, data));
    for (int i = 0; i < 50; i++)
        submit_successor();
    all = castell_barrier();
    said = catch_end();
    ok(has_words(said, "the fatal one kind.c:7 returned 3 run ends"),
       "what failed, and how, is said on standard error");
    ok(failed_with(all, CASTELL_ERR_TASK_FAILED, "the fatal one returned 3"),
       "the barrier fails, %u executors", cores);
    on = castell_wait_on(&region, 1);
    ok(failed_with(on, CASTELL_ERR_TASK_FAILED, "the fatal one"),
       "so does wait_on");
    one = castell_task_wait(task);
    ok(failed_with(one, CASTELL_ERR_TASK_FAILED, "the fatal one"),
       "so does task_wait");
    ok(failed_with(castell_task_submit(&more, NULL), CASTELL_ERR_TASK_FAILED,
                   "the fatal one"),
       "so does submitting");
    ok(atomic_load(&runs) == 1, "no further task has started: %d did",
       atomic_load(&runs) - 1);
    catch_begin();
    result = castell_stop();
    (void)catch_end();
    ok(result == 1, "castell_stop() returns 1");
}

static struct gate gate;

static int gated_fail_body(void *const *buffers, const void *argument)
{
    gate_pass(&gate);
    return fail_body(buffers, argument);
}

static struct castell_kind gated_kind = {.name = "gated",
                                         .body = gated_fail_body};

/* Independent tasks that lie on desks already, or are ready, do not start. */
static void test_nothing_starts(void)
{
    enum { MANY = 200 };

    start(1);
    gate_shut(&gate);
    atomic_store(&runs, 0);
    catch_begin();
    submit(&gated_kind, NULL, 0, NULL, 0);
    for (int i = 0; i < MANY; i++)
        submit(&count_kind, NULL, 0, NULL, 0);
    gate_open(&gate);
    ok(castell_barrier() == CASTELL_ERR_TASK_FAILED, "the run has failed");
    ok(atomic_load(&runs) == 1, "after it nothing starts: %d of %d did",
       atomic_load(&runs) - 1, MANY);
    (void)castell_stop();
    (void)catch_end();
}

/* ---- ignore --------------------------------------------------------------- */

static void test_ignore(void)
{
    struct castell_access region = ACCESS(IN, data);
    struct castell_task task;
    struct castell_counters counters;

    start(2);
    atomic_store(&runs, 0);
    catch_begin();
    task = SUBMIT_PLAIN(ignored_kind, ACCESS(OUT, data));
    SUBMIT_PLAIN(count_kind, ACCESS(IN, data));
    ok(castell_wait_on(&region, 1) == CASTELL_OK,
       "an ignored failure is as good as success to who waits for its data");
    ok(castell_barrier() == CASTELL_OK, "and for all");
    task = SUBMIT_PLAIN(ignored_kind, ACCESS(OUT, other));
    ok(failed_with(castell_task_wait(task), CASTELL_ERR_TASK_FAILED,
                   "failed ignored"),
       "but who waits for the task hears of it");
    (void)catch_end();
    castell_counters(&counters);
    ok(atomic_load(&runs) == 3 && counters.failed == 2,
       "its reader has run; both are counted");
    stop();
}

/* ---- cancel successors ----------------------------------------------------- */

static void test_cancel(uint32_t cores)
{
    struct castell_access all = ACCESS(IN, data);
    struct castell_access half = ELEMENTS(IN, data + SIZE / 2, (size_t)2);
    struct castell_access free_one = ACCESS(IN, other);
    struct castell_task reader;
    struct castell_task failed;
    struct castell_counters counters;

    start(cores);
    atomic_store(&runs, 0);
    catch_begin();
    failed = SUBMIT_PLAIN(cancelling_kind, ACCESS(INOUT, data));
    reader = SUBMIT_PLAIN(count_kind, ELEMENTS(IN, data, (size_t)1),
                          ACCESS(OUT, other));
    SUBMIT_PLAIN(count_kind, ACCESS(INOUT, other)); /* reads the reader's */
    ok(failed_with(castell_wait_on(&half, 1), CASTELL_ERR_CANCELLED,
                   "cancelling kind.c:9"),
       "wait_on says which task was to write it, %u executors", cores);
    (void)catch_end();
    ok(castell_barrier() == CASTELL_OK, "the run goes on");
    ok(atomic_load(&runs) == 1, "readers, and theirs, have not run");
    ok(failed_with(castell_task_wait(reader), CASTELL_ERR_CANCELLED, ""),
       "who waits for a cancelled task is told");
    ok(failed_with(castell_task_wait(failed), CASTELL_ERR_TASK_FAILED, ""),
       "and for the one that failed");
    castell_counters(&counters);
    ok(counters.failed == 1 && counters.cancelled == 2 &&
           counters.finished == 3,
       "one failed, two were cancelled, three finished");
    SUBMIT_PLAIN(count_kind, ACCESS(OUT, other));
    SUBMIT_PLAIN(count_kind, ACCESS(IN, other));
    ok(castell_wait_on(&free_one, 1) == CASTELL_OK &&
           castell_barrier() == CASTELL_OK && atomic_load(&runs) == 3,
       "what is overwritten is good again");
    ok(failed_with(castell_wait_on(&all, 1), CASTELL_ERR_CANCELLED, ""),
       "what is not is not");
    GO(castell_delete(&all, 1));
    ok(castell_wait_on(&all, 1) == CASTELL_OK, "and is forgotten by delete");
    ok(castell_stop() == 0, "the run itself has not failed");
}

/* A failed commutative task must not keep the others from trying. */
static void test_cancel_commutative(void)
{
    start(3);
    atomic_store(&runs, 0);
    catch_begin();
    for (int round = 0; round < 20; round++) {
        SUBMIT_PLAIN(cancelling_kind, ACCESS(COMMUTATIVE, data));
        for (int i = 0; i < 10; i++)
            SUBMIT_PLAIN(count_kind, ACCESS(COMMUTATIVE, data),
                         ACCESS(COMMUTATIVE, other));
        SUBMIT_PLAIN(count_kind, ACCESS(OUT, data));
        SUBMIT_PLAIN(count_kind, ACCESS(OUT, other));
        GO(castell_barrier());
    }
    (void)catch_end();
    ok(atomic_load(&runs) >= 60, "all turns of commutative tasks come");
    stop();
}

/* ---- retries ---------------------------------------------------------------- */

/* Spoils its data, and fails unless it is the wanted attempt. */
static int spoil_body(void *const *buffers, const void *argument)
{
    long *values = buffers[0];
    long wanted;

    memcpy(&wanted, argument, sizeof(wanted));
    atomic_fetch_add(&runs, 1);
    if ((uint32_t)atomic_fetch_add(&attempts_seen, 1) + 1 !=
        castell_task_attempt())
        return 9;
    for (int i = 0; i < SIZE; i++)
        values[i] = values[i] * 10 + 1;
    return (long)castell_task_attempt() != wanted;
}

static struct castell_kind retried_kind = {.name = "retried",
                                           .body = spoil_body,
                                           .retries = 3,
                                           .on_failure =
                                               CASTELL_CANCEL_SUCCESSORS};
static struct castell_kind retried_alone_kind = {.name = "retried_alone",
                                                 .body = spoil_body,
                                                 .retries = 3,
                                                 .flags = CASTELL_ISOLATED,
                                                 .on_failure =
                                                     CASTELL_CANCEL_SUCCESSORS};

static void test_retries(struct castell_kind *kind, const char *name)
{
    bool isolated = (kind->flags & CASTELL_ISOLATED) != 0;
    struct castell_counters counters;
    long wanted = isolated ? 1 : 3;
    bool right = true;

    start(isolated && !may_fork() ? 1 : 2);
    atomic_store(&runs, 0);
    atomic_store(&attempts_seen, 0);
    for (int i = 0; i < SIZE; i++)
        data[i] = i;
    SUBMIT(*kind, wanted, ACCESS(INOUT, data));
    GO(castell_barrier());
    for (int i = 0; i < SIZE; i++)
        right = right && data[i] == i * 10 + 1;
    castell_counters(&counters);
    ok(right && counters.retried == (uint64_t)wanted - 1 &&
           counters.failed == 0,
       "%s: each attempt finds the data as they were: %llu retries", name,
       (unsigned long long)counters.retried);
    atomic_store(&attempts_seen, 0);
    atomic_store(&runs, 0);
    wanted = 100;
    catch_begin();
    SUBMIT(*kind, wanted, ACCESS(INOUT, data));
    GO(castell_barrier());
    ok(has_words(catch_end(), "retried attempts"), "%s: it fails for good",
       name);
    castell_counters(&counters);
    ok((isolated || atomic_load(&runs) == 4) && counters.failed == 1,
       "%s: after one attempt and three retries", name);
    stop();
}

/* Its attempts are numbered also in child processes. */
static int attempt_body(void *const *buffers, const void *argument)
{
    (void)argument;
    *(long *)buffers[0] = castell_task_attempt();
    return castell_task_attempt() < 3;
}

static struct castell_kind attempt_kind = {.name = "attempt",
                                           .body = attempt_body,
                                           .retries = 5,
                                           .flags = CASTELL_ISOLATED};

static void test_attempts_alone(void)
{
    struct castell_counters counters;

    start(may_fork() ? 2 : 1);
    data[0] = 0;
    SUBMIT_PLAIN(attempt_kind, ELEMENTS(OUT, data, (size_t)1));
    GO(castell_barrier());
    castell_counters(&counters);
    ok(data[0] == 3 && counters.retried == 2,
       "a body in a child process knows which attempt it is: %ld", data[0]);
    stop();
}

/* Others work on the same data at the same time: nothing is put back there. */
static int concurrent_body(void *const *buffers, const void *argument)
{
    atomic_long *count = buffers[0];

    (void)argument;
    atomic_fetch_add(count, 1);
    pass_time();
    return castell_task_attempt() < 2;
}

static struct castell_kind concurrent_kind = {
    .name = "concurrent", .body = concurrent_body, .retries = 1};

static void test_concurrent_retries(void)
{
    static atomic_long count;

    start(3);
    for (int i = 0; i < 200; i++)
        SUBMIT_PLAIN(concurrent_kind, ACCESS(CONCURRENT, count));
    GO(castell_barrier());
    ok(atomic_load(&count) == 400,
       "retries undo nothing of what concurrent tasks do: %ld",
       atomic_load(&count));
    stop();
}

int main(void)
{
    for (uint32_t cores = 1; cores <= 3; cores++) {
        test_fail(cores);
        test_cancel(cores);
    }
    test_nothing_starts();
    test_ignore();
    test_cancel_commutative();
    test_retries(&retried_kind, "here");
    test_retries(&retried_alone_kind, "in child processes");
    test_attempts_alone();
    test_concurrent_retries();
    return tap_done();
}
