/*
 * The child's half of cst_child_run().
 */
#include "body/child_internal.h"
#include "body/threads.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    PIECES_MAX = 64,
    SIGNAL_STACK_SIZE = 128 << 10,
    CRASH_SECONDS_MAX = 10, /* for the report of a crash */
    STATUS_SIGNAL = 128,
};

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/* What the handlers need, which get no argument. Set once, in the child. */
static struct cst_child_report *child_report;
static int child_pipe;
static pthread_t crashed_thread;

bool cst_child_inside(void)
{
    return child_report != NULL;
}

size_t cst_child_pieces(const struct cst_child_cursor *cursor,
                        struct iovec *pieces, size_t pieces_max)
{
    struct cst_child_cursor at = *cursor;
    size_t count = 0;

    while (count < pieces_max && at.region < at.regions_count) {
        const struct cst_rows *region = &at.regions[at.region];

        pieces[count].iov_base =
            (char *)region->base + at.row * region->pitch + at.offset;
        pieces[count].iov_len = region->size - at.offset;
        cst_child_advance(&at, pieces[count].iov_len);
        count++;
    }
    return count;
}

void cst_child_advance(struct cst_child_cursor *cursor, size_t bytes)
{
    while (bytes > 0) {
        const struct cst_rows *region = &cursor->regions[cursor->region];
        size_t left = region->size - cursor->offset;

        if (bytes < left) {
            cursor->offset += bytes;
            return;
        }
        bytes -= left;
        cursor->offset = 0;
        cursor->row++;
        if (cursor->row >= (region->rows > 1 ? region->rows : 1)) {
            cursor->row = 0;
            cursor->region++;
        }
    }
}

/* Tell the parent. Safe in a handler of a signal. */
static void tell(enum cst_child_state state)
{
    ssize_t written;

    atomic_store(&child_report->state, (int)state);
    do {
        written = write(child_pipe, "", 1);
    } while (written < 0 && errno == EINTR);
}

static void *crash_address(const void *context)
{
#if defined(__x86_64__)
    return (void *)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (void *)((const ucontext_t *)context)->uc_mcontext.pc;
#else
    (void)context;
    return NULL;
#endif
}

/* Leave out the frames of the handler and of what called it. */
static void frames_trim(struct cst_child_report *report, const void *from)
{
    for (int i = 0; i < report->frames_count; i++) {
        if (report->frames[i] != from)
            continue;
        report->frames_count -= i;
        memmove(report->frames, report->frames + i,
                (size_t)report->frames_count * sizeof(report->frames[0]));
        return;
    }
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    struct cst_child_report *report = child_report;

    if (atomic_fetch_add(&report->crashes, 1) > 0) {
        /* Of another thread: the first one's report comes. Of this handler:
           what there is must do. */
        while (!pthread_equal(crashed_thread, pthread_self()))
            (void)pause();
        _exit(STATUS_SIGNAL + number);
    }
    crashed_thread = pthread_self();
    report->signal_code = info->si_code;
    report->address = info->si_addr;
    report->signal = number;
    (void)signal(SIGALRM, SIG_DFL);
    (void)alarm(CRASH_SECONDS_MAX);
    report->frames_count = backtrace(report->frames, CST_CHILD_FRAMES_MAX);
    frames_trim(report, crash_address(context));
    tell(CST_CHILD_HAS_CRASHED);
    _exit(STATUS_SIGNAL + number);
}

static void crash_handlers_install(void)
{
    struct sigaction action = {.sa_sigaction = on_crash,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct rlimit no_core = {0};

    /* A crash is reported; the core of a copy of the whole program, perhaps
       for each attempt, helps nobody. */
    if (getrlimit(RLIMIT_CORE, &no_core) == 0) {
        no_core.rlim_cur = 0;
        (void)setrlimit(RLIMIT_CORE, &no_core);
    }
    (void)sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(crash_signals) / sizeof(crash_signals[0]);
         i++) {
        (void)sigdelset(&action.sa_mask, crash_signals[i]);
        (void)sigaction(crash_signals[i], &action, NULL);
    }
}

/* For this thread, so that running out of its stack can be told too. */
static void signal_stack_set(void)
{
    stack_t stack = {.ss_size = SIGNAL_STACK_SIZE};

    stack.ss_sp = mmap(NULL, SIGNAL_STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp != MAP_FAILED)
        (void)sigaltstack(&stack, NULL);
}

static void output_flush(void)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
}

/* Write all bytes of the written regions to the pipe. */
static void regions_send(const struct cst_child_request *request)
{
    struct cst_child_cursor cursor = {
        .regions = request->written,
        .regions_count = request->written_count,
    };
    struct iovec pieces[PIECES_MAX];
    size_t count;

    while ((count = cst_child_pieces(&cursor, pieces, PIECES_MAX)) > 0) {
        ssize_t written = writev(child_pipe, pieces, (int)count);

        if (written > 0)
            cst_child_advance(&cursor, (size_t)written);
        else if (written < 0 && errno != EINTR)
            return; /* the parent watches this process */
    }
}

/*
 * AddressSanitizer's allocator (of GCC 12 and clang 14) is not told of fork(): a
 * lock that another thread held then stays taken here. This thread's cache is
 * empty, so that one block of each size takes all of its locks.
 */
static void allocator_try(void)
{
#if defined(__SANITIZE_ADDRESS__)
    for (size_t size = 1; size < (size_t)1 << 18; size += 16 + size / 16) {
        void *volatile block = malloc(size); /* not optimized away */

        free(block);
    }
#endif
}

/* Take once what may be locked for ever, so that this hangs before the parent is
   told that the body begins; it forks another child then. */
static void begin(void)
{
    int start = CST_CHILD_TRIES;

    allocator_try();
    cst_threads_child_try();
    if (!atomic_compare_exchange_strong(&child_report->start, &start,
                                        CST_CHILD_BEGINS))
        _exit(EXIT_FAILURE);
}

static void *body_thread(void *argument)
{
    const struct cst_child_request *request = argument;
    sigset_t none;

    begin();
    signal_stack_set();
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    cst_threads_use(request->cores > 0 ? request->cores : 1, true);
    child_report->number = request->body(request->buffers, request->argument);
    output_flush();
    tell(CST_CHILD_HAS_RETURNED);
    /* The parent reads what it needs out of this process, then kills it; or
       asks for it, where it may not. */
    while (sem_wait(&child_report->send) != 0)
        continue;
    regions_send(request);
    while (pause() != 0)
        continue; /* pause() never returns 0 */
    return NULL;
}

/* The body has called exit(): what the program has to do at its own end is not
   the child's to do. */
static void on_exit_called(int status, void *unused)
{
    (void)unused;
    output_flush();
    child_report->number = status;
    tell(CST_CHILD_HAS_EXITED);
    _exit(status);
}

void cst_child_decline(void)
{
    if (!child_report || !child_report->may_decline)
        return;
    tell(CST_CHILD_HAS_DECLINED);
    _exit(EXIT_SUCCESS);
}

/* Let the kernel take the child first when memory runs out. */
static void offer_to_oom_killer(void)
{
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (file < 0)
        return;
    if (write(file, "1000", 4) != 4) {
        /* Then it is as likely to go as the parent. */
    }
    (void)close(file);
}

/* Run the body in a thread of its own, and wait for that to end. */
static int body_run(struct cst_child_request *request)
{
#if defined(__SANITIZE_THREAD__)
    /* This sanitizer ends a child that makes a thread, when its id is that of
       one that the parent had. */
    (void)body_thread(request);
#else
    pthread_t thread = pthread_self();
    int error = pthread_create(&thread, NULL, body_thread, request);

    if (error != 0)
        return error;
    (void)pthread_join(thread, NULL);
#endif
    return 0;
}

void cst_child_main(const struct cst_child_request *request,
                    struct cst_child_report *report, int pipe_end, pid_t parent)
{
    struct cst_child_request copy = *request;
    int error;

    child_pipe = pipe_end;
    child_report = report;
    /* The caller's thread waits for this process, so that the caller's death
       and its process's are the same. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    (void)setpgid(0, 0);
    offer_to_oom_killer();
    /* What another thread has put there since the parent's flush is written by
       the parent. */
    __fpurge(stdout);
    __fpurge(stderr);
    crash_handlers_install();
    error = on_exit(on_exit_called, NULL);
    if (error == 0)
        error = body_run(&copy);
    if (error != 0) {
        report->number = error;
        tell(CST_CHILD_NO_THREAD);
        _exit(EXIT_FAILURE);
    }
    /* Only a body that ends its thread gets here. */
    on_exit_called(EXIT_SUCCESS, NULL);
    _exit(EXIT_SUCCESS);
}
