/*
 * A node is to leave, and nothing is to be computed again for that.
 *
 * It gets no more tasks. Those that have not started are called back; the others
 * run to their end. Then what only it has is sent to other nodes, to those that
 * expect the fewest bytes, home last; when all of that is there, it may go.
 */
#include "base/fail.h"
#include "plan/plan_internal.h"
#include "plan/replica.h"

#include <inttypes.h>

/* May others rely on it? */
static bool stays(const struct cst_plan *plan, const struct cst_plan_node *node)
{
    return cst_node_runs_tasks(plan, node);
}

static bool is_last(const struct cst_plan *plan,
                    const struct cst_plan_node *node)
{
    for (size_t i = 0; i < plan->live_count; i++)
        if (plan->live[i] != node && stays(plan, plan->live[i]))
            return false;
    return true;
}

enum castell_status cst_plan_drain(struct cst_plan *plan, uint32_t number)
{
    struct cst_plan_node *node =
        number < plan->nodes_max ? plan->nodes[number] : NULL;

    if (!node)
        return cst_fail(CASTELL_ERR_INVALID, "there is no node %" PRIu32,
                        number);
    if (number == 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "node 0 runs main(): it cannot be drained");
    if (node->drains)
        return CASTELL_OK;
    if (is_last(plan, node))
        return cst_fail(CASTELL_ERR_INVALID,
                        "node %" PRIu32 " is the last one that runs tasks",
                        number);
    node->drains = true;
    plan->draining++;
    return CASTELL_OK;
}

/* ---- Tasks ------------------------------------------------------------------- */

/* Tasks here may count on what is replicated to have run here, and start before
   they hear that they are called back: as long as there are any it runs here as
   was planned. */
static bool may_let_go(const struct cst_plan_node *node)
{
    const struct cst_plan_record *record = node->placed.first;

    while (record && record->replica)
        record = record->after;
    return !record;
}

static void recall_all(struct cst_plan *plan, struct cst_plan_node *node)
{
    for (struct cst_plan_record *record = node->placed.last; record;
         record = record->before) {
        /* A gang that has its nodes is about to start. */
        if (record->recalled || record->cancelled ||
            (record->replica && !node->lets_go) ||
            (record->gang &&
             (record->gang->others_count > 0 || record->gang->hopeless)))
            continue;
        record->recalled = true;
        node->recalls++;
        plan->ops->recall(plan->context, node->number, record->id,
                          record->attempt);
    }
}

/* ---- Data -------------------------------------------------------------------- */

/* What only tasks read that have run need not be anywhere, but for those that
   run on each node that joins. */
bool cst_version_read(const struct cst_version *version)
{
    if (version->poisoned || version->current || version->readers > 0 ||
        version->wished > 0 || version->leaf)
        return !version->poisoned;
    for (const struct cst_use *use = version->uses; use; use = use->after)
        if (cst_record_retained(use->record))
            return true;
    return false;
}

/* Is it expected there already, or there? */
static bool is_due(const struct cst_version *version,
                   const struct cst_plan_node *node)
{
    const struct cst_copy *copy = cst_copy_find(version, node);

    return copy && copy->state != CST_COPY_STRAY;
}

/* The one that expects the fewest bytes; home, where none is left. NULL: it is
   due everywhere. */
static struct cst_plan_node *find_peer(const struct cst_plan *plan,
                                       const struct cst_version *version)
{
    struct cst_plan_node *best = NULL;

    for (size_t i = 0; i < plan->live_count; i++) {
        struct cst_plan_node *node = plan->live[i];

        if (node->number == 0 || !stays(plan, node) || is_due(version, node) ||
            (best && best->incoming_bytes <= node->incoming_bytes))
            continue;
        best = node;
    }
    return best || is_due(version, plan->home) ? best : plan->home;
}

static bool is_elsewhere(const struct cst_plan *plan,
                         const struct cst_version *version)
{
    for (const struct cst_copy *copy = version->copies; copy; copy = copy->next)
        if (copy->state == CST_COPY_PRESENT &&
            (copy->node->number == 0 || stays(plan, copy->node)))
            return true;
    return false;
}

/*
 * Would it be missed? Then see that it will not be. What is still to come there
 * nobody reads there any more; but all may have been sent there.
 */
static bool is_missed(struct cst_plan *plan, struct cst_copy *copy)
{
    struct cst_version *version = copy->version;
    struct cst_plan_node *peer;

    if (copy->state == CST_COPY_STRAY || !cst_copy_valid(copy) ||
        !cst_version_read(version) || is_elsewhere(plan, version))
        return false;
    if (copy->state != CST_COPY_PRESENT &&
        cst_version_has_other(version, copy->node)) {
        cst_copy_unmake(plan, copy);
        return false;
    }
    if (copy->state != CST_COPY_PRESENT)
        return true;
    peer = find_peer(plan, version);
    if (peer && cst_plan_copy_room(plan, 1))
        cst_version_fetch(plan, version, peer);
    return true;
}

/*
 * Is nothing of it missed? Looking at all is put off while much is on its way,
 * so that it is done a few times only.
 */
static bool may_go(struct cst_plan *plan, struct cst_plan_node *node)
{
    bool missed = false;

    if (node->looks > 0 && node->sending > node->sending_then / 2)
        return false;
    node->looks++;
    for (struct cst_copy *copy = node->copies; copy; copy = copy->after)
        missed |= is_missed(plan, copy);
    node->sending_then = node->sending;
    return !missed && node->sending == 0;
}

/* ---- On ---------------------------------------------------------------------- */

static void go_on(struct cst_plan *plan, struct cst_plan_node *node)
{
    /* Others were lost meanwhile: it stays. It may have missed tasks that are to
       run on every node. */
    if (is_last(plan, node)) {
        node->drains = false;
        node->lets_go = false;
        node->looks = 0;
        plan->draining--;
        if (!node->gate)
            cst_replicas_join(plan, node);
        return;
    }
    node->lets_go = node->lets_go || may_let_go(node);
    recall_all(plan, node);
    if (node->lets_go && node->placed.count == 0)
        cst_replicas_let_go(plan, node);
    if (node->placed.count > 0 || node->gang || !may_go(plan, node))
        return;
    node->drained = true;
    plan->ops->drained(plan->context, node->number);
}

void cst_drains_go(struct cst_plan *plan)
{
    for (size_t i = 0; i < plan->live_count && plan->draining > 0; i++)
        if (plan->live[i]->drains && !plan->live[i]->drained)
            go_on(plan, plan->live[i]);
}
