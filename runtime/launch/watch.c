/*
 * The launcher while the run goes on: it passes signals and input on, and sees
 * that everything ends when the master has.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/thread.h"
#include "launch/launch_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    HOST_SIZE = 256,
    MS_AFTER_END = 5000, /* for workers, and mpirun, to end by themselves */
    MS_AFTER_DEATH = 2500,
    MS_AFTER_LAST = 1000,  /* for mpirun or srun, when no process is left */
    TOUCH_MS = 600 * 1000, /* how often the run directory gets a new time */
    MS_AFTER_TERM = 1000,  /* from SIGTERM to SIGKILL */
};

#define NS_PER_MS UINT64_C(1000000)

static const int signals_caught[] = {SIGCHLD, SIGTERM, SIGINT,  SIGHUP,
                                     SIGQUIT, SIGUSR1, SIGUSR2, 0};

/* The terminal's input, for children that may not read it themselves. */
struct input {
    int to; /* -1: nothing is passed on */
    size_t used;
    char bytes[4096];
};

struct state {
    struct cst_watch *watch;
    struct input input;
    int signals;
    size_t running;
    struct cst_ended ended;
    int asked;       /* the first signal that asks to end */
    bool first_died; /* the first child, without a word on the master's end */
    struct cst_ended first;
    uint64_t term_ns; /* when children get SIGTERM; 0: not foreseen */
    uint64_t kill_ns;
};

/* ---- Children ----------------------------------------------------------------- */

/*
 * They are in a process group of their own, so that the terminal's signals
 * reach them through us only, once. They go when we are killed.
 */
static _Noreturn void become_child(const struct cst_child *child, int input)
{
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (input < 0)
        input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input != STDIN_FILENO)
        (void)dup2(input, STDIN_FILENO);
    cst_become(child->command.list);
    cst_say("cannot run %s: %s", child->command.list[0], cst_reason(errno));
    _exit(CST_EXIT_NOT_FOUND);
}

static void start_children(struct state *state, int input)
{
    struct cst_watch *watch = state->watch;

    for (size_t i = 0; i < watch->children_count; i++) {
        struct cst_child *child = &watch->children[i];

        child->process = fork();
        if (child->process == 0)
            become_child(child, i == 0 ? input : -1);
        if (child->process < 0) {
            cst_say("there are too many processes: %s", cst_reason(errno));
            child->process = 0;
            state->term_ns = cst_clock_ns();
            return;
        }
        state->running++;
    }
}

static void signal_children(const struct state *state, int signal)
{
    const struct cst_watch *watch = state->watch;

    for (size_t i = 0; i < watch->children_count; i++)
        if (watch->children[i].process > 0)
            (void)kill(watch->children[i].process, signal);
}

static void collect_children(struct state *state)
{
    struct cst_watch *watch = state->watch;
    int status;

    for (size_t i = 0; i < watch->children_count; i++) {
        struct cst_child *child = &watch->children[i];

        if (child->process <= 0 ||
            waitpid(child->process, &status, WNOHANG) != child->process)
            continue;
        child->process = 0;
        state->running--;
        if (i == 0) {
            state->first = cst_ended_of(status);
            state->first_died = true;
        }
    }
}

/* ---- Input ------------------------------------------------------------------- */

/*
 * What the children read. In their own process group they may not read the
 * terminal: then a pipe, which we fill.
 */
static int open_input(struct input *input)
{
    int ends[2];

    input->to = -1;
    input->used = 0;
    if (!isatty(STDIN_FILENO))
        return STDIN_FILENO;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    input->to = ends[1];
    return ends[0];
}

static void pass_input(struct input *input, bool readable)
{
    ssize_t count;

    if (input->used == 0 && readable) {
        count = read(STDIN_FILENO, input->bytes, sizeof(input->bytes));
        if (count > 0)
            input->used = (size_t)count;
        if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) {
            (void)close(input->to);
            input->to = -1;
            return;
        }
    }
    if (input->used == 0)
        return;
    count = write(input->to, input->bytes, input->used);
    if (count > 0) {
        input->used -= (size_t)count;
        memmove(input->bytes, input->bytes + count, input->used);
    } else if (count < 0 && errno != EAGAIN && errno != EINTR) {
        (void)close(input->to);
        input->to = -1;
    }
}

/* ---- Signals, and the end ----------------------------------------------------- */

static void term_in(struct state *state, uint64_t ms)
{
    uint64_t at = cst_clock_ns() + ms * NS_PER_MS;

    if (state->term_ns == 0 || at < state->term_ns)
        state->term_ns = at;
}

static void take_signals(struct state *state)
{
    struct signalfd_siginfo info;

    while (read(state->signals, &info, sizeof(info)) == sizeof(info)) {
        int signal = (int)info.ssi_signo;
        bool asks = signal != SIGUSR1 && signal != SIGUSR2;

        if (signal == SIGCHLD)
            continue;
        if (asks && state->asked) {
            term_in(state, 0);
            continue;
        }
        if (asks)
            state->asked = signal;
        cst_run_dir_signal(state->watch->plan->run_dir.path, signal);
    }
}

/*
 * Is the master gone, without the word of whoever attends to it, who must have
 * been killed first? Only on this host can that be seen.
 */
static bool is_master_gone(const char *run_dir)
{
    char host[HOST_SIZE] = "";
    char text[HOST_SIZE + 32];
    char *number;
    long process;

    if (!cst_run_dir_read(run_dir, CST_LAUNCH_PROCESS "0", text, sizeof(text)))
        return false;
    (void)gethostname(host, sizeof(host) - 1);
    number = strchr(text, ' ');
    if (!number || strncmp(text, host, (size_t)(number - text)) != 0 ||
        host[number - text])
        return false;
    process = strtol(number, NULL, 10);
    return process > 0 && kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

/* Has the master ended; is it time to hurry the rest? */
static void look(struct state *state)
{
    const struct cst_launch_plan *plan = state->watch->plan;
    struct cst_run_look found;

    cst_run_dir_look(plan->run_dir.path, &found);
    if (plan->grows)
        cst_tail_pass_on(plan->run_dir.path, false);
    if (!state->ended.known && found.ended.known) {
        state->ended = found.ended;
        term_in(state, found.ended.signal ? MS_AFTER_DEATH : MS_AFTER_END);
    }
    if (state->ended.known && found.processes == 0)
        term_in(state, MS_AFTER_LAST);
    if (!state->ended.known && state->running > 0 &&
        (state->first_died || is_master_gone(plan->run_dir.path)))
        term_in(state, MS_AFTER_DEATH);
    if (found.gone && !state->asked)
        term_in(state, 0);

    if (state->term_ns != 0 && cst_clock_ns() >= state->term_ns) {
        state->term_ns = UINT64_MAX;
        state->kill_ns = cst_clock_ns() + MS_AFTER_TERM * NS_PER_MS;
        signal_children(state, SIGTERM);
    }
    if (state->kill_ns != 0 && cst_clock_ns() >= state->kill_ns)
        signal_children(state, SIGKILL);
}

static void wait_for_news(struct state *state)
{
    bool wants_input = state->input.to >= 0 && state->input.used == 0;
    struct pollfd files[3] = {
        {.fd = state->signals, .events = POLLIN},
        {.fd = wants_input ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = state->input.used > 0 ? state->input.to : -1, .events = POLLOUT},
    };

    if (poll(files, 3, CST_LOOK_MS) > 0 && state->input.to >= 0 &&
        (files[1].revents || files[2].revents))
        pass_input(&state->input, files[1].revents != 0);
}

/* The exit status of the run. */
static int conclude(const struct state *state)
{
    const char *run_dir = state->watch->plan->run_dir.path;
    struct cst_run_look found;
    struct cst_ended ended;
    char text[32];
    char *end;
    long status;

    cst_run_dir_look(run_dir, &found);
    ended = found.ended.known ? found.ended : state->ended;
    if (ended.known && ended.signal && ended.signal != state->asked)
        cst_say("the master was killed by signal %d (%s)", ended.signal,
                sigdescr_np(ended.signal));
    if (ended.known)
        return ended.status;
    if (cst_run_dir_read(run_dir, CST_LAUNCH_STATUS, text, sizeof(text))) {
        status = strtol(text, &end, 10);
        if (end != text && status >= 0 && status <= 255)
            return (int)status;
    }
    if (state->asked)
        return CST_EXIT_SIGNAL + state->asked;
    if (state->first.status)
        return state->first.status;
    cst_say("how the program ended is not known: that could not be written to "
            "%s",
            run_dir);
    return EXIT_FAILURE;
}

static int catch_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; signals_caught[i]; i++)
        if (!cst_signal_is_ignored(signals_caught[i]))
            (void)sigaddset(&set, signals_caught[i]);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    cst_signal_set(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int cst_watch_run(struct cst_watch *watch)
{
    static struct state state; /* large */
    uint64_t look_ns = 0;
    uint64_t touch_ns = 0;
    int input;

    state.watch = watch;
    state.signals = catch_signals();
    input = open_input(&state.input);
    start_children(&state, input);
    if (input > STDIN_FILENO)
        (void)close(input);
    while (state.running > 0) {
        wait_for_news(&state);
        take_signals(&state);
        collect_children(&state);
        if (cst_clock_ns() >= look_ns) {
            look(&state);
            look_ns = cst_clock_ns() + CST_LOOK_MS / 2 * NS_PER_MS;
        }
        if (cst_clock_ns() >= touch_ns) {
            cst_run_dir_touch(watch->plan->run_dir.path);
            touch_ns = cst_clock_ns() + TOUCH_MS * NS_PER_MS;
        }
    }
    if (watch->plan->grows)
        cst_tail_pass_on(watch->plan->run_dir.path, true);
    return conclude(&state);
}
