/*
 * OpenMP in bodies, with the compiler's own runtime: a parallel region has as
 * many threads as its thread was told, whatever other threads were told, on
 * the CPU set that it has; in a child process too.
 */
#include "body/child.h"
#include "body/threads.h"
#include "harness/tap.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 3, ROUNDS = 200 };

/* How many threads a region has; their CPU sets united. */
static int region(cpu_set_t *ret_cpus)
{
    static _Thread_local cpu_set_t all;
    cpu_set_t *into = &all;
    int count = 0;

    CPU_ZERO(into);
#pragma omp parallel
    {
        cpu_set_t own;

        (void)sched_getaffinity(0, sizeof(own), &own);
#pragma omp critical
        {
            CPU_OR(into, into, &own);
            count++;
        }
    }
    *ret_cpus = all;
    return count;
}

static void test_counts(void)
{
    cpu_set_t cpus;

    cst_threads_init();
    ok(region(&cpus) == 1, "outside of bodies a region has one thread");
    cst_threads_use(3, false);
    ok(region(&cpus) == 3, "3 threads when told so");
    cst_threads_use(2, false);
    ok(region(&cpus) == 2, "then 2");
    cst_threads_use(1, false);
    ok(region(&cpus) == 1, "then 1");
    ok(cst_threads_may_mix(2, 3), "any bodies may run at once");
}

static void test_cores(void)
{
    cpu_set_t all, one, cpus;

    (void)sched_getaffinity(0, sizeof(all), &all);
    if (CPU_COUNT(&all) < 2) {
        tap_skip("binding", "one core only");
        return;
    }
    cst_threads_use(2, true);
    ok(region(&cpus) == 2 && CPU_EQUAL(&cpus, &all), "on all cores");
    for (size_t i = 0; i < 2; i++) {
        size_t core = 0;

        /* The first core of the set, then the next. */
        for (size_t left = i; !CPU_ISSET(core, &all) || left-- > 0;)
            core++;
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        (void)sched_setaffinity(0, sizeof(one), &one);
        cst_threads_use(2, true);
        ok(region(&cpus) == 2 && CPU_EQUAL(&cpus, &one), "on core %zu", core);
    }
    (void)sched_setaffinity(0, sizeof(all), &all);
    cst_threads_use(2, true);
    ok(region(&cpus) == 2 && CPU_EQUAL(&cpus, &all), "on all cores again");
    cst_threads_use(1, false);
}

static void *run_bodies(void *argument)
{
    const uint32_t *count = argument;
    static atomic_int wrong;
    cpu_set_t cpus;

    for (int i = 0; i < ROUNDS; i++) {
        cst_threads_use(*count, false);
        if (region(&cpus) != (int)*count)
            atomic_fetch_add(&wrong, 1);
        cst_threads_use(1, false);
        if (region(&cpus) != 1)
            atomic_fetch_add(&wrong, 1);
    }
    return &wrong;
}

static void test_threads(void)
{
    uint32_t counts[THREADS] = {1, 2, 3};
    pthread_t threads[THREADS];
    void *wrong = NULL;

    for (int i = 0; i < THREADS; i++)
        (void)pthread_create(&threads[i], NULL, run_bodies, &counts[i]);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], &wrong);
    ok(atomic_load((atomic_int *)wrong) == 0,
       "threads have their own numbers, at the same time");
}

static int region_in_child(void *const *buffers, const void *argument)
{
    cpu_set_t cpus;

    (void)argument;
    *(int *)buffers[0] = region(&cpus);
    return 0;
}

static void test_child(uint32_t count)
{
    int threads = 0;
    void *buffers[] = {&threads};
    struct cst_rows written = {&threads, sizeof(threads), 1, 0};
    struct cst_child_request request = {.body = region_in_child,
                                        .buffers = buffers,
                                        .buffers_count = 1,
                                        .written = &written,
                                        .written_count = 1,
                                        .timeout_ns = UINT64_C(60000000000),
                                        .cores = count,
                                        .label = "region"};
    struct cst_child_result result;

    cst_child_run(&request, &result);
    ok(result.outcome == CST_CHILD_RETURNED && threads == (int)count,
       "%u threads in a child process", count);
}

int main(void)
{
    cpu_set_t cpus;
    int before;

#if defined(__SANITIZE_THREAD__)
    tap_skip("OpenMP", "it is not built for the thread sanitizer");
    return tap_done();
#endif
    before = region(&cpus);
    test_counts();
    test_cores();
    test_threads();
    test_child(1);
    test_child(3);
    cst_threads_release();
    ok(region(&cpus) == before, "at the end all is as it was");
    return tap_done();
}
