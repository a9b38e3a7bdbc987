/*
 * Rules of castell_execute(): the exit status is the program's; a signal is
 * 128 + its number, a program that cannot be started 127, and both are said in
 * one sentence; streams go where they are told; nothing else is inherited.
 */
#include "body/execute.h"
#include "castell.h"
#include "harness/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, TEXT_SIZE = 400 };

static char directory[] = "/tmp/castell-execute-XXXXXX";

static const char *path(const char *name)
{
    static char paths[8][TEXT_SIZE];
    static int next;
    char *into = paths[next++ % 8];

    (void)snprintf(into, TEXT_SIZE, "%s/%s", directory, name);
    return into;
}

static int shell(const char *script, const char *in, const char *out,
                 const char *err)
{
    const char *const argv[] = {"sh", "-c", script, NULL};

    return cst_execute(argv, in, out, err);
}

static bool contains(const char *name, const char *text)
{
    char content[TEXT_SIZE] = "";
    FILE *file = fopen(path(name), "r");

    if (!file)
        return false;
    content[fread(content, 1, sizeof(content) - 1, file)] = '\0';
    (void)fclose(file);
    return strcmp(content, text) == 0;
}

/* Standard error to a file meanwhile; returns what was there. */
static int error_to_file(void)
{
    int before = dup(STDERR_FILENO);
    int file = open(path("said"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (before < 0 || file < 0 || dup2(file, STDERR_FILENO) < 0)
        tap_bail("no file");
    (void)close(file);
    return before;
}

static void error_back(int before)
{
    if (dup2(before, STDERR_FILENO) < 0)
        tap_bail("no standard error");
    (void)close(before);
}

/* Is the error text said, as a line? */
static bool is_said(void)
{
    char line[TEXT_SIZE];

    (void)snprintf(line, sizeof(line), "castell: %s\n", castell_error_text());
    return contains("said", line);
}

static void test_status(void)
{
    int before;

    ok(shell("exit 0", NULL, NULL, NULL) == 0, "success");
    ok(shell("exit 3", NULL, NULL, NULL) == 3, "an exit status");
    ok(shell("exit 255", NULL, NULL, NULL) == 255, "the highest");
    before = error_to_file();
    ok(shell("kill -TERM $$", NULL, NULL, NULL) == 128 + SIGTERM,
       "a signal: %s", castell_error_text());
    error_back(before);
    ok(is_said(), "is said");
}

static void test_not_started(const char *program, const char *text)
{
    const char *const argv[] = {program, "-x", NULL};
    int before = error_to_file();
    int status = cst_execute(argv, NULL, NULL, NULL);

    error_back(before);
    ok(status == 127 && strstr(castell_error_text(), text), "not started: %s",
       castell_error_text());
    ok(is_said(), "is said");
}

static void test_no_program(void)
{
    const char *const none[] = {NULL};
    int before = error_to_file();

    ok(cst_execute(NULL, NULL, NULL, NULL) == 127, "no argv");
    ok(cst_execute(none, NULL, NULL, NULL) == 127, "no program");
    error_back(before);
    test_not_started("", "no program");
    test_not_started("castell-no-such-program", "No such file");
    test_not_started("/etc/passwd", "Permission denied");
    test_not_started("/", "Permission denied");
}

static void test_streams(void)
{
    int before;

    ok(shell("echo one; echo two >&2", NULL, path("out"), path("err")) == 0 &&
           contains("out", "one\n") && contains("err", "two\n"),
       "output and error go to their files");
    ok(shell("cat", path("out"), path("copy"), NULL) == 0 &&
           contains("copy", "one\n"),
       "input comes from its file");
    ok(shell("echo x", NULL, path("out"), NULL) == 0 && contains("out", "x\n"),
       "output is replaced, not appended to");
    ok(shell("echo one; echo two >&2", NULL, path("both"), path("both")) == 0 &&
           contains("both", "one\ntwo\n"),
       "both in one file come one after the other");
    before = error_to_file();
    ok(shell("exit 0", path("missing"), NULL, NULL) == 127 &&
           strstr(castell_error_text(), "standard input"),
       "no input: %s", castell_error_text());
    error_back(before);
    ok(is_said(), "is said");
    before = error_to_file();
    ok(shell("exit 0", NULL, path("no/out"), NULL) == 127,
       "no place for output: %s", castell_error_text());
    error_back(before);
}

static void test_closed_streams(void)
{
    int before = dup(STDIN_FILENO);

    (void)close(STDIN_FILENO);
    ok(shell("echo one; echo two >&2", NULL, path("out"), path("err")) == 0 &&
           contains("out", "one\n") && contains("err", "two\n"),
       "with standard input closed files go where they should");
    if (before >= 0) {
        (void)dup2(before, STDIN_FILENO);
        (void)close(before);
    }
}

static int files_open(void)
{
    int count = 0;

    for (int i = 0; i < 256; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

static void test_inherited(void)
{
    sigset_t all, before;
    char script[TEXT_SIZE];

    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    ok(shell("grep -q 'SigBlk:.0000000000000000' /proc/self/status", NULL, NULL,
             NULL) == 0,
       "the program blocks no signals");
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    ok(shell("grep -q 'SigIgn:.....[0-9a-f]*[02468ace]...$' /proc/self/status",
             NULL, NULL, NULL) == 0,
       "and does not ignore SIGPIPE");
    (void)signal(SIGPIPE, SIG_DFL);
    (void)snprintf(script, sizeof(script),
                   "test $(ls /proc/self/fd | wc -l) = %d", files_open() + 1);
    ok(shell(script, path("out"), path("copy"), path("err")) == 0,
       "and has no more open than this one, and the directory");
}

static void test_sigchld(void)
{
    int before;

    (void)signal(SIGCHLD, SIG_IGN);
    before = error_to_file();
    ok(shell("exit 3", NULL, NULL, NULL) == 127, "SIGCHLD ignored: %s",
       castell_error_text());
    error_back(before);
    ok(is_said(), "is said");
    (void)signal(SIGCHLD, SIG_DFL);
}

static void *execute_many(void *argument)
{
    atomic_int *wrong = argument;
    char script[20];

    for (int i = 0; i < 20; i++) {
        (void)snprintf(script, sizeof(script), "exit %d", i);
        if (shell(script, NULL, NULL, NULL) != i)
            atomic_fetch_add(wrong, 1);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    atomic_int wrong = 0;

    for (int i = 0; i < THREADS; i++)
        (void)pthread_create(&threads[i], NULL, execute_many, &wrong);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    ok(atomic_load(&wrong) == 0, "%d threads at once", THREADS);
}

int main(void)
{
    char script[TEXT_SIZE];

    must(mkdtemp(directory) != NULL, "a directory");
    test_status();
    test_no_program();
    test_streams();
    test_closed_streams();
    test_inherited();
    test_sigchld();
    test_threads();
    (void)snprintf(script, sizeof(script), "rm -r %s", directory);
    ok(shell(script, NULL, NULL, NULL) == 0, "the directory goes");
    return tap_done();
}
