/*
 * `castell run`: read what is asked for, find out what is there, do it.
 */
#include "base/built.h"
#include "base/fail.h"
#include "base/parse.h"
#include "launch/launch_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS_MAX = 60000, CORES_MAX = 100000 };

static const char help[] =
    "usage: castell run [OPTION...] PROGRAM [ARGUMENT...]\n"
    "\n"
    "Run a program on many nodes: the master runs main(), the others its "
    "tasks. In a\n"
    "SLURM allocation there is a process on each node of it, else all are "
    "here.\n"
    "\n"
    "  -n, --workers=N         start N workers beside the master\n"
    "      --hosts=A,B,C       on these hosts, the master on the first\n"
    "      --cores-per-worker=K  cores for each worker; its share of the node\n"
    "      --master-cores=K    the same for the master\n"
    "      --no-master-tasks   the master runs no tasks\n"
    "      --label             put \"[node NAME] \" before the lines of "
    "workers\n"
    "      --carrier=KIND      how processes talk: auto (what is best), mpi or "
    "tcp\n"
    "      --gangs=WHERE       run device(mpi) in fresh processes, or inside "
    "workers\n"
    "      --dir=DIR           of the run, seen by all nodes ($HOME/.castell)\n"
    "      --trace=DIR         write traces there, for castell report\n"
    "      --max-nodes=B       ask SLURM for up to B nodes in all while work "
    "waits\n"
    "      --min-nodes=A       have A nodes at least, whatever there is to do\n"
    "      --elastic=\"NAME: OPTIONS; max N\"  nodes to ask for, by options of "
    "sbatch\n"
    "      --max-node-hours=H  what these nodes may cost in all\n"
    "      --grow=WAY          jobs: each is a job of its own; expand: a part "
    "of "
    "ours\n"
    "  -h, --help              this\n"
    "\n"
    "The exit status is that of PROGRAM; 128 + N when signal N killed it. "
    "Ctrl-C goes\n"
    "to the master; a second one ends the run at once. castell(1) has more.\n";

/* ---- Options ------------------------------------------------------------------ */

static enum castell_status set_workers(void *target, const char *name,
                                       const char *value)
{
    struct cst_launch_plan *plan = target;

    plan->workers_given = true;
    return cst_parse_count(name, value, 0, WORKERS_MAX, &plan->workers);
}

static enum castell_status set_hosts(void *target, const char *name,
                                     const char *value)
{
    struct cst_launch_plan *plan = target;

    cst_words_split(&plan->hosts, value, ", \t\n");
    if (plan->hosts.count == 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s needs names with commas between: %s a,b,c", name,
                        name);
    for (size_t i = 0; i < plan->hosts.count; i++)
        if (plan->hosts.list[i][0] == '-' || strchr(plan->hosts.list[i], ':'))
            return cst_fail(CASTELL_ERR_INVALID, "%s: %s is no name of a host",
                            name, plan->hosts.list[i]);
    return CASTELL_OK;
}

static enum castell_status set_worker_cores(void *target, const char *name,
                                            const char *value)
{
    struct cst_launch_plan *plan = target;

    return cst_parse_count(name, value, 1, CORES_MAX, &plan->cores_per_worker);
}

static enum castell_status set_master_cores(void *target, const char *name,
                                            const char *value)
{
    struct cst_launch_plan *plan = target;

    return cst_parse_count(name, value, 1, CORES_MAX, &plan->master_cores);
}

static enum castell_status set_no_tasks(void *target, const char *name,
                                        const char *value)
{
    (void)name;
    (void)value;
    ((struct cst_launch_plan *)target)->master_tasks = false;
    return CASTELL_OK;
}

static enum castell_status set_label(void *target, const char *name,
                                     const char *value)
{
    (void)name;
    (void)value;
    ((struct cst_launch_plan *)target)->label = true;
    return CASTELL_OK;
}

static enum castell_status set_help(void *target, const char *name,
                                    const char *value)
{
    (void)name;
    (void)value;
    ((struct cst_launch_plan *)target)->help = true;
    return CASTELL_OK;
}

static enum castell_status set_carrier(void *target, const char *name,
                                       const char *value)
{
    if (strcmp(value, "auto") != 0 && strcmp(value, "mpi") != 0 &&
        strcmp(value, "tcp") != 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s is auto, mpi or tcp, not \"%s\"", name, value);
    if (!CST_BUILT_MPI && strcmp(value, "mpi") == 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s is mpi, but castell was built without MPI: use tcp "
                        "or auto",
                        name);
    ((struct cst_launch_plan *)target)->carrier = value;
    return CASTELL_OK;
}

static enum castell_status set_gangs(void *target, const char *name,
                                     const char *value)
{
    if (strcmp(value, "fresh") != 0 && strcmp(value, "inside") != 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s is fresh or inside, not \"%s\"", name, value);
    ((struct cst_launch_plan *)target)->gangs = value;
    return CASTELL_OK;
}

/* Those inside need a world of MPI that all share. */
static bool settle_gangs(struct cst_launch_plan *plan)
{
    if (strcmp(plan->gangs, "inside") != 0)
        return true;
    if (!CST_BUILT_MPI || strcmp(plan->carrier, "tcp") == 0) {
        cst_fail_text("--gangs=inside needs --carrier=mpi, and castell built "
                      "with MPI");
        return false;
    }
    plan->carrier = "mpi";
    return true;
}

static enum castell_status set_dir(void *target, const char *name,
                                   const char *value)
{
    (void)name;
    ((struct cst_launch_plan *)target)->base = value;
    return CASTELL_OK;
}

static enum castell_status set_trace(void *target, const char *name,
                                     const char *value)
{
    struct cst_launch_plan *plan = target;

    if (!*value)
        return cst_fail(CASTELL_ERR_INVALID, "%s needs a directory", name);
    plan->trace = value;
    return CASTELL_OK;
}

static const struct cst_option run_options[] = {
    {"workers", 'n', "N", set_workers},
    {"hosts", 0, "A,B,C", set_hosts},
    {"cores-per-worker", 0, "K", set_worker_cores},
    {"master-cores", 0, "K", set_master_cores},
    {"no-master-tasks", 0, NULL, set_no_tasks},
    {"label", 0, NULL, set_label},
    {"carrier", 0, "KIND", set_carrier},
    {"gangs", 0, "WHERE", set_gangs},
    {"dir", 0, "DIR", set_dir},
    {"trace", 0, "DIR", set_trace},
    {"min-nodes", 0, "A", cst_launch_set_growth},
    {"max-nodes", 0, "B", cst_launch_set_growth},
    {"elastic", 0, "CLASS", cst_launch_set_growth},
    {"max-node-hours", 0, "H", cst_launch_set_growth},
    {"grow", 0, "jobs|expand", cst_launch_set_growth},
    {"help", 'h', NULL, set_help},
    {NULL, 0, NULL, NULL},
};

/* ---- Where, and by what -------------------------------------------------------- */

/*
 * A task may call `castell run` itself: that run is on this machine, and knows
 * nothing of the one around it.
 */
static void forget_outer_run(void)
{
    static const char *const prefixes[] = {
        "SLURM_",        "PMIX_",          "OMPI_COMM_",
        "OMPI_MCA_ess",  "OMPI_MCA_orte_", "OMPI_APP_",
        "OMPI_UNIVERSE", "OMPI_FILE_",     NULL,
    };
    struct cst_words names = {0};

    for (char **variable = environ; *variable; variable++)
        for (size_t i = 0; prefixes[i]; i++)
            if (strncmp(*variable, prefixes[i], strlen(prefixes[i])) == 0)
                cst_words_add(&names, "%.*s", (int)strcspn(*variable, "="),
                              *variable);
    for (size_t i = 0; i < names.count; i++)
        cst_environment_set(names.list[i], NULL);
    cst_words_release(&names);
    cst_environment_set(CST_LAUNCH_CORES, NULL);
}

/* How many processes with tasks are on the node that has most. */
static uint32_t count_share(const struct cst_launch_plan *plan)
{
    uint32_t nodes = plan->nodes > 0 ? plan->nodes : 1;
    uint32_t processes = plan->workers + (plan->master_tasks ? 1 : 0);

    return (processes + nodes - 1) / nodes;
}

static enum castell_status find_place(struct cst_launch_plan *plan)
{
    const char *nodes = cst_parse_environment("SLURM_JOB_NUM_NODES");
    uint32_t workers = 0;

    if (cst_parse_environment(CST_LAUNCH_RUN_DIR))
        forget_outer_run();
    plan->nodes = 1;
    if (plan->hosts.count > 0) {
        plan->place = CST_PLACE_HOSTS;
        plan->nodes = (uint32_t)plan->hosts.count;
        workers = plan->nodes - 1;
    } else if (cst_parse_environment("SLURM_JOB_ID")) {
        plan->place = CST_PLACE_SLURM;
        if (!nodes)
            nodes = cst_parse_environment("SLURM_NNODES");
        if (nodes && cst_parse_count("SLURM_JOB_NUM_NODES", nodes, 1,
                                     WORKERS_MAX, &plan->nodes) < 0)
            return CASTELL_ERR_INVALID;
        workers = plan->nodes - 1;
    }
    if (!plan->workers_given)
        plan->workers = workers;
    if (plan->nodes > plan->workers + 1)
        plan->nodes = plan->workers + 1;
    if (plan->workers == 0 && !plan->master_tasks)
        return cst_fail(CASTELL_ERR_INVALID,
                        "with --no-master-tasks and no worker nobody would run "
                        "tasks; give -n");
    plan->share = count_share(plan);
    return cst_launch_check_growth(plan);
}

static bool srun_knows_pmix(void)
{
    static const char *const ask[] = {"srun", "--mpi=list", NULL};
    char text[1024];

    return cst_capture(ask, text, sizeof(text)) == 0 && strstr(text, "pmix");
}

/* Returns false where a program is missing that would be needed. */
static bool find_starter(struct cst_launch_plan *plan)
{
    bool needs_mpi = strcmp(plan->carrier, "mpi") == 0;
    bool wants_mpi = CST_BUILT_MPI && plan->workers > 0 &&
                     (needs_mpi || (strcmp(plan->carrier, "auto") == 0 &&
                                    plan->place != CST_PLACE_HERE));
    char path[CST_PATH_SIZE];

    if (plan->place == CST_PLACE_SLURM && cst_find_program("srun", path)) {
        plan->pmix = wants_mpi && srun_knows_pmix();
        if (plan->pmix || !wants_mpi)
            return true;
    } else if (plan->place == CST_PLACE_SLURM && !wants_mpi) {
        cst_say("there is no srun in PATH, which starts processes on the nodes "
                "of a SLURM allocation");
        return false;
    }
    plan->mpirun = wants_mpi && cst_find_program("mpirun", path);
    if (wants_mpi && !plan->mpirun && needs_mpi) {
        cst_say("there is no mpirun in PATH, which --carrier=mpi needs");
        return false;
    }
    return true;
}

/* All processes are told, wherever they are, so it has to be absolute. */
static void set_trace_directory(const char *directory)
{
    struct cst_words path = {0};
    char *here = directory ? getcwd(NULL, 0) : NULL;

    if (!directory)
        return;
    if (*directory != '/' && here)
        cst_words_add(&path, "%s/%s", here, directory);
    else
        cst_words_add(&path, "%s", directory);
    cst_environment_set("CASTELL_TRACE", path.list[0]);
    cst_words_release(&path);
    free(here);
}

static int run(struct cst_launch_plan *plan)
{
    bool shared = plan->place != CST_PLACE_HERE || plan->grows;
    struct cst_watch watch;
    char path[CST_PATH_SIZE];
    int status = cst_check_program(plan->application[0], path);

    if (status != 0)
        return status;
    if (!find_starter(plan))
        return CST_EXIT_NOT_FOUND;
    if (cst_run_dir_create(plan->base, shared, &plan->run_dir) < 0) {
        cst_say("%s", castell_error_text());
        return EXIT_FAILURE;
    }
    set_trace_directory(plan->trace);
    plan->node_dir.file = -1;
    if (plan->place == CST_PLACE_HERE)
        cst_node_dir_open(plan->run_dir.path, &plan->node_dir);
    cst_launch_commands(plan, &watch);
    status = cst_watch_run(&watch);
    cst_launch_release(&watch);
    cst_directory_remove(plan->run_dir.path);
    cst_node_dir_close(&plan->node_dir);
    return status;
}

int cst_run_main(char **argv)
{
    static struct cst_launch_plan plan; /* large */

    plan.master_tasks = true;
    plan.carrier = "auto";
    plan.gangs = "fresh";
    if (cst_options_read(run_options, &plan, argv + 1, &plan.application) < 0)
        return cst_say_usage("run");
    if (plan.help) {
        (void)fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    if (!*plan.application) {
        cst_fail_text("which program? castell run ./program");
        return cst_say_usage("run");
    }
    if (!settle_gangs(&plan) || find_place(&plan) < 0)
        return cst_say_usage("run");
    cst_find_self(plan.castell);
    return run(&plan);
}
