/* command.c - one command, run beside what its caller does meanwhile; and the
   helper, which calls them: which environment it gets, and which files. */
#include "slurm/command.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE_SIZE = 64 << 10, TEXT_MAX = 16 << 20 };

/* A file in memory with that text, to be read from its beginning. */
static int open_input(const char *input)
{
    size_t size = input ? strlen(input) : 0;
    int file;

    if (!input)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    file = memfd_create("castell", MFD_CLOEXEC);
    if (file < 0)
        return -1;
    if (write(file, input, size) != (ssize_t)size ||
        lseek(file, 0, SEEK_SET) != 0) {
        (void)close(file);
        return -1;
    }
    return file;
}

static _Noreturn void become(char *const *words, int input, const int *outputs)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(input, STDIN_FILENO);
    (void)dup2(outputs[0], STDOUT_FILENO);
    (void)dup2(outputs[1], STDERR_FILENO);
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGPIPE, &action, NULL);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)execvp(words[0], words);
    (void)dprintf(STDERR_FILENO, "error: cannot run %s: %s\n", words[0],
                  cst_reason(errno));
    _exit(CST_COMMAND_NONE);
}

static void close_all(int input, int ends[2][2])
{
    if (input >= 0)
        (void)close(input);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++)
            if (ends[i][k] >= 0)
                (void)close(ends[i][k]);
}

enum castell_status cst_command_start(struct cst_command *command,
                                      char *const *words, const char *input,
                                      uint64_t deadline_ns)
{
    int ends[2][2] = {{-1, -1}, {-1, -1}};
    int from = open_input(input);

    *command = (struct cst_command){.deadline_ns = deadline_ns};
    if (from < 0 || pipe2(ends[0], O_CLOEXEC) != 0 ||
        pipe2(ends[1], O_CLOEXEC) != 0) {
        close_all(from, ends);
        return cst_fail(CASTELL_ERR_SYSTEM, "no pipe for %s: %s", words[0],
                        cst_reason(errno));
    }
    command->process = fork();
    if (command->process == 0) {
        const int outputs[2] = {ends[0][1], ends[1][1]};

        become(words, from, outputs);
    }
    if (command->process < 0) {
        command->process = 0;
        close_all(from, ends);
        return cst_fail(CASTELL_ERR_SYSTEM, "no process for %s: %s", words[0],
                        cst_reason(errno));
    }
    (void)setpgid(command->process, command->process);
    for (int i = 0; i < 2; i++) {
        command->texts[i].from = ends[i][0];
        (void)fcntl(ends[i][0], F_SETFL, O_NONBLOCK);
        ends[i][0] = -1;
    }
    close_all(from, ends);
    return CASTELL_OK;
}

static void keep(struct cst_command_text *text, const char *bytes, size_t size)
{
    size_t capacity = text->capacity ? text->capacity : 4096;
    char *grown;

    if (text->size + size + 1 > TEXT_MAX)
        return;
    while (capacity < text->size + size + 1)
        capacity *= 2;
    if (capacity > text->capacity) {
        grown = cst_realloc(text->text, capacity);
        if (!grown)
            return;
        text->text = grown;
        text->capacity = capacity;
    }
    memcpy(text->text + text->size, bytes, size);
    text->size += size;
    text->text[text->size] = '\0';
}

static void pump(struct cst_command_text *text)
{
    static char piece[PIECE_SIZE]; /* large */
    ssize_t count;

    while (text->from >= 0) {
        count = read(text->from, piece, sizeof(piece));
        if (count > 0) {
            keep(text, piece, (size_t)count);
        } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
            (void)close(text->from);
            text->from = -1;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void end_all(struct cst_command *command)
{
    (void)kill(-command->process, SIGKILL);
    (void)kill(command->process, SIGKILL);
}

bool cst_command_step(struct cst_command *command, uint64_t now_ns)
{
    int status;

    if (now_ns >= command->deadline_ns && !command->timed_out) {
        command->timed_out = true;
        end_all(command);
    }
    pump(&command->texts[0]);
    pump(&command->texts[1]);
    if (waitpid(command->process, &status, WNOHANG) != command->process)
        return false;
    /* Between the last look and its end it may have said more. What it leaves
       running may hold the pipes open for ever. */
    for (int i = 0; i < 2; i++) {
        pump(&command->texts[i]);
        if (command->texts[i].from >= 0)
            (void)close(command->texts[i].from);
        command->texts[i].from = -1;
    }
    command->process = 0;
    command->status = WIFSIGNALED(status)
                          ? CST_COMMAND_SIGNAL + WTERMSIG(status)
                          : WEXITSTATUS(status);
    return true;
}

const char *cst_command_text(const struct cst_command *command, int which)
{
    return command->texts[which].text ? command->texts[which].text : "";
}

void cst_command_release(struct cst_command *command)
{
    if (command->process > 0) {
        end_all(command);
        (void)waitpid(command->process, NULL, 0);
    }
    for (int i = 0; i < 2; i++) {
        if (command->process > 0 && command->texts[i].from >= 0)
            (void)close(command->texts[i].from);
        cst_free(command->texts[i].text);
    }
    *command = (struct cst_command){0};
}

/* ---- The helper ---------------------------------------------------------- */

/*
 * What SLURM and MPI told this process is not for the jobs: within one, sbatch
 * takes much of its own options from there. Of Castell's the worker has its
 * own. What points to this run's memory on this node is of no use elsewhere.
 */
static bool goes_along(const char *variable)
{
    static const char *const ours[] = {
        "SLURM_", "SBATCH_",      "SALLOC_",        "SRUN_",     "SLURMD_",
        "PMIX_",  "PMI_",         "OMPI_COMM_",     "OMPI_APP_", "OMPI_FILE_",
        "PRTE_",  "OMPI_MCA_ess", "OMPI_MCA_orte_", "CASTELL_",  "LC_ALL=",
        "SINFO_", "SQUEUE_",      "SCANCEL_",       NULL,
    };
    const char *node_dir = cst_parse_environment("CASTELL_NODE_DIR");
    const char *value = strchr(variable, '=');

    if (strncmp(variable, "SLURM_CONF=", 11) == 0)
        return true;
    for (size_t i = 0; ours[i]; i++)
        if (strncmp(variable, ours[i], strlen(ours[i])) == 0)
            return false;
    return !node_dir || !value || strcmp(value + 1, node_dir) != 0;
}

/* The list only is new; its strings are those of the environment. */
static char **make_environment(void)
{
    static char plain[] = "LC_ALL=C";
    size_t count = 0;
    char **list;

    while (environ[count])
        count++;
    list = cst_alloc((count + 2) * sizeof(*list));
    if (!list)
        return NULL;
    count = 0;
    list[count++] = plain;
    for (char **variable = environ; *variable; variable++)
        if (goes_along(*variable))
            list[count++] = *variable;
    list[count] = NULL;
    return list;
}

/* Open `file` there as descriptor `as`; nothing else stays open. */
static int spawn_with(const char *castell, int file, char **environment,
                      pid_t *ret_process)
{
    char helper[] = "helper";
    char *const words[] = {(char *)(uintptr_t)castell, helper, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all;
    sigset_t none;
    int error;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSID);
    error = posix_spawn_file_actions_adddup2(&actions, file, CST_HELPER_FILE);
    for (int i = 0; i < 3 && error == 0; i++)
        error = posix_spawn_file_actions_addopen(&actions, i, "/dev/null",
                                                 O_RDWR, 0);
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(&actions,
                                                         CST_HELPER_FILE + 1);
    if (error == 0)
        error = posix_spawn(ret_process, castell, &actions, &attributes,
                            (char *const *)words, environment);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

enum castell_status cst_slurm_start_helper(const char *castell, int *ret_socket)
{
    int ends[2];
    char **environment;
    pid_t process = 0;
    int error = ENOMEM;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "no socket for the helper: %s",
                        cst_reason(errno));
    environment = make_environment();
    if (environment && ends[1] == CST_HELPER_FILE) {
        /* As it is that descriptor already, it would not be kept. */
        int moved = fcntl(ends[1], F_DUPFD_CLOEXEC, CST_HELPER_FILE + 1);

        if (moved >= 0) {
            (void)close(ends[1]);
            ends[1] = moved;
        }
    }
    if (environment)
        error = spawn_with(castell, ends[1], environment, &process);
    cst_free(environment);
    (void)close(ends[1]);
    if (error != 0) {
        (void)close(ends[0]);
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot start %s helper: %s",
                        castell, cst_reason(error));
    }
    while (waitpid(process, NULL, 0) < 0 && errno == EINTR)
        ;
    *ret_socket = ends[0];
    return CASTELL_OK;
}
