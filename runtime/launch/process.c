/*
 * `castell process`: one process of a run, on its node.
 *
 * It finds out whether it is the master, starts the user's program as its
 * child, and sees to what nobody else can: that the child does not outlive the
 * run, how the master ended, signals for the master, labels on lines, and a
 * directory in memory that goes with the last process of the run on this node.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/parse.h"
#include "base/thread.h"
#include "files/place.h"
#include "launch/launch_internal.h"
#include "topo/topo.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    HOST_SIZE = 256,
    /* How long workers may take to end after the master. */
    MS_AFTER_END = 5000,
    MS_AFTER_DEATH = 2000,
    MS_AFTER_TERM = 1000,  /* from SIGTERM to SIGKILL, when nobody started us */
    MS_FOR_OUTPUT = 500,   /* that somebody else still holds open */
    MS_FOR_SCRATCH = 2000, /* that a child of the child's still holds */
    MARK_SIZE = 24,
};

#define NS_PER_MS UINT64_C(1000000)

static const int passed_on[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT,
                                SIGUSR1, SIGUSR2, SIGALRM, 0};

struct process {
    const char *run_dir;
    uint32_t number; /* 0: the master */
    pid_t parent;
    pid_t child;
    struct cst_label labels[2]; /* standard output and error */
    int signals;
    off_t signals_offset;
    uint64_t kill_ns; /* when the child is killed; 0: not foreseen */
    struct cst_node_dir node_dir;
    char mark[MARK_SIZE]; /* of its scratch; "": none */
};

static bool read_number(const char *name, uint32_t *ret_number)
{
    const char *text = cst_parse_environment(name);

    return text &&
           cst_parse_count(name, text, 0, UINT32_MAX, ret_number) == CASTELL_OK;
}

/* Our number in the run, as whoever started us says. */
static enum castell_status find_number(const char *given, uint32_t *ret_number)
{
    if (given)
        return cst_parse_count("--number", given, 0, UINT32_MAX, ret_number);
    /* mpirun's first: it may itself have been started by SLURM. */
    if (read_number("OMPI_COMM_WORLD_RANK", ret_number) ||
        read_number("PMIX_RANK", ret_number) ||
        read_number("SLURM_PROCID", ret_number))
        return CASTELL_OK;
    return cst_fail(CASTELL_ERR_INVALID,
                    "neither mpirun nor srun has started this process");
}

/* ---- What the program is told ------------------------------------------- */

/* How many cores such a process uses; 0: as many as it finds. */
static uint32_t count_cores(bool master, const struct cst_topo *topo)
{
    const char *tasks = cst_parse_environment(CST_LAUNCH_TASKS);
    uint32_t share = 1;
    uint32_t cores = 0;

    if (read_number(master ? CST_LAUNCH_MASTER_CORES : CST_LAUNCH_WORKER_CORES,
                    &cores))
        return cores;
    if (master && tasks && strcmp(tasks, "0") == 0)
        return 1;
    if (cst_parse_environment(CST_LAUNCH_CORES)) {
        (void)read_number(CST_LAUNCH_CORES, &cores);
        return cores; /* what is no number is for the program to refuse */
    }
    if (!read_number(CST_LAUNCH_SHARE, &share) || share <= 1)
        return 0;
    return topo->executors_count > share ? topo->executors_count / share : 1;
}

/*
 * Where the processes of a run are all on this machine and use all of its
 * cores, each gets its own. Left to the system, two that wait for each other
 * often stay on one core. A run that uses fewer is left to it: other runs may be
 * here, too.
 */
static void take_cores(uint32_t number, const struct cst_topo *topo)
{
    uint32_t workers = 0;
    uint32_t each = count_cores(false, topo);
    uint32_t master = count_cores(true, topo);
    uint64_t all;

    if (!cst_parse_environment(CST_LAUNCH_TOGETHER) ||
        !read_number(CST_LAUNCH_WORKERS, &workers) || each == 0 || master == 0)
        return;
    all = (uint64_t)workers * each;
    if (all + master != topo->executors_count && all != topo->executors_count)
        return;
    if (number > 0 && number <= workers)
        cst_topo_bind(topo, (number - 1) * each, each);
    else if (number == 0 && all < topo->executors_count)
        cst_topo_bind(topo, (uint32_t)all, master);
}

/* Share out the cores of a node that has several processes with tasks. */
static void set_cores(uint32_t number)
{
    struct cst_topo *topo = NULL;
    uint32_t cores;
    char text[16];

    if (cst_topo_load(NULL, &topo) != CASTELL_OK)
        return;
    cores = count_cores(number == 0, topo);
    take_cores(number, topo);
    cst_topo_destroy(topo);
    (void)snprintf(text, sizeof(text), "%u", cores);
    if (cores > 0)
        cst_environment_set(CST_LAUNCH_CORES, text);
}

static void set_environment(const struct process *process)
{
    static const char *const ours[] = {
        CST_LAUNCH_LABEL,        CST_LAUNCH_SHARE,        CST_LAUNCH_TOGETHER,
        CST_LAUNCH_WORKER_CORES, CST_LAUNCH_MASTER_CORES, NULL,
    };

    set_cores(process->number);
    cst_part_set(process->number);
    cst_environment_set(CST_LAUNCH_ROLE,
                        process->number == 0 ? "master" : "worker");
    if (process->node_dir.file >= 0) {
        const char *node_dir = process->node_dir.path;

        /* Segments of those who are killed are left there, so go with it. */
        cst_environment_set(CST_LAUNCH_NODE_DIR, node_dir);
        cst_environment_default("OMPI_MCA_btl_vader_backing_directory",
                                node_dir);
        cst_environment_default("UCX_POSIX_DIR", node_dir);
        cst_environment_default("OMPI_MCA_orte_tmpdir_base", node_dir);
    }
    cst_environment_set(CST_SCRATCH_MARK,
                        process->mark[0] ? process->mark : NULL);
    for (size_t i = 0; ours[i]; i++)
        cst_environment_set(ours[i], NULL);
}

/* ---- Files that it leaves --------------------------------------------------- */

static void make_mark(struct process *process)
{
    uint64_t number;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) == sizeof(number))
        (void)snprintf(process->mark, sizeof(process->mark), "%016" PRIx64 "-",
                       number);
}

/* Somebody who was killed has not removed them; a body of its in a child process
   may take a moment longer to die. */
static void sweep_scratch(const struct process *process)
{
    const struct timespec nap = {0, 20000000};
    uint64_t end_ns = cst_clock_ns() + MS_FOR_SCRATCH * NS_PER_MS;

    while (process->mark[0] && !cst_scratch_sweep(process->mark) &&
           cst_clock_ns() < end_ns)
        (void)nanosleep(&nap, NULL);
}

/* ---- The child ------------------------------------------------------------ */

static _Noreturn void become_program(const struct process *process,
                                     char **program, const int *outputs)
{
    sigset_t none;
    int error;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < 2; i++)
        if (outputs[i] >= 0)
            (void)dup2(outputs[i], i + STDOUT_FILENO);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    cst_signal_set(SIGPIPE, SIG_DFL);
    set_environment(process);
    (void)execvp(program[0], program);
    error = errno;
    cst_say("cannot run %s: %s", program[0], cst_reason(error));
    _exit(error == ENOENT ? CST_EXIT_NOT_FOUND : CST_EXIT_CANNOT_RUN);
}

static enum castell_status start_program(struct process *process,
                                         char **program)
{
    const char *label = cst_parse_environment(CST_LAUNCH_LABEL);
    int outputs[2] = {-1, -1};
    char host[HOST_SIZE] = "";
    char name[HOST_SIZE + 16];

    process->labels[0].from = process->labels[1].from = -1;
    (void)gethostname(host, sizeof(host) - 1);
    if (label && process->number > 0) {
        (void)snprintf(name, sizeof(name), "%s", host);
        if (strcmp(label, "number") == 0)
            (void)snprintf(name, sizeof(name), "%s:%u", host, process->number);
        for (int i = 0; i < 2; i++)
            if (!cst_label_open(&process->labels[i], i + STDOUT_FILENO, name,
                                &outputs[i]))
                return cst_fail(CASTELL_ERR_SYSTEM, "there is no pipe: %s",
                                cst_reason(errno));
    }
    process->child = fork();
    if (process->child == 0)
        become_program(process, program, outputs);
    for (int i = 0; i < 2; i++)
        if (outputs[i] >= 0)
            (void)close(outputs[i]);
    if (process->child < 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "no process for %s: %s", program[0],
                        cst_reason(errno));
    return CASTELL_OK;
}

/* "process.NUMBER" in the run directory: "HOST PID" of the child, or gone. */
static void tell(const struct process *process, bool there)
{
    char host[HOST_SIZE] = "";
    char name[32];
    char text[CST_PATH_SIZE];

    (void)snprintf(name, sizeof(name), CST_LAUNCH_PROCESS "%u",
                   process->number);
    if (there) {
        (void)gethostname(host, sizeof(host) - 1);
        (void)snprintf(text, sizeof(text), "%s %ld\n", host,
                       (long)process->child);
        (void)cst_run_dir_write(process->run_dir, name, text);
    } else {
        (void)snprintf(text, sizeof(text), "%s/%s", process->run_dir, name);
        (void)unlink(text);
    }
}

/* ---- Until it ends --------------------------------------------------------- */

static void kill_in(struct process *process, uint64_t ms)
{
    uint64_t at = cst_clock_ns() + ms * NS_PER_MS;

    if (process->kill_ns == 0 || at < process->kill_ns)
        process->kill_ns = at;
}

/* What happened that no signal tells of. */
static void look_around(struct process *process)
{
    struct cst_run_look look;
    int signal;

    if (process->number == 0)
        while ((signal = cst_run_dir_next_signal(
                    process->run_dir, &process->signals_offset)) != 0)
            (void)kill(process->child, signal);

    cst_run_dir_look(process->run_dir, &look);
    if (look.gone) {
        kill_in(process, 0);
    } else if (getppid() != process->parent && process->kill_ns == 0) {
        (void)kill(process->child, SIGTERM);
        kill_in(process, MS_AFTER_TERM);
    } else if (look.ended.known && process->kill_ns == 0) {
        kill_in(process, look.ended.signal ? MS_AFTER_DEATH : MS_AFTER_END);
    }
    if (process->kill_ns != 0 && cst_clock_ns() >= process->kill_ns)
        (void)kill(process->child, SIGKILL);
}

static void pass_signals(const struct process *process)
{
    struct signalfd_siginfo info;

    while (read(process->signals, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo != SIGCHLD)
            (void)kill(process->child, (int)info.ssi_signo);
}

/* Wait for something, at most so long, and pass lines on. */
static void wait_a_little(struct process *process, int ms)
{
    struct pollfd files[3] = {
        {.fd = process->signals, .events = POLLIN},
        {.fd = process->labels[0].from, .events = POLLIN},
        {.fd = process->labels[1].from, .events = POLLIN},
    };

    (void)poll(files, 3, ms);
    for (int i = 0; i < 2; i++)
        cst_label_pump(&process->labels[i]);
}

/* Returns what waitpid() says of the child. */
static int attend(struct process *process)
{
    uint64_t look_ns = 0;
    int status = 0;

    for (;;) {
        uint64_t now_ns = cst_clock_ns();

        if (now_ns >= look_ns) {
            look_around(process);
            look_ns = now_ns + CST_LOOK_MS * NS_PER_MS;
        }
        if (waitpid(process->child, &status, WNOHANG) == process->child)
            break;
        wait_a_little(process, CST_LOOK_MS);
        pass_signals(process);
    }
    for (uint64_t end_ns = cst_clock_ns() + MS_FOR_OUTPUT * NS_PER_MS;
         (process->labels[0].from >= 0 || process->labels[1].from >= 0) &&
         cst_clock_ns() < end_ns;)
        wait_a_little(process, CST_LOOK_MS / 10);
    return status;
}

static void catch_signals(struct process *process)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    for (size_t i = 0; passed_on[i]; i++)
        if (!cst_signal_is_ignored(passed_on[i]))
            (void)sigaddset(&set, passed_on[i]);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    cst_signal_set(SIGPIPE, SIG_IGN);
    process->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum castell_status set_number(void *target, const char *name,
                                      const char *value)
{
    (void)name;
    *(const char **)target = value;
    return CASTELL_OK;
}

static const struct cst_option process_options[] = {
    {"number", 0, "NUMBER", set_number},
    {NULL, 0, NULL, NULL},
};

int cst_process_main(char **argv)
{
    static struct process process; /* large */
    struct cst_ended ended = {0};
    const char *number = NULL;
    char **program = NULL;

    process.parent = getppid();
    process.run_dir = cst_parse_environment(CST_LAUNCH_RUN_DIR);
    if (cst_options_read(process_options, &number, argv + 1, &program) < 0)
        return cst_say_usage("process");
    if (!process.run_dir || !*program) {
        cst_fail_text("it is for castell run, which uses it on each node");
        return cst_say_usage("process");
    }
    if (find_number(number, &process.number) < 0)
        return cst_say_usage("process");
    catch_signals(&process);
    cst_node_dir_open(process.run_dir, &process.node_dir);
    make_mark(&process);
    if (start_program(&process, program) < 0) {
        cst_say("%s", castell_error_text());
        return EXIT_FAILURE;
    }
    tell(&process, true);
    ended = cst_ended_of(attend(&process));
    if (process.number == 0)
        cst_ended_write(process.run_dir, ended);
    sweep_scratch(&process);
    tell(&process, false);
    cst_node_dir_close(&process.node_dir);
    /* mpirun and srun would make much of another status. The launcher reads
       the master's; a worker's end is the runtime's business. */
    return number ? ended.status : EXIT_SUCCESS;
}
