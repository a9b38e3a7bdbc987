#include "trace/progress.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    REFRESH_MS = 100, /* 10 times a second */
    WIDTH_DEFAULT = 80,
    LINE_SIZE = 256,
    SENTENCE_SIZE = 1024,
    PAST_REFRESHES = 10, /* the rate is that of the last second */
};

#define ERASE_LINE "\r\033[K"

/* Whether sentences have to erase one first. */
static atomic_bool line_is_there;

/* How many were finished when. */
struct past {
    uint64_t ns;
    uint64_t finished;
};

struct cst_progress {
    cst_progress_look *look;
    void *owner;
    pthread_t thread;
    bool is_terminal;
    uint64_t start_ns;
    struct past past[PAST_REFRESHES]; /* Owner: the thread */
    uint64_t refreshes;
    bool shown; /* there is a line to be erased */
    int stop;   /* an eventfd */
};

/* ---- Whether ---------------------------------------------------------- */

static enum castell_status find_wanted(bool *ret_wanted)
{
    const char *choice = cst_parse_environment("CASTELL_PROGRESS");
    const char *terminal = cst_parse_environment("TERM");

    if (!choice) {
        *ret_wanted =
            isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
        return CASTELL_OK;
    }
    if (strcmp(choice, "0") != 0 && strcmp(choice, "1") != 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "CASTELL_PROGRESS is \"%s\": give 0 or 1", choice);
    *ret_wanted = *choice == '1';
    return CASTELL_OK;
}

/* A job in the background leaves the terminal to others. */
static bool in_foreground(const struct cst_progress *progress)
{
    return !progress->is_terminal || tcgetpgrp(STDERR_FILENO) == getpgrp();
}

/* ---- The line -------------------------------------------------------- */

static size_t terminal_width(void)
{
    struct winsize size;

    /* The last column is left free: to write there wraps some terminals. */
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
        return size.ws_col - 1u;
    return WIDTH_DEFAULT - 1;
}

static double rate_until(struct cst_progress *progress, uint64_t now_ns,
                         uint64_t finished)
{
    struct past *past = &progress->past[progress->refreshes % PAST_REFRESHES];
    struct past before = *past;

    if (progress->refreshes < PAST_REFRESHES)
        before = (struct past){progress->start_ns, 0};
    progress->refreshes++;
    *past = (struct past){now_ns, finished};
    if (now_ns <= before.ns || finished <= before.finished)
        return 0;
    return (double)(finished - before.finished) * 1e9 /
           (double)(now_ns - before.ns);
}

/* One write, so that the lines of others come before or after it. */
static void put(const char *text, size_t size)
{
    ssize_t written = write(STDERR_FILENO, text, size);

    (void)written; /* nobody is there to read it */
}

static void refresh(struct cst_progress *progress)
{
    struct cst_progress_view view = {.elapsed_ns = 0};
    char line[LINE_SIZE] = ERASE_LINE;
    const size_t erase = sizeof(ERASE_LINE) - 1;
    uint64_t now_ns = cst_clock_ns();

    progress->look(progress->owner, &view);
    view.elapsed_ns = now_ns - progress->start_ns;
    view.tasks_per_second =
        rate_until(progress, now_ns, view.counters.finished);
    if (view.counters.submitted == 0 || !in_foreground(progress))
        return;
    (void)cst_progress_format(&view, terminal_width(), line + erase,
                              sizeof(line) - erase);
    put(line, strlen(line));
    progress->shown = true;
    atomic_store(&line_is_there, true);
}

static void erase(struct cst_progress *progress)
{
    if (progress->shown && in_foreground(progress))
        put(ERASE_LINE, sizeof(ERASE_LINE) - 1);
    atomic_store(&line_is_there, false);
}

void cst_progress_say(const char *text)
{
    char line[SENTENCE_SIZE];
    int length = snprintf(line, sizeof(line), "%scastell: %s",
                          atomic_load(&line_is_there) ? ERASE_LINE : "", text);

    if (length < 0)
        return;
    if ((size_t)length > sizeof(line) - 2)
        length = (int)sizeof(line) - 2;
    line[length] = '\n';
    put(line, (size_t)length + 1);
}

/* ---- Its thread ------------------------------------------------------ */

static void *show_until_stopped(void *argument)
{
    struct cst_progress *progress = argument;
    struct pollfd stop = {.fd = progress->stop, .events = POLLIN};

    while (poll(&stop, 1, REFRESH_MS) <= 0)
        refresh(progress);
    erase(progress);
    return NULL;
}

static enum castell_status start(struct cst_progress *progress)
{
    enum castell_status status;

    progress->stop = eventfd(0, EFD_CLOEXEC);
    if (progress->stop < 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "no eventfd to show progress: %s",
                        cst_reason(errno));
    status = cst_thread_start("castell-line", show_until_stopped, progress,
                              &progress->thread);
    if (status < 0)
        (void)close(progress->stop);
    return status;
}

enum castell_status cst_progress_start(cst_progress_look *look, void *owner,
                                       struct cst_progress **ret_progress)
{
    struct cst_progress *progress;
    bool wanted = false;
    enum castell_status status = find_wanted(&wanted);

    if (status < 0)
        return status;
    if (!wanted) {
        *ret_progress = NULL;
        return CASTELL_OK;
    }
    progress = cst_zalloc(sizeof(*progress));
    if (!progress)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to show progress");
    progress->look = look;
    progress->owner = owner;
    progress->is_terminal = isatty(STDERR_FILENO);
    progress->start_ns = cst_clock_ns();
    status = start(progress);
    if (status < 0) {
        cst_free(progress);
        return status;
    }
    *ret_progress = progress;
    return CASTELL_OK;
}

void cst_progress_stop(struct cst_progress *progress)
{
    uint64_t one = 1;
    ssize_t written;

    if (!progress)
        return;
    written = write(progress->stop, &one, sizeof(one));
    CST_ASSERT(written == sizeof(one));
    (void)pthread_join(progress->thread, NULL);
    (void)close(progress->stop);
    cst_free(progress);
}
