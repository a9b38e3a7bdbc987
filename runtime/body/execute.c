#include "body/execute.h"

#include "base/fail.h"
#include "base/thread.h"
#include "body/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STREAMS = 3,
    STATUS_NOT_STARTED = 127, /* as a shell says it */
    STATUS_SIGNAL = 128,
};

static const char *const stream_names[STREAMS] = {
    "standard input", "standard output", "standard error"};

/* Say why on standard error too; what cst_fail() returned is not needed. */
static int not_started(enum castell_status status)
{
    (void)status;
    (void)fprintf(stderr, "castell: %s\n", castell_error_text());
    return STATUS_NOT_STARTED;
}

/* Open the file for a stream, above the numbers of the streams themselves. */
static int stream_open(int stream, const char *path)
{
    int flags =
        stream == STDIN_FILENO ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC;
    int file = open(path, flags | O_CLOEXEC, 0666);
    int higher;

    if (file < 0 || file >= STREAMS)
        return file;
    higher = fcntl(file, F_DUPFD_CLOEXEC, STREAMS);
    (void)close(file);
    return higher;
}

static enum castell_status streams_open(const char *program,
                                        const char *const *paths, int *files)
{
    for (int i = 0; i < STREAMS; i++) {
        files[i] = -1;
        if (!paths[i])
            continue;
        /* Both outputs to one file share its position. */
        if (i == STDERR_FILENO && paths[STDOUT_FILENO] &&
            strcmp(paths[i], paths[STDOUT_FILENO]) == 0)
            files[i] = fcntl(files[STDOUT_FILENO], F_DUPFD_CLOEXEC, STREAMS);
        else
            files[i] = stream_open(i, paths[i]);
        if (files[i] < 0)
            return cst_fail(CASTELL_ERR_SYSTEM,
                            "cannot open \"%s\" as %s of %s: %s", paths[i],
                            stream_names[i], program, cst_reason(errno));
    }
    return CASTELL_OK;
}

static void streams_close(const int *files)
{
    for (int i = 0; i < STREAMS; i++) {
        if (files[i] >= 0)
            (void)close(files[i]);
    }
}

/* Returns an errno. */
static int spawn(const char *const *argv, const int *files, pid_t *ret_child)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t signals;
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error != 0)
        goto fail_actions;
    for (int i = 0; i < STREAMS && error == 0; i++) {
        if (files[i] >= 0)
            error = posix_spawn_file_actions_adddup2(&actions, files[i], i);
    }
    if (error != 0)
        goto fail_attributes;
    /* What executors block, and the signal that the runtime ignores, are not
       the program's concern. None of these can fail. */
    (void)sigemptyset(&signals);
    (void)posix_spawnattr_setsigmask(&attributes, &signals);
    (void)sigaddset(&signals, SIGPIPE);
    (void)posix_spawnattr_setsigdefault(&attributes, &signals);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF);
    error = posix_spawnp(ret_child, argv[0], &actions, &attributes,
                         (char *const *)(uintptr_t)argv, environ);
fail_attributes:
    (void)posix_spawnattr_destroy(&attributes);
fail_actions:
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int wait_for(const char *program, pid_t child)
{
    int status = 0;
    pid_t waited;

    do {
        waited = waitpid(child, &status, 0);
    } while (waited < 0 && errno == EINTR);
    if (waited < 0)
        return not_started(cst_fail(
            CASTELL_ERR_SYSTEM,
            "%s has run, but how it ended is not known: this program ignores "
            "SIGCHLD or waits for all of its children",
            program));
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    (void)cst_fail(CASTELL_ERR_TASK_FAILED, "%s was ended by %s", program,
                   cst_signal_text(WTERMSIG(status)));
    (void)fprintf(stderr, "castell: %s\n", castell_error_text());
    return STATUS_SIGNAL + WTERMSIG(status);
}

int cst_execute(const char *const *argv, const char *in_path,
                const char *out_path, const char *err_path)
{
    const char *const paths[STREAMS] = {in_path, out_path, err_path};
    int files[STREAMS] = {-1, -1, -1};
    pid_t child = 0;
    enum castell_status status;
    int error;

    if (!argv || !argv[0] || argv[0][0] == '\0')
        return not_started(cst_fail(CASTELL_ERR_INVALID,
                                    "castell_execute() got no program to run"));
    status = streams_open(argv[0], paths, files);
    if (status < 0) {
        streams_close(files);
        return not_started(status);
    }
    error = spawn(argv, files, &child);
    streams_close(files);
    if (error != 0)
        return not_started(cst_fail(CASTELL_ERR_SYSTEM, "cannot run \"%s\": %s",
                                    argv[0], cst_reason(error)));
    return wait_for(argv[0], child);
}
