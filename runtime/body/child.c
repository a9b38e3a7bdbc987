/*
 * The parent's half of cst_child_run().
 */
#include "body/child.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "body/backtrace.h"
#include "body/child_internal.h"
#include "body/signals.h"
#include "body/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PIECES_MAX = 64,
    BUFFERS_SHOWN_MAX = 16,
    LOOK_MS = 5,     /* how often, where the kernel cannot tell of a death */
    START_MS = 500,  /* for a child, before its body; see threads.h */
    STARTS_MAX = 20, /* of children that came to nothing */
};

#define NS_PER_MS UINT64_C(1000000)
#define NEVER     UINT64_MAX

/* A child process as its parent sees it. */
struct child {
    const struct cst_child_request *request;
    struct cst_child_report *report;
    pid_t process;
    int process_file; /* readable when it is dead; -1 on old kernels */
    int pipe_ends[2];
    uint64_t deadline_ns;
    uint64_t start_ns; /* its body has begun by then, or it is given up */
    bool dead;         /* and waited for */
    bool status_known;
    int status; /* as of waitpid() */
};

enum news { NEWS_TOLD, NEWS_DEAD, NEWS_LATE, NEWS_STUCK };

/* Not while another thread holds the stream: it may do so for long. */
static void output_flush(FILE *stream)
{
    if (ftrylockfile(stream) != 0)
        return;
    (void)fflush_unlocked(stream);
    funlockfile(stream);
}

static enum castell_status child_init(struct child *child,
                                      const struct cst_child_request *request)
{
    void *memory = MAP_FAILED;

    *child = (struct child){.request = request, .process_file = -1};
    if (pipe2(child->pipe_ends, O_CLOEXEC) != 0)
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "task %s has no pipe to its child process: %s",
                        request->label, cst_reason(errno));
    if (!cst_alloc_refused(sizeof(*child->report)))
        memory = mmap(NULL, sizeof(*child->report), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        (void)close(child->pipe_ends[0]);
        (void)close(child->pipe_ends[1]);
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "task %s has no memory to share with its child process",
                        request->label);
    }
    child->report = memory;
    (void)sem_init(&child->report->send, 1, 0);
    child->report->may_decline = child->request->may_decline;
    return CASTELL_OK;
}

static void child_release(struct child *child)
{
    (void)sem_destroy(&child->report->send);
    (void)munmap(child->report, sizeof(*child->report));
    (void)close(child->pipe_ends[0]);
    if (child->pipe_ends[1] >= 0)
        (void)close(child->pipe_ends[1]);
    if (child->process_file >= 0)
        (void)close(child->process_file);
}

static enum castell_status child_start(struct child *child)
{
    pid_t parent = getpid();
    sigset_t all;
    sigset_t before;
    int error;

    cst_backtrace_prepare();
    output_flush(stdout);
    output_flush(stderr);
    /* No handler of the program's is to run in the child before its body. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    cst_threads_fork_begin();
    child->process = fork();
    error = errno;
    cst_threads_fork_end(child->process == 0);
    if (child->process == 0)
        cst_child_main(child->request, child->report, child->pipe_ends[1],
                       parent);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child->process < 0) {
        return cst_fail(CASTELL_ERR_SYSTEM, "task %s has no child process: %s",
                        child->request->label, cst_reason(error));
    }
    /* Both do it, so that it is done whoever comes first. */
    (void)setpgid(child->process, child->process);
    (void)close(child->pipe_ends[1]);
    child->pipe_ends[1] = -1;
    child->process_file = (int)syscall(SYS_pidfd_open, child->process, 0);
    if (child->process_file >= 0)
        (void)fcntl(child->process_file, F_SETFD, FD_CLOEXEC);
    return CASTELL_OK;
}

/* Take the child's status when it is dead, waiting for that or not. */
static void reap(struct child *child, int options)
{
    pid_t waited;

    if (child->dead)
        return;
    do {
        waited = waitpid(child->process, &child->status, options);
    } while (waited < 0 && errno == EINTR);
    /* When waitpid() fails the program ignores SIGCHLD, or has waited for all
       of its children itself: it is dead, how is not known. */
    child->dead = waited != 0;
    child->status_known = waited > 0;
}

/* How long to sleep in poll(); rounded up, so as not to come early and spin. */
static int poll_ms(const struct child *child)
{
    uint64_t now;
    uint64_t left;

    uint64_t until = child->deadline_ns < child->start_ns ? child->deadline_ns
                                                          : child->start_ns;

    if (until == NEVER)
        return child->process_file >= 0 ? -1 : LOOK_MS;
    now = cst_clock_ns();
    left = now < until ? until - now : 0;
    left = (left + NS_PER_MS - 1) / NS_PER_MS;
    if (child->process_file < 0 && left > LOOK_MS)
        left = LOOK_MS;
    return left > INT32_MAX ? INT32_MAX : (int)left;
}

/* Has it not come as far as its body, and does not get there any more? */
static bool is_stuck(struct child *child)
{
    int start = CST_CHILD_TRIES;

    if (cst_clock_ns() < child->start_ns)
        return false;
    child->start_ns = NEVER;
    return atomic_compare_exchange_strong(&child->report->start, &start,
                                          CST_CHILD_GIVEN_UP);
}

/* Wait until there is something in the pipe, or death, or the deadline. */
static enum news wait_for_news(struct child *child)
{
    for (;;) {
        struct pollfd files[2] = {
            {.fd = child->pipe_ends[0], .events = POLLIN},
            {.fd = child->process_file, .events = POLLIN},
        };

        (void)poll(files, 2, poll_ms(child));
        if (files[0].revents & POLLIN)
            return NEWS_TOLD;
        if (child->process_file < 0 || files[1].revents != 0)
            reap(child, child->process_file < 0 ? WNOHANG : 0);
        if (child->dead)
            return NEWS_DEAD;
        if (is_stuck(child))
            return NEWS_STUCK;
        if (cst_clock_ns() >= child->deadline_ns)
            return NEWS_LATE;
    }
}

/* ---- bringing over what the body wrote ---- */

/* Read the regions out of the child's memory, at the same addresses. Returns
   whether that is allowed and all of it came. */
static bool regions_read(const struct child *child)
{
    struct cst_child_cursor cursor = {
        .regions = child->request->written,
        .regions_count = child->request->written_count,
    };
    struct iovec pieces[PIECES_MAX];
    size_t count;

    while ((count = cst_child_pieces(&cursor, pieces, PIECES_MAX)) > 0) {
        ssize_t got =
            process_vm_readv(child->process, pieces, count, pieces, count, 0);

        if (got <= 0)
            return false;
        cst_child_advance(&cursor, (size_t)got);
    }
    return true;
}

/* Ask the child for them instead. Returns whether all of them came. */
static bool regions_receive(struct child *child)
{
    struct cst_child_cursor cursor = {
        .regions = child->request->written,
        .regions_count = child->request->written_count,
    };
    struct iovec pieces[PIECES_MAX];
    size_t count;

    (void)sem_post(&child->report->send);
    while ((count = cst_child_pieces(&cursor, pieces, PIECES_MAX)) > 0) {
        ssize_t got;

        if (wait_for_news(child) != NEWS_TOLD)
            return false;
        got = readv(child->pipe_ends[0], pieces, (int)count);
        if (got > 0)
            cst_child_advance(&cursor, (size_t)got);
    }
    return true;
}

static bool regions_bring(struct child *child)
{
    char byte;

    if (read(child->pipe_ends[0], &byte, 1) != 1) /* the news itself */
        return false;
    return regions_read(child) || regions_receive(child);
}

/* ---- saying what happened ---- */

static void say(const char *text, size_t size)
{
    flockfile(stderr);
    (void)fwrite(text, 1, size, stderr);
    (void)fflush(stderr);
    funlockfile(stderr);
}

static void print_crash(FILE *stream, const struct child *child)
{
    const struct cst_child_request *request = child->request;
    const struct cst_child_report *report = child->report;
    size_t shown = request->buffers_count < BUFFERS_SHOWN_MAX
                       ? request->buffers_count
                       : BUFFERS_SHOWN_MAX;

    (void)fprintf(stream, "castell: task %s: crashed in its child process: %s",
                  request->label, cst_signal_text(report->signal));
    if (report->signal != SIGABRT && report->signal_code > 0)
        (void)fprintf(stream, " at %p", report->address);
    (void)fprintf(stream, "\ncastell:   arguments at");
    for (size_t i = 0; i < shown; i++)
        (void)fprintf(stream, " %p", request->buffers[i]);
    (void)fprintf(stream, "%s\n",
                  shown == 0                       ? " no address"
                  : shown < request->buffers_count ? " ..."
                                                   : "");
    cst_backtrace_print(stream, report->frames, report->frames_count);
}

/* As one block: built first, then written at once. */
static void say_crash(const struct child *child)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    if (!stream)
        return;
    print_crash(stream, child);
    if (fclose(stream) == 0)
        say(text, size);
    free(text);
}

static void say_error_text(void)
{
    (void)fprintf(stderr, "castell: %s\n", castell_error_text());
}

/* ---- what it came to ---- */

/* The child is dead, and its body has not returned. */
static void judge_dead(const struct child *child,
                       struct cst_child_result *ret_result)
{
    const struct cst_child_report *report = child->report;
    const char *label = child->request->label;

    if (report->signal != 0) {
        *ret_result =
            (struct cst_child_result){CST_CHILD_SIGNAL, report->signal};
        say_crash(child);
        (void)cst_fail(CASTELL_ERR_TASK_FAILED, "task %s was ended by %s",
                       label, cst_signal_text(report->signal));
        return;
    }
    if (atomic_load(&report->state) == CST_CHILD_HAS_EXITED) {
        *ret_result =
            (struct cst_child_result){CST_CHILD_EXITED, report->number};
    } else if (!child->status_known) {
        *ret_result = (struct cst_child_result){CST_CHILD_EXITED, -1};
    } else if (WIFSIGNALED(child->status)) {
        *ret_result = (struct cst_child_result){CST_CHILD_SIGNAL,
                                                WTERMSIG(child->status)};
    } else {
        *ret_result = (struct cst_child_result){CST_CHILD_EXITED,
                                                WEXITSTATUS(child->status)};
    }
    if (ret_result->outcome == CST_CHILD_SIGNAL)
        (void)cst_fail(CASTELL_ERR_TASK_FAILED, "task %s was ended by %s",
                       label, cst_signal_text(ret_result->number));
    else if (ret_result->number >= 0)
        (void)cst_fail(CASTELL_ERR_TASK_FAILED,
                       "task %s ended its process with status %d", label,
                       ret_result->number);
    else
        (void)cst_fail(CASTELL_ERR_TASK_FAILED,
                       "task %s ended its process; how is not known, for this "
                       "program ignores SIGCHLD or waits for all its children",
                       label);
    say_error_text();
}

static void child_kill(struct child *child)
{
    if (!child->dead)
        (void)kill(child->process, SIGKILL);
    reap(child, 0);
}

static void judge_late(struct child *child, struct cst_child_result *ret_result)
{
    /* The programs that the body started go with it. */
    (void)kill(-child->process, SIGKILL);
    child_kill(child);
    *ret_result = (struct cst_child_result){CST_CHILD_TIMED_OUT, SIGKILL};
    (void)cst_fail(CASTELL_ERR_TASK_FAILED,
                   "task %s was killed: it ran longer than its timeout of "
                   "%.3f s",
                   child->request->label,
                   (double)child->request->timeout_ns / 1e9);
    say_error_text();
}

/* Returns false when another one is to be forked. */
static bool judge(struct child *child, struct cst_child_result *ret_result)
{
    enum news news = wait_for_news(child);
    int state = atomic_load(&child->report->state);

    if (news == NEWS_STUCK) {
        child_kill(child);
        return false;
    }
    if (state == CST_CHILD_HAS_RETURNED) {
        int number = child->report->number;

        if (number != 0 || (news == NEWS_TOLD && regions_bring(child))) {
            child_kill(child);
            *ret_result = (struct cst_child_result){CST_CHILD_RETURNED, number};
            return true;
        }
        news = NEWS_DEAD; /* while it was waiting, or it crashed sending */
        child_kill(child);
    }
    if (news == NEWS_LATE) {
        judge_late(child, ret_result);
        return true;
    }
    reap(child, 0); /* what it told was its last word */
    if (state == CST_CHILD_HAS_DECLINED) {
        *ret_result = (struct cst_child_result){CST_CHILD_DECLINED, 0};
        return true;
    }
    if (state == CST_CHILD_NO_THREAD) {
        *ret_result = (struct cst_child_result){CST_CHILD_NOT_STARTED, 0};
        (void)cst_fail(CASTELL_ERR_SYSTEM,
                       "task %s has no thread in its child process",
                       child->request->label);
        say_error_text();
        return true;
    }
    judge_dead(child, ret_result);
    return true;
}

/* Returns false when that one came to nothing before its body. */
static bool run_once(const struct cst_child_request *request,
                     uint64_t deadline_ns, uint64_t start_ms,
                     struct cst_child_result *ret_result)
{
    struct child child;
    enum castell_status status = child_init(&child, request);
    bool over = true;

    if (status < 0) {
        say_error_text();
        return true;
    }
    child.deadline_ns = deadline_ns;
    child.start_ns = cst_clock_ns() + start_ms * NS_PER_MS;
    if (child_start(&child) < 0)
        say_error_text();
    else
        over = judge(&child, ret_result);
    child_release(&child);
    return over;
}

void cst_child_run(const struct cst_child_request *request,
                   struct cst_child_result *ret_result)
{
    uint64_t now = cst_clock_ns();
    uint64_t deadline_ns = NEVER;

    *ret_result = (struct cst_child_result){CST_CHILD_NOT_STARTED, 0};
    if (request->timeout_ns > 0 && request->timeout_ns < NEVER - now)
        deadline_ns = now + request->timeout_ns;
    /* Each has more time: perhaps the machine is just slow. */
    for (uint64_t i = 1; i <= STARTS_MAX; i++)
        if (run_once(request, deadline_ns, i * START_MS, ret_result))
            return;
    (void)cst_fail(CASTELL_ERR_SYSTEM,
                   "task %s: %d child processes hung before they came to its "
                   "body",
                   request->label, STARTS_MAX);
    say_error_text();
}
