/*
 * Scratch of a process that was killed: who started it removes it, and never
 * that of one who lives.
 */
#include "files/place.h"
#include "harness/tap.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[] = "/tmp/castell-scratch-test-XXXXXX";

static int count_entries(void)
{
    DIR *stream = opendir(base);
    const struct dirent *entry;
    int count = 0;

    while (stream && (entry = readdir(stream)))
        count += entry->d_name[0] != '.';
    if (!stream || closedir(stream) != 0)
        tap_bail("there is no directory");
    return count;
}

static void say(int to, pid_t pid)
{
    if (write(to, &pid, sizeof(pid)) != sizeof(pid))
        _exit(1);
}

static pid_t hear(int from)
{
    pid_t pid;

    if (read(from, &pid, sizeof(pid)) != sizeof(pid))
        tap_bail("a process has not made its scratch");
    return pid;
}

/* Has scratch, and a child of its own if it is to; both say so and stay. */
static _Noreturn void live(int to, bool twice)
{
    char *name = NULL;
    bool scratch = false;

    cst_places_begin(false, 0);
    cst_places_set_run(1, false);
    if (cst_place_name("/nowhere/file", &name, &scratch) != CASTELL_OK ||
        !scratch)
        _exit(1);
    say(to, getpid());
    if (twice && fork() == 0)
        say(to, getpid());
    for (;;)
        (void)pause();
}

static pid_t start(const char *mark, const int *ends, bool twice)
{
    pid_t child;

    if (setenv(CST_SCRATCH_MARK, mark, 1) != 0)
        tap_bail("no memory");
    child = fork();
    if (child == 0)
        live(ends[1], twice);
    if (child < 0 || hear(ends[0]) != child)
        tap_bail("there is no process");
    return child;
}

static void end(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

static void test_one(const int *ends)
{
    pid_t child = start("1234-", ends, false);

    ok(count_entries() == 1, "a process has scratch");
    ok(!cst_scratch_sweep("1234-") && count_entries() == 1,
       "nobody takes it from one who lives");
    end(child);
    ok(cst_scratch_sweep("5678-") && count_entries() == 1,
       "nor from one who was started by somebody else");
    ok(cst_scratch_sweep("1234-") && count_entries() == 0,
       "when it was killed it goes");
    ok(cst_scratch_sweep("1234-"), "which may be asked for again");
}

/* A body in a child process may still write there. */
static void test_child(const int *ends)
{
    pid_t child = start("1234-", ends, true);
    pid_t body = hear(ends[0]);

    end(child);
    ok(!cst_scratch_sweep("1234-") && count_entries() == 1,
       "it is kept as long as a child of that process lives");
    (void)kill(body, SIGKILL);
    /* It is not ours to wait for: who writes to the pipe has its end open. */
    (void)close(ends[1]);
    (void)!read(ends[0], &body, sizeof(body));
    for (int i = 0; i < 1000 && !cst_scratch_sweep("1234-"); i++)
        (void)usleep(10000);
    ok(count_entries() == 0, "and not longer");
}

int main(void)
{
    int ends[2];

    if (!mkdtemp(base) || setenv("CASTELL_SCRATCH", base, 1) != 0 ||
        pipe(ends) != 0)
        tap_bail("there is no directory");
    test_one(ends);
    test_child(ends);
    (void)close(ends[0]);
    ok(rmdir(base) == 0, "nothing is left");
    return tap_done();
}
