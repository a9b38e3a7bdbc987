/*
 * A process: an engine, a cluster, and executors, which are no threads but
 * begin and end bodies when the history says.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Start -------------------------------------------------------------------- */

static void release(void *memory)
{
    (void)memory;
}

static void set_limits(struct sim *sim, struct sim_node *node)
{
    node->limits = (struct cst_limits){
        .name = "here",
        .arch =
            node->number > 0 && sim_draw(sim, 8) == 0 ? "aarch64" : "x86_64",
        .cores = 1 + sim_draw(sim, CORES_MAX),
        .memory = UINT64_C(1) << 30,
        .storage = UINT64_C(1) << 30,
    };
}

static void make_executors(struct sim_node *node)
{
    for (uint32_t i = 0; i < node->limits.cores; i++) {
        struct sim_executor *executor = &node->executors[i];
        struct cst_port *port;

        if (cst_engine_port(node->engine, &port) != CASTELL_OK)
            abort();
        executor->self = (struct cst_self){
            .run = 1,
            .worker = &node->worker,
            .port = port,
            .seat = port,
        };
        /* At the master's first desk main sits, while it waits. */
        if (i > 0 || node->number > 0)
            atomic_store(&port->desk.serves, CST_SERVES);
        atomic_store(&port->desk.hungry, true);
    }
    if (node->number == 0 &&
        cst_engine_port(node->engine, &node->main) != CASTELL_OK)
        abort();
}

static void start_cluster(struct sim *sim, struct sim_node *node)
{
    static const char *const policies[] = {"earliest-finish", "locality",
                                           "fifo"};
    struct cst_cluster_options options = {
        .role = node->number == 0 ? CST_CLUSTER_MASTER : CST_CLUSTER_WORKER,
        .directory = "/nowhere",
        .home_runs = sim->home_runs,
        .mpi = sim->by_mpi,
        .release = release,
    };

    if (node->number == 0)
        options.policy = policies[sim_draw(sim, 3)];
    sim_kinds_forget();
    sim->starting = node;
    if (cst_cluster_start(&options, node->engine, &node->limits,
                          &node->cluster) != CASTELL_OK) {
        printf("# a node does not start: %s\n", castell_error_text());
        abort();
    }
    sim->starting = NULL;
}

void sim_node_start(struct sim *sim)
{
    struct sim_node *node = calloc(1, sizeof(*node));
    struct cst_engine_options options = {
        .tasks_max = 1 << 20,
        .tasks_memory = UINT64_C(1) << 30,
    };

    if (!node)
        abort();
    node->number = sim->nodes_count++;
    sim->nodes[node->number] = node;
    node->alive = true;
    node->member = node->number == 0;
    set_limits(sim, node);
    options.limits = &node->limits;
    if (cst_engine_create(&options, &node->engine) != CASTELL_OK)
        abort();
    node->worker.engine = node->engine;
    node->worker.executors = node->limits.cores;
    make_executors(node);
    start_cluster(sim, node);
    sim_say(sim, "node %u starts: %u cores, %s", node->number,
            node->limits.cores, node->limits.arch);
}

/* ---- Executors ----------------------------------------------------------------- */

void sim_node_poke(struct sim *sim, struct sim_node *node)
{
    sim->running = node;
    cst_engine_poke(node->engine, node->number == 0
                                      ? node->main
                                      : node->executors[0].self.port);
    sim->running = NULL;
    if (node->number == 0)
        sim_main_look(sim);
}

static struct cst_task *find_task(const struct sim_node *node,
                                  struct sim_executor *executor)
{
    struct cst_desk *desk = &executor->self.port->desk;
    struct cst_task *task;

    if ((atomic_load(&desk->serves) & CST_SERVES) == 0)
        return NULL;
    task = cst_desk_take(desk);
    return task ? task : cst_engine_steal(node->engine, executor->self.port);
}

static void set_busy(struct sim_executor *executor, bool busy)
{
    struct cst_desk *desk = &executor->self.port->desk;

    atomic_store(&desk->hungry, !busy);
    atomic_fetch_add(&desk->running, busy ? 1 : (uint32_t)-1);
}

static void end_body(struct sim *sim, struct sim_node *node,
                     struct sim_executor *executor)
{
    struct cst_task *task = executor->task;

    executor->task = NULL;
    set_busy(executor, false);
    sim->running = node;
    sim->executor = executor;
    sim->body = task;
    cst_worker_run(&executor->self, task);
    sim->executor = NULL;
    sim->running = NULL;
}

/* ---- Several cores for one task: worker/claim.c ---------------------------------- */

static bool has_joined(const struct sim_executor *executor)
{
    return executor->joined ==
           atomic_load(&executor->self.port->desk.claims_ended) + 1;
}

static void count_in(struct sim_executor *executor, struct cst_claim *claim)
{
    executor->joined = atomic_load(&executor->self.port->desk.claims_ended) + 1;
    atomic_fetch_add(&claim->arrived, 1);
}

bool sim_node_sit(struct sim_node *node)
{
    return cst_desk_sit(&node->executors[0].self.port->desk, CST_SERVES);
}

bool sim_node_leave(struct sim_node *node)
{
    struct sim_executor *executor = &node->executors[0];
    struct cst_claim *claim;

    if (has_joined(executor))
        return false;
    claim = cst_desk_leave(&executor->self.port->desk);
    if (claim)
        count_in(executor, claim);
    return true;
}

/* The task that it leads, when all are there; *ret_moved: it has come itself. */
static struct cst_task *join_claim(struct sim_executor *executor,
                                   bool *ret_moved)
{
    struct cst_desk *desk = &executor->self.port->desk;
    struct cst_claim *claim = atomic_load(&desk->claim);

    *ret_moved = claim && !has_joined(executor);
    if (*ret_moved)
        count_in(executor, claim);
    if (!claim || claim->leader != desk->index ||
        atomic_load(&claim->arrived) < claim->count)
        return NULL;
    claim->task->state = CST_TASK_RUNNING;
    return claim->task;
}

/* ---- Bodies ------------------------------------------------------------------------ */

/* It takes something to run; false: nothing has changed. */
static bool take_task(const struct sim_node *node,
                      struct sim_executor *executor)
{
    bool moved = false;

    executor->task = join_claim(executor, &moved);
    if (!executor->task && !moved && !has_joined(executor))
        executor->task = find_task(node, executor);
    if (executor->task)
        set_busy(executor, true);
    return executor->task || moved;
}

static bool may_end(const struct sim_node *node, const struct cst_task *task)
{
    const struct cst_berth *berth = task->extra ? task->extra->guest : NULL;

    return task->kind != &node->cluster->berth_kind ||
           atomic_load(&berth->over);
}

static bool step_executor(struct sim *sim, struct sim_node *node,
                          struct sim_executor *executor)
{
    if (executor->task) {
        if (!may_end(node, executor->task))
            return false;
        sim_say(sim, "%u: ends task %u", node->number,
                sim_number_of(node, executor->task) + 1);
        end_body(sim, node, executor);
        sim_node_poke(sim, node);
        return true;
    }
    if (!take_task(node, executor))
        return false;
    if (!executor->task)
        return true;
    sim_say(sim, "%u: begins task %u", node->number,
            sim_number_of(node, executor->task) + 1);
    if (sim_body_begin(sim, node, executor))
        sim_node_poke(sim, node);
    return true;
}

bool sim_node_run(struct sim *sim, struct sim_node *node)
{
    uint32_t cores = node->limits.cores;
    uint32_t start = sim_draw(sim, cores);

    for (uint32_t i = 0; node->alive && i < cores; i++)
        if (step_executor(sim, node, &node->executors[(start + i) % cores]))
            return true;
    return false;
}

/* ---- The end --------------------------------------------------------------------- */

static bool run_off(struct sim *sim, struct sim_node *node)
{
    bool any = false;

    for (uint32_t i = 0; i < node->limits.cores; i++) {
        struct sim_executor *executor = &node->executors[i];

        atomic_fetch_or(&executor->self.port->desk.serves, CST_SERVES);
        if (!executor->task)
            any = take_task(node, executor) || any;
        if (!executor->task)
            continue;
        end_body(sim, node, executor);
        any = true;
    }
    sim->running = node;
    cst_engine_poke(node->engine, node->executors[0].self.port);
    sim->running = NULL;
    return any;
}

/* A lead that waits for others: nothing will come of it. */
static bool drop_lead(struct sim_node *node)
{
    struct cst_visit *visit;
    size_t cursor = 0;

    while ((visit = cst_map_next(&node->cluster->visits, &cursor)))
        if (cst_lead_waits(visit)) {
            (void)cst_node_withdraw(node->cluster, visit->id, visit->attempt);
            cst_visit_destroy(node->cluster, visit);
            return true;
        }
    return false;
}

void sim_node_destroy(struct sim *sim, struct sim_node *node)
{
    struct cst_berth *berth = node->cluster->berths;

    for (; berth; berth = berth->next)
        atomic_store(&berth->over, true);
    cst_engine_fail(node->engine, CASTELL_ERR_NODE_LOST, "it is over");
    do
        sim->running = node;
    while (drop_lead(node) || run_off(sim, node));
    cst_cluster_stop(node->cluster);
    cst_cluster_destroy(node->cluster);
    cst_engine_destroy(node->engine);
    sim->nodes[node->number] = NULL;
    free(node);
}
