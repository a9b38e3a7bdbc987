/*
 * Several threads of the program submit and wait, come and go.
 */
#include "api/program.h"

#include <pthread.h>
#include <string.h>

enum { THREADS = 5, TASKS = 400, ROUNDS = 30 };

static int add_body(void *const *buffers, const void *argument)
{
    long add;

    memcpy(&add, argument, sizeof(add));
    *(long *)buffers[0] =
        (long)(*(unsigned long *)buffers[0] * 3 + (unsigned long)add);
    return 0;
}

static struct castell_kind add_kind = {.name = "add", .body = add_body};

static void run_all(void *(*run)(void *argument), void *const *arguments,
                    int count)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < count; i++)
        NEED(pthread_create(&threads[i], NULL, run, arguments[i]) == 0,
             "no thread");
    for (int i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
}

/* ---- main waits for other things than tasks ------------------------------ */

static void *chain(void *argument)
{
    long *value = argument;
    unsigned long wanted = 0;

    *value = 0;
    for (long i = 0; i < TASKS; i++) {
        SUBMIT(add_kind, i, ELEMENTS(INOUT, value, (size_t)1));
        wanted = wanted * 3 + (unsigned long)i;
        if (i % 50 == 49) {
            struct castell_access region = ELEMENTS(IN, value, (size_t)1);

            GO(castell_wait_on(&region, 1));
            if ((unsigned long)*value != wanted)
                *value = -1;
        }
    }
    GO(castell_barrier());
    return (unsigned long)*value == wanted ? argument : NULL;
}

/* With one executor nobody but the thread itself can run its tasks. */
static void test_join(uint32_t cores)
{
    static long values[THREADS];
    void *arguments[THREADS];

    start(cores);
    for (int i = 0; i < THREADS; i++)
        arguments[i] = &values[i];
    run_all(chain, arguments, THREADS);
    ok(values[0] == values[1] && values[0] == values[4],
       "%d threads submit and wait while main does not, %u executors", THREADS,
       cores);
    stop();
}

/* ---- no more bodies at a time than executors ----------------------------- */

static struct level bodies;

static int count_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    level_raise(&bodies, 1);
    pass_time();
    level_lower(&bodies, 1);
    return 0;
}

static struct castell_kind count_kind = {.name = "count", .body = count_body};

static void *submit_and_wait(void *argument)
{
    for (int i = 0; i < TASKS; i++)
        submit(&count_kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
    return argument;
}

static void test_level(uint32_t cores)
{
    void *arguments[THREADS] = {NULL};

    start(cores);
    atomic_store(&bodies.highest, 0);
    run_all(submit_and_wait, arguments, THREADS);
    GO(castell_barrier());
    ok(atomic_load(&bodies.highest) <= (long)cores,
       "%u executors run at most as many bodies, however many wait: %ld", cores,
       atomic_load(&bodies.highest));
    stop();
}

/* ---- a barrier with others that go on submitting ------------------------- */

static struct gate gate;
static atomic_bool first_done;

static int first_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    gate_pass(&gate);
    atomic_store(&first_done, true);
    return 0;
}

static int nothing_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return 0;
}

static struct castell_kind first_kind = {.name = "first", .body = first_body};
static struct castell_kind nothing_kind = {.name = "nothing",
                                           .body = nothing_body};

static void *go_on(void *argument)
{
    struct castell_task last = {0};

    for (int i = 0; i < TASKS; i++)
        last = submit(&nothing_kind, NULL, 0, NULL, 0);
    GO(castell_task_wait(last));
    gate_open(&gate);
    return argument;
}

static void test_barrier_beside_others(void)
{
    pthread_t other;
    bool late;

    start(3);
    gate_shut(&gate);
    submit(&first_kind, NULL, 0, NULL, 0);
    gate_await(&gate, 1);
    NEED(pthread_create(&other, NULL, go_on, NULL) == 0, "no thread");
    GO(castell_barrier());
    late = atomic_load(&first_done);
    (void)pthread_join(other, NULL);
    ok(late, "a barrier waits for what came before it, not for as many tasks");
    stop();
}

/* ---- threads end, others come -------------------------------------------- */

static atomic_long total;

static int total_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&total, 1);
    return 0;
}

static struct castell_kind total_kind = {.name = "total", .body = total_body};

static void *submit_and_leave(void *argument)
{
    for (int i = 0; i < 20; i++)
        submit(&total_kind, NULL, 0, NULL, 0);
    return argument;
}

/* More threads, one after another, than can be known at one time. */
static void test_come_and_go(void)
{
    void *arguments[THREADS] = {NULL};
    int rounds = is_slow() ? 120 : 150;

    start(2);
    atomic_store(&total, 0);
    for (int i = 0; i < rounds; i++)
        run_all(submit_and_leave, arguments, THREADS);
    GO(castell_barrier());
    ok(atomic_load(&total) == 20L * rounds * THREADS,
       "tasks of %d threads that have ended: %ld", rounds * THREADS,
       atomic_load(&total));
    stop();
}

/* ---- threads that outlive a run ------------------------------------------ */

static atomic_int turn;

static void await_turn(int wanted)
{
    while (atomic_load(&turn) < wanted)
        pass_time();
}

static void *outlive(void *argument)
{
    submit(&total_kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
    atomic_store(&turn, 1);
    await_turn(2); /* the run has ended */
    ok(failed_with(castell_barrier(), CASTELL_ERR_INVALID, "before"),
       "after castell_stop() a thread's calls are refused");
    atomic_store(&turn, 3);
    await_turn(4); /* there is a new one */
    submit(&total_kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
    atomic_store(&turn, 5);
    await_turn(6); /* it has ended too; and so does the thread */
    return argument;
}

static void test_outlive(void)
{
    pthread_t thread;

    atomic_store(&total, 0);
    start(2);
    NEED(pthread_create(&thread, NULL, outlive, NULL) == 0, "no thread");
    await_turn(1);
    stop();
    atomic_store(&turn, 2);
    await_turn(3);
    start(2);
    atomic_store(&turn, 4);
    await_turn(5);
    stop();
    atomic_store(&turn, 6);
    (void)pthread_join(thread, NULL);
    ok(atomic_load(&total) == 2, "a thread that outlives a run joins the next");
}

int main(void)
{
    test_join(1);
    test_join(3);
    test_level(1);
    test_level(2);
    test_barrier_beside_others();
    test_come_and_go();
    test_outlive();
    return tap_done();
}
