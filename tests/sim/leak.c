/*
 * What is left when all has ended and nothing is under way: nothing but, where
 * a task has failed, what it has poisoned.
 */
#include "plan/left.h"
#include "sim/sim.h"
#include "store/store_internal.h"

#include <stdlib.h>

/* ---- A node ------------------------------------------------------------------------ */

static void say_entries(const struct sim *sim, const struct sim_node *node)
{
    const struct cst_store_entry *entry;
    size_t cursor = 0;

    while ((entry = cst_map_next(&node->cluster->store->entries, &cursor)))
        sim_say(sim,
                "%u keeps version %llu:%s%s%s readers %u sending %u makers %u",
                node->number, (unsigned long long)entry->piece.version,
                entry->buffer ? " here" : "", entry->dropped ? " dropped" : "",
                entry->incoming ? " comes" : "", entry->readers, entry->sending,
                entry->makers);
}

static void check_tasks(struct sim *sim, const struct sim_node *node)
{
    const struct cst_cluster *cluster = node->cluster;
    struct cst_store_counters counters;

    cst_store_counters(cluster->store, &counters);
    if (counters.jobs > 0 || cluster->visits.count > 0 || cluster->berths)
        sim_wrong(sim, "a node keeps tasks after the end");
    if (cluster->incoming || cluster->parts || cluster->unsent_count > 0)
        sim_wrong(sim, "a node waits for messages after the end");
    for (uint32_t i = 0; i < node->limits.cores; i++)
        if (node->executors[i].task)
            sim_wrong(sim, "a body does not end");
}

static void check_node(struct sim *sim, const struct sim_node *node)
{
    const struct cst_cluster *cluster = node->cluster;
    struct cst_store_counters counters;

    cst_store_counters(cluster->store, &counters);
    say_entries(sim, node);
    if (counters.versions > 0)
        sim_wrong(sim, "a node keeps versions after the end");
    if (counters.bytes > 0 && !sim->by_mpi)
        sim_wrong(sim, "a node keeps memory of versions after the end");
    check_tasks(sim, node);
    if (node->engine->memory_free != node->limits.memory ||
        node->engine->constrained.first || node->engine->reductions ||
        cst_ready_count(&node->engine->ready) > 0)
        sim_wrong(sim, "an engine keeps something after the end");
}

/* ---- The plan ------------------------------------------------------------------------ */

static void say_copies(const struct sim *sim, const struct cst_plan *plan)
{
    const struct cst_plan_ids *ids = &plan->versions_by_id;

    for (size_t i = 0; ids->slots && i <= ids->mask; i++) {
        const struct cst_version *version = ids->slots[i].thing;

        if (ids->slots[i].id == 0)
            continue;
        for (const struct cst_copy *copy = version->copies; copy;
             copy = copy->next)
            sim_say(sim,
                    "the plan keeps a copy of %llu at %u: state %d from %d "
                    "needed %d wants %d consumed %d",
                    (unsigned long long)version->id, copy->node->number,
                    copy->state, copy->from ? (int)copy->from->number : -1,
                    cst_version_needed(version), version->wants,
                    copy->consumed);
    }
}

static void check_plan(struct sim *sim, const struct cst_plan *plan)
{
    const char *left = left_in_plan(plan);

    if (!left)
        return;
    say_copies(sim, plan);
    sim_wrong(sim, left);
}

/* What was cut goes little by little, as other regions come to be named. */
static void collect(struct sim *sim, struct cst_data *data)
{
    enum { MANY = 1024 };
    const char *home = sim_home();
    struct cst_region all = {(uintptr_t)home, (size_t)CELLS * sim->cell, 1,
                             (size_t)CELLS * sim->cell};

    (void)cst_data_forget(data, 0, &all);
    for (uint32_t i = 0; i < MANY; i++) {
        struct cst_region other = {(uintptr_t)home + all.size + i, 1, 1, 1};
        struct cst_fragment *const *fragments;
        size_t count;

        if (cst_data_resolve(data, 0, &other, &fragments, &count) != CASTELL_OK)
            abort();
        (void)cst_data_forget(data, 0, &other);
    }
}

static void check_data(struct sim *sim)
{
    struct sim_node *master = sim->nodes[0];
    struct cst_plan *plan = master->cluster->plan;

    if (plan->poisoned_once)
        return;
    collect(sim, master->engine->data);
    if (cst_data_regions_count(master->engine->data) > 0)
        sim_wrong(sim, "data keeps regions after the end");
    if (left_in_use(&plan->datums) + plan->datums_by_number.count > 0)
        sim_wrong(sim, "the plan keeps datums after the end");
}

/* What is replicated stays, with what it reads, for nodes that are to come. */
static void check_replicated(struct sim *sim, const struct cst_plan *plan)
{
    size_t count = 0;

    for (uint32_t i = 0; i < sim->ops_count; i++)
        count += sim->ops[i].what == SIM_TASK &&
                 sim->ops[i].kind == KIND_REPLICA &&
                 sim->tasks[i].end == CST_TASK_ENDED;
    if (plan->replicated_count != count)
        sim_wrong(sim, "the plan keeps other replicated tasks than have run");
    for (uint32_t i = 0; i < sim->nodes_count; i++)
        if (sim->nodes[i]->alive && sim->nodes[i]->member)
            check_tasks(sim, sim->nodes[i]);
}

void sim_check_leaks(struct sim *sim)
{
    const struct cst_cluster *cluster = sim->nodes[0]->cluster;

    if (cst_engine_status(sim->nodes[0]->engine, NULL) != CASTELL_OK)
        return;
    if (cluster->plan->replicated_count > 0) {
        check_replicated(sim, cluster->plan);
        return;
    }
    check_plan(sim, cluster->plan);
    if (cluster->reductions.count > 0 || cluster->later_count > 0 ||
        cluster->local.size > 0)
        sim_wrong(sim, "the master keeps something after the end");
    for (uint32_t i = 0; i < sim->nodes_count; i++)
        if (sim->nodes[i]->alive && sim->nodes[i]->member)
            check_node(sim, sim->nodes[i]);
    check_data(sim);
}
