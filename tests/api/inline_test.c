/*
 * Undeferred tasks, and those that final ones submit.
 */
#include "api/program.h"

#include <pthread.h>
#include <string.h>

/* ---- undeferred and final ------------------------------------------------ */

static pthread_t ran_in;
static int depth_seen;
static atomic_int leaves;

static int note_body(void *const *buffers, const void *argument)
{
    (void)argument;
    ran_in = pthread_self();
    depth_seen = *(const int *)buffers[0];
    return 0;
}

static int set_body(void *const *buffers, const void *argument)
{
    (void)argument;
    *(int *)buffers[0] = 7;
    return 0;
}

static struct castell_kind note_kind = {.name = "note", .body = note_body};
static struct castell_kind set_kind = {.name = "set", .body = set_body};

static void call_now(struct castell_kind *kind,
                     const struct castell_access *accesses, size_t count)
{
    struct castell_submission submission = {
        .kind = kind,
        .accesses = accesses,
        .accesses_count = count,
        .undeferred = true,
    };

    GO(castell_task_submit(&submission, NULL));
}

static void test_undeferred(uint32_t cores)
{
    int value = 0;

    start(cores);
    SUBMIT_PLAIN(set_kind, ACCESS(OUT, value));
    depth_seen = 0;
    call_now(&note_kind, &(struct castell_access)ACCESS(IN, value), 1);
    ok(depth_seen == 7,
       "an undeferred task runs after what it depends on, and "
       "before the call returns, %u executors",
       cores);
    ok(pthread_equal(ran_in, pthread_self()), "in the thread that submits");
    stop();
}

static atomic_int elsewhere;

static int final_leaf_body(void *const *buffers, const void *argument)
{
    pthread_t thread;

    (void)buffers;
    memcpy(&thread, argument, sizeof(thread));
    if (!pthread_equal(thread, pthread_self()))
        atomic_fetch_add(&elsewhere, 1);
    atomic_fetch_add(&leaves, 1);
    return 0;
}

static struct castell_kind final_leaf_kind = {.name = "final_leaf",
                                              .body = final_leaf_body};

static int final_body(void *const *buffers, const void *argument)
{
    pthread_t thread = pthread_self();
    int depth;
    static struct castell_kind again = {.name = "final", .body = final_body};

    (void)buffers;
    memcpy(&depth, argument, sizeof(depth));
    for (int i = 0; i < 4; i++) {
        int before = atomic_load(&leaves);

        submit(&final_leaf_kind, &thread, sizeof(thread), NULL, 0);
        if (atomic_load(&leaves) != before + 1)
            atomic_fetch_add(&elsewhere, 1);
    }
    if (depth-- > 0)
        submit(&again, &depth, sizeof(depth), NULL, 0);
    return 0;
}

static struct castell_kind final_kind = {.name = "final", .body = final_body};

static void test_final(void)
{
    int depth = 5;
    struct castell_submission submission = {
        .kind = &final_kind,
        .argument = &depth,
        .argument_size = sizeof(depth),
        .final = true,
    };

    start(3);
    atomic_store(&leaves, 0);
    GO(castell_task_submit(&submission, NULL));
    GO(castell_barrier());
    ok(atomic_load(&leaves) == 24 && atomic_load(&elsewhere) == 0,
       "what a final task and its descendants submit runs at once: %d leaves, "
       "%d elsewhere",
       atomic_load(&leaves), atomic_load(&elsewhere));
    stop();
}

/* ---- of several cores, beside a thread that waits for it ------------------ */

/* The first may run before the thread waits for the group itself. */
enum { NOTES = 8 };

static struct gate held;
static struct gate noted;
static uint32_t wide_cores;

static int pass_body(void *const *buffers, const void *argument)
{
    struct gate *gate;

    (void)buffers;
    memcpy(&gate, argument, sizeof(gate));
    gate_pass(gate);
    return 0;
}

static int wide_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    wide_cores = castell_task_cores();
    return 0;
}

static struct castell_kind pass_kind = {.name = "pass", .body = pass_body};
static struct castell_kind wide_kind = {
    .name = "wide", .body = wide_body, .constraint = {.cores = 2}};

static void *wait_for_group(void *argument)
{
    GO(castell_group_wait("waited"));
    return argument;
}

static void pass_through(struct gate *gate)
{
    (void)submit(&pass_kind, &gate, sizeof(gate), NULL, 0);
}

/* One executor is held, so that it is the waiting thread that runs the next
   task; from then on it waits where threads of the program do. */
static int outer_body(void *const *buffers, const void *argument)
{
    pthread_t *waiting;

    (void)buffers;
    memcpy(&waiting, argument, sizeof(waiting));
    pass_through(&held);
    gate_await(&held, 1);
    NEED(pthread_create(waiting, NULL, wait_for_group, NULL) == 0, "no thread");
    gate_open(&noted);
    for (unsigned i = 1; i <= NOTES; i++) {
        pass_through(&noted);
        gate_await(&noted, i);
    }
    gate_open(&held);
    call_now(&wide_kind, NULL, 0);
    return 0;
}

static struct castell_kind outer_kind = {.name = "outer", .body = outer_body};

static void test_wide_beside_waiter(void)
{
    pthread_t waiting;
    pthread_t *where = &waiting;
    struct castell_submission outer = {.kind = &outer_kind,
                                       .argument = &where,
                                       .argument_size = sizeof(where),
                                       .undeferred = true};

    start(2);
    GO(castell_group_begin("waited"));
    GO(castell_task_submit(&outer, NULL));
    GO(castell_group_end());
    (void)pthread_join(waiting, NULL);
    ok(wide_cores == 2, "an undeferred task of two cores has them, though a "
                        "thread waits for it in the program's seat");
    stop();
}

int main(void)
{
    for (uint32_t cores = 1; cores <= 7; cores += 3)
        test_undeferred(cores);
    test_final();
    test_wide_beside_waiter();
    return tap_done();
}
