/*
 * How bodies in child processes get on with the world: a timeout ends the
 * programs that the body started too; output comes once and in order; the
 * program may do with SIGCHLD what it likes; the child dies with its parent.
 */
#include "base/memory.h"
#include "body/child.h"
#include "body/child_run.h"
#include "harness/tap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

/* ---- timeouts ---- */

static int sleep_long(void *const *buffers, const void *argument)
{
    int *ends = *(int *const *)argument;
    char byte = 0;

    (void)buffers;
    /* A program that it started, which holds the pipe open while it lives. */
    if (fork() == 0) {
        for (;;)
            (void)pause();
    }
    (void)close(ends[0]);
    if (write(ends[1], &byte, 1) != 1)
        return 1;
    for (;;)
        (void)pause();
}

static void test_timeout(void)
{
    int ends[2];
    int *argument = ends;
    struct cst_child_request request = {.body = sleep_long,
                                        .argument = &argument,
                                        .timeout_ns = 200 * MS,
                                        .label = "sleeper"};
    struct rusage before, after;
    struct cst_child_result result;
    double start = seconds(), took;
    char bytes[2];

    if (pipe(ends) != 0)
        tap_bail("no pipe");
    (void)getrusage(RUSAGE_SELF, &before);
    result = run(&request);
    took = seconds() - start;
    (void)getrusage(RUSAGE_SELF, &after);
    ok(result.outcome == CST_CHILD_TIMED_OUT, "a timeout ends a body");
    ok(took > 0.2, "when it is over: %.3f s", took);
    ok(said("sleeper") && said("0.200 s"), "and is said");
    ok(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec -
               before.ru_utime.tv_sec * 1000000 - before.ru_utime.tv_usec <
           50000,
       "waiting takes no time of a core");
    (void)close(ends[1]);
    ok(read(ends[0], bytes, 2) == 1, "the body had started a program");
    ok(read(ends[0], bytes, 2) == 0, "which ended too");
    (void)close(ends[0]);
}

/* ---- output, signals, descriptors ---- */

static int print(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)printf("%s", (const char *)argument);
    return 0;
}

/* All in a program of its own, whose output is a file. */
static void print_twice(void)
{
    struct cst_child_request request = {
        .body = print, .argument = "child,", .label = "print"};
    struct cst_child_result result;

    (void)printf("before,");
    cst_child_run(&request, &result);
    (void)printf("after,");
    cst_child_run(&request, &result);
    (void)fflush(stdout);
}

static void test_output(void)
{
    char text[100] = {0};
    FILE *file = tmpfile();
    pid_t child = file ? fork() : -1;

    if (child == 0) {
        (void)dup2(fileno(file), STDOUT_FILENO);
        print_twice();
        _exit(0);
    }
    must(child > 0 && waitpid(child, NULL, 0) == child, "a program prints");
    (void)fseek(file, 0, SEEK_SET);
    ok(fread(text, 1, 99, file) > 0 &&
           strcmp(text, "before,child,after,child,") == 0,
       "each piece once and in order: %s", text);
    (void)fclose(file);
}

static int nothing(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return cst_child_inside() ? 0 : 9;
}

static int leave_5(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    _exit(5);
}

static void steal(int number)
{
    int saved = errno;

    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    errno = saved;
}

static void test_sigchld(void)
{
    struct cst_child_request request = {.body = nothing, .label = "nothing"};
    struct cst_child_request leaves = {.body = leave_5, .label = "leave"};
    struct sigaction before;
    struct sigaction action = {.sa_handler = SIG_IGN};
    struct cst_child_result result;

    (void)sigaction(SIGCHLD, &action, &before);
    for (int i = 0; i < 2; i++) {
        result = run(&request);
        ok(result.outcome == CST_CHILD_RETURNED && result.number == 0,
           "a body returns in a program that %s",
           i == 0 ? "ignores SIGCHLD" : "waits for all its children");
        result = run(&leaves);
        ok(result.outcome == CST_CHILD_EXITED &&
               (result.number == 5 || result.number == -1),
           "and one that exits is told, with %d", result.number);
        action.sa_handler = steal;
        (void)sigaction(SIGCHLD, &action, NULL);
    }
    (void)sigaction(SIGCHLD, &before, NULL);
    ok(!cst_child_inside(), "this is no such child");
}

static void test_no_files(void)
{
    struct cst_child_request request = {.body = nothing, .label = "nothing"};
    struct cst_child_result result = {.number = -99};
    struct rlimit before, none;

    (void)getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3;
    (void)setrlimit(RLIMIT_NOFILE, &none);
    cst_child_run(&request, &result);
    (void)setrlimit(RLIMIT_NOFILE, &before);
    ok(result.outcome == CST_CHILD_NOT_STARTED, "without files: %s",
       castell_error_text());
    cst_alloc_fail_after(1);
    result = run(&request);
    ok(result.outcome == CST_CHILD_NOT_STARTED && said("no memory"),
       "without memory: %s", castell_error_text());
}

/* ---- the parent dies ---- */

static int hold(void *const *buffers, const void *argument)
{
    (void)buffers;
    if (write(*(const int *)argument, "x", 1) != 1)
        return 1;
    for (;;)
        (void)pause();
}

static void *hold_run(void *argument)
{
    struct cst_child_request request = {
        .body = hold, .argument = argument, .label = "hold"};
    struct cst_child_result result;

    cst_child_run(&request, &result);
    return NULL;
}

static void test_parent_dies(void)
{
    int ends[2];
    char byte;
    pid_t parent;

    if (pipe(ends) != 0)
        tap_bail("no pipe");
    parent = fork();
    if (parent == 0) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, hold_run, &ends[1]) == 0)
            (void)pthread_join(thread, NULL);
        _exit(1);
    }
    (void)close(ends[1]);
    must(parent > 0 && read(ends[0], &byte, 1) == 1, "a child of a child runs");
    (void)kill(parent, SIGKILL);
    (void)waitpid(parent, NULL, 0);
    ok(read(ends[0], &byte, 1) == 0, "and dies with its parent");
    (void)close(ends[0]);
}

int main(void)
{
    test_timeout();
    test_output();
    test_sigchld();
    test_no_files();
    test_parent_dies();
    return tap_done();
}
