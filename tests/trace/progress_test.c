/*
 * The line says what it should in the columns there are; it shows on a
 * terminal, is erased at the end, and never shows elsewhere unless wanted.
 */
#include "base/clock.h"
#include "harness/tap.h"
#include "trace/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TEXT_SIZE = 256,
    OUTPUT_SIZE = 1 << 16,
    COLUMNS = 60,
    RUN_US = 550000,
    EXIT_INVALID = 3,
};

static void show(struct cst_progress_view *view, size_t width,
                 const char *expected)
{
    char text[TEXT_SIZE];

    (void)cst_progress_format(view, width, text, sizeof(text));
    if (!ok(strcmp(text, expected) == 0, "in %zu columns: %s", width, text))
        printf("# expected         %s\n", expected);
}

static void test_words(void)
{
    struct cst_progress_view view = {
        .counters = {.submitted = 1000, .finished = 500, .running = 2},
        .tasks_per_second = 12345,
        .elapsed_ns = 2500000000,
    };

    show(&view, 80,
         "[===============>              ] 500/1000 tasks, 2 running, "
         "12345/s, 2.5 s");
    show(&view, 60,
         "[========>       ] 500/1000 tasks, 2 running, 12345/s, 2.5 s");
    show(&view, 47, "500/1000 tasks, 2 running, 12345/s, 2.5 s");
    show(&view, 40, "500/1000 tasks, 2 running, 12345/s");
    show(&view, 14, "500/1000 tasks");
    show(&view, 13, "");
    view.counters.failed = 1;
    view.counters.cancelled = 3;
    view.counters.finished = 999600;
    view.counters.submitted = 12345678;
    view.elapsed_ns = 3723000000000;
    show(&view, 79,
         "1.00M/12.3M tasks, 1 failed, 3 cancelled, 2 running, 12345/s, "
         "1:02:03");
    view.counters.finished = view.counters.submitted;
    view.elapsed_ns = 61000000000;
    show(&view, 100,
         "[==============================] 12.3M/12.3M tasks, 1 failed, 3 "
         "cancelled, 2 running, 12345/s, 1:01");
    view.tasks_per_second = 123456789;
    show(&view, 70,
         "12.3M/12.3M tasks, 1 failed, 3 cancelled, 2 running, 123M/s, 1:01");
    view.tasks_per_second = 99999;
    show(&view, 70,
         "12.3M/12.3M tasks, 1 failed, 3 cancelled, 2 running, 99999/s, 1:01");
    view.tasks_per_second = 9.4;
    view.counters.failed = view.counters.cancelled = 0;
    show(&view, 47, "12.3M/12.3M tasks, 2 running, 9/s, 1:01");
    view.nodes = 3;
    show(&view, 55, "12.3M/12.3M tasks, 2 running, 3 nodes, 9/s, 1:01");
    view.asked = 2;
    show(&view, 70,
         "12.3M/12.3M tasks, 2 running, 3 nodes, 2 asked for, 9/s, 1:01");
    (void)snprintf(view.reason, sizeof(view.reason), "Priority");
    show(&view, 73,
         "12.3M/12.3M tasks, 2 running, 3 nodes, 2 asked for (Priority), 9/s, "
         "1:01");
    view.nodes = 1;
    show(&view, 30, "12.3M/12.3M tasks, 2 running");
}

static void test_any_width(void)
{
    struct cst_progress_view view = {
        .counters = {.submitted = UINT64_MAX,
                     .finished = UINT64_MAX,
                     .failed = UINT64_MAX,
                     .cancelled = UINT64_MAX,
                     .running = UINT64_MAX},
        .tasks_per_second = 1e300,
        .elapsed_ns = UINT64_MAX,
    };
    size_t wrong = 0;
    char text[TEXT_SIZE];

    for (int round = 0; round < 2; round++) {
        for (size_t width = 0; width < 400; width++) {
            (void)cst_progress_format(&view, width, text, sizeof(text));
            wrong += strlen(text) > width || strlen(text) >= sizeof(text);
        }
        view = (struct cst_progress_view){.elapsed_ns = 0};
    }
    ok(wrong == 0, "it never is wider than it may be");
}

/* ---- On a terminal --------------------------------------------------- */

static void count_up(void *owner, struct cst_progress_view *view)
{
    atomic_int *calls = owner;
    uint64_t call = (uint64_t)atomic_fetch_add(calls, 1) + 1;

    view->counters = (struct castell_counters){
        .submitted = 100, .finished = call, .running = 2};
}

static int run_for_a_while(void)
{
    atomic_int calls = 0;
    struct cst_progress *progress = NULL;
    uint64_t begun = cst_clock_ns();

    if (cst_progress_start(count_up, &calls, &progress) != CASTELL_OK)
        return EXIT_INVALID;
    (void)usleep(RUN_US);
    cst_progress_stop(progress);
    /* Ten times a second, and not after the end. */
    return (uint64_t)atomic_load(&calls) <= (cst_clock_ns() - begun) / 100000000
               ? 0
               : 1;
}

/* Read until the other end is closed; returns the length. */
static size_t read_all(int descriptor, char *output)
{
    size_t length = 0;
    ssize_t got;

    while ((got = read(descriptor, output + length, OUTPUT_SIZE - 1 - length)) >
           0)
        length += (size_t)got;
    output[length] = '\0'; /* a terminal ends with EIO */
    return length;
}

static int wait_for(pid_t child)
{
    int status = 0;

    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

/* NOLINTBEGIN(concurrency-mt-unsafe): a child with one thread */
static void set(const char *name, const char *value)
{
    if (value)
        (void)setenv(name, value, 1);
    else
        (void)unsetenv(name);
}
/* NOLINTEND(concurrency-mt-unsafe) */

static _Noreturn void be_child(int stderr_to, const char *choice,
                               const char *terminal)
{
    (void)dup2(stderr_to, STDERR_FILENO);
    set("CASTELL_PROGRESS", choice);
    set("TERM", terminal);
    _exit(run_for_a_while());
}

static int run_on_pipe(const char *choice, char *output)
{
    int ends[2];
    pid_t child;

    if (pipe(ends) != 0)
        tap_bail("no pipe");
    child = fork();
    if (child == 0)
        be_child(ends[1], choice, "xterm");
    (void)close(ends[1]);
    (void)read_all(ends[0], output);
    (void)close(ends[0]);
    return wait_for(child);
}

/* Open a terminal of some columns; returns its other end, and its name. */
static int open_terminal(char *name, size_t name_size)
{
    struct winsize size = {.ws_row = 24, .ws_col = COLUMNS};
    int other = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (other < 0 || grantpt(other) != 0 || unlockpt(other) != 0 ||
        ptsname_r(other, name, name_size) != 0 ||
        ioctl(other, TIOCSWINSZ, &size) != 0)
        return -1;
    return other;
}

/* Run on a terminal of its own, in the foreground or not. */
static int run_on_terminal(const char *choice, const char *terminal,
                           bool in_foreground, char *output)
{
    char name[TEXT_SIZE];
    int other = open_terminal(name, sizeof(name));
    pid_t child;

    if (other < 0)
        return -1;
    child = fork();
    if (child == 0) {
        int line;

        (void)setsid();
        line = open(name, O_RDWR); /* becomes our controlling terminal */
        if (line < 0)
            _exit(EXIT_FAILURE);
        if (!in_foreground) {
            pid_t inner = fork();

            if (inner > 0)
                _exit(wait_for(inner));
            (void)setpgid(0, 0);
        }
        be_child(line, choice, terminal);
    }
    (void)read_all(other, output);
    (void)close(other);
    return wait_for(child);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

static void test_shown(char *output)
{
    const char *first = "\r\033[K[>";
    const char *last = "\r\033[K";
    size_t length;
    size_t widest = 0;

    must(run_on_terminal(NULL, "xterm", true, output) == 0,
         "a run on a terminal, asked ten times a second");
    length = strlen(output);
    ok(strncmp(output, first, strlen(first)) == 0 &&
           strstr(output, "1/100 tasks, 2 running"),
       "shows a line");
    ok(count_of(output, last) > 2, "and again: %zu", count_of(output, last));
    ok(length > 4 && strcmp(output + length - 4, last) == 0,
       "and erases it in the end");
    ok(!strchr(output, '\n'), "it is one line");
    for (char *at = output; (at = strstr(at, last)); at += 4) {
        size_t width = strcspn(at + 4, "\r");

        widest = width > widest ? width : widest;
    }
    ok(widest > COLUMNS / 2 && widest < COLUMNS, "that fits: %zu of %d columns",
       widest, COLUMNS);
}

static void test_not_shown(char *output)
{
    ok(run_on_terminal(NULL, "dumb", true, output) == 0 && !*output,
       "a terminal that cannot erase shows nothing");
    ok(run_on_terminal("0", "xterm", true, output) == 0 && !*output,
       "nor does one when it is turned off");
    ok(run_on_terminal(NULL, "xterm", false, output) == 0 && !*output,
       "nor does a job in the background");
    ok(run_on_pipe(NULL, output) == 0 && !*output, "nor does a pipe");
    ok(run_on_pipe("1", output) == 0 && strstr(output, "/100 tasks"),
       "unless it is wanted");
    ok(run_on_pipe("yes", output) == EXIT_INVALID,
       "anything but 0 and 1 is refused");
}

int main(void)
{
    static char output[OUTPUT_SIZE];
    char name[TEXT_SIZE];
    int terminal = open_terminal(name, sizeof(name));

    test_words();
    test_any_width();
    if (terminal < 0) {
        tap_skip("progress on a terminal", "no terminal can be made");
        return tap_done();
    }
    (void)close(terminal);
    test_shown(output);
    test_not_shown(output);
    return tap_done();
}
