/*
 * Replicated tasks: those whose body runs on every node, for what it leaves in
 * the process (tables, open files, the state of a library).
 *
 * The task itself, the original, runs when replicas of it have run on all other
 * nodes; what it makes is what its readers get, so whoever reads that, on any
 * node, finds the body to have run there. A replica reads the same versions,
 * and nobody sees what it makes. The original and what it reads are kept, and a
 * node that joins runs replicas of all originals before anything else.
 */
#include "plan/replica.h"

#include "base/fail.h"
#include "plan/plan_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* Ids of replicas; tasks' and folds' have other first bits. */
static const uint64_t replica_bits = UINT64_C(3) << 62;

static bool is_original(const struct cst_plan_record *record)
{
    return record->replica && !record->replica->original;
}

bool cst_record_awaits(const struct cst_plan_record *record)
{
    return is_original(record) && record->attempt == 0 &&
           record->replica->pending > 0;
}

bool cst_record_may_go(const struct cst_plan *plan,
                       const struct cst_plan_record *record,
                       const struct cst_plan_node *node)
{
    const struct cst_plan_replica *replica = record->replica;

    const struct cst_plan_node *here;

    if (!replica)
        return cst_node_runs_tasks(plan, node);
    here = plan->nodes[replica->node];
    /* An original whose node is lost, or has nothing left that may count on it:
       all others have run replicas. */
    if (!replica->original &&
        (!here || (here->lets_go && here->placed.count == 0)))
        return cst_node_runs_tasks(plan, node);
    /* One that has failed is what prepares its node all the same. And a node
       that is to leave may have tasks that wait for what it makes. */
    return node == here && !here->lets_go;
}

/* ---- Making them --------------------------------------------------------- */

static enum castell_status reserve(struct cst_plan *plan, size_t outputs)
{
    enum castell_status status =
        cst_plan_pool_reserve(&plan->versions, outputs);

    if (status == CASTELL_OK)
        status = cst_plan_ids_reserve(&plan->versions_by_id, outputs);
    if (status == CASTELL_OK)
        status = cst_plan_ids_reserve(&plan->records_by_id, 1);
    return status;
}

static struct cst_plan_record *create(struct cst_plan *plan,
                                      const struct cst_plan_record *original)
{
    size_t size = sizeof(*original) +
                  original->uses_count * sizeof(struct cst_use) +
                  original->outputs_count * sizeof(struct cst_plan_output);
    struct cst_plan_record *record = NULL;

    if (reserve(plan, original->outputs_count) == CASTELL_OK)
        record = cst_plan_block_alloc(plan, size);
    if (!record)
        return NULL;
    *record = (struct cst_plan_record){
        .task = original->task,
        .id = replica_bits | ++plan->replica_ids,
        .uses_count = original->uses_count,
        .uses_max = original->uses_count,
        .outputs_count = original->outputs_count,
        .outputs_max = original->outputs_count,
        .flags = original->flags & (uint32_t)CST_PLAN_SUSPECT,
        .bytes = original->bytes,
        .size = size,
        .state = CST_RECORD_AGAIN,
    };
    record->uses = (struct cst_use *)(record + 1);
    record->outputs =
        (struct cst_plan_output *)(void *)(record->uses + record->uses_count);
    return record;
}

static struct cst_plan_replica *
attach(struct cst_plan *plan, struct cst_plan_record *record, uint32_t node)
{
    record->replica = cst_plan_block_alloc(plan, sizeof(*record->replica));
    if (record->replica)
        *record->replica =
            (struct cst_plan_replica){.record = record, .node = node};
    return record->replica;
}

static void replicate(struct cst_plan *plan, struct cst_plan_record *original,
                      struct cst_plan_node *node, bool gates)
{
    struct cst_plan_record *record = create(plan, original);

    if (!record || !attach(plan, record, node->number)) {
        if (record)
            cst_plan_block_free(plan, record, record->size);
        cst_plan_fail(plan, CASTELL_ERR_NO_MEMORY,
                      "no memory to plan a replicated task");
        return;
    }
    record->replica->original = original;
    record->replica->gates = gates;
    original->replica->pending++;
    for (uint32_t i = 0; i < original->uses_count; i++)
        cst_record_add_use(plan, record, i, original->uses[i].version,
                           original->uses[i].access);
    for (uint32_t i = 0; i < original->outputs_count; i++) {
        const struct cst_plan_output *output = &original->outputs[i];

        cst_record_add_output(
            record, i, cst_version_create(plan, &output->version->region, NULL),
            output->access);
    }
    cst_plan_ids_add(&plan->records_by_id, record->id, record);
    cst_records_append(&plan->again, record);
    plan->placed++;
}

void cst_record_replicate(struct cst_plan *plan, struct cst_plan_record *record,
                          const struct cst_plan_node *node)
{
    struct cst_plan_replica **end = &plan->replicated;

    record->state = CST_RECORD_AGAIN;
    if (attach(plan, record, node->number)) {
        while (*end)
            end = &(*end)->next;
        *end = record->replica;
        plan->replicated_count++;
        for (size_t i = 0; i < plan->live_count; i++) {
            struct cst_plan_node *other = plan->live[i];

            if (other != node && cst_node_is_open(plan, other) &&
                cst_record_suits(plan, record, other))
                replicate(plan, record, other, false);
        }
    } else {
        cst_plan_fail(plan, CASTELL_ERR_NO_MEMORY,
                      "no memory to plan a replicated task");
    }
    cst_records_append(&plan->again, record);
}

/* One at a time and in order, for one may need what another leaves there. */
static void go_on(struct cst_plan *plan, struct cst_plan_node *node,
                  struct cst_plan_replica *next)
{
    while (next && !cst_record_suits(plan, next->record, node))
        next = next->next;
    if (node->drains)
        next = NULL; /* should it stay it begins anew */
    node->gate = next;
    if (next)
        replicate(plan, next->record, node, true);
}

void cst_replicas_join(struct cst_plan *plan, struct cst_plan_node *node)
{
    if (cst_node_runs_tasks(plan, node))
        go_on(plan, node, plan->replicated);
}

/* ---- Their end ------------------------------------------------------------ */

void cst_replica_ended(struct cst_plan *plan, struct cst_plan_record *record)
{
    struct cst_plan_replica *replica = record->replica;
    struct cst_plan_node *node = plan->nodes[replica->node];

    replica->original->replica->pending--;
    if (replica->gates && node)
        go_on(plan, node, replica->original->replica->next);
}

static void unlink_original(struct cst_plan *plan,
                            const struct cst_plan_replica *replica)
{
    struct cst_plan_replica **link = &plan->replicated;

    while (*link != replica)
        link = &(*link)->next;
    *link = replica->next;
    plan->replicated_count--;
}

/* Those of the original that are in the list. */
static void withdraw(struct cst_plan *plan, const struct cst_plan_records *list,
                     const struct cst_plan_record *original)
{
    struct cst_plan_record *record = list->first;

    while (record) {
        struct cst_plan_record *next = record->after;

        if (cst_record_original(record) == original)
            cst_record_withdraw(plan, record);
        record = next;
    }
}

void cst_replica_release(struct cst_plan *plan, struct cst_plan_record *record)
{
    struct cst_plan_replica *replica = record->replica;

    if (!replica)
        return;
    if (!replica->original) {
        unlink_original(plan, replica);
        withdraw(plan, &plan->again, record);
        for (size_t i = 0; i < plan->live_count; i++)
            withdraw(plan, &plan->live[i]->placed, record);
        CST_ASSERT(replica->pending == 0);
    }
    record->replica = NULL;
    cst_plan_block_free(plan, replica, sizeof(*replica));
}

static void say_poisonous(struct cst_plan *plan,
                          const struct cst_plan_record *original)
{
    char text[128];

    (void)snprintf(text, sizeof(text),
                   "each of the %" PRIu32
                   " nodes that ran a replicated task was lost",
                   original->losses);
    cst_plan_fail(plan, CASTELL_ERR_TASK_FAILED, text);
}

void cst_replicas_leave(struct cst_plan *plan, const struct cst_plan_node *node)
{
    struct cst_plan_record *record = plan->again.first;

    while (record) {
        struct cst_plan_record *next = record->after;
        struct cst_plan_record *original = cst_record_original(record);

        if (original && record->replica->node == node->number) {
            original->losses += record->losses;
            original->flags |= record->flags & (uint32_t)CST_PLAN_SUSPECT;
            cst_record_withdraw(plan, record);
            if (original->state == CST_RECORD_KEPT &&
                original->losses > plan->options.losses_max)
                say_poisonous(plan, original);
        }
        record = next;
    }
}

void cst_replicas_let_go(struct cst_plan *plan,
                         const struct cst_plan_node *node)
{
    struct cst_plan_record *record = plan->again.first;

    while (record) {
        struct cst_plan_record *next = record->after;

        if (cst_record_original(record) &&
            record->replica->node == node->number)
            cst_record_withdraw(plan, record);
        record = next;
    }
}

/* ---- What nodes need before they are open --------------------------------- */

struct walk {
    struct cst_version *first;
    struct cst_version *last;
};

/* It is somewhere, and who waits for it does not wait for it to be made again
   beside other things. */
static bool is_anywhere(const struct cst_version *version)
{
    bool any = false;

    for (const struct cst_copy *copy = version->copies; copy;
         copy = copy->next) {
        if (copy->state == CST_COPY_MADE)
            return false;
        any = any || copy->state == CST_COPY_PRESENT;
    }
    return any;
}

static void visit(struct walk *walk, struct cst_version *version)
{
    if (version->is_stacked || is_anywhere(version))
        return;
    version->is_stacked = true;
    version->stacked = NULL;
    if (walk->last)
        walk->last->stacked = version;
    else
        walk->first = version;
    walk->last = version;
}

static void visit_uses(struct walk *walk, const struct cst_plan_record *record)
{
    for (uint32_t i = 0; i < record->uses_count; i++)
        visit(walk, record->uses[i].version);
}

bool cst_record_opens(const struct cst_plan_record *record,
                      const struct cst_plan_node *node)
{
    struct walk walk = {NULL, NULL};
    bool found = false;

    if (cst_record_original(record))
        return true;
    visit_uses(&walk, node->gate->record);
    for (struct cst_version *at = walk.first; at; at = at->stacked) {
        found = found || at->producer == record;
        if (at->origin)
            visit(&walk, at->origin);
        else if (at->producer)
            visit_uses(&walk, at->producer);
    }
    while (walk.first) {
        walk.first->is_stacked = false;
        walk.first = walk.first->stacked;
    }
    return found;
}
