/*
 * Bodies that fail or crash on other nodes: what becomes of them and of the run.
 */
#include "cluster/party.h"
#include "harness/tap.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GO(call)                                                               \
    do {                                                                       \
        if ((call) != CASTELL_OK)                                              \
            tap_bail(castell_error_text());                                    \
    } while (0)

/* The first attempt fails. */
static int shy_body(void *const *buffers, const void *argument)
{
    (void)argument;
    *(int *)buffers[0] += 1;
    return castell_task_attempt() == 1;
}

static int wrong_body(void *const *buffers, const void *argument)
{
    (void)argument;
    *(int *)buffers[0] = 99;
    return 3;
}

static int crash_body(void *const *buffers, const void *argument)
{
    (void)argument;
    *(int *)buffers[0] = 1;
    (void)raise(SIGKILL);
    return 0;
}

/* Takes its process down the first time, as by chance. */
static int unlucky_body(void *const *buffers, const void *argument)
{
    (void)argument;
    if (castell_task_attempt() == 1)
        (void)raise(SIGKILL);
    *(int *)buffers[0] += 5;
    return 0;
}

static int add_body(void *const *buffers, const void *argument)
{
    (void)argument;
    *(int *)buffers[0] += 10;
    return 0;
}

/* The same, of a body that submits tasks. */
static int parent_body(void *const *buffers, const void *argument);

static int careless_body(void *const *buffers, const void *argument);

static struct castell_kind careless_kind = {
    .name = "careless", .body = careless_body, .on_failure = CASTELL_IGNORE};
static struct castell_kind parent_kind = {.name = "parent",
                                          .body = parent_body};
static struct castell_kind shy_kind = {
    .name = "shy", .body = shy_body, .retries = 2};
static struct castell_kind ignored_kind = {
    .name = "ignored", .body = wrong_body, .on_failure = CASTELL_IGNORE};
static struct castell_kind cancels_kind = {.name = "cancels",
                                           .body = wrong_body,
                                           .on_failure =
                                               CASTELL_CANCEL_SUCCESSORS};
static struct castell_kind fails_kind = {
    .name = "fails", .body = wrong_body, .retries = 1};
static struct castell_kind crash_kind = {.name = "crash",
                                         .body = crash_body,
                                         .on_failure =
                                             CASTELL_CANCEL_SUCCESSORS};
static struct castell_kind unlucky_kind = {.name = "unlucky",
                                           .body = unlucky_body};
static struct castell_kind add_kind = {.name = "add", .body = add_body};

__attribute__((constructor)) static void declare(void)
{
    struct castell_kind *const kinds[] = {
        &shy_kind,     &ignored_kind, &cancels_kind, &fails_kind,   &crash_kind,
        &unlucky_kind, &add_kind,     &parent_kind,  &careless_kind};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        castell_must(castell_kind_declare(kinds[i]), NULL);
}

static struct castell_access value_access(const int *value)
{
    return (struct castell_access){
        .base = value, .size = sizeof(*value), .mode = CASTELL_INOUT};
}

static struct castell_task submit(struct castell_kind *kind, const int *value)
{
    struct castell_access access = value_access(value);
    struct castell_submission submission = {
        .kind = kind, .accesses = &access, .accesses_count = 1};
    struct castell_task task;

    GO(castell_task_submit(&submission, &task));
    return task;
}

static int parent_body(void *const *buffers, const void *argument)
{
    (void)argument;
    *(int *)buffers[0] += 100;
    submit(&add_kind, buffers[0]);
    if (castell_task_attempt() == 1)
        (void)raise(SIGKILL);
    GO(castell_barrier());
    *(int *)buffers[0] *= 2;
    return 0;
}

/* It does not mind what becomes of its child, which fails the run. */
static int careless_body(void *const *buffers, const void *argument)
{
    (void)argument;
    submit(&fails_kind, buffers[0]);
    (void)!castell_barrier();
    return 0;
}

static enum castell_status wait_for(const int *value)
{
    struct castell_access access = value_access(value);

    return castell_wait_on(&access, 1);
}

static void begin(struct party *party, int workers, int master_cores)
{
    party_begin(party, workers, 1, master_cores);
    if (castell_start_with(NULL) != CASTELL_OK)
        tap_bail(castell_error_text());
}

static void test_policies(void)
{
    struct party party;
    int value = 1, bad = 2, gone = 3, other = 4;
    struct castell_counters counters;
    struct castell_task task;
    enum castell_status status;

    begin(&party, 2, 0);
    submit(&shy_kind, &value);
    submit(&add_kind, &value);
    status = wait_for(&value);
    ok(status == CASTELL_OK && value == 12,
       "a retry begins with what the task found: %d", value);
    submit(&ignored_kind, &bad);
    submit(&add_kind, &bad);
    status = wait_for(&bad);
    ok(status == CASTELL_OK && bad == 109, "a failure that is ignored: %d",
       bad);
    task = submit(&ignored_kind, &bad);
    status = castell_task_wait(task);
    ok(status == CASTELL_ERR_TASK_FAILED &&
           strstr(castell_error_text(), "ignored"),
       "which is heard by who waits for the task: %s", castell_error_text());
    castell_counters(&counters);
    ok(counters.failed == 2, "and counted: %d", (int)counters.failed);
    submit(&cancels_kind, &gone);
    submit(&add_kind, &gone);
    submit(&add_kind, &other);
    ok(wait_for(&gone) == CASTELL_ERR_CANCELLED, "cancelled: %s",
       castell_error_text());
    ok(wait_for(&other) == CASTELL_OK && other == 14, "others go on");
    ok(castell_stop() == 0, "and the run is good");
    ok(party_end(&party) == 0, "and so are the workers");
}

static void test_fail(void)
{
    struct party party;
    int value = 1;

    begin(&party, 2, 1);
    submit(&fails_kind, &value);
    for (int i = 0; i < 20; i++)
        submit(&add_kind, &value);
    ok(castell_barrier() == CASTELL_ERR_TASK_FAILED &&
           strstr(castell_error_text(), "fails"),
       "a task fails the run: %s", castell_error_text());
    ok(castell_stop() == 1, "which main() is told");
    ok(party_end(&party) == 0, "the workers end well");
}

static void test_child_fails(void)
{
    struct party party;
    int value = 1;

    begin(&party, 1, 0);
    submit(&careless_kind, &value);
    submit(&add_kind, &value);
    ok(castell_barrier() == CASTELL_ERR_TASK_FAILED &&
           strstr(castell_error_text(), "fails"),
       "so does one that a body on a worker submits: %s", castell_error_text());
    ok(castell_stop() == 1, "which main() is told, too");
    ok(party_end(&party) == 0, "the worker ends well");
}

static void test_crashes(void)
{
    struct party party;
    int value = 1, gone = 2, others[8] = {0}, wrong = 0;
    enum castell_status status;

    begin(&party, 3, 0); /* it would take the master with it */
    submit(&unlucky_kind, &value);
    submit(&add_kind, &value);
    for (int i = 0; i < 8; i++)
        submit(&add_kind, &others[i]);
    status = wait_for(&value);
    ok(status == CASTELL_OK && value == 16,
       "a task that took its node with it runs again: %d", value);
    submit(&crash_kind, &gone);
    ok(wait_for(&gone) == CASTELL_ERR_CANCELLED,
       "one that always crashes ends in a child process: %s",
       castell_error_text());
    GO(castell_barrier());
    for (int i = 0; i < 8; i++)
        wrong += others[i] != 10;
    ok(wrong == 0, "and takes nothing else with it");
    ok(castell_stop() == 0, "the run is good");
    ok(party_end(&party) == 2, "two workers died");
}

/* What ran when a node died runs in a child process next; there nobody can
   submit, so it is run again without one. */
static void test_parent(void)
{
    struct party party;
    enum castell_status status;
    int value = 1;

    begin(&party, 2, 0);
    submit(&parent_kind, &value);
    status = wait_for(&value);
    ok(status == CASTELL_OK && value == 222,
       "a task with children whose node dies runs on another: %d%s", value,
       status == CASTELL_OK ? "" : castell_error_text());
    ok(castell_stop() == 0, "and the run goes on");
    ok(party_end(&party) == 1, "with the other");
}

int main(void)
{
    party_attend();
    test_policies();
    test_fail();
    test_child_fails();
    test_crashes();
    test_parent();
    return tap_done();
}
