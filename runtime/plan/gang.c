/*
 * Tasks that run on several nodes together.
 *
 * Such a task is placed on one node, its lead, as any other. When its inputs
 * are there, and not before, the others are chosen: all at once or, while there
 * are not enough, none. So what holds nodes waits for nothing but for bodies
 * that run already, and gangs cannot wait for one another. A node is in one
 * gang at a time. They are served in the order in which they have their inputs,
 * so that one of many nodes is not passed by for ever.
 */
#include "base/fail.h"
#include "plan/plan_internal.h"
#include "plan/replica.h"

#include <string.h>

static struct cst_plan_record *find_attempt(const struct cst_plan *plan,
                                            uint32_t node, uint64_t id,
                                            uint32_t attempt)
{
    struct cst_plan_record *record = cst_record_find(plan, id);

    if (!record || record->state != CST_RECORD_PLACED ||
        record->attempt != attempt || node >= plan->nodes_max ||
        !plan->nodes[node])
        return NULL;
    return record;
}

/* ---- Choosing nodes ----------------------------------------------------- */

/* What it holds on each of its nodes. */
static struct castell_constraint
constraint_of(const struct cst_plan *plan, const struct cst_plan_record *record)
{
    struct cst_plan_needs needs = {0};

    if (record->task->extra && plan->ops->needs)
        plan->ops->needs(plan->context, record->task, &needs);
    return needs.constraint
               ? *needs.constraint
               : record->task->kind->choices[record->choice].constraint;
}

/* What the others hold weighs on them as on the lead. */
static void weigh(struct cst_plan_node *node,
                  const struct cst_plan_record *record, bool more)
{
    uint64_t work_ns = record->estimate_ns * record->cores;

    node->work_ns = more ? node->work_ns + work_ns : node->work_ns - work_ns;
    node->cores_asked = more ? node->cores_asked + record->cores
                             : node->cores_asked - record->cores;
}

static bool is_alike(const struct cst_plan *plan,
                     const struct cst_plan_node *lead,
                     const struct cst_plan_node *node,
                     const struct castell_constraint *constraint)
{
    return node != lead && cst_node_runs_tasks(plan, node) &&
           cst_limits_fit(node->limits, constraint) &&
           strcmp(node->limits->arch, lead->limits->arch) == 0;
}

/* So many could be its gang, with it as the lead. */
static uint32_t count_fellows(const struct cst_plan *plan,
                              const struct cst_plan_node *lead,
                              const struct castell_constraint *constraint)
{
    uint32_t count = 1;

    for (size_t i = 0; i < plan->live_count; i++)
        count += is_alike(plan, lead, plan->live[i], constraint);
    return count;
}

/* Only where another one could is it no lead: else nodes are waited for. */
bool cst_gang_may_lead(const struct cst_plan *plan,
                       const struct cst_plan_node *node,
                       const struct castell_constraint *constraint)
{
    if (constraint->nodes <= 1 ||
        count_fellows(plan, node, constraint) >= constraint->nodes)
        return true;
    for (size_t i = 0; i < plan->live_count; i++)
        if (strcmp(plan->live[i]->limits->arch, node->limits->arch) != 0 &&
            cst_node_runs_tasks(plan, plan->live[i]) &&
            cst_limits_fit(plan->live[i]->limits, constraint) &&
            count_fellows(plan, plan->live[i], constraint) >= constraint->nodes)
            return false;
    return true;
}

static bool is_chosen(const struct cst_plan_gang *gang, uint32_t count,
                      const struct cst_plan_node *node)
{
    for (uint32_t i = 0; i < count; i++)
        if (gang->others[i] == node)
            return true;
    return false;
}

/* The least busy that may join and is free; NULL: there is none. Whether it is
   free or not, all that may join are counted. */
static struct cst_plan_node *
find_free(const struct cst_plan *plan, const struct cst_plan_gang *gang,
          uint32_t chosen, const struct castell_constraint *constraint,
          uint32_t *ret_there)
{
    struct cst_plan_node *best = NULL;

    *ret_there = 0;
    for (size_t i = 0; i < plan->live_count; i++) {
        struct cst_plan_node *node = plan->live[i];

        if (!is_alike(plan, gang->record->node, node, constraint))
            continue;
        ++*ret_there;
        if ((node->gate && !cst_record_opens(gang->record, node)) ||
            node->gang || is_chosen(gang, chosen, node) ||
            (best && best->work_ns <= node->work_ns))
            continue;
        best = node;
    }
    return best;
}

/* All that it needs, or none. */
static bool choose(struct cst_plan *plan, struct cst_plan_gang *gang)
{
    struct cst_plan_record *record = gang->record;
    struct castell_constraint constraint = constraint_of(plan, record);
    uint32_t wanted = record->nodes - 1;
    uint32_t there;

    for (uint32_t i = 0; i < wanted; i++) {
        gang->others[i] = find_free(plan, gang, i, &constraint, &there);
        if (there < wanted && cst_plan_is_final(plan, &constraint)) {
            /* Others than it may still have enough. */
            gang->broken = !cst_gang_may_lead(plan, record->node, &constraint);
            gang->hopeless = !gang->broken;
            gang->left = there + 1;
            plan->ops->disband(plan->context, record->node->number, record->id,
                               record->attempt);
            return false;
        }
        if (!gang->others[i] || record->node->gang)
            return false;
    }
    gang->others_count = wanted;
    record->node->gang = gang;
    for (uint32_t i = 0; i < wanted; i++) {
        gang->others[i]->gang = gang;
        weigh(gang->others[i], record, true);
        plan->ops->berth(plan->context, gang->others[i]->number, record->id,
                         record->attempt, &constraint);
    }
    return true;
}

/* Does some node wait for it before it is open? */
static bool opens_some(const struct cst_plan *plan,
                       const struct cst_plan_record *record)
{
    for (size_t i = 0; i < plan->live_count; i++)
        if (plan->live[i]->gate && cst_record_opens(record, plan->live[i]))
            return true;
    return false;
}

void cst_gangs_go(struct cst_plan *plan)
{
    struct cst_plan_gang *gang = plan->gangs;
    bool passed = false; /* one that has no nodes yet, which may have to open */

    for (; gang; gang = gang->next)
        if (gang->others_count == 0 && !gang->hopeless && !gang->broken &&
            !gang->record->recalled &&
            (!passed || opens_some(plan, gang->record)) &&
            !choose(plan, gang) && !gang->hopeless && !gang->broken)
            passed = true;
}

/* ---- What nodes say ------------------------------------------------------ */

void cst_plan_fired(struct cst_plan *plan, uint32_t node, uint64_t id,
                    uint32_t attempt)
{
    struct cst_plan_record *record = find_attempt(plan, node, id, attempt);
    struct cst_plan_gang **end = &plan->gangs;
    struct cst_plan_gang *gang;
    size_t size;

    if (!record || record->node->number != node || record->gang)
        return;
    size = sizeof(*gang) + (record->nodes - 1) * sizeof(struct cst_plan_node *);
    gang = cst_plan_block_alloc(plan, size);
    if (!gang) {
        cst_plan_fail(plan, CASTELL_ERR_NO_MEMORY,
                      "no memory to plan a task of several nodes");
        return;
    }
    *gang = (struct cst_plan_gang){.record = record, .size = size};
    record->gang = gang;
    while (*end)
        end = &(*end)->next;
    *end = gang;
}

/* It was moved at most: a body that fails or dies may take others with it. */
static bool may_be_inside(const struct cst_plan_record *record)
{
    return record->failures == 0 && record->losses == 0 &&
           !(record->flags & CST_PLAN_SUSPECT) &&
           record->task->kind->timeout_ns == 0;
}

void cst_plan_berthed(struct cst_plan *plan, uint32_t node, uint64_t id,
                      uint32_t attempt)
{
    struct cst_plan_record *record = find_attempt(plan, node, id, attempt);
    struct cst_plan_gang *gang = record ? record->gang : NULL;
    uint32_t *numbers;

    if (!gang || gang->broken ||
        !is_chosen(gang, gang->others_count, plan->nodes[node]) ||
        ++gang->berthed < gang->others_count)
        return;
    numbers = cst_plan_block_alloc(plan, gang->others_count * sizeof(*numbers));
    if (!numbers) {
        cst_plan_fail(plan, CASTELL_ERR_NO_MEMORY,
                      "no memory to start a task of several nodes");
        return;
    }
    for (uint32_t i = 0; i < gang->others_count; i++)
        numbers[i] = gang->others[i]->number;
    plan->ops->muster(plan->context, record->node->number,
                      &(struct cst_plan_muster){
                          .id = id,
                          .attempt = attempt,
                          .others = numbers,
                          .others_count = gang->others_count,
                          .inside = may_be_inside(record),
                      });
    cst_plan_block_free(plan, numbers, gang->others_count * sizeof(*numbers));
}

void cst_plan_strayed(struct cst_plan *plan, uint32_t node, uint64_t id,
                      uint32_t attempt)
{
    struct cst_plan_record *record = find_attempt(plan, node, id, attempt);
    struct cst_plan_gang *gang = record ? record->gang : NULL;

    if (!gang || gang->broken ||
        !is_chosen(gang, gang->others_count, plan->nodes[node]))
        return;
    plan->ops->disband(plan->context, record->node->number, id, attempt);
}

/* ---- The end -------------------------------------------------------------- */

static void unlink_gang(struct cst_plan *plan, const struct cst_plan_gang *gang)
{
    struct cst_plan_gang **link = &plan->gangs;

    while (*link != gang)
        link = &(*link)->next;
    *link = gang->next;
}

void cst_gang_leave(struct cst_plan *plan, struct cst_plan_record *record)
{
    struct cst_plan_gang *gang = record->gang;

    if (gang->others_count > 0)
        record->node->gang = NULL;
    for (uint32_t i = 0; i < gang->others_count; i++) {
        struct cst_plan_node *node = gang->others[i];

        if (!node)
            continue; /* lost */
        node->gang = NULL;
        weigh(node, record, false);
        plan->ops->unberth(plan->context, node->number, record->id,
                           record->attempt);
    }
    unlink_gang(plan, gang);
    record->gang = NULL;
    cst_plan_block_free(plan, gang, gang->size);
}

void cst_gangs_lose(struct cst_plan *plan, struct cst_plan_node *node)
{
    struct cst_plan_gang *gang = node->gang;
    struct cst_plan_record *record;

    if (!gang || gang->record->node == node)
        return;
    record = gang->record;
    for (uint32_t i = 0; i < gang->others_count; i++)
        if (gang->others[i] == node)
            gang->others[i] = NULL;
    node->gang = NULL;
    if (gang->broken)
        return;
    gang->broken = true;
    plan->ops->disband(plan->context, record->node->number, record->id,
                       record->attempt);
}

void cst_gangs_drop(struct cst_plan *plan)
{
    while (plan->gangs) {
        struct cst_plan_gang *gang = plan->gangs;

        plan->gangs = gang->next;
        cst_plan_block_free(plan, gang, gang->size);
    }
}
