/*
 * The commands that start a run: by mpirun, srun, ssh or fork() alone, on this
 * machine, on a list of hosts or in a SLURM allocation.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"
#include "launch/launch_internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOST_SIZE = 256, NUMBER_SIZE = 16 };

/* Without a terminal, so no questions; a dead host is noticed. */
static const char ssh_usual[] =
    "ssh -x -o BatchMode=yes -o ServerAliveInterval=5 -o ServerAliveCountMax=3";

void cst_signal_set(int signal, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(signal, &action, NULL);
}

bool cst_signal_is_ignored(int signal)
{
    struct sigaction action;

    return sigaction(signal, NULL, &action) == 0 &&
           action.sa_handler == SIG_IGN;
}

void cst_become(char *const *command)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    cst_signal_set(SIGPIPE, SIG_DFL);
    (void)execvp(command[0], command);
}

int cst_capture(const char *const *command, char *text, size_t size)
{
    size_t used = 0;
    ssize_t count = 0;
    int status = 0;
    int ends[2];
    pid_t child;

    text[0] = '\0';
    if (pipe(ends) != 0)
        return -1;
    child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        cst_become((char *const *)(uintptr_t)command);
        _exit(CST_EXIT_NOT_FOUND);
    }
    (void)close(ends[1]);
    while (child > 0 && used + 1 < size &&
           ((count = read(ends[0], text + used, size - 1 - used)) > 0 ||
            (count < 0 && errno == EINTR)))
        used += count > 0 ? (size_t)count : 0;
    text[used] = '\0';
    (void)close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return cst_ended_of(status).status;
}

/* ---- The environment ------------------------------------------------------ */

static void set_count(const char *name, uint32_t count)
{
    char text[NUMBER_SIZE];

    (void)snprintf(text, sizeof(text), "%u", count);
    cst_environment_set(name, count > 0 ? text : NULL);
}

/* What the processes are told. */
static const char *carrier_of(const struct cst_launch_plan *plan)
{
    bool world = plan->mpirun || plan->pmix;

    if (strcmp(plan->carrier, "auto") == 0 && world && plan->nodes > 1 &&
        cst_fabric_find("/sys"))
        return "fabric";
    return plan->carrier;
}

static void set_environment(const struct cst_launch_plan *plan)
{
    cst_environment_set(CST_LAUNCH_RUN_DIR, plan->run_dir.path);
    cst_environment_set(CST_LAUNCH_ROLE, "auto");
    cst_environment_set(CST_LAUNCH_CASTELL, plan->castell);
    cst_environment_set(CST_LAUNCH_CARRIER, carrier_of(plan));
    cst_environment_set(CST_LAUNCH_GANGS, plan->gangs);
    cst_environment_set(CST_LAUNCH_TASKS, plan->master_tasks ? "1" : "0");
    set_count(CST_LAUNCH_WORKERS, plan->workers);
    if (plan->workers == 0)
        cst_environment_set(CST_LAUNCH_WORKERS, "0");
    set_count(CST_LAUNCH_SHARE, plan->share);
    cst_environment_set(CST_LAUNCH_TOGETHER, plan->nodes == 1 ? "1" : NULL);
    set_count(CST_LAUNCH_WORKER_CORES, plan->cores_per_worker);
    set_count(CST_LAUNCH_MASTER_CORES, plan->master_cores);
    cst_environment_set(CST_LAUNCH_LABEL, !plan->label ? NULL
                                          : plan->workers + 1 > plan->nodes
                                              ? "number"
                                              : "host");
}

/*
 * With UCX a dead peer costs nothing but itself; the other ways of Open MPI
 * take the sender with it now and then. Some distributions have it switched
 * off in a file; the environment is stronger.
 */
static void prefer_ucx(void)
{
    static const char *const ask[] = {
        "ompi_info", "--parsable", "--param", "pml",
        "ucx",       "--level",    "1",       NULL,
    };
    static char text[4096]; /* large */

    if (cst_parse_environment("OMPI_MCA_pml") ||
        cst_capture(ask, text, sizeof(text)) != 0 || !strstr(text, "pml:ucx:"))
        return;
    cst_environment_set("OMPI_MCA_pml", "ucx");
    cst_environment_default("OMPI_MCA_pml_ucx_tls", "any");
    cst_environment_default("OMPI_MCA_pml_ucx_devices", "any");
    cst_environment_default("UCX_WARN_UNUSED_ENV_VARS", "n");
}

static void set_mpi_environment(const struct cst_launch_plan *plan)
{
    prefer_ucx();
    /* Two of ours on one core must not wait for one another's time slice. */
    cst_environment_default("OMPI_MCA_mpi_yield_when_idle", "1");
    cst_environment_default("OMPI_MCA_plm_slurm_args", "--no-kill");
    if (geteuid() == 0) {
        cst_environment_default("OMPI_ALLOW_RUN_AS_ROOT", "1");
        cst_environment_default("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    }
    if (plan->place == CST_PLACE_HERE && plan->node_dir.file >= 0)
        cst_environment_default("OMPI_MCA_orte_tmpdir_base",
                                plan->node_dir.path);
}

/* ---- Commands --------------------------------------------------------------- */

/* How many processes the list gives to the k-th host, names being taken once. */
static uint32_t processes_of(const struct cst_launch_plan *plan, size_t k)
{
    uint32_t processes = plan->workers + 1;
    uint32_t hosts = (uint32_t)plan->hosts.count;
    uint32_t count = 0;

    for (uint32_t i = 0; i < processes; i++)
        count += strcmp(plan->hosts.list[i % hosts], plan->hosts.list[k]) == 0;
    return count;
}

static bool is_first_of_name(const struct cst_launch_plan *plan, size_t k)
{
    for (size_t i = 0; i < k; i++)
        if (strcmp(plan->hosts.list[i], plan->hosts.list[k]) == 0)
            return false;
    return true;
}

static void add_hosts(const struct cst_launch_plan *plan,
                      struct cst_words *command)
{
    struct cst_words list = {0};

    for (size_t k = 0; k < plan->hosts.count; k++) {
        uint32_t count = processes_of(plan, k);

        if (!is_first_of_name(plan, k) || count == 0)
            continue;
        cst_words_add(&list, "%s:%u", plan->hosts.list[k], count);
    }
    cst_words_add(command, "--host");
    cst_words_add_joined(command, &list, ',');
    cst_words_release(&list);
    cst_words_split(command,
                    "--map-by slot --mca plm rsh --mca plm_rsh_no_tree_spawn 1 "
                    "--mca plm_rsh_agent",
                    " ");
    cst_words_add(command, "%s remote", plan->castell);
}

/* Variables that the processes on other hosts get as they are here. */
static void add_exports(struct cst_words *command)
{
    for (char **variable = environ; *variable; variable++) {
        size_t length = strcspn(*variable, "=");

        /* mpirun takes its own along, and refuses to hear of them twice. */
        if (!cst_environment_goes_along(*variable) ||
            strncmp(*variable, "OMPI_", 5) == 0)
            continue;
        cst_words_add(command, "-x");
        cst_words_add(command, "%.*s", (int)length, *variable);
    }
}

static void add_mpirun(const struct cst_launch_plan *plan,
                       struct cst_words *command)
{
    uint32_t processes = plan->workers + 1;

    /* A process that dies takes no other with it. */
    cst_words_add(command, "mpirun");
    cst_words_add(command, "--enable-recovery");
    cst_words_add(command, "-n");
    cst_words_add(command, "%u", processes);
    cst_words_add(command, "--bind-to");
    cst_words_add(command, "none");
    if (plan->place == CST_PLACE_HOSTS)
        add_hosts(plan, command);
    if (plan->place == CST_PLACE_SLURM) {
        cst_words_add(command, "--map-by");
        cst_words_add(command, "ppr:%u:node",
                      (processes + plan->nodes - 1) / plan->nodes);
    } else {
        cst_words_add(command, "--oversubscribe");
    }
    if (plan->place != CST_PLACE_HERE)
        add_exports(command);
}

/*
 * What the batch script or salloc asked for is in variables that srun takes for
 * its own options; of those only ours shall count.
 */
static void forget_slurm_options(void)
{
    static const char *const names[] = {
        "SLURM_CPUS_PER_TASK",    "SRUN_CPUS_PER_TASK", "SLURM_TRES_PER_TASK",
        "SLURM_NTASKS",           "SLURM_NPROCS",       "SLURM_NTASKS_PER_NODE",
        "SLURM_NTASKS_PER_CORE",  "SLURM_DISTRIBUTION", "SLURM_HOSTFILE",
        "SLURM_MEM_PER_CPU",      "SLURM_MEM_PER_NODE", "SLURM_MEM_PER_GPU",
        "SLURM_CPU_BIND",         "SLURM_EXACT",        "SLURM_EXCLUSIVE",
        "SLURM_THREADS_PER_CORE", "SLURM_OPEN_MODE",    NULL,
    };

    for (size_t i = 0; names[i]; i++)
        cst_environment_set(names[i], NULL);
}

/* Without a plugin for it srun complains of --cpu-bind, whatever it says. */
static bool slurm_binds(void)
{
    static const char *const ask[] = {"scontrol", "show", "config", NULL};
    static char text[64 << 10]; /* large */
    const char *line;

    if (cst_capture(ask, text, sizeof(text)) != 0)
        return false;
    line = strstr(text, "\nTaskPlugin ");
    return line && memmem(line, strcspn(line + 1, "\n"), "affinity", 8);
}

static void add_srun(const struct cst_launch_plan *plan,
                     struct cst_words *command)
{
    uint32_t processes = plan->workers + 1;
    uint32_t nodes = plan->nodes < processes ? plan->nodes : processes;

    forget_slurm_options();
    cst_words_add(command, "srun");
    cst_words_add(command, "--nodes=%u", nodes);
    cst_words_add(command, "--ntasks=%u", processes);
    cst_words_add(command,
                  processes > nodes ? "--overcommit" : "--ntasks-per-node=1");
    cst_words_add(command, "--mpi=%s", plan->pmix ? "pmix" : "none");
    cst_words_add(command, "--distribution=block");
    /* A node or process that dies takes no other with it. */
    cst_words_split(command, "--no-kill --kill-on-bad-exit=0 --wait=0", " ");
    /* Each has all cores and memory that the job has on its node. */
    cst_words_split(command, "--mem=0 --overlap", " ");
    if (slurm_binds())
        cst_words_add(command, "--cpu-bind=none");
    /* The master reads; the environment is ours, whatever the job's was. */
    cst_words_split(command, "--input=0 --export=ALL", " ");
}

static bool is_this_host(const char *name)
{
    char host[HOST_SIZE] = "";
    size_t length;

    (void)gethostname(host, sizeof(host) - 1);
    length = strcspn(host, ".");
    return strcmp(name, "localhost") == 0 || strcmp(name, host) == 0 ||
           (strncmp(name, host, length) == 0 && !name[length]);
}

/* "ssh HOST LINE", where the line survives the shell of the host. */
static void add_ssh(const char *host, const struct cst_words *local,
                    struct cst_words *command)
{
    const char *ssh = cst_parse_environment("CASTELL_SSH");
    struct cst_words line = {0};
    char *here = getcwd(NULL, 0);

    cst_words_split(command, ssh ? ssh : ssh_usual, " \t");
    cst_words_add(command, "%s", host);
    cst_words_add(&line, "cd");
    cst_words_add_quoted(&line, here ? here : "/");
    free(here);
    cst_words_split(&line, "&& exec env", " ");
    for (char **variable = environ; *variable; variable++)
        if (cst_environment_goes_along(*variable))
            cst_words_add_quoted(&line, *variable);
    for (size_t i = 0; i < local->count; i++)
        cst_words_add_quoted(&line, local->list[i]);
    cst_words_add_joined(command, &line, ' ');
    cst_words_release(&line);
}

/* ---- What it comes to -------------------------------------------------------- */

/* One command, of mpirun or srun, starts all processes. */
static void command_for_all(const struct cst_launch_plan *plan,
                            struct cst_words *command)
{
    if (plan->mpirun)
        add_mpirun(plan, command);
    else
        add_srun(plan, command);
    cst_words_add(command, "%s", plan->castell);
    cst_words_split(command, "process --", " ");
    cst_words_add_all(command, plan->application);
}

/* The process of that number by a command of its own. */
static void command_for_one(const struct cst_launch_plan *plan, uint32_t number,
                            struct cst_words *command)
{
    struct cst_words local = {0};
    const char *host = NULL;

    if (plan->place == CST_PLACE_HOSTS)
        host = plan->hosts.list[number % plan->hosts.count];
    cst_words_add(&local, "%s", plan->castell);
    cst_words_add(&local, "process");
    cst_words_add(&local, "--number=%u", number);
    cst_words_add(&local, "--");
    cst_words_add_all(&local, plan->application);
    if (!host || is_this_host(host))
        cst_words_add_all(command, local.list);
    else
        add_ssh(host, &local, command);
    cst_words_release(&local);
}

void cst_launch_commands(const struct cst_launch_plan *plan,
                         struct cst_watch *ret_watch)
{
    bool one_for_all = plan->mpirun || plan->place == CST_PLACE_SLURM;
    size_t count = one_for_all ? 1 : plan->workers + 1;
    struct cst_child *children = cst_zalloc(count * sizeof(*children));

    if (!children) {
        cst_say("there is no memory");
        _exit(EXIT_FAILURE);
    }
    set_environment(plan);
    if (plan->grows) {
        cst_launch_tell_growth(plan);
        cst_launch_write_worker(plan);
    }
    if (plan->mpirun || plan->pmix)
        set_mpi_environment(plan);
    if (one_for_all)
        command_for_all(plan, &children[0].command);
    else
        for (uint32_t i = 0; i < count; i++)
            command_for_one(plan, i, &children[i].command);
    *ret_watch = (struct cst_watch){
        .plan = plan, .children = children, .children_count = count};
}

void cst_launch_release(struct cst_watch *watch)
{
    for (size_t i = 0; i < watch->children_count; i++)
        cst_words_release(&watch->children[i].command);
    cst_free(watch->children);
}

/*
 * `castell remote`: mpirun's way to another host. mpirun ends the whole run
 * when its ssh fails; once the run goes on, a host that fails is the runtime's
 * business, so then it hears nothing of it.
 */
int cst_remote_main(char **argv)
{
    const char *ssh = cst_parse_environment("CASTELL_SSH");
    const char *run_dir = cst_parse_environment(CST_LAUNCH_RUN_DIR);
    struct cst_words command = {0};
    struct cst_run_look look;
    struct cst_ended ended;
    pid_t child;
    int status = 0;

    if (!run_dir || !argv[1]) {
        cst_fail_text("it is for castell run, whose mpirun uses it");
        return cst_say_usage("remote");
    }
    cst_words_split(&command, ssh ? ssh : ssh_usual, " \t");
    cst_words_add_all(&command, argv + 1);
    child = fork();
    if (child == 0) {
        cst_become(command.list);
        cst_say("cannot run %s: %s", command.list[0], cst_reason(errno));
        _exit(CST_EXIT_NOT_FOUND);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return EXIT_FAILURE;
    ended = cst_ended_of(status);
    cst_run_dir_look(run_dir, &look);
    return look.processes > 0 || look.ended.known ? EXIT_SUCCESS : ended.status;
}
