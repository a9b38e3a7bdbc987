#include "cluster/cluster.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"
#include "body/child.h"
#include "cluster/cluster_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WORKERS_MAX = 1 << 14,
    SLEEP_NS = 200000000,
    HELLO_MAX = 2048,
    DEAD_MS_MAX = 3600000,
    PATH_SIZE = 2048,
};

static const uint64_t join_wait_ns = UINT64_C(60) * 1000000000;
static const uint64_t late_join_ns = UINT64_C(10) * 1000000000;

/* ---- What the environment says --------------------------------------------- */

/* Which process of the world or job step is this? Those that mpirun and srun
   start hear it in one of these ways. */
static bool is_first(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK",
                                        "PMI_RANK", "SLURM_PROCID"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = cst_parse_environment(names[i]);

        if (text)
            return strcmp(text, "0") == 0;
    }
    return true;
}

static enum castell_status read_role(struct cst_cluster_options *options)
{
    const char *text = cst_parse_environment("CASTELL_ROLE");

    options->role = CST_CLUSTER_NONE;
    if (!text)
        return CASTELL_OK;
    if (strcmp(text, "auto") == 0)
        options->role = is_first() ? CST_CLUSTER_MASTER : CST_CLUSTER_WORKER;
    else if (strcmp(text, "master") == 0)
        options->role = CST_CLUSTER_MASTER;
    else if (strcmp(text, "worker") == 0)
        options->role = CST_CLUSTER_WORKER;
    else
        return cst_fail(CASTELL_ERR_INVALID,
                        "CASTELL_ROLE is \"%s\": auto, master and worker are "
                        "known; castell run sets it",
                        text);
    return CASTELL_OK;
}

enum castell_status
cst_cluster_environment(struct cst_cluster_options *ret_options)
{
    const char *workers = cst_parse_environment("CASTELL_WORKERS");
    const char *runs = cst_parse_environment("CASTELL_MASTER_TASKS");
    const char *carrier = cst_parse_environment("CASTELL_CARRIER");
    const char *gangs = cst_parse_environment("CASTELL_GANGS");
    const char *dead = cst_parse_environment("CASTELL_DEAD_MS");
    const char *ticket = cst_parse_environment("CASTELL_TICKET");
    uint32_t dead_ms = 0;
    enum castell_status status;

    *ret_options = (struct cst_cluster_options){.home_runs = true};
    status = read_role(ret_options);
    if (status != CASTELL_OK || ret_options->role == CST_CLUSTER_NONE)
        return status;
    ret_options->directory = cst_parse_environment("CASTELL_RUN_DIR");
    if (!ret_options->directory)
        return cst_fail(CASTELL_ERR_INVALID,
                        "CASTELL_ROLE is set but CASTELL_RUN_DIR is not: "
                        "start the program with castell run");
    if (workers)
        status = cst_parse_count("CASTELL_WORKERS", workers, 0, WORKERS_MAX,
                                 &ret_options->workers);
    if (status == CASTELL_OK && ticket)
        status = cst_parse_count("CASTELL_TICKET", ticket, 0, UINT32_MAX,
                                 &ret_options->ticket);
    if (status != CASTELL_OK)
        return status;
    if (dead)
        status =
            cst_parse_count("CASTELL_DEAD_MS", dead, 50, DEAD_MS_MAX, &dead_ms);
    if (status != CASTELL_OK)
        return status;
    ret_options->dead_ns = (uint64_t)dead_ms * 1000000;
    /* Who was asked for while the run goes on need not wait for its start: is
       there no master, then it has ended. */
    if (cst_parse_environment("CASTELL_TICKET"))
        ret_options->join_ns = late_join_ns;
    ret_options->home_runs = !runs || strcmp(runs, "0") != 0;
    /* fabric: memory within a machine, MPI between machines. */
    ret_options->mpi = carrier && (strcmp(carrier, "mpi") == 0 ||
                                   strcmp(carrier, "fabric") == 0);
    if (gangs && strcmp(gangs, "inside") != 0 && strcmp(gangs, "fresh") != 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "CASTELL_GANGS is inside or fresh, not \"%s\"", gangs);
    ret_options->gangs_inside =
        ret_options->mpi && gangs && strcmp(gangs, "inside") == 0;
    ret_options->shm = !carrier || (strcmp(carrier, "mpi") != 0 &&
                                    strcmp(carrier, "tcp") != 0);
    ret_options->policy = cst_parse_environment("CASTELL_POLICY");
    return CASTELL_OK;
}

/* ---- Start --------------------------------------------------------------------- */

/* Who waits for long before it takes a node for dead hears of it as often as
 * others: what is told of it, and to it, is as fresh. 0: the default. */
static uint64_t heartbeat_of(uint64_t dead_ns)
{
    const uint64_t most_ns = 500000000; /* as that of the net room */

    return dead_ns / 5 < most_ns ? dead_ns / 5 : most_ns;
}

static enum castell_status open_net(struct cst_cluster *cluster,
                                    const struct cst_limits *limits)
{
    uint8_t hello[HELLO_MAX];
    struct cst_writer writer;
    struct cst_net_owner owner = cst_cluster_owner(cluster);
    struct cst_net_options options = {
        .directory = cluster->options.directory,
        .hello = hello,
        .mpi = cluster->options.mpi,
        .mpi_shared = cluster->options.gangs_inside,
        .shm = cluster->options.shm,
        .modules = cst_parse_environment("CASTELL_MODULES"),
        .dead_ns = cluster->options.dead_ns,
        .heartbeat_ns = heartbeat_of(cluster->options.dead_ns),
        .join_ns = cluster->options.join_ns,
    };

    cst_writer_init_fixed(&writer, hello, sizeof(hello));
    cst_put_hello(&writer, cst_kinds_table_hash(), limits,
                  cluster->options.ticket);
    if (writer.bad)
        return cst_fail(CASTELL_ERR_INVALID,
                        "the features of this node are too long");
    options.hello_size = writer.size;
    return cluster->is_master ? cst_net_open(&options, &owner, &cluster->net)
                              : cst_net_join(&options, &owner, &cluster->net);
}

/* Nobody else runs yet. */
static enum castell_status wait_for_workers(struct cst_cluster *cluster)
{
    uint32_t seconds = (uint32_t)(join_wait_ns / 1000000000);
    uint64_t end = cst_clock_ns() + join_wait_ns;

    while (cluster->joined < cluster->options.workers) {
        if (cst_clock_ns() > end) {
            if (cluster->joined == 0 && !cluster->options.home_runs)
                return cst_fail(CASTELL_ERR_UNSATISFIABLE,
                                "no worker has joined in %u s, and the master "
                                "runs no tasks",
                                seconds);
            (void)fprintf(stderr,
                          "castell: %u of %u workers have joined in %u s; the "
                          "run begins with them\n",
                          cluster->joined, cluster->options.workers, seconds);
            return CASTELL_OK;
        }
        if (cst_net_poll(cluster->net) == 0 && cst_net_doze(cluster->net))
            (void)cst_net_sleep(cluster->net, SLEEP_NS);
    }
    return CASTELL_OK;
}

/* ---- The end of the process --------------------------------------------------- */

/* Of the master's run; kept until the process ends. */
static char status_path[PATH_SIZE];

/* Tell the launcher, who may not see how the master itself ends. */
static void write_status(int status)
{
    char next[PATH_SIZE + 4];
    FILE *file;

    (void)snprintf(next, sizeof(next), "%s.new", status_path);
    file = fopen(next, "we");
    if (!file)
        return;
    (void)fprintf(file, "%d\n", status);
    if (fclose(file) == 0)
        (void)rename(next, status_path);
}

static void at_exit(int status, void *argument)
{
    (void)argument;
    if (cst_child_inside())
        return;
    write_status(status);
    if (!cst_net_exit_hard())
        return;
    (void)fflush(NULL);
    _exit(status);
}

static enum castell_status watch_exit(const char *directory)
{
    bool first = status_path[0] == '\0';
    int length =
        snprintf(status_path, sizeof(status_path), "%s/status", directory);

    if (length >= PATH_SIZE)
        return cst_fail(CASTELL_ERR_INVALID, "CASTELL_RUN_DIR is too long");
    if (first && on_exit(at_exit, NULL) != 0)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to start");
    return CASTELL_OK;
}

/* Has main() ended the process of the master itself, and said why? */
static bool has_exited(const struct cst_cluster *cluster)
{
    char path[PATH_SIZE];
    int length =
        snprintf(path, sizeof(path), "%s/status", cluster->options.directory);

    return length < PATH_SIZE && access(path, F_OK) == 0;
}

/* ---- Memory that main has freed -------------------------------------------- */

void cst_cluster_free(struct cst_cluster *cluster, void *memory, size_t size)
{
    struct cst_freed *freed = cst_alloc(sizeof(*freed));

    if (!freed)
        return; /* it is lost until the end, and nothing else */
    freed->memory = memory;
    freed->size = size;
    freed->next = atomic_load(&cluster->freed);
    while (!atomic_compare_exchange_weak(&cluster->freed, &freed->next, freed))
        ;
}

void cst_cluster_release_freed(struct cst_cluster *cluster)
{
    struct cst_freed *freed = atomic_exchange(&cluster->freed, NULL);

    while (freed) {
        struct cst_freed *next = freed->next;
        const struct cst_region region = {(uintptr_t)freed->memory, freed->size,
                                          1, freed->size};

        if (cst_engine_unfinished(cluster->engine) == 0 &&
            cst_store_home_is_idle(cluster->store, &region))
            cluster->options.release(freed->memory);
        else
            cst_cluster_free(cluster, freed->memory, freed->size);
        cst_free(freed);
        freed = next;
    }
}

bool cst_cluster_is_sent(const struct cst_cluster *cluster,
                         struct cst_task *wish)
{
    const struct cst_access *accesses = cst_task_accesses(wish);

    if (wish->accesses_count == 0)
        return cst_store_home_is_sent(cluster->store, NULL);
    for (uint32_t i = 0; i < wish->accesses_count; i++) {
        const struct cst_region region = {
            (uintptr_t)accesses[i].base, accesses[i].size,
            accesses[i].hold.user, accesses[i].pitch};

        if (cst_store_home_is_sent(cluster->store, &region))
            return true;
    }
    return false;
}

/* ---- Start and stop ------------------------------------------------------------ */

static enum castell_status begin(struct cst_cluster *cluster,
                                 const struct cst_limits *limits)
{
    enum castell_status status = cst_node_init(cluster);

    if (status == CASTELL_OK)
        cst_store_keep_spare(cluster->store, limits->memory / 8);
    if (status == CASTELL_OK && cluster->is_master)
        status = watch_exit(cluster->options.directory);
    if (status == CASTELL_OK && cluster->is_master)
        status = cst_master_init(cluster, limits);
    if (status == CASTELL_OK)
        status = open_net(cluster, limits);
    /* The run was over before it came: nobody wants it, or has to be told. */
    if (status != CASTELL_OK && !cluster->is_master &&
        (cluster->left_well || has_exited(cluster)))
        _exit(cluster->left_well ? EXIT_SUCCESS : EXIT_FAILURE);
    if (status != CASTELL_OK)
        return status;
    if (cluster->is_master)
        status = wait_for_workers(cluster);
    if (status != CASTELL_OK)
        return status;
    cluster->many.mail = cst_net_mail(cluster->net);
    cst_engine_set_many(cluster->engine, &cluster->many);
    return status;
}

enum castell_status cst_cluster_start(const struct cst_cluster_options *options,
                                      struct cst_engine *engine,
                                      const struct cst_limits *limits,
                                      struct cst_cluster **ret_cluster)
{
    struct cst_cluster *cluster = cst_zalloc(sizeof(*cluster));
    enum castell_status status;

    if (!cluster)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a cluster");
    cluster->engine = engine;
    cluster->options = *options;
    cluster->trace = cst_engine_trace(engine);
    cluster->is_master = options->role == CST_CLUSTER_MASTER;
    cluster->many.context = cluster;
    cluster->many.guest_done = cst_node_guest_done;
    cluster->many.step = cst_poll_step;
    cluster->many.sleep = cst_poll_sleep;
    cluster->many.asleep = cst_poll_asleep;
    cluster->many.look = cst_poll_look;
    *ret_cluster = cluster;
    cst_leave_watch(cluster);
    status = begin(cluster, limits);
    if (status != CASTELL_OK) {
        cst_cluster_stop(cluster);
        cst_cluster_destroy(cluster);
        *ret_cluster = NULL;
    }
    return status;
}

uint32_t cst_cluster_self(const struct cst_cluster *cluster)
{
    return cst_net_self(cluster->net);
}

_Atomic(uint64_t) *cst_cluster_over(struct cst_cluster *cluster)
{
    return &cluster->over;
}

bool cst_cluster_left_well(const struct cst_cluster *cluster,
                           const char **ret_why)
{
    *ret_why = has_exited(cluster) ? NULL : cluster->why;
    return cluster->left_well;
}

bool cst_cluster_is_idle(const struct cst_cluster *cluster)
{
    return cluster->visits.count == 0 && !cluster->berths;
}

void cst_cluster_destroy(struct cst_cluster *cluster)
{
    if (!cluster)
        return;
    cst_net_close(cluster->net);
    if (cluster->is_master)
        cst_master_release(cluster);
    cst_node_release(cluster);
    cst_cluster_release(cluster);
    for (struct cst_freed *freed = cluster->freed, *next; freed; freed = next) {
        next = freed->next;
        cst_free(freed);
    }
    cst_writer_release(&cluster->out);
    cst_writer_release(&cluster->part);
    cst_free(cluster);
}
