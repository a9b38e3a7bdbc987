/*
 * Rules of bodies in child processes: what they write comes over when they
 * return 0, to the byte, and else nothing does; every way to end is told from
 * every other; a crash harms nobody and is reported; many at once; nothing is
 * left behind. How they get on with the rest of a program: child_world_test.c.
 */
#include "body/child.h"
#include "body/child_run.h"
#include "harness/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, RUNS = 25 };

#define MS UINT64_C(1000000)

/* ---- what comes over ---- */

static int global;

static int fill(void *const *buffers, const void *argument)
{
    const int *value = argument;

    global = 1;
    for (size_t row = 0; row < 100; row++)
        memset((char *)buffers[0] + row * 70, *value, 70);
    memset(buffers[1], *value + 1, 10);
    return *value == 13 ? 7 : 0;
}

static void test_regions(void)
{
    char *matrix = calloc(100, 70), vector[10] = {0};
    void *buffers[] = {matrix, vector};
    int value = 5;
    struct cst_rows written[] = {{matrix + 30, 20, 100, 70},
                                 {vector, sizeof(vector), 0, 0}};
    struct cst_child_request request = {.body = fill,
                                        .buffers = buffers,
                                        .buffers_count = 2,
                                        .argument = &value,
                                        .written = written,
                                        .written_count = 2,
                                        .cores = 1,
                                        .label = "fill"};
    struct cst_child_result result;
    int wrong = 0;

    must(matrix != NULL, "a matrix");
    value = 13;
    result = run(&request);
    for (int i = 0; i < 7000; i++)
        wrong += matrix[i] != 0;
    ok(result.outcome == CST_CHILD_RETURNED && result.number == 7,
       "a body fails");
    ok(wrong == 0 && vector[0] == 0, "and nothing of it comes over");
    value = 5;
    result = run(&request);
    ok(result.outcome == CST_CHILD_RETURNED && result.number == 0,
       "a body returns");
    for (int i = 0; i < 7000; i++)
        wrong += matrix[i] != (i % 70 >= 30 && i % 70 < 50 ? 5 : 0);
    ok(wrong == 0, "its rows come over, and nothing between them");
    ok(vector[0] == 6 && vector[9] == 6, "and the second region");
    ok(global == 0, "and nothing else");
    ok(all_said()[0] == '\0', "and nothing is said");
    free(matrix);
}

static int fill_large(void *const *buffers, const void *argument)
{
    (void)argument;
    memset(buffers[0], 3, (size_t)64 << 20);
    return 0;
}

static void test_large(void)
{
    size_t size = (size_t)64 << 20;
    char *memory = malloc(size);
    void *buffers[] = {memory};
    struct cst_rows written = {memory, size, 1, 0};
    struct cst_child_request request = {.body = fill_large,
                                        .buffers = buffers,
                                        .buffers_count = 1,
                                        .written = &written,
                                        .written_count = 1,
                                        .label = "fill large"};
    struct cst_child_result result = run(&request);
    size_t right = 0;

    must(memory && result.outcome == CST_CHILD_RETURNED, "64 MiB written");
    for (size_t i = 0; i < size; i++)
        right += memory[i] == 3;
    ok(right == size, "come over");
    free(memory);
}

/* ---- how it ends ---- */

static int *volatile nowhere = (int *)16; // NOLINT
static volatile int zero;

__attribute__((noinline)) static int crash_here(void)
{
    *nowhere = 1;
    return *nowhere + zero;
}

/* The sanitizer would end the process its own way. */
__attribute__((noinline, no_sanitize("undefined"))) static int divide(int by)
{
    return 10 / by;
}

/* NOLINTNEXTLINE(misc-no-recursion): the point of it */
__attribute__((noinline)) static int deep(volatile const char *under)
{
    volatile char frame[2048];

    frame[0] = under ? under[0] : 0;
    if (zero)
        return 0;
    return deep(frame) + frame[0];
}

static int end(void *const *buffers, const void *argument)
{
    const char *how = argument;

    ((char *)buffers[0])[0] = 1;
    if (strcmp(how, "segv") == 0)
        return crash_here();
    if (strcmp(how, "fpe") == 0)
        return divide(zero);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "stack") == 0)
        return deep(NULL);
    if (strcmp(how, "exit") == 0)
        exit(3); // NOLINT(concurrency-mt-unsafe)
    if (strcmp(how, "_exit") == 0)
        _exit(4);
    if (strcmp(how, "kill") == 0)
        (void)raise(SIGKILL);
    if (strcmp(how, "term") == 0)
        (void)raise(SIGTERM);
    if (strcmp(how, "thread") == 0)
        pthread_exit(NULL);
    return 0;
}

static void test_end(const char *how, enum cst_child_outcome outcome,
                     int number, const char *text)
{
    char memory[8] = {0};
    void *buffers[] = {memory};
    struct cst_rows written = {memory, sizeof(memory), 1, 0};
    struct cst_child_request request = {.body = end,
                                        .buffers = buffers,
                                        .buffers_count = 1,
                                        .argument = how,
                                        .written = &written,
                                        .written_count = 1,
                                        .cores = 1,
                                        .label = "the-label"};
    struct cst_child_result result = run(&request);

    ok(result.outcome == outcome && result.number == number,
       "%s: outcome %d, number %d", how, (int)result.outcome, result.number);
    ok(said(text) && said("the-label"), "is said with label and cause");
    ok(memory[0] == 0, "and nothing comes over");
}

static void test_report(void)
{
    char memory[8] = {0}, address[32];
    void *buffers[] = {memory};
    struct cst_child_request request = {.body = end,
                                        .buffers = buffers,
                                        .buffers_count = 1,
                                        .argument = "segv",
                                        .label = "scale"};

    (void)run(&request);
    (void)snprintf(address, sizeof(address), "%p", (void *)memory);
    ok(said("task scale"), "a crash is reported with the task's label");
    ok(said("SIGSEGV") && said("at 0x10"), "the signal and its address");
    ok(said(address), "the arguments' addresses");
    ok(said("#0 ") && said("#1 "), "and a backtrace:");
#ifdef HAVE_LIBDW
    ok(said(" in crash_here at ") && said("child_test.c:"),
       "with the function, though it is static, file and line");
#endif
    for (char *line = strtok(all_said(), "\n"); line; line = strtok(NULL, "\n"))
        printf("# %s\n", line);
}

/* ---- many at once ---- */

/* So that others are in malloc() while a process is forked; the address
   sanitizer's does not survive that. */
static void *make_noise(int i)
{
#if defined(__SANITIZE_ADDRESS__)
    (void)i;
    return NULL;
#else
    return malloc((size_t)1000 * (size_t)(i + 1));
#endif
}

static int square(void *const *buffers, const void *argument)
{
    int *into = buffers[0];
    char *scratch = malloc(100000);

    if (!scratch)
        return 1;
    memset(scratch, 1, 100000);
    *into = *(const int *)argument * *(const int *)argument;
    free(scratch);
    return 0;
}

static void *square_many(void *argument)
{
    atomic_int *wrong = argument;

    for (int i = 0; i < RUNS; i++) {
        int result_here = 0;
        void *buffers[] = {&result_here};
        struct cst_rows written = {&result_here, sizeof(int), 1, 0};
        struct cst_child_request request = {.body = square,
                                            .buffers = buffers,
                                            .buffers_count = 1,
                                            .argument = &i,
                                            .written = &written,
                                            .written_count = 1,
                                            .timeout_ns = 20000 * MS,
                                            .cores = 1,
                                            .label = "square"};
        struct cst_child_result result;
        void *noise = make_noise(i);

        cst_child_run(&request, &result);
        if (result.outcome != CST_CHILD_RETURNED || result_here != i * i)
            atomic_fetch_add(wrong, 1);
        free(noise);
    }
    return NULL;
}

static void test_many(void)
{
    atomic_int wrong = 0;
    pthread_t threads[THREADS];
    double start = seconds();

    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, square_many, &wrong) != 0)
            tap_bail("no thread");
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    ok(atomic_load(&wrong) == 0, "%d children by %d threads, %.0f us each",
       THREADS * RUNS, THREADS, (seconds() - start) * 1e6 / (THREADS * RUNS));
}

static int files_open(void)
{
    int count = 0;

    for (int i = 0; i < 256; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

int main(void)
{
    int files_before = files_open();

    test_regions();
    test_large();
    test_end("segv", CST_CHILD_SIGNAL, SIGSEGV, "SIGSEGV");
    test_end("fpe", CST_CHILD_SIGNAL, SIGFPE, "SIGFPE");
    test_end("abort", CST_CHILD_SIGNAL, SIGABRT, "SIGABRT");
    test_end("stack", CST_CHILD_SIGNAL, SIGSEGV, "SIGSEGV");
    test_end("kill", CST_CHILD_SIGNAL, SIGKILL, "SIGKILL");
    test_end("term", CST_CHILD_SIGNAL, SIGTERM, "SIGTERM");
    test_end("exit", CST_CHILD_EXITED, 3, "status 3");
    test_end("_exit", CST_CHILD_EXITED, 4, "status 4");
#if !defined(__SANITIZE_THREAD__) /* then it is the child's only thread */
    test_end("thread", CST_CHILD_EXITED, 0, "status 0");
#endif
    test_report();
    test_many();
    ok(files_open() == files_before, "no file is left open");
    ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "no child is left");
    return tap_done();
}
