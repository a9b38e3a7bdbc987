#include "config.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "body/child.h"
#include "body/threads.h"
#include "files/files.h"
#include "files/place.h"
#include "gang/gang.h"
#include "watch/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXECUTORS_MAX = 256, EXIT_CANNOT_START = 2 };

static struct cst_run run_here;
static bool running; /* written by the main thread only */

struct cst_run *cst_run(void)
{
    return __atomic_load_n(&running, __ATOMIC_ACQUIRE) ? &run_here : NULL;
}

enum castell_status cst_api_enter(const char *call, struct cst_self **ret_self)
{
    struct cst_self *self = cst_self();
    struct cst_run *run = cst_run();
    uint32_t cores, attempt;

    if (__builtin_expect(run && self->run == run->number, 1)) {
        *ret_self = self;
        return CASTELL_OK;
    }
    if ((!run && cst_gang_is_member()) || cst_gang_inside(&cores, &attempt))
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s() was called by a body of device(mpi)", call);
    if (!run)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s() was called before castell_start()", call);
    if (cst_child_inside()) {
        cst_child_decline();
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s() was called by a body in a child process", call);
    }
    return cst_worker_enter(run->worker, ret_self);
}

enum castell_status cst_api_status(void)
{
    const char *text = NULL;
    enum castell_status status = cst_engine_status(run_here.engine, &text);

    return status == CASTELL_OK ? status : cst_fail(status, "%s", text);
}

/* ---- Options ------------------------------------------------------------ */

/* An option of the caller's, or of the environment, or 0. */
static enum castell_status size_option(uint64_t given, const char *name,
                                       uint64_t *ret_size)
{
    const char *text = cst_parse_environment(name);

    *ret_size = given;
    return given || !text ? CASTELL_OK : cst_parse_size(name, text, ret_size);
}

static enum castell_status count_option(uint32_t given, const char *name,
                                        uint32_t max, uint32_t *ret_count)
{
    const char *text = cst_parse_environment(name);

    *ret_count = given;
    if (given > max)
        return cst_fail(CASTELL_ERR_INVALID, "%s is %u: %u is the most", name,
                        given, max);
    return given || !text ? CASTELL_OK
                          : cst_parse_count(name, text, 1, max, ret_count);
}

static const char *text_option(const char *given, const char *name)
{
    return given ? given : cst_parse_environment(name);
}

/* When the job of a batch system must have ended; 0: not known. */
static enum castell_status end_of_job(uint64_t *ret_end_ns)
{
    const char *text = cst_parse_environment("SLURM_JOB_END_TIME");
    uint64_t seconds = 0;

    if (text &&
        cst_parse_size("SLURM_JOB_END_TIME", text, &seconds) != CASTELL_OK)
        return CASTELL_ERR_INVALID;
    *ret_end_ns = seconds * 1000000000u;
    return CASTELL_OK;
}

static enum castell_status check_features(const char *features)
{
    enum { REASON_SIZE = 160 };
    char reason[REASON_SIZE];

    if (cst_topo_check_features(features) == CASTELL_OK)
        return CASTELL_OK;
    (void)snprintf(reason, sizeof(reason), "%s", castell_error_text());
    return cst_fail(CASTELL_ERR_INVALID, "CASTELL_FEATURES: %s", reason);
}

static enum castell_status read_limits(struct cst_run *run,
                                       const struct castell_options *options,
                                       uint32_t *ret_executors)
{
    struct cst_limits *limits = &run->limits;
    const char *features = text_option(options->features, "CASTELL_FEATURES");
    enum castell_status status;

    status = count_option(options->cores, "CASTELL_CORES", EXECUTORS_MAX,
                          ret_executors);
    if (status == CASTELL_OK)
        status =
            size_option(options->memory, "CASTELL_MEMORY", &limits->memory);
    if (status == CASTELL_OK)
        status =
            size_option(options->storage, "CASTELL_STORAGE", &limits->storage);
    if (status == CASTELL_OK)
        status = end_of_job(&limits->wall_time_end_ns);
    if (status == CASTELL_OK && features)
        status = check_features(features);
    if (status == CASTELL_OK && features) {
        run->features = cst_strdup(features);
        limits->features = run->features;
        if (!run->features)
            status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to start");
    }
    return status;
}

static enum castell_status make_engine(struct cst_run *run,
                                       const struct castell_options *options)
{
    struct cst_engine_options engine = {
        .limits = &run->limits,
        .depot = run->depot,
        .graph = text_option(options->graph, "CASTELL_GRAPH"),
    };
    enum castell_status status;
    const char *trace = text_option(options->trace, "CASTELL_TRACE");
    uint32_t tasks_max;

    status = count_option(options->tasks_max, "CASTELL_TASKS_MAX", UINT32_MAX,
                          &tasks_max);
    if (status == CASTELL_OK)
        status = size_option(options->tasks_memory, "CASTELL_TASKS_MEMORY",
                             &engine.tasks_memory);
    if (status != CASTELL_OK)
        return status;
    engine.tasks_max = tasks_max ? tasks_max : 1u << 22;
    if (engine.tasks_memory == 0)
        engine.tasks_memory = run->topo->memory / 4;
    if (trace) {
        uint32_t devices = run->depot ? cst_depot_count(run->depot) : 0;

        status =
            cst_trace_open(trace, run->limits.cores + devices, &run->trace);
        if (status != CASTELL_OK)
            return status;
        engine.trace = run->trace;
        if (run->depot)
            cst_depot_trace(run->depot, run->trace);
    }
    status = cst_engine_create(&engine, &run->engine);
    if (status == CASTELL_OK)
        cst_api_recall(run);
    return status;
}

/* ---- Start and stop ----------------------------------------------------- */

static void clean_up(struct cst_run *run)
{
    cst_cluster_destroy(run->cluster);
    cst_grow_destroy(run->grow);
    cst_engine_destroy(run->engine);
    cst_depot_close(run->depot);
    cst_trace_close(run->trace);
    cst_arena_destroy(run->arena);
    cst_topo_destroy(run->topo);
    cst_files_release();
    cst_places_end();
    cst_free(run->features);
    memset(run, 0, sizeof(*run));
}

/* For the line of progress; its thread owns nothing of the run. */
static void look(void *run_, struct cst_progress_view *view)
{
    const struct cst_run *run = run_;

    cst_engine_counters(run->engine, &view->counters);
    if (run->cluster)
        view->nodes = cst_cluster_present(run->cluster);
    if (run->grow)
        cst_grow_progress(run->grow, view);
}

/* Say in the trace what was counted, which what it tells can be held against. */
static void tell_counters(struct cst_run *run)
{
    struct cst_cluster_counters here = {0};
    struct castell_counters counters;
    struct cst_trace_counters told;

    if (!run->trace)
        return;
    cst_engine_counters(run->engine, &counters);
    if (run->cluster)
        cst_cluster_counters(run->cluster, &here);
    told = (struct cst_trace_counters){
        .submitted = counters.submitted,
        .finished = counters.finished,
        .failed = counters.failed,
        .cancelled = counters.cancelled,
        .retried = counters.retried,
        .recomputed = here.recomputed,
        .came = here.came,
        .came_bytes = here.came_bytes,
    };
    cst_trace_counters(run->trace, &told);
    cst_depot_tell_all(run->depot);
}

/* A worker of a run on several nodes does not come back to main(). */
_Noreturn static void serve_and_end(struct cst_run *run)
{
    const struct cst_wait over = {cst_cluster_over(run->cluster), 1};
    const char *why;
    bool well;

    run_here.number = cst_worker_run_number(run->worker);
    __atomic_store_n(&running, true, __ATOMIC_RELEASE);
    cst_worker_wait(cst_self(), &over);
    well = cst_cluster_left_well(run->cluster, &why);
    if (!well && why)
        (void)fprintf(stderr, "castell: a worker ends: %s\n", why);
    cst_cluster_stop(run->cluster);
    if (well && cst_cluster_is_idle(run->cluster)) {
        cst_worker_stop(run->worker);
        tell_counters(run);
        cst_api_remember(run);
        cst_cluster_destroy(run->cluster);
    } /* else bodies still run, for a master that does not want them */
    cst_trace_finish(run->trace);
    cst_places_end();
    (void)fflush(NULL);
    _exit(well ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Say in the trace which part of which run this is. */
static void tell_trace(struct cst_run *run,
                       const struct cst_cluster_options *cluster)
{
    enum { NAME_SIZE = 64 };
    const struct cst_trace_node node = {
        .number = run->cluster ? cst_cluster_self(run->cluster) : 0,
        .cores = run->limits.cores,
        .memory = run->limits.memory,
        .storage = run->limits.storage,
    };
    const char *name = run->cluster ? strrchr(cluster->directory, '/') : NULL;
    char here[NAME_SIZE];

    run->node = node.number;
    if (!run->trace)
        return;
    (void)snprintf(here, sizeof(here), "%ld-%llu", (long)getpid(),
                   (unsigned long long)cst_clock_ns());
    if (!name)
        name = run->cluster ? cluster->directory : here;
    cst_trace_node(run->trace, &node, name);
}

static enum castell_status start(struct cst_run *run,
                                 const struct castell_options *options)
{
    struct cst_topo_options topo = {0};
    struct cst_cluster_options cluster;
    enum castell_status status;

    status = cst_cluster_environment(&cluster);
    if (status != CASTELL_OK)
        return status;
    status = read_limits(run, options, &topo.executors);
    if (status == CASTELL_OK)
        status = cst_topo_load(&topo, &run->topo);
    if (status != CASTELL_OK)
        return status;
    run->limits.name = run->topo->host;
    run->limits.arch = run->topo->arch;
    run->limits.cores = run->topo->executors_count;
    if (run->limits.memory == 0)
        run->limits.memory = run->topo->memory / 10 * 9;
    if (run->limits.storage == 0)
        run->limits.storage = run->topo->storage;
    status = cst_arena_create(0, &run->arena);
    if (status == CASTELL_OK)
        status = cst_api_devices_begin(run);
    if (status == CASTELL_OK)
        status = make_engine(run, options);
    if (status != CASTELL_OK)
        return status;
    cst_threads_init();
    status = cst_api_files_begin(&run->limits);
    if (status != CASTELL_OK)
        return status;
    cluster.release = cst_api_release_block;
    if (cluster.role != CST_CLUSTER_NONE)
        status = cst_cluster_start(&cluster, run->engine, &run->limits,
                                   &run->cluster);
    if (status == CASTELL_OK)
        tell_trace(run, &cluster);
    if (status == CASTELL_OK)
        status = cst_worker_start(run->engine, run->topo, run->limits.cores,
                                  &run->worker);
    if (status == CASTELL_OK && run->cluster)
        status = cst_cluster_watch(run->cluster);
    if (status == CASTELL_OK && cluster.role == CST_CLUSTER_WORKER)
        serve_and_end(run);
    if (status == CASTELL_OK && cluster.role == CST_CLUSTER_MASTER)
        status =
            cst_grow_start(run->cluster, run->engine, &run->limits, &run->grow);
    if (status == CASTELL_OK)
        status = cst_progress_start(look, run, &run->progress);
    if (status == CASTELL_OK)
        status = cst_api_be_seen(run);
    return status;
}

enum castell_status castell_start_with(const struct castell_options *options)
{
    static const struct castell_options none;
    enum castell_status status;

    if (cst_run())
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_start() was called again before "
                        "castell_stop()");
    if (cst_gang_is_member())
        cst_gang_serve();
    status = start(&run_here, options ? options : &none);
    if (status != CASTELL_OK) {
        cst_progress_stop(run_here.progress);
        cst_grow_stop(run_here.grow);
        if (run_here.cluster)
            cst_cluster_stop(run_here.cluster);
        if (run_here.worker)
            cst_worker_stop(run_here.worker);
        clean_up(&run_here);
        return status;
    }
    run_here.owner = cst_self();
    run_here.number = cst_worker_run_number(run_here.worker);
    __atomic_store_n(&running, true, __ATOMIC_RELEASE);
    return CASTELL_OK;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): a launcher will write it */
void castell_start(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (castell_start_with(NULL) == CASTELL_OK)
        return;
    (void)fprintf(stderr, "castell: cannot start: %s\n", castell_error_text());
    exit(EXIT_CANNOT_START); /* NOLINT(concurrency-mt-unsafe) */
}

/*
 * Wait for all tasks, whatever memory there is: to end reductions takes some,
 * which the tasks that end give back. Says why the run has failed, unless a
 * task has, which was said.
 */
static enum castell_status finish(struct cst_self *self)
{
    enum { TRIES = 1000 };
    enum castell_status status = castell_barrier();

    for (int i = 0; i < TRIES && status == CASTELL_ERR_NO_MEMORY &&
                    cst_api_status() == CASTELL_OK;
         i++) {
        cst_api_wait_for_all(self);
        status = castell_barrier();
    }
    cst_api_wait_for_all(self);
    if (status != CASTELL_OK &&
        (status != CASTELL_ERR_TASK_FAILED || cst_api_status() == CASTELL_OK))
        (void)fprintf(stderr, "castell: the run has failed: %s\n",
                      castell_error_text());
    return status;
}

int castell_stop(void)
{
    struct cst_run *run = cst_run();
    enum castell_status status;
    bool lost;

    if (!run) {
        (void)fprintf(stderr, "castell: castell_stop() was called before "
                              "castell_start()\n");
        return EXIT_FAILURE;
    }
    if (cst_self() != run->owner || cst_self()->task) {
        (void)fprintf(stderr, "castell: castell_stop() was called by another "
                              "thread than the main one, or in a task\n");
        return EXIT_FAILURE;
    }
    status = finish(run->owner);
    cst_progress_stop(run->progress);
    run->progress = NULL;
    cst_watch_stop(run->watch);
    run->watch = NULL;
    cst_grow_stop(run->grow);
    if (run->cluster)
        cst_cluster_stop(run->cluster);
    cst_worker_stop(run->worker);
    run->worker = NULL;
    tell_counters(run);
    cst_api_remember(run);
    __atomic_store_n(&running, false, __ATOMIC_RELEASE);
    lost = atomic_load(&run->lost);
    clean_up(run);
    return status == CASTELL_OK && !lost ? EXIT_SUCCESS : EXIT_FAILURE;
}

const char *castell_version(void)
{
    return PACKAGE_VERSION;
}
