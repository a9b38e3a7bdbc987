/*
 * Bodies in child processes: crashes are reported and harm nobody else, results
 * come back, and what is refused there.
 */
#include "api/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 1000, SECOND = 1000000000 };

static long values[SIZE];

/* ---- crashes ---------------------------------------------------------------- */

static volatile int *volatile nowhere;

static int segv_body(void *const *buffers, const void *argument)
{
    (void)argument;
    ((long *)buffers[0])[0] = 99;
    *nowhere = 1;
    return 0;
}

static int fpe_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    (void)raise(SIGFPE);
    return 0;
}

static int abort_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    abort();
}

static struct castell_kind segv_kind = {.name = "segv",
                                        .label = "bad pointer",
                                        .body = segv_body,
                                        .flags = CASTELL_ISOLATED,
                                        .on_failure =
                                            CASTELL_CANCEL_SUCCESSORS};
static struct castell_kind fpe_kind = {.name = "fpe",
                                       .label = "bad division",
                                       .body = fpe_body,
                                       .flags = CASTELL_ISOLATED,
                                       .on_failure = CASTELL_CANCEL_SUCCESSORS};
static struct castell_kind abort_kind = {.name = "abort",
                                         .label = "bad luck",
                                         .body = abort_body,
                                         .flags = CASTELL_ISOLATED,
                                         .on_failure =
                                             CASTELL_CANCEL_SUCCESSORS};

static void test_crash(struct castell_kind *kind, const char *words)
{
    struct castell_access access = ACCESS(INOUT, values);
    char address[32];
    const char *said;

    start(may_fork() ? 2 : 1);
    values[0] = 1;
    (void)snprintf(address, sizeof(address), "%p", (void *)values);
    catch_begin();
    submit(kind, NULL, 0, &access, 1);
    GO(castell_barrier());
    said = catch_end();
    ok(has_words(said, words) && has_words(said, address),
       "%s: the report has label, signal and addresses", words);
    ok(is_slow() || has_words(said, "_body"), "%s: and a backtrace", words);
    ok(values[0] == 1, "%s: our own data are untouched", words);
    stop();
}

/* ---- results ------------------------------------------------------------------ */

static int fill_body(void *const *buffers, const void *argument)
{
    long *into = buffers[0];
    long from;

    memcpy(&from, argument, sizeof(from));
    for (long i = 0; i < SIZE; i++)
        into[i] = from + i;
    return getpid() == (pid_t)from;
}

static int sum_body(void *const *buffers, const void *argument)
{
    const long *from = buffers[0];
    long *sum = buffers[1];

    (void)argument;
    *sum = 0;
    for (int i = 0; i < SIZE; i++)
        *sum += from[i];
    return 0;
}

static struct castell_kind fill_kind = {
    .name = "fill", .body = fill_body, .flags = CASTELL_ISOLATED};
static struct castell_kind sum_kind = {
    .name = "sum", .body = sum_body, .flags = CASTELL_ISOLATED};

static void test_results(void)
{
    long sum = 0;
    long pid = getpid();

    start(may_fork() ? 3 : 1);
    SUBMIT(fill_kind, pid, ACCESS(OUT, values));
    SUBMIT_PLAIN(sum_kind, ACCESS(IN, values), ACCESS(OUT, sum));
    GO(castell_barrier());
    ok(sum == SIZE * pid + SIZE * (SIZE - 1L) / 2,
       "results of child processes come back, and go on to the next");
    stop();
}

/* ---- time-out ------------------------------------------------------------------ */

static int sleep_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    (void)pause();
    return 0;
}

static struct castell_kind sleepy_kind = {.name = "sleepy",
                                          .body = sleep_body,
                                          .timeout_ns = SECOND / 20,
                                          .retries = 1,
                                          .on_failure = CASTELL_IGNORE};

static void test_timeout(void)
{
    struct castell_counters counters;

    start(may_fork() ? 2 : 1);
    catch_begin();
    submit(&sleepy_kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
    ok(has_words(catch_end(), "sleepy timeout 50 ms"),
       "a body that takes too long is killed, and that is said");
    castell_counters(&counters);
    ok(counters.retried == 1 && counters.failed == 1,
       "its policy is followed: one retry, then it failed");
    stop();
}

/* ---- what a child may not ------------------------------------------------------- */

static int calling_body(void *const *buffers, const void *argument)
{
    struct castell_access access = ACCESS(OUT, values[0]);
    struct castell_submission submission = {.kind = &sum_kind};
    long *into = buffers[0];

    (void)argument;
    into[0] = castell_task_submit(&submission, NULL);
    into[1] = castell_barrier();
    into[2] = castell_wait_on(&access, 1);
    into[3] = castell_group_begin("inside");
    into[4] = castell_alloc(10) == NULL;
    into[5] = strstr(castell_error_text(), "child process") != NULL;
    into[6] = castell_task_cores();
    return 0;
}

static struct castell_kind calling_kind = {
    .name = "calling", .body = calling_body, .flags = CASTELL_ISOLATED};

static void test_calls(void)
{
    bool refused = true;

    start(may_fork() ? 2 : 1);
    SUBMIT_PLAIN(calling_kind, ACCESS(OUT, values));
    GO(castell_barrier());
    for (int i = 0; i < 4; i++)
        refused = refused && values[i] == CASTELL_ERR_INVALID;
    ok(refused && values[4] == 1 && values[5] == 1,
       "in a child process calls are refused with a sentence");
    ok(values[6] == 1, "but it knows its cores");
    stop();
}

int main(void)
{
    if (!is_slow()) { /* a sanitizer prints reports of its own */
        test_crash(&segv_kind, "bad pointer SIGSEGV");
        test_crash(&fpe_kind, "bad division SIGFPE");
    }
    test_crash(&abort_kind, "bad luck SIGABRT");
    test_results();
    test_timeout();
    test_calls();
    return tap_done();
}
