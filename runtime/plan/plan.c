#include "plan/plan.h"

#include "base/fail.h"
#include "base/memory.h"
#include "plan/plan_internal.h"
#include "plan/replica.h"

enum { RECORDS_MAX = 16384, LOSSES_MAX = 3, NODES_FIRST = 16 };

enum castell_status cst_plan_create(const struct cst_plan_options *options,
                                    struct cst_plan **ret_plan)
{
    struct cst_plan *plan = cst_zalloc(sizeof(*plan));

    if (!plan)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a plan");
    plan->options = *options;
    if (plan->options.records_max == 0)
        plan->options.records_max = RECORDS_MAX;
    if (plan->options.losses_max == 0)
        plan->options.losses_max = LOSSES_MAX;
    plan->ops = options->ops;
    plan->context = options->context;
    plan->released = cst_replica_release;
    cst_plan_pool_init(&plan->versions, sizeof(struct cst_version));
    cst_plan_pool_init(&plan->copies, sizeof(struct cst_copy));
    cst_plan_pool_init(&plan->datums, sizeof(struct cst_datum));
    cst_ready_init(&plan->ready);
    *ret_plan = plan;
    return CASTELL_OK;
}

static void forget_tasks(struct cst_plan *plan)
{
    const struct cst_plan_ids *ids = &plan->records_by_id;

    for (size_t i = 0; ids->slots && i <= ids->mask; i++) {
        struct cst_plan_record *record = ids->slots[i].thing;

        if (ids->slots[i].id == 0)
            continue;
        if (!cst_record_original(record))
            plan->ops->forget(plan->context, record->task);
        if (record->replica)
            cst_plan_block_free(plan, record->replica,
                                sizeof(*record->replica));
        cst_plan_block_free(plan, record, record->size);
    }
}

static void drop_reductions(struct cst_plan *plan)
{
    const struct cst_plan_ids *ids = &plan->reductions;

    for (size_t i = 0; ids->slots && i <= ids->mask; i++) {
        struct cst_plan_reduction *reduction = ids->slots[i].thing;

        if (ids->slots[i].id == 0)
            continue;
        cst_free(reduction->leaves);
        cst_free(reduction);
    }
}

void cst_plan_destroy(struct cst_plan *plan)
{
    if (!plan)
        return;
    cst_gangs_drop(plan);
    forget_tasks(plan);
    drop_reductions(plan);
    cst_plan_drop_wishes(plan);
    cst_plan_release_estimates(plan);
    for (size_t i = 0; i < plan->live_count; i++)
        cst_plan_block_free(plan, plan->live[i], sizeof(*plan->live[i]));
    cst_plan_pool_release(&plan->versions);
    cst_plan_pool_release(&plan->copies);
    cst_plan_pool_release(&plan->datums);
    for (size_t i = 0; i < CST_BLOCK_CLASSES; i++)
        cst_plan_pool_release(&plan->blocks[i]);
    cst_plan_ids_release(&plan->versions_by_id);
    cst_plan_ids_release(&plan->records_by_id);
    cst_plan_ids_release(&plan->datums_by_number);
    cst_plan_ids_release(&plan->reductions);
    cst_ready_release(&plan->ready);
    cst_free(plan->nodes);
    cst_free(plan->live);
    cst_free(plan->pieces);
    cst_free(plan->accesses);
    cst_free(plan);
}

/* ---- Nodes ------------------------------------------------------------ */

static enum castell_status grow_nodes(struct cst_plan *plan, uint32_t number)
{
    size_t max = plan->nodes_max ? plan->nodes_max : NODES_FIRST;
    struct cst_plan_node **nodes;
    struct cst_plan_node **live;

    if (number < plan->nodes_max)
        return CASTELL_OK;
    while (max <= number)
        max *= 2;
    nodes = cst_realloc(plan->nodes, max * sizeof(struct cst_plan_node *));
    if (nodes)
        plan->nodes = nodes;
    live = cst_realloc(plan->live, max * sizeof(struct cst_plan_node *));
    if (live)
        plan->live = live;
    if (!nodes || !live)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for node %u", number);
    for (size_t i = plan->nodes_max; i < max; i++)
        plan->nodes[i] = NULL;
    plan->nodes_max = max;
    return CASTELL_OK;
}

enum castell_status cst_plan_join(struct cst_plan *plan, uint32_t number,
                                  const struct cst_limits *limits)
{
    enum castell_status status = grow_nodes(plan, number);
    struct cst_plan_node *node;

    if (status != CASTELL_OK)
        return status;
    CST_ASSERT(!plan->nodes[number] && (number == 0) == !plan->home);
    node = cst_plan_block_alloc(plan, sizeof(*node));
    if (!node)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for node %u", number);
    *node = (struct cst_plan_node){
        .number = number,
        .limits = limits,
        .at = (uint32_t)plan->live_count,
        .is_new = true,
    };
    plan->nodes[number] = node;
    plan->live[plan->live_count++] = node;
    plan->any_new = true;
    if (number == 0)
        plan->home = node;
    cst_replicas_join(plan, node);
    return CASTELL_OK;
}

bool cst_node_runs_tasks(const struct cst_plan *plan,
                         const struct cst_plan_node *node)
{
    return (node->number != 0 || plan->options.home_runs) && !node->drains;
}

bool cst_node_is_open(const struct cst_plan *plan,
                      const struct cst_plan_node *node)
{
    return cst_node_runs_tasks(plan, node) && !node->gate;
}

bool cst_plan_is_final(const struct cst_plan *plan,
                       const struct castell_constraint *constraint)
{
    /* Nodes have ever less time; else they give less only when some leave. */
    return plan->has_shrunk ||
           (constraint->wall_time_ns > 0 && !plan->options.more_come);
}

enum castell_status cst_plan_check(struct cst_plan *plan,
                                   const struct castell_constraint *constraint,
                                   const char *task_label, const char *where)
{
    const struct cst_plan_node *nearest = plan->home;

    for (size_t i = 0; i < plan->live_count; i++) {
        const struct cst_plan_node *node = plan->live[i];

        if (node->number == 0 && !plan->options.home_runs)
            continue;
        if (cst_limits_fit(node->limits, constraint))
            return CASTELL_OK;
        if (nearest == plan->home)
            nearest = node;
    }
    return cst_constraint_check(nearest->limits, constraint, task_label, where);
}

/* ---- Looking inside ---------------------------------------------------- */

void cst_plan_load(const struct cst_plan *plan, uint32_t number,
                   struct cst_plan_load *ret_load)
{
    const struct cst_plan_node *node =
        number < plan->nodes_max ? plan->nodes[number] : NULL;

    *ret_load = (struct cst_plan_load){.placed = 0};
    if (node)
        *ret_load = (struct cst_plan_load){node->placed.count, node->done,
                                           node->drains};
}

static uint64_t pool_bytes(const struct cst_plan_pool *pool)
{
    return (uint64_t)pool->things * pool->size;
}

static uint64_t ids_bytes(const struct cst_plan_ids *ids)
{
    return ids->slots ? (ids->mask + 1) * sizeof(*ids->slots) : 0;
}

void cst_plan_counters(const struct cst_plan *plan,
                       struct cst_plan_counters *ret_counters)
{
    *ret_counters = (struct cst_plan_counters){
        .waiting = plan->waiting,
        .placed = plan->placed,
        .kept = plan->kept.count,
        .versions = plan->versions_by_id.count,
        .recomputed = plan->recomputed,
        .pushed_bytes = plan->pushed_bytes,
        .memory = pool_bytes(&plan->versions) + pool_bytes(&plan->copies) +
                  pool_bytes(&plan->datums) + plan->blocks_bytes +
                  ids_bytes(&plan->versions_by_id) +
                  ids_bytes(&plan->records_by_id) +
                  ids_bytes(&plan->datums_by_number),
    };
    for (size_t i = 0; i < CST_BLOCK_CLASSES; i++)
        ret_counters->memory += pool_bytes(&plan->blocks[i]);
}
