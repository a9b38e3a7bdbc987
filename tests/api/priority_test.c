/*
 * Which ready task is next: the earliest deadline, then the highest priority,
 * then the oldest.
 */
#include "api/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 500, SECOND = 1000000000 };

static struct gate gate;
static int order[MANY];
static atomic_int ran;
static long value;

static int note_body(void *const *buffers, const void *argument)
{
    int number;

    (void)buffers;
    memcpy(&number, argument, sizeof(number));
    order[atomic_fetch_add(&ran, 1)] = number;
    return 0;
}

static int gated_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    gate_pass(&gate);
    return 0;
}

static struct castell_kind note_kind = {.name = "note", .body = note_body};
static struct castell_kind gated_kind = {.name = "gated", .body = gated_body};

/* With one executor, which is main while it waits, all is ready before. */
static void begin(void)
{
    start(1);
    gate_shut(&gate);
    gate_open(&gate);
    atomic_store(&ran, 0);
    SUBMIT_PLAIN(gated_kind, ACCESS(OUT, value));
}

static void note(int number, int priority, uint64_t deadline_ns,
                 const struct castell_constraint *constraint)
{
    struct castell_access access = ACCESS(IN, value);
    struct castell_submission submission = {
        .kind = &note_kind,
        .argument = &number,
        .argument_size = sizeof(number),
        .accesses = &access,
        .accesses_count = 1,
        .priority = priority,
        .deadline_ns = deadline_ns,
        .constraint = constraint,
    };

    GO(castell_task_submit(&submission, NULL));
}

static bool is_order(const int *wanted, int count)
{
    bool right = atomic_load(&ran) == count;

    for (int i = 0; i < count; i++)
        right = right && order[i] == wanted[i];
    if (!right)
        for (int i = 0; i < count; i++)
            printf("# %d, wanted %d\n", order[i], wanted[i]);
    return right;
}

static void test_few(void)
{
    static const int wanted[] = {7, 6, 5, 2, 0, 3, 4, 1};

    begin();
    note(0, 0, 0, NULL);
    note(1, -5, 0, NULL);
    note(2, 1, 0, NULL);
    note(3, 0, 0, NULL);
    note(4, -1, 0, NULL);
    note(5, 9, 0, NULL);
    note(6, -9, 100 * (uint64_t)SECOND, NULL);
    note(7, 0, 50 * (uint64_t)SECOND, NULL);
    GO(castell_barrier());
    ok(is_order(wanted, 8), "deadlines, priorities, age");
    stop();
}

static void test_constrained(void)
{
    static const int wanted[] = {3, 2, 1, 0};
    struct castell_constraint all = {.memory = 1000};

    GO(castell_start_with(
        &(struct castell_options){.cores = 1, .memory = 1000}));
    gate_open(&gate);
    atomic_store(&ran, 0);
    SUBMIT_PLAIN(gated_kind, ACCESS(OUT, value));
    note(0, 0, 0, &all);
    note(1, 1, 0, &all);
    note(2, 2, 0, &all);
    note(3, 0, 9 * (uint64_t)SECOND, &all);
    GO(castell_barrier());
    ok(is_order(wanted, 4), "the same among tasks that wait for memory");
    stop();
}

static void test_many(void)
{
    static int priorities[MANY];
    uint32_t random = 7;
    bool sorted = true;

    begin();
    for (int i = 0; i < MANY; i++) {
        random = random * 1664525 + 1013904223;
        priorities[i] = (int)(random >> 24) - 128;
        note(i, priorities[i], 0, NULL);
    }
    GO(castell_barrier());
    for (int i = 1; i < MANY; i++) {
        int before = order[i - 1];
        int now = order[i];

        sorted =
            sorted && (priorities[before] > priorities[now] ||
                       (before < now && priorities[before] == priorities[now]));
    }
    ok(atomic_load(&ran) == MANY && sorted, "%d random priorities", MANY);
    stop();
}

/* Also when urgent ones come while others lie on desks already. */
static void test_late(void)
{
    enum { PLAIN = 300, URGENT = 10 };
    static long unrelated;
    struct castell_access region = ACCESS(IN, unrelated);
    int seen = 0;
    int late = 0;

    start(2);
    gate_shut(&gate);
    atomic_store(&ran, 0);
    submit(&gated_kind, NULL, 0, NULL, 0); /* keeps the other executor */
    gate_await(&gate, 1);
    for (int i = 0; i < PLAIN; i++)
        submit(&note_kind, &i, sizeof(i), NULL, 0);
    for (int i = PLAIN; i < PLAIN + URGENT; i++)
        note(i, i, 0, NULL);
    /* Nobody else is there to read the news, so that main does it at once. */
    GO(castell_wait_on(&region, 1));
    gate_open(&gate);
    GO(castell_barrier());
    for (int i = 0; i < PLAIN + URGENT; i++)
        if (order[i] >= PLAIN) {
            late += i >= URGENT + 2;
            seen++;
        }
    /* One may be taken in time by a thread that sleeps before it notes it. */
    ok(late <= 1 && seen == URGENT, "urgent tasks pass those that wait");
    stop();
}

int main(void)
{
    test_few();
    test_constrained();
    test_many();
    test_late();
    return tap_done();
}
