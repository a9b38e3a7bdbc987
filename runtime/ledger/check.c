#include "base/fail.h"
#include "ledger/records.h"

/* The checker of what records.h promises. Slow; for tests. */

static void check_where(const struct cst_plan *plan,
                        const struct cst_copy *copy)
{
    CST_ASSERT(cst_copy_find(copy->version, copy->node) == copy);
    CST_ASSERT(plan->nodes[copy->node->number] == copy->node);
    CST_ASSERT(copy->state == CST_COPY_SENT || !copy->from);
    CST_ASSERT(!copy->from || plan->nodes[copy->from->number]);
    CST_ASSERT(!copy->home || copy->node == plan->home);
}

static void check_why(const struct cst_version *version,
                      const struct cst_copy *copy)
{
    CST_ASSERT(copy->state != CST_COPY_CUT || version->origin);
    if (copy->state == CST_COPY_MADE)
        CST_ASSERT(version->producer &&
                   version->producer->state == CST_RECORD_PLACED &&
                   version->producer->node == copy->node);
    if (copy->state == CST_COPY_PRESENT && !copy->consumed)
        CST_ASSERT(cst_version_needed(version));
}

static void check_copies(const struct cst_plan *plan,
                         const struct cst_version *version)
{
    for (const struct cst_copy *copy = version->copies; copy;
         copy = copy->next) {
        CST_ASSERT(copy->version == version && !version->poisoned);
        check_where(plan, copy);
        check_why(version, copy);
    }
}

/* What is needed is there, or will be: made, sent or cut, in the end from
   something that a task makes or somebody has. */
static void check_reachable(const struct cst_plan *plan,
                            const struct cst_version *version)
{
    const struct cst_version *whole = version;

    /* What only tasks read that have run can be without a copy: the last of
       them may have consumed it. */
    if (plan->failed || version->poisoned ||
        (!version->current && !version->wished && !version->leaf &&
         version->readers == 0) ||
        cst_version_has_copy(version))
        return;
    while (whole->origin && !cst_version_has_copy(whole))
        whole = whole->origin;
    CST_ASSERT(
        cst_version_has_copy(whole) ||
        (whole->producer && (whole->producer->state == CST_RECORD_WAITING ||
                             whole->producer->state == CST_RECORD_AGAIN)));
}

static void check_version(const struct cst_plan *plan,
                          const struct cst_version *version)
{
    uint32_t readers = 0;
    uint32_t kept = 0;
    uint32_t refs = 0;

    for (const struct cst_use *use = version->uses; use; use = use->after) {
        bool ran = use->record->state == CST_RECORD_KEPT;

        CST_ASSERT(use->version == version);
        CST_ASSERT(!use->after || use->after->before == use);
        readers += !ran;
        kept += ran;
    }
    for (const struct cst_version *part = version->children; part;
         part = part->sibling) {
        CST_ASSERT(part->origin == version);
        refs++;
    }
    CST_ASSERT(readers == version->readers && kept == version->kept);
    if (version->current)
        refs++;
    if (version->producer)
        refs++;
    CST_ASSERT(version->refs >= refs + readers + kept);
    CST_ASSERT(!version->is_touched);
    CST_ASSERT(version->refs > 0 || version->copies);
    check_copies(plan, version);
    check_reachable(plan, version);
}

static void check_record(const struct cst_plan *plan,
                         const struct cst_plan_record *record)
{
    bool wants = false;

    CST_ASSERT(cst_record_find(plan, record->id) == record);
    CST_ASSERT((record->state == CST_RECORD_PLACED) == (record->node != NULL));
    for (uint32_t i = 0; i < record->outputs_count; i++) {
        const struct cst_version *version = record->outputs[i].version;

        CST_ASSERT(version->producer == record);
        wants = wants || version->wants;
        if (record->state == CST_RECORD_PLACED &&
            (version->current || version->readers > 0))
            CST_ASSERT(cst_copy_find(version, record->node));
    }
    CST_ASSERT(record->state != CST_RECORD_KEPT || wants ||
               cst_record_retained(record));
    for (uint32_t i = 0; i < record->uses_count; i++)
        if (record->state == CST_RECORD_PLACED)
            CST_ASSERT(cst_copy_find(record->uses[i].version, record->node));
}

static void check_node(const struct cst_plan *plan,
                       const struct cst_plan_node *node)
{
    uint64_t incoming = 0;
    uint64_t work = 0;
    size_t count = 0;

    for (const struct cst_copy *copy = node->copies; copy; copy = copy->after)
        if (copy->state == CST_COPY_SENT)
            incoming += cst_region_bytes(&copy->version->region);
    for (const struct cst_plan_record *record = node->placed.first; record;
         record = record->after) {
        CST_ASSERT(record->node == node);
        CST_ASSERT(record->state == CST_RECORD_PLACED);
        work += record->estimate_ns * record->cores;
        count++;
    }
    if (node->gang && node->gang->record->node != node)
        work += node->gang->record->estimate_ns * node->gang->record->cores;
    CST_ASSERT(!node->gang || node->gang->record->state == CST_RECORD_PLACED);
    CST_ASSERT(plan->live[node->at] == node);
    CST_ASSERT(incoming == node->incoming_bytes && work == node->work_ns);
    CST_ASSERT(count == node->placed.count);
}

static void check_datum(const struct cst_datum *datum)
{
    CST_ASSERT(!datum->parent || (!datum->current && !datum->home));
    CST_ASSERT(!datum->current || datum->current->current);
    for (const struct cst_datum *piece = datum->pieces; piece;
         piece = piece->sibling)
        CST_ASSERT(piece->parent == datum && datum->split);
}

void cst_plan_check_all(struct cst_plan *plan)
{
    const struct cst_plan_ids *ids = &plan->versions_by_id;

    cst_plan_settle(plan); /* cst_plan_home_claim() does not */
    CST_ASSERT(!plan->touched && !plan->poison && !plan->granted &&
               !plan->idle);
    for (size_t i = 0; ids->slots && i <= ids->mask; i++)
        if (ids->slots[i].id != 0)
            check_version(plan, ids->slots[i].thing);
    ids = &plan->records_by_id;
    for (size_t i = 0; ids->slots && i <= ids->mask; i++)
        if (ids->slots[i].id != 0)
            check_record(plan, ids->slots[i].thing);
    ids = &plan->datums_by_number;
    for (size_t i = 0; ids->slots && i <= ids->mask; i++)
        if (ids->slots[i].id != 0)
            check_datum(ids->slots[i].thing);
    for (size_t i = 0; i < plan->live_count; i++)
        check_node(plan, plan->live[i]);
}
