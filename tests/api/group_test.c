/*
 * Groups: who is in them, waiting for them, cancelling them.
 */
#include "api/program.h"

#include <stdio.h>
#include <string.h>

static atomic_int runs;
static struct gate gate;
static long first;
static long second;

static int count_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&runs, 1);
    return 0;
}

static int gated_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    gate_pass(&gate);
    return 0;
}

static struct castell_kind count_kind = {.name = "count", .body = count_body};
static struct castell_kind gated_kind = {.name = "gated", .body = gated_body};

static void submit_count(int count)
{
    for (int i = 0; i < count; i++)
        submit(&count_kind, NULL, 0, NULL, 0);
}

static void test_wait(uint32_t cores)
{
    struct castell_access blocked = ACCESS(INOUT, first);

    start(cores);
    gate_shut(&gate);
    atomic_store(&runs, 0);
    if (cores > 1) {
        submit(&gated_kind, NULL, 0, &blocked, 1);
        gate_await(&gate, 1);
    }
    GO(castell_group_begin("outer"));
    submit_count(10);
    GO(castell_group_begin("inner"));
    submit_count(5);
    GO(castell_group_end());
    submit_count(10);
    GO(castell_group_end());
    if (cores > 1)
        submit(&count_kind, NULL, 0, &blocked, 1); /* in none; waits */
    GO(castell_group_wait("inner"));
    GO(castell_group_wait("outer"));
    ok(atomic_load(&runs) == 25,
       "waiting for groups does not wait for others, %u executors: %d", cores,
       atomic_load(&runs));
    GO(castell_group_begin("outer"));
    submit_count(3);
    GO(castell_group_end());
    GO(castell_group_wait("outer"));
    ok(atomic_load(&runs) == 28, "a group of the same name goes on");
    gate_open(&gate);
    GO(castell_barrier());
    stop();
}

/* ---- cancelling ------------------------------------------------------------- */

static void test_cancel(uint32_t cores)
{
    struct castell_access wait_first = ACCESS(IN, first);
    struct castell_access wait_second = ACCESS(IN, second);
    struct castell_counters counters;
    struct castell_task reader;
    struct castell_task member;

    start(cores);
    gate_shut(&gate);
    atomic_store(&runs, 0);
    /* Bodies that wait must not run on top of a wait of main's. */
    if (cores == 1)
        gate_open(&gate);
    SUBMIT_PLAIN(gated_kind, ACCESS(INOUT, first), ACCESS(INOUT, second));
    GO(castell_group_begin("doomed"));
    member = SUBMIT_PLAIN(count_kind, ACCESS(INOUT, first));
    SUBMIT_PLAIN(count_kind, ACCESS(INOUT, second));
    GO(castell_group_end());
    reader = SUBMIT_PLAIN(count_kind, ACCESS(IN, first));
    SUBMIT_PLAIN(count_kind, ACCESS(OUT, second)); /* overwrites */
    SUBMIT_PLAIN(count_kind, ACCESS(IN, second));
    GO(castell_group_cancel("doomed"));
    gate_open(&gate);
    GO(castell_group_wait("doomed"));
    ok(failed_with(castell_task_wait(member), CASTELL_ERR_CANCELLED, ""),
       "a cancelled task is said to be, %u executors", cores);
    GO(castell_barrier());
    ok(atomic_load(&runs) == 2, "what was to start later did not: %d ran",
       atomic_load(&runs));
    ok(failed_with(castell_task_wait(reader), CASTELL_ERR_CANCELLED, ""),
       "its reader is cancelled");
    ok(failed_with(castell_wait_on(&wait_first, 1), CASTELL_ERR_CANCELLED,
                   "count cancelled") &&
           castell_wait_on(&wait_second, 1) == CASTELL_OK,
       "but not what is overwritten first");
    castell_counters(&counters);
    ok(counters.cancelled == 3 && counters.finished == 6, "all are counted");
    stop();
}

/* Generations: some of each are cancelled, or not, and all are waited for. */
static void test_generations(void)
{
    enum { ROUNDS = 50, EACH = 20 };
    struct castell_counters counters;

    start(3);
    atomic_store(&runs, 0);
    for (int round = 0; round < ROUNDS; round++) {
        GO(castell_group_begin("again"));
        submit_count(EACH);
        GO(castell_group_end());
        if (round % 3 == 1)
            GO(castell_group_cancel("again"));
    }
    GO(castell_group_wait("again"));
    castell_counters(&counters);
    ok(counters.finished == ROUNDS * EACH &&
           counters.cancelled + (uint64_t)atomic_load(&runs) == ROUNDS * EACH,
       "a wait is for all generations: %d ran, %d were cancelled",
       atomic_load(&runs), (int)counters.cancelled);
    GO(castell_group_begin("again"));
    submit_count(EACH);
    GO(castell_group_end());
    GO(castell_group_wait("again"));
    castell_counters(&counters);
    ok(counters.cancelled + (uint64_t)atomic_load(&runs) == (ROUNDS + 1) * EACH,
       "and a cancelled group goes on as a new one");
    stop();
}

/* Cancelled tasks that wait for places, or for resources. */
static void test_cancel_waiting(void)
{
    struct castell_constraint half = {.memory = 600};
    struct castell_submission big = {.kind = &count_kind, .constraint = &half};

    GO(castell_start_with(
        &(struct castell_options){.cores = 3, .memory = 1000}));
    atomic_store(&runs, 0);
    gate_shut(&gate);
    SUBMIT_PLAIN(gated_kind, ACCESS(COMMUTATIVE, first));
    GO(castell_group_begin("waiting"));
    for (int i = 0; i < 20; i++) {
        SUBMIT_PLAIN(count_kind, ACCESS(COMMUTATIVE, first));
        GO(castell_task_submit(&big, NULL));
    }
    GO(castell_group_end());
    SUBMIT_PLAIN(count_kind, ACCESS(OUT, first));
    gate_await(&gate, 1);
    GO(castell_group_cancel("waiting"));
    gate_open(&gate);
    GO(castell_barrier());
    ok(atomic_load(&runs) >= 1 && atomic_load(&runs) <= 21,
       "cancelled while they wait for places and memory: %d ran",
       atomic_load(&runs));
    stop();
}

/* ---- in bodies ---------------------------------------------------------------- */

static int member_body(void *const *buffers, const void *argument)
{
    enum castell_status *status = buffers[0];

    (void)argument;
    submit_count(5);
    status[0] = castell_group_wait("mine");
    GO(castell_group_begin("inside"));
    submit_count(5);
    GO(castell_group_end());
    status[1] = castell_group_wait("inside");
    GO(castell_group_begin("never ended"));
    return 0;
}

static struct castell_kind member_kind = {.name = "member",
                                          .body = member_body};

static void test_bodies(void)
{
    enum castell_status statuses[2] = {CASTELL_OK, CASTELL_ERR_SYSTEM};

    start(2);
    atomic_store(&runs, 0);
    GO(castell_group_begin("mine"));
    SUBMIT_PLAIN(member_kind, ACCESS(OUT, statuses));
    GO(castell_group_end());
    GO(castell_barrier());
    ok(statuses[0] == CASTELL_ERR_INVALID,
       "a body that would wait for itself is told so");
    ok(statuses[1] == CASTELL_OK && atomic_load(&runs) == 10,
       "it may have groups of its own");
    GO(castell_group_cancel("never ended"));
    submit_count(40);
    GO(castell_barrier());
    ok(atomic_load(&runs) == 50, "a group ends with the body that began it");
    stop();
}

static void test_misuse(void)
{
    char name[300];

    memset(name, 'x', sizeof(name));
    name[CASTELL_NAME_SIZE_MAX] = '\0';
    ok(failed_with(castell_group_end(), CASTELL_ERR_INVALID,
                   "castell_group_end castell_start"),
       "no group ends before the start");
    start(1);
    ok(failed_with(castell_group_begin(name), CASTELL_ERR_INVALID, "255"),
       "a name that is too long");
    ok(failed_with(castell_group_begin(""), CASTELL_ERR_INVALID, "characters"),
       "an empty name");
    ok(failed_with(castell_group_begin(NULL), CASTELL_ERR_INVALID,
                   "characters"),
       "no name");
    ok(failed_with(castell_group_end(), CASTELL_ERR_INVALID, "begin"),
       "an end without a begin");
    ok(failed_with(castell_group_wait("unknown"), CASTELL_ERR_INVALID,
                   "unknown"),
       "a wait for no group");
    ok(failed_with(castell_group_cancel("unknown"), CASTELL_ERR_INVALID,
                   "unknown"),
       "cancelling no group");
    name[CASTELL_NAME_SIZE_MAX - 1] = '\0';
    ok(castell_group_begin(name) == CASTELL_OK, "the longest name");
    stop(); /* and the group that is still open is freed */
}

int main(void)
{
    test_wait(1);
    test_wait(3);
    test_cancel(1);
    test_cancel(2);
    test_generations();
    test_cancel_waiting();
    test_bodies();
    test_misuse();
    return tap_done();
}
