/*
 * Copies that will not be made where they were expected, and room for others.
 */
#include "base/fail.h"
#include "ledger/records.h"

struct cst_copy *cst_copy_find(const struct cst_version *version,
                               const struct cst_plan_node *node)
{
    struct cst_copy *copy = version->copies;

    while (copy && copy->node != node)
        copy = copy->next;
    return copy;
}

struct cst_copy *cst_copy_whole(const struct cst_version *version)
{
    struct cst_copy *copy = version->copies;

    while (copy && (copy->state != CST_COPY_PRESENT || copy->consumed))
        copy = copy->next;
    return copy;
}

void cst_plan_fail(struct cst_plan *plan, enum castell_status status,
                   const char *text)
{
    if (plan->failed)
        return;
    plan->failed = true;
    plan->ops->lost(plan->context, status, text);
}

bool cst_plan_copy_room(struct cst_plan *plan, size_t count)
{
    if (cst_plan_pool_reserve(&plan->copies, count) == CASTELL_OK)
        return true;
    cst_plan_fail(plan, CASTELL_ERR_NO_MEMORY,
                  "no memory to plan where data go");
    return false;
}

static bool is_read_at(const struct cst_version *version,
                       const struct cst_plan_node *node)
{
    for (const struct cst_use *use = version->uses; use; use = use->after)
        if (use->record->state == CST_RECORD_PLACED &&
            use->record->node == node)
            return true;
    return false;
}

/* What was to be sent from the node has no source now. */
static void orphan(struct cst_version *version,
                   const struct cst_plan_node *node)
{
    for (struct cst_copy *copy = version->copies; copy; copy = copy->next) {
        if (copy->state != CST_COPY_SENT || copy->from != node)
            continue;
        copy->from->sending--;
        copy->from = NULL;
    }
}

void cst_copy_unmake(struct cst_plan *plan, struct cst_copy *copy)
{
    struct cst_copy *stack = copy;

    copy->stacked = NULL;
    while (stack) {
        struct cst_version *version;
        struct cst_plan_node *node;

        copy = stack;
        stack = copy->stacked;
        version = copy->version;
        node = copy->node;
        for (struct cst_version *part = version->children; part;
             part = part->sibling) {
            struct cst_copy *other = cst_copy_find(part, node);

            if (!other || other->state != CST_COPY_CUT)
                continue;
            other->stacked = stack;
            stack = other;
        }
        orphan(version, node);
        cst_copy_expect(plan, copy,
                        is_read_at(version, node) && !version->poisoned
                            ? CST_COPY_SENT
                            : CST_COPY_STRAY);
        cst_version_feed(plan, version);
    }
}
