/*
 * A task comes to a node, or leaves it: what is pushed, made and consumed.
 */
#include "base/fail.h"
#include "plan/plan_internal.h"
#include "plan/replica.h"

static uint8_t mode_of(const struct cst_plan_record *record, uint32_t access)
{
    return cst_task_accesses(record->task)[access].hold.mode;
}

/*
 * May the task overwrite what it reads, at its node? Only where nobody else
 * wants it there or, if all is lost, elsewhere.
 */
static bool may_consume(const struct cst_plan_record *record,
                        const struct cst_use *use, const struct cst_copy *copy)
{
    const struct cst_version *version = use->version;

    return !(record->flags & CST_PLAN_KEEP) && !record->replica &&
           version->datum && cst_mode_writes(mode_of(record, use->access)) &&
           !copy->consumed && !version->current && !version->wished &&
           !version->children && version->uses == use && !use->after;
}

static void bring_inputs(struct cst_plan *plan, struct cst_plan_record *record)
{
    for (uint32_t i = 0; i < record->uses_count; i++) {
        struct cst_use *use = &record->uses[i];
        struct cst_copy *copy;

        cst_version_fetch(plan, use->version, record->node);
        copy = cst_copy_find(use->version, record->node);
        use->consumed = may_consume(record, use, copy);
        copy->consumed = use->consumed;
    }
}

static void assign(struct cst_plan *plan, struct cst_plan_record *record)
{
    struct cst_plan_assignment assignment = {
        .task = record->task,
        .id = record->id,
        .attempt = record->attempt,
        .node = record->node->number,
        .flags = record->flags,
        .accesses = plan->accesses,
    };
    struct cst_plan_piece *piece = plan->pieces;
    uint32_t in = 0;
    uint32_t out = 0;

    for (uint32_t i = 0; i < record->task->accesses_count; i++) {
        struct cst_plan_access *access = &plan->accesses[i];

        *access = (struct cst_plan_access){.inputs = piece};
        for (; in < record->uses_count && record->uses[in].access == i; in++) {
            *piece = cst_version_piece(record->uses[in].version);
            piece++->consumed = record->uses[in].consumed;
            access->inputs_count++;
        }
        access->outputs = piece;
        for (; out < record->outputs_count && record->outputs[out].access == i;
             out++) {
            *piece++ = cst_version_piece(record->outputs[out].version);
            access->outputs_count++;
        }
    }
    if (!cst_record_original(record))
        record->task->attempt = record->attempt;
    plan->ops->assign(plan->context, &assignment);
    plan->recomputed += (record->flags & CST_PLAN_RECOMPUTED) != 0;
    record->flags &= ~(uint32_t)(CST_PLAN_RETRIED | CST_PLAN_RECOMPUTED);
}

/* Parts of what is made again have to be cut again. */
static void cut_parts(struct cst_plan *plan, struct cst_version *whole,
                      struct cst_plan_node *node)
{
    struct cst_version *stack = whole;

    whole->stacked = NULL;
    while (stack) {
        struct cst_version *version = stack;

        stack = version->stacked;
        for (struct cst_version *part = version->children; part;
             part = part->sibling) {
            struct cst_plan_piece piece = cst_version_piece(part);

            if (!part->wants || cst_version_has_copy(part) ||
                !cst_plan_copy_room(plan, 1))
                continue;
            /* Tasks at the node may wait for it already. */
            if (cst_copy_find(part, node))
                cst_copy_expect(plan, cst_copy_find(part, node), CST_COPY_CUT);
            else
                cst_copy_add(plan, part, node, CST_COPY_CUT);
            plan->ops->cut(plan->context, node->number, &piece, version->id);
            cst_version_feed(plan, part);
            part->stacked = stack;
            stack = part;
        }
    }
}

static void expect_output(struct cst_plan *plan, struct cst_version *version,
                          struct cst_plan_node *node)
{
    struct cst_copy *copy = cst_copy_find(version, node);

    if (!copy)
        cst_copy_add(plan, version, node, CST_COPY_MADE);
    else if (copy->state == CST_COPY_SENT || copy->state == CST_COPY_STRAY)
        cst_copy_expect(plan, copy,
                        CST_COPY_MADE); /* tasks there wait for it */
    cst_version_feed(plan, version);
    if (version->children)
        cut_parts(plan, version, node);
}

/* What is made of a datum first after a decision to save goes home, and all else
   that the same task makes: as long as one of these is not there, it has to be
   kept with all that it reads. */
static void save_outputs(struct cst_plan *plan,
                         const struct cst_plan_record *record)
{
    bool any = false;

    for (uint32_t i = 0; i < record->outputs_count; i++) {
        const struct cst_datum *datum = record->outputs[i].version->datum;

        any = any || (datum && datum->generation != plan->generation);
    }
    for (uint32_t i = 0; any && i < record->outputs_count; i++) {
        struct cst_version *version = record->outputs[i].version;

        if (!version->datum || !cst_plan_copy_room(plan, 1))
            continue;
        version->datum->generation = plan->generation;
        cst_version_fetch(plan, version, plan->home);
    }
}

void cst_record_place(struct cst_plan *plan, struct cst_plan_record *record,
                      struct cst_plan_node *node)
{
    const struct cst_kind *kind = record->task->kind;

    record->node = node;
    record->attempt++;
    record->state = CST_RECORD_PLACED;
    record->flags &= ~(uint32_t)(CST_PLAN_KEEP | CST_PLAN_LAST | CST_PLAN_GANG);
    if (kind->retries > 0 || kind->timeout_ns > 0)
        record->flags |= CST_PLAN_KEEP;
    if (record->failures >= kind->retries)
        record->flags |= CST_PLAN_LAST;
    /* What is lost with one of its nodes is tried again with the same input. */
    if (record->nodes > 1)
        record->flags |= CST_PLAN_GANG | CST_PLAN_KEEP;
    if (plan->generation_left > 0)
        plan->generation_left--;
    cst_records_append(&node->placed, record);
    node->work_ns += record->estimate_ns * record->cores;
    node->cores_asked += record->cores;
    bring_inputs(plan, record);
    assign(plan, record);
    for (uint32_t i = 0; i < record->outputs_count; i++)
        expect_output(plan, record->outputs[i].version, node);
    if (plan->generation != 0)
        save_outputs(plan, record);
}

void cst_record_unplace(struct cst_plan *plan, struct cst_plan_record *record)
{
    struct cst_plan_node *node = record->node;

    CST_ASSERT(record->state == CST_RECORD_PLACED);
    if (record->gang)
        cst_gang_leave(plan, record);
    cst_records_remove(&node->placed, record);
    node->work_ns -= record->estimate_ns * record->cores;
    node->cores_asked -= record->cores;
    if (record->recalled)
        node->recalls--;
    record->recalled = false;
    record->node = NULL;
}

/* ---- It will not be made there ---------------------------------------- */

void cst_record_give_up(struct cst_plan *plan, struct cst_plan_record *record,
                        bool intact)
{
    struct cst_plan_node *node = record->node;

    cst_record_unplace(plan, record);
    for (uint32_t i = 0; i < record->uses_count; i++) {
        struct cst_use *use = &record->uses[i];
        struct cst_copy *copy = cst_copy_find(use->version, node);

        if (!use->consumed)
            continue;
        use->consumed = false;
        copy->consumed = false;
        cst_version_touch(plan, use->version);
        if (intact || copy->state != CST_COPY_PRESENT)
            continue;
        plan->ops->drop(plan->context, node->number, use->version->id);
        cst_copy_remove(plan, copy);
    }
    for (uint32_t i = 0; i < record->outputs_count; i++) {
        struct cst_copy *copy = cst_copy_find(record->outputs[i].version, node);

        if (copy && copy->state == CST_COPY_MADE)
            cst_copy_unmake(plan, copy);
    }
}
