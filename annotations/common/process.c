#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_STARTED = 127, IN = 0, OUT = 1, ERR = 2, STREAMS = 3 };

/* Our ends of the child's streams; -1: none. */
struct ends {
    int ours[STREAMS];
    int theirs[STREAMS];
};

static void close_end(int *end)
{
    if (*end >= 0)
        (void)close(*end);
    *end = -1;
}

static void close_all(struct ends *ends)
{
    for (int i = 0; i < STREAMS; i++) {
        close_end(&ends->ours[i]);
        close_end(&ends->theirs[i]);
    }
}

static int open_pipes(const struct cst_process_streams *streams,
                      struct ends *ends)
{
    const int wanted[STREAMS] = {streams->in != NULL, streams->out != NULL,
                                 streams->err != NULL};

    for (int i = 0; i < STREAMS; i++)
        ends->ours[i] = ends->theirs[i] = -1;
    for (int i = 0; i < STREAMS; i++) {
        int pair[2];

        if (!wanted[i])
            continue;
        if (pipe2(pair, O_CLOEXEC) < 0)
            return -1;
        ends->ours[i] = pair[i == IN ? 1 : 0];
        ends->theirs[i] = pair[i == IN ? 0 : 1];
    }
    return 0;
}

static int spawn(const char *const *argv, struct ends *ends, pid_t *ret_child)
{
    posix_spawn_file_actions_t actions;
    int status = posix_spawn_file_actions_init(&actions);

    if (status != 0)
        return status;
    for (int i = 0; i < STREAMS && status == 0; i++)
        if (ends->theirs[i] >= 0)
            status =
                posix_spawn_file_actions_adddup2(&actions, ends->theirs[i], i);
    if (status == 0)
        status = posix_spawnp(ret_child, argv[0], &actions, NULL,
                              (char *const *)(uintptr_t)argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return status;
}

/* Read what is there; close the end when nothing will come any more. */
static void take(int *end, struct cst_text *text)
{
    char chunk[2048];
    ssize_t got = read(*end, chunk, sizeof(chunk));

    if (got > 0)
        cst_text_add(text, chunk, (size_t)got);
    else if (got == 0 || errno != EINTR)
        close_end(end);
}

static void give(int *end, const struct cst_text *text, size_t *sent)
{
    ssize_t put = write(*end, text->bytes + *sent, text->size - *sent);

    if (put > 0)
        *sent += (size_t)put;
    if ((put < 0 && errno != EINTR && errno != EAGAIN) || *sent == text->size)
        close_end(end);
}

static void exchange(const struct cst_process_streams *streams,
                     struct ends *ends)
{
    size_t sent = 0;

    if (ends->ours[IN] >= 0)
        (void)fcntl(ends->ours[IN], F_SETFL, O_NONBLOCK);
    if (streams->in && streams->in->size == 0)
        close_end(&ends->ours[IN]);
    for (;;) {
        struct pollfd polls[STREAMS] = {
            {.fd = ends->ours[IN], .events = POLLOUT},
            {.fd = ends->ours[OUT], .events = POLLIN},
            {.fd = ends->ours[ERR], .events = POLLIN},
        };

        if (ends->ours[IN] < 0 && ends->ours[OUT] < 0 && ends->ours[ERR] < 0)
            return;
        if (poll(polls, STREAMS, -1) < 0 && errno != EINTR)
            return;
        if (polls[IN].revents)
            give(&ends->ours[IN], streams->in, &sent);
        if (polls[OUT].revents)
            take(&ends->ours[OUT], streams->out);
        if (polls[ERR].revents)
            take(&ends->ours[ERR], streams->err);
    }
}

static int cannot_start(const char *program, int why)
{
    (void)fprintf(stderr, "castellcc: cannot run %s: %s\n", program,
                  strerrordesc_np(why));
    return NOT_STARTED;
}

int cst_process_run(const char *const *argv,
                    const struct cst_process_streams *streams)
{
    static const struct cst_process_streams none;
    struct ends ends;
    pid_t child = -1;
    int status;

    if (!streams)
        streams = &none;
    status = open_pipes(streams, &ends) < 0 ? errno : 0;
    if (status == 0)
        status = spawn(argv, &ends, &child);
    if (status != 0) {
        close_all(&ends);
        return cannot_start(argv[0], status);
    }
    for (int i = 0; i < STREAMS; i++)
        close_end(&ends.theirs[i]);
    (void)signal(SIGPIPE, SIG_IGN);
    exchange(streams, &ends);
    (void)signal(SIGPIPE, SIG_DFL);
    close_all(&ends);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return cannot_start(argv[0], errno);
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    (void)fprintf(stderr, "castellcc: %s ended by signal %d\n", argv[0],
                  WTERMSIG(status));
    return 128 + WTERMSIG(status);
}

int cst_process_become(const char *const *argv)
{
    (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
    return cannot_start(argv[0], errno);
}
