/*
 * The lead of a gang: mpirun starts its processes, and this waits for them.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"
#include "gang/call.h"
#include "gang/gang_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_FIRST_NS = 1000000, /* between two looks */
    LOOK_MAX_NS = 20000000,
    SIGNALS_FROM = 128, /* exit status of mpirun for signals of processes */
};

/* No terminal, so no questions. */
static const char ssh_usual[] = "ssh -x -o BatchMode=yes -o ConnectTimeout=10";

static bool is_many_hosts(const struct cst_gang_crew *crew)
{
    return crew && crew->hosts && strchr(crew->hosts, ',');
}

static void add_hosts(struct cst_gang_words *command,
                      const struct cst_gang_request *request)
{
    const struct cst_gang_crew *crew = request->crew;
    const char *ssh = cst_parse_environment("CASTELL_SSH");

    cst_gang_words_add(command, "--host");
    if (crew && crew->hosts)
        cst_gang_words_add(command, "%s", crew->hosts);
    else
        cst_gang_words_add(command, "localhost:%u", crew ? crew->nodes : 1);
    if (!is_many_hosts(crew))
        return;
    /* In a job of SLURM's mpirun uses srun, which must not wait until our own
       step has ended; elsewhere ssh, each host from here. */
    cst_gang_words_add(command, "--mca");
    cst_gang_words_add(command, "plm_slurm_args");
    cst_gang_words_add(command, "--overlap --cpu-bind=none");
    cst_gang_words_add(command, "--mca");
    cst_gang_words_add(command, "plm_rsh_no_tree_spawn");
    cst_gang_words_add(command, "1");
    cst_gang_words_add(command, "--mca");
    cst_gang_words_add(command, "plm_rsh_agent");
    cst_gang_words_add(command, "%s", ssh ? ssh : ssh_usual);
    for (char **variable = environ; *variable; variable++)
        if (cst_gang_goes_along(*variable)) {
            cst_gang_words_add(command, "-x");
            cst_gang_words_add(command, "%.*s", (int)strcspn(*variable, "="),
                               *variable);
        }
}

/* The arguments that this program was started with, but its name. */
static void add_arguments(struct cst_gang_words *command)
{
    FILE *file = fopen("/proc/self/cmdline", "re");
    char *argument = NULL;
    size_t size = 0;
    bool first = true;

    while (file && getdelim(&argument, &size, '\0', file) > 0) {
        if (!first)
            cst_gang_words_add(command, "%s", argument);
        first = false;
    }
    free(argument); /* NOLINT: of the C library */
    if (file)
        (void)fclose(file);
}

static void make_command(const struct cst_gang_request *request, int file,
                         struct cst_gang_words *command)
{
    const struct cst_gang_crew *crew = request->crew;
    char *self = realpath("/proc/self/exe", NULL);

    if (!self) {
        command->bad = true;
        return;
    }
    cst_gang_words_add(command, "mpirun");
    cst_gang_words_add(command, "--quiet");
    cst_gang_words_add(command, "-n");
    cst_gang_words_add(command, "%u", crew ? crew->nodes : 1);
    cst_gang_words_add(command, "--map-by");
    cst_gang_words_add(command, "slot");
    cst_gang_words_add(command, "--bind-to");
    cst_gang_words_add(command, "none");
    cst_gang_words_add(command, "--oversubscribe");
    add_hosts(command, request);
    cst_gang_words_add(command, "-x");
    cst_gang_words_add(command, "CASTELL_GANG=/proc/%ld/fd/%d", (long)getpid(),
                       file);
    cst_gang_words_add(command, "-x");
    cst_gang_words_add(command, "OMP_NUM_THREADS=%u", request->cores);
    cst_gang_words_add(command, "-x");
    cst_gang_words_add(command, "OPENBLAS_NUM_THREADS=%u", request->cores);
    cst_gang_words_add(command, "%s", self);
    free(self); /* NOLINT: of the C library */
    add_arguments(command);
}

/* ---- Waiting for it ---------------------------------------------------------- */

enum end { END_SELF, END_STOPPED, END_TIMED_OUT };

static void rest(uint64_t ns)
{
    struct timespec time = {0, (long)ns};

    (void)nanosleep(&time, NULL);
}

/* When it is asked to end, mpirun sees that the processes do. */
static enum end wait_for(const struct cst_gang_request *request, pid_t child,
                         int *ret_status)
{
    uint64_t begin = cst_clock_ns();
    uint64_t look = LOOK_FIRST_NS;
    uint64_t asked = 0;
    enum end end = END_SELF;

    *ret_status = 0;
    for (;;) {
        pid_t waited = waitpid(child, ret_status, WNOHANG);
        uint64_t now = cst_clock_ns();

        if (waited == child || (waited < 0 && errno != EINTR))
            return end;
        if (asked == 0) {
            if (request->crew && atomic_load(&request->crew->stop))
                end = END_STOPPED;
            else if (request->timeout_ns > 0 &&
                     now - begin > request->timeout_ns)
                end = END_TIMED_OUT;
            if (end != END_SELF) {
                (void)kill(child, SIGTERM);
                asked = now;
            }
        } else if (now - asked > CST_GANG_GRACE_NS) {
            (void)kill(-child, SIGKILL);
        }
        rest(look);
        if (look < LOOK_MAX_NS)
            look += look / 4;
    }
}

static void say_status(int status, char *how, size_t how_size)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    const char *signal = sigdescr_np(code - SIGNALS_FROM);

    if (!WIFEXITED(status))
        (void)snprintf(how, how_size, "its mpirun was ended by signal %d",
                       WTERMSIG(status));
    else if (code == CST_GANG_NO_MEMBER)
        (void)snprintf(how, how_size,
                       "a process of its gang could not run it, and said why");
    else if (code > SIGNALS_FROM)
        (void)snprintf(how, how_size,
                       "a process of its gang was ended by signal %d (%s)",
                       code - SIGNALS_FROM, signal ? signal : "unknown");
    else
        (void)snprintf(how, how_size,
                       "a process of its gang, or mpirun, ended with status "
                       "%d",
                       code);
}

/* Did it run well? */
static bool judge(const struct cst_gang_request *request,
                  const struct cst_call *call, enum end end, int status,
                  char *how, size_t how_size)
{
    uint32_t state = __atomic_load_n(&call->head->state, __ATOMIC_ACQUIRE);

    /* Then it is done, whatever came after it. */
    if (state == CST_CALL_ENDED)
        return true;
    if (state == CST_CALL_REFUSED)
        (void)snprintf(how, how_size, "%.*s", CST_CALL_TEXT_SIZE,
                       call->head->text);
    else if (end == END_STOPPED)
        (void)snprintf(how, how_size, "a node of its gang was lost");
    else if (end == END_TIMED_OUT)
        (void)snprintf(how, how_size,
                       "it took longer than its timeout of %g ms",
                       (double)request->timeout_ns / 1e6);
    else
        say_status(status, how, how_size);
    return false;
}

static bool run(const struct cst_gang_request *request, struct cst_call *call,
                char *how, size_t how_size)
{
    struct cst_gang_words command = {0};
    struct cst_gang_words environment = {0};
    enum castell_status started;
    bool good = false;
    pid_t child = 0;
    int status;

    make_command(request, call->file, &command);
    cst_gang_environment(is_many_hosts(request->crew), &environment);
    if (command.bad || environment.bad)
        started = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a command");
    else
        started = cst_gang_spawn(command.list, environment.list, request->topo,
                                 &child);
    if (started == CASTELL_OK) {
        enum end end = wait_for(request, child, &status);

        good = judge(request, call, end, status, how, how_size);
    } else {
        (void)snprintf(how, how_size, "it could not be started: %s",
                       castell_error_text());
    }
    cst_gang_words_release(&command);
    cst_gang_words_release(&environment);
    return good;
}

bool cst_gang_run(const struct cst_gang_request *request, char *how,
                  size_t how_size)
{
    struct cst_call call;
    bool good;

    if (cst_call_create(request, &call) != CASTELL_OK) {
        (void)snprintf(how, how_size, "%s", castell_error_text());
        return false;
    }
    if (request->crew && request->crew->ranks)
        good = cst_gang_lead_joined(request, &call, how, how_size);
    else
        good = run(request, &call, how, how_size);
    if (good)
        cst_call_take(&call, request);
    cst_call_close(&call);
    return good;
}
