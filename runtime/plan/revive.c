/*
 * A node is lost: what was to run there runs elsewhere, what was to be sent
 * from there is sent by others, and what nobody has any more is made again.
 */
#include "base/fail.h"
#include "plan/plan_internal.h"
#include "plan/replica.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- Making versions again -------------------------------------------- */

static void push(struct cst_version **stack, struct cst_version *version)
{
    if (version->is_stacked)
        return;
    version->is_stacked = true;
    version->stacked = *stack;
    *stack = version;
}

static void say_lost(struct cst_plan *plan, const struct cst_version *version)
{
    char text[160];

    (void)snprintf(text, sizeof(text),
                   "%zu bytes at %#" PRIxPTR
                   " were lost with their node and cannot be computed again",
                   cst_region_bytes(&version->region), version->region.base);
    cst_plan_fail(plan, CASTELL_ERR_NODE_LOST, text);
}

/* It has run, and has to once more. */
static void run_again(struct cst_plan *plan, struct cst_plan_record *record,
                      struct cst_version **stack)
{
    cst_records_remove(&plan->kept, record);
    record->state = CST_RECORD_AGAIN;
    cst_records_prepend(&plan->again, record);
    record->flags |= CST_PLAN_RECOMPUTED;
    for (uint32_t i = 0; i < record->uses_count; i++) {
        struct cst_version *version = record->uses[i].version;

        version->kept--;
        version->readers++;
        push(stack, version);
    }
}

/* Cut a part of its origin again, where that is or will be. */
static bool cut_again(struct cst_plan *plan, struct cst_version *part)
{
    struct cst_plan_piece piece = cst_version_piece(part);
    bool any = false;

    for (struct cst_copy *copy = part->origin->copies; copy;
         copy = copy->next) {
        struct cst_copy *old = cst_copy_find(part, copy->node);

        if (copy->consumed || !cst_copy_valid(copy) ||
            !cst_plan_copy_room(plan, 1))
            continue;
        if (old)
            cst_copy_expect(plan, old, CST_COPY_CUT);
        else
            cst_copy_add(plan, part, copy->node, CST_COPY_CUT);
        plan->ops->cut(plan->context, copy->node->number, &piece,
                       part->origin->id);
        if (copy->state == CST_COPY_PRESENT)
            cst_copy_present(plan, cst_copy_find(part, copy->node));
        any = true;
    }
    if (any)
        cst_version_feed(plan, part);
    return any;
}

static bool is_wanted(const struct cst_version *version)
{
    if (cst_version_needed(version))
        return true;
    for (const struct cst_version *part = version->children; part;
         part = part->sibling)
        if (part->wants)
            return true;
    return false;
}

void cst_version_revive(struct cst_plan *plan, struct cst_version *version)
{
    struct cst_version *stack = NULL;

    if (is_wanted(version))
        push(&stack, version);
    while (stack) {
        struct cst_plan_record *record;

        version = stack;
        stack = version->stacked;
        version->is_stacked = false;
        version->wants = true;
        cst_version_touch(plan, version);
        if (version->poisoned || cst_version_has_copy(version))
            continue;
        record = version->producer;
        if (version->origin) {
            if (!cut_again(plan, version)) {
                push(&stack, version->origin);
                continue;
            }
            for (struct cst_version *part = version->children; part;
                 part = part->sibling)
                if (part->wants)
                    push(&stack, part);
        } else if (!record) {
            say_lost(plan, version);
        } else if (record->state == CST_RECORD_KEPT) {
            run_again(plan, record, &stack);
        }
    }
}

/* ---- Nodes that are lost ---------------------------------------------- */

/* Can it be made again, should its last copy be lost? */
static bool has_lineage(const struct cst_version *version)
{
    while (version->origin)
        version = version->origin;
    return version->producer != NULL;
}

static void note_lost(struct cst_version **lost, struct cst_version *version)
{
    if (version->is_lost)
        return;
    version->is_lost = true;
    version->lost = *lost;
    version->refs++;
    *lost = version;
}

/* What a dead node had, and what it was to send. */
static void lose_copies(struct cst_plan *plan, struct cst_plan_node *node,
                        struct cst_version **ret_lost)
{
    while (node->copies) {
        struct cst_version *version = node->copies->version;

        /* What is not expected there has been consumed elsewhere, or will come
           in another way: nothing is lost with it. */
        if (node->copies->state != CST_COPY_STRAY &&
            (!node->drained || cst_version_read(version)))
            note_lost(ret_lost, version);
        cst_copy_remove(plan, node->copies);
    }
    for (size_t i = 0; i < plan->live_count && node->sending > 0; i++)
        for (struct cst_copy *copy = plan->live[i]->copies; copy;
             copy = copy->after) {
            if (copy->state != CST_COPY_SENT || copy->from != node)
                continue;
            node->sending--;
            copy->from = NULL;
            note_lost(ret_lost, copy->version);
        }
}

/* Had it all that it reads, so that its body may have run? */
static bool may_have_run(const struct cst_plan_record *record)
{
    for (uint32_t i = 0; i < record->uses_count; i++) {
        const struct cst_copy *copy =
            cst_copy_find(record->uses[i].version, record->node);

        if (!copy || copy->state != CST_COPY_PRESENT)
            return false;
    }
    return true;
}

/* Those of which something has come from there have run. */
static void end_seen(struct cst_plan *plan, const struct cst_plan_node *node)
{
    struct cst_plan_record *record = node->placed.first;

    while (record) {
        struct cst_plan_record *next = record->after;

        if (record->seen && !record->ended)
            cst_record_succeed(plan, record, NULL);
        record = next;
    }
}

/* Those that were there, the youngest first so that they end up in order. */
static void lose_tasks(struct cst_plan *plan, struct cst_plan_node *node,
                       struct cst_version **ret_lost)
{
    uint32_t suspects = 0;

    end_seen(plan, node);
    /* As many as have cores may be what killed it; all may be what did. */
    for (struct cst_plan_record *record = node->placed.first; record;
         record = record->after) {
        if (!may_have_run(record))
            continue;
        record->flags |= CST_PLAN_SUSPECT;
        if (suspects++ < node->limits->cores)
            record->losses++;
    }
    while (node->placed.last) {
        struct cst_plan_record *record = node->placed.last;

        cst_record_unplace(plan, record);
        record->state = CST_RECORD_AGAIN;
        cst_records_prepend(&plan->again, record);
        for (uint32_t i = 0; i < record->uses_count; i++) {
            record->uses[i].consumed = false;
            note_lost(ret_lost, record->uses[i].version);
        }
    }
}

static void fail_poisonous(struct cst_plan *plan)
{
    struct cst_plan_record *record = plan->again.first;

    while (record) {
        struct cst_plan_record *next = record->after;
        char text[96];

        if (record->losses > plan->options.losses_max) {
            (void)snprintf(text, sizeof(text),
                           "each of the %" PRIu32 " nodes that ran it was lost",
                           record->losses);
            record->losses = 0;
            cst_records_remove(&plan->again, record);
            cst_record_fail(plan, record, text);
            next = plan->again.first; /* others may have been cancelled */
        }
        record = next;
    }
}

static bool can_be_sent(const struct cst_version *version)
{
    for (const struct cst_copy *copy = version->copies; copy; copy = copy->next)
        if (!copy->consumed && cst_copy_valid(copy))
            return true;
    return false;
}

/*
 * What could be lost for good is sent home. Where a task has consumed, or is
 * about to, the last copy of what cannot be made again, that is what it makes.
 */
static void save_last(struct cst_plan *plan, struct cst_version *version)
{
    if (!cst_version_needed(version) || cst_version_durable(version) ||
        has_lineage(version))
        return;
    if (can_be_sent(version)) {
        if (cst_plan_copy_room(plan, 1))
            cst_version_fetch(plan, version, plan->home);
        return;
    }
    for (struct cst_use *use = version->uses; use; use = use->after)
        for (uint32_t i = 0; i < use->record->outputs_count; i++) {
            struct cst_version *output = use->record->outputs[i].version;

            if (cst_version_needed(output) && can_be_sent(output) &&
                cst_plan_copy_room(plan, 1))
                cst_version_fetch(plan, output, plan->home);
        }
}

/* Copies that nobody will send are of no use where nobody needs the version. */
static void remove_orphans(struct cst_plan *plan, struct cst_version *version)
{
    struct cst_copy *copy = version->copies;

    while (copy && !is_wanted(version))
        if (copy->state == CST_COPY_SENT && !copy->from) {
            cst_copy_unmake(plan, copy);
            copy = version->copies;
        } else {
            copy = copy->next;
        }
}

static void recover(struct cst_plan *plan, struct cst_version *lost)
{
    for (struct cst_version *version = lost; version; version = version->lost) {
        cst_version_touch(plan, version);
        cst_version_feed(plan, version);
        cst_version_revive(plan, version);
    }
    while (lost) {
        struct cst_version *version = lost;

        lost = version->lost;
        version->is_lost = false;
        save_last(plan, version);
        remove_orphans(plan, version);
        cst_version_unref(plan, version);
    }
}

void cst_plan_leave(struct cst_plan *plan, uint32_t number)
{
    struct cst_version *lost = NULL;
    struct cst_plan_node *node;

    if (number >= plan->nodes_max || !plan->nodes[number])
        return;
    CST_ASSERT(number != 0);
    node = plan->nodes[number];
    plan->nodes[number] = NULL;
    plan->has_shrunk = !plan->options.more_come;
    plan->draining -= node->drains;
    plan->live[node->at] = plan->live[--plan->live_count];
    plan->live[node->at]->at = node->at;
    cst_gangs_lose(plan, node);
    lose_tasks(plan, node, &lost);
    cst_replicas_leave(plan, node);
    lose_copies(plan, node, &lost);
    fail_poisonous(plan);
    recover(plan, lost);
    cst_plan_block_free(plan, node, sizeof(*node));
    cst_plan_settle(plan);
}
