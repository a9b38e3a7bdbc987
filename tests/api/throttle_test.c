/*
 * Bounds on unfinished tasks: a submitter past them helps, and never hangs.
 */
#include "api/program.h"

#include <pthread.h>
#include <string.h>

enum { MAX = 100, TASKS = 3000, THREADS = 3 };

static atomic_long finished;
static struct level unfinished;

static int end_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    level_lower(&unfinished, 1);
    atomic_fetch_add(&finished, 1);
    return 0;
}

static struct castell_kind end_kind = {.name = "end", .body = end_body};

static void submit_all(struct castell_access *access, size_t count)
{
    for (int i = 0; i < TASKS; i++) {
        submit(&end_kind, NULL, 0, access, count);
        /* After: this one may have waited. A body may have ended before. */
        level_raise(&unfinished, 1);
    }
}

static void begin(uint32_t cores, uint32_t max, uint64_t memory)
{
    GO(castell_start_with(&(struct castell_options){
        .cores = cores, .tasks_max = max, .tasks_memory = memory}));
    atomic_store(&unfinished.highest, 0);
    atomic_store(&unfinished.now, 0);
    atomic_store(&finished, 0);
}

static void test_tasks(uint32_t cores, bool chain)
{
    static long value;
    struct castell_access access = ACCESS(INOUT, value);

    begin(cores, MAX, 0);
    submit_all(&access, chain);
    GO(castell_barrier());
    ok(atomic_load(&finished) == TASKS &&
           atomic_load(&unfinished.highest) <= MAX,
       "at most %d %s tasks are unfinished, %u executors: %ld", MAX,
       chain ? "chained" : "free", cores, atomic_load(&unfinished.highest));
    stop();
}

static void *submit_in_thread(void *argument)
{
    submit_all(NULL, 0);
    return argument;
}

static void test_threads(uint32_t cores)
{
    pthread_t threads[THREADS];

    begin(cores, MAX, 0);
    for (int i = 0; i < THREADS; i++)
        NEED(pthread_create(&threads[i], NULL, submit_in_thread, NULL) == 0,
             "no thread");
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    GO(castell_barrier());
    ok(atomic_load(&finished) == THREADS * TASKS &&
           atomic_load(&unfinished.highest) <= MAX + MAX / 4 + THREADS,
       "also of several threads together, %u executors: %ld", cores,
       atomic_load(&unfinished.highest));
    stop();
}

static void test_memory(void)
{
    enum { SIZE = 1 << 16, MEMORY = 4 << 20 };
    static char argument[SIZE];
    struct castell_counters counters;
    uint64_t highest = 0;

    begin(2, 0, MEMORY);
    for (int i = 0; i < TASKS / 3; i++) {
        submit(&end_kind, argument, sizeof(argument), NULL, 0);
        castell_counters(&counters);
        if (counters.task_memory > highest)
            highest = counters.task_memory;
    }
    GO(castell_barrier());
    /* It is looked at once in a while: some more may come in between. */
    ok(atomic_load(&finished) == TASKS / 3 && highest < 3 * MEMORY,
       "memory of unfinished tasks is bounded: %llu KiB of %d",
       (unsigned long long)highest >> 10, MEMORY >> 10);
    stop();
}

/* In a body nothing blocks, whatever is unfinished. */
static int nest_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    for (int i = 0; i < 3 * MAX; i++)
        submit(&end_kind, NULL, 0, NULL, 0);
    return 0;
}

static struct castell_kind nest_kind = {.name = "nest", .body = nest_body};

static void test_nested(uint32_t cores)
{
    begin(cores, MAX, 0);
    for (int i = 0; i < 2 * MAX; i++)
        submit(&nest_kind, NULL, 0, NULL, 0);
    GO(castell_barrier());
    ok(atomic_load(&finished) == 6L * MAX * MAX,
       "tasks of tasks are not held back, %u executors", cores);
    stop();
}

static void zero(void *into, size_t count)
{
    memset(into, 0, count * sizeof(long));
}

static void sum(void *into, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((long *)into)[i] += ((const long *)from)[i];
}

static int one_body(void *const *buffers, const void *argument)
{
    (void)argument;
    *(long *)buffers[0] += 1;
    return 0;
}

static const struct castell_reduction plus = {sizeof(long), zero, sum};
static struct castell_kind one_kind = {.name = "one", .body = one_body};

/* What a reduction holds back is not waited for by a submitter. */
static void test_reductions(void)
{
    long total = 0;

    begin(2, 10, 0);
    for (int i = 0; i < TASKS; i++)
        SUBMIT_PLAIN(one_kind, {.base = &total,
                                .size = sizeof(total),
                                .mode = CASTELL_REDUCTION,
                                .reduction = &plus});
    GO(castell_barrier());
    ok(total == TASKS, "leaves of an open reduction: %ld", total);
    stop();
}

int main(void)
{
    for (uint32_t cores = 1; cores <= 3; cores++) {
        test_tasks(cores, false);
        test_tasks(cores, true);
        test_nested(cores);
    }
    test_threads(1);
    test_threads(2);
    test_memory();
    test_reductions();
    return tap_done();
}
