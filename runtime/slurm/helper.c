/*
 * helper.c - `castell helper`: a process that runs SLURM's commands for a run.
 *
 * It ends when the run has, however that was: the master closed its end of the
 * socket or is gone, or the run's directory is; and not before every job of
 * the run is.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "slurm/command.h"
#include "slurm/message.h"
#include "slurm/tickets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MS_BETWEEN_TURNS = 1000, /* the longest without a look at the run */
    EVENTS_MAX = 100000,
};

#define NS_PER_MS UINT64_C(1000000)

/* Then jobs that cannot be cancelled have ended by themselves. */
#define NS_AFTER_END (600000 * NS_PER_MS)

struct event {
    struct event *next;
    size_t size;
    uint8_t bytes[];
};

struct helper {
    int socket; /* -1: nobody hears us any more */
    int master; /* a descriptor of that process, or -1 */
    int signals;
    pid_t master_process;
    struct cst_order order; /* the first */
    struct cst_tickets tickets;
    struct cst_command command;
    struct cst_errand errand; /* that the command is for */
    struct event *events;     /* that are not sent */
    struct event **events_end;
    size_t events_count;
    uint64_t wake_ns;
    uint64_t close_ns;           /* when the run ended; 0: it goes on */
    struct cst_order next_order; /* for a moment, as the bytes */
    uint8_t bytes[CST_MESSAGE_MAX];
};

/* ---- The master ---------------------------------------------------------- */

static void close_run(struct helper *helper)
{
    if (helper->close_ns)
        return;
    helper->close_ns = cst_clock_ns();
    helper->wake_ns = 0;
    cst_tickets_close(&helper->tickets);
}

static void hang_up(struct helper *helper)
{
    if (helper->socket >= 0)
        (void)close(helper->socket);
    helper->socket = -1;
    close_run(helper);
}

static void send_events(struct helper *helper)
{
    while (helper->events && helper->socket >= 0) {
        struct event *event = helper->events;

        if (send(helper->socket, event->bytes, event->size,
                 MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            if (errno != EAGAIN && errno != EINTR)
                hang_up(helper);
            return;
        }
        helper->events = event->next;
        helper->events_count--;
        cst_free(event);
    }
    if (!helper->events)
        helper->events_end = &helper->events;
}

static void tell(void *helper_, const struct cst_slurm_event *said)
{
    struct helper *helper = helper_;
    uint8_t bytes[CST_MESSAGE_MAX];
    struct event *event;
    size_t size;

    if (helper->socket < 0 || helper->events_count >= EVENTS_MAX)
        return;
    size = cst_event_write(said, bytes);
    event = cst_alloc(sizeof(*event) + size);
    if (!event)
        return;
    event->next = NULL;
    event->size = size;
    memcpy(event->bytes, bytes, size);
    *helper->events_end = event;
    helper->events_end = &event->next;
    helper->events_count++;
}

static void take_order(struct helper *helper, const struct cst_order *order)
{
    if (order->kind == CST_ORDER_CANCEL)
        cst_tickets_cancel(&helper->tickets, order->id);
    if (order->kind == CST_ORDER_ADOPT &&
        cst_tickets_adopt(&helper->tickets, order->id, order->nodes,
                          cst_clock_ns()) != CASTELL_OK)
        hang_up(helper); /* who does not know them must not go on */
    if (order->kind == CST_ORDER_REQUEST &&
        cst_tickets_add(&helper->tickets, order->id, order->nodes,
                        order->minutes, order->text) != CASTELL_OK)
        for (uint32_t i = 0; i < order->nodes; i++) {
            struct cst_slurm_event event = {.id = order->id + i,
                                            .state = CST_SLURM_REFUSED};

            (void)snprintf(event.text, sizeof(event.text), "%s",
                           castell_error_text());
            tell(helper, &event);
        }
    helper->wake_ns = 0;
}

static void take_orders(struct helper *helper)
{
    while (helper->socket >= 0) {
        ssize_t size = recv(helper->socket, helper->bytes,
                            sizeof(helper->bytes), MSG_DONTWAIT);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0 && !helper->close_ns) {
            close_run(helper); /* it may still hear that all is done */
            return;
        }
        if (size <= 0)
            return;
        if (!cst_order_read(helper->bytes, (size_t)size, &helper->next_order)) {
            hang_up(helper);
            return;
        }
        take_order(helper, &helper->next_order);
    }
}

/* Is the run over without a word? */
static bool is_run_gone(const struct helper *helper)
{
    if (kill(helper->master_process, 0) != 0 && errno == ESRCH)
        return true;
    return access(helper->order.text, F_OK) != 0 &&
           (errno == ENOENT || errno == ESTALE);
}

/* ---- Commands ------------------------------------------------------------ */

static void answer(struct helper *helper)
{
    struct cst_command *command = &helper->command;
    struct cst_errand_answer answer = {
        .timed_out = command->timed_out,
        .status = command->status,
        .output = cst_command_text(command, 0),
        .errors = cst_command_text(command, 1),
    };

    cst_tickets_answer(&helper->tickets, cst_clock_ns(), &helper->errand,
                       &answer);
    cst_errand_release(&helper->errand);
    cst_command_release(command);
    helper->wake_ns = 0;
}

/* What waits for more than is of use is ended; what it has said counts. */
static bool has_said_enough(const struct helper *helper)
{
    return cst_tickets_is_enough(&helper->errand,
                                 cst_command_text(&helper->command, 1));
}

static void start_command(struct helper *helper)
{
    uint64_t now_ns = cst_clock_ns();
    struct cst_errand *errand = &helper->errand;

    cst_tickets_errand(&helper->tickets, now_ns, errand, &helper->wake_ns);
    if (errand->kind == CST_ERRAND_NONE)
        return;
    if (errand->command.bad ||
        cst_command_start(&helper->command, errand->command.list, errand->input,
                          now_ns + helper->order.command_ms * NS_PER_MS) !=
            CASTELL_OK) {
        /* As when SLURM is silent: it is tried again after a while. */
        struct cst_errand_answer nothing = {
            .timed_out = errand->kind != CST_ERRAND_SUBMIT,
            .status = 1,
            .output = "",
            .errors = "error: there is no memory or process for sbatch",
        };

        cst_tickets_answer(&helper->tickets, now_ns, errand, &nothing);
        cst_errand_release(errand);
    }
}

/* ---- The loop ------------------------------------------------------------ */

static void take_signals(struct helper *helper)
{
    struct signalfd_siginfo info;

    while (read(helper->signals, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo != SIGCHLD)
            close_run(helper); /* our own job is being ended */
}

static int until_ms(const struct helper *helper)
{
    uint64_t now_ns = cst_clock_ns();
    uint64_t at_ns = now_ns + MS_BETWEEN_TURNS * NS_PER_MS;

    if (helper->command.process > 0 && helper->command.deadline_ns < at_ns)
        at_ns = helper->command.deadline_ns;
    if (helper->command.process <= 0 && helper->wake_ns < at_ns)
        at_ns = helper->wake_ns;
    return at_ns <= now_ns ? 0 : (int)((at_ns - now_ns) / NS_PER_MS) + 1;
}

static void wait_for_news(struct helper *helper)
{
    bool runs = helper->command.process > 0;
    bool hears = helper->socket >= 0 && !helper->close_ns;
    short writes = helper->events ? POLLOUT : 0;
    struct pollfd files[5] = {
        {.fd = hears || (writes && helper->socket >= 0) ? helper->socket : -1,
         .events = (short)((hears ? POLLIN : 0) | writes)},
        {.fd = helper->close_ns ? -1 : helper->master, .events = POLLIN},
        {.fd = helper->signals, .events = POLLIN},
        {.fd = runs ? helper->command.texts[0].from : -1, .events = POLLIN},
        {.fd = runs ? helper->command.texts[1].from : -1, .events = POLLIN},
    };

    (void)poll(files, 5, until_ms(helper));
    if (files[1].revents || is_run_gone(helper))
        hang_up(helper);
}

static bool is_done(const struct helper *helper)
{
    if (!helper->close_ns)
        return false;
    if (cst_clock_ns() - helper->close_ns > NS_AFTER_END)
        return true;
    return helper->command.process <= 0 && cst_tickets_done(&helper->tickets) &&
           cst_expand_done(&helper->tickets);
}

/* No worker is left: whoever waits for that need not wait until the run's job
   has given its nodes back, which may take seconds. */
static void let_go(struct helper *helper)
{
    if (!helper->close_ns || helper->socket < 0 ||
        !cst_tickets_done(&helper->tickets))
        return;
    send_events(helper);
    hang_up(helper);
}

static void serve(struct helper *helper)
{
    while (!is_done(helper)) {
        if (helper->command.process <= 0 && cst_clock_ns() >= helper->wake_ns)
            start_command(helper);
        send_events(helper);
        wait_for_news(helper);
        take_signals(helper);
        take_orders(helper);
        if (helper->command.process > 0 &&
            (cst_command_step(&helper->command, cst_clock_ns()) ||
             has_said_enough(helper)))
            answer(helper);
        let_go(helper);
    }
    send_events(helper);
}

/* ---- Begin and end ------------------------------------------------------- */

/* The run's word is the random one in "castell.WORD.PID.HOST". */
static void find_run(const char *run_dir, char *ret_run, size_t size)
{
    const char *slash = strrchr(run_dir, '/');
    const char *name = slash ? slash + 1 : run_dir;
    size_t length;

    if (strncmp(name, "castell.", 8) == 0)
        name += 8;
    length = strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz"
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    (void)snprintf(ret_run, size, "%.*s", length < 32 ? (int)length : 32, name);
}

static bool open_helper(struct helper *helper)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);
    ssize_t size;

    helper->socket = CST_HELPER_FILE;
    helper->events_end = &helper->events;
    /* A command that hangs must not keep it open when we are gone. */
    (void)fcntl(CST_HELPER_FILE, F_SETFD, FD_CLOEXEC);
    if (getsockopt(CST_HELPER_FILE, SOL_SOCKET, SO_PEERCRED, &peer, &length) !=
        0)
        return false;
    size = recv(CST_HELPER_FILE, helper->bytes, sizeof(helper->bytes), 0);
    if (size <= 0 ||
        !cst_order_read(helper->bytes, (size_t)size, &helper->order) ||
        helper->order.kind != CST_ORDER_OPEN)
        return false;
    helper->master_process = peer.pid;
    helper->master = (int)syscall(SYS_pidfd_open, peer.pid, 0);
    return true;
}

static int catch_signals(void)
{
    static const int caught[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, 0};
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; caught[i]; i++)
        (void)sigaddset(&set, caught[i]);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int cst_slurm_helper_main(char **argv)
{
    static struct helper helper; /* large */
    struct cst_tickets_options options;
    char run[64];

    (void)argv;
    if (getsockopt(CST_HELPER_FILE, SOL_SOCKET, SO_TYPE, &(int){0},
                   &(socklen_t){sizeof(int)}) != 0) {
        (void)fputs("castell: helper: it is for runs that ask SLURM for "
                    "nodes\n",
                    stderr);
        return 2;
    }
    /* Whoever started us need not wait for us. */
    if (fork() != 0)
        _exit(EXIT_SUCCESS);
    if (!open_helper(&helper))
        return EXIT_FAILURE;
    helper.signals = catch_signals();
    find_run(helper.order.text, run, sizeof(run));
    options = (struct cst_tickets_options){
        .run_dir = helper.order.text,
        .run = run,
        .own_job = helper.order.job[0] ? helper.order.job : NULL,
        .user = geteuid(),
        .look_ns = helper.order.look_ms * NS_PER_MS,
        .expand = helper.order.expand,
        .tell = tell,
        .owner = &helper,
    };
    cst_tickets_init(&helper.tickets, &options);
    serve(&helper);
    cst_command_release(&helper.command);
    cst_errand_release(&helper.errand);
    cst_tickets_release(&helper.tickets);
    return EXIT_SUCCESS;
}
