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

int main(void)
{
    for (uint32_t cores = 1; cores <= 7; cores += 3)
        test_undeferred(cores);
    test_final();
    return tap_done();
}
