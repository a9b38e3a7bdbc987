/*
 * Records: tasks, from when they may be placed until they need never run
 * again, with the versions that they read and make.
 */
#include "base/fail.h"
#include "ledger/records.h"

/* ---- Lists ------------------------------------------------------------ */

void cst_records_append(struct cst_plan_records *list,
                        struct cst_plan_record *record)
{
    record->before = list->last;
    record->after = NULL;
    if (list->last)
        list->last->after = record;
    else
        list->first = record;
    list->last = record;
    list->count++;
}

void cst_records_prepend(struct cst_plan_records *list,
                         struct cst_plan_record *record)
{
    record->before = NULL;
    record->after = list->first;
    if (list->first)
        list->first->before = record;
    else
        list->last = record;
    list->first = record;
    list->count++;
}

void cst_records_remove(struct cst_plan_records *list,
                        struct cst_plan_record *record)
{
    if (record->before)
        record->before->after = record->after;
    else
        list->first = record->after;
    if (record->after)
        record->after->before = record->before;
    else
        list->last = record->before;
    record->before = record->after = NULL;
    list->count--;
}

struct cst_plan_record *cst_record_find(const struct cst_plan *plan,
                                        uint64_t id)
{
    return cst_plan_ids_find(&plan->records_by_id, id);
}

/* ---- Modes ------------------------------------------------------------ */

bool cst_mode_reads(uint8_t mode)
{
    return mode != CASTELL_OUT && mode != CASTELL_REDUCTION;
}

bool cst_mode_writes(uint8_t mode)
{
    return mode != CASTELL_IN && mode != CASTELL_IN_DELETE &&
           mode != CASTELL_REDUCTION;
}

/* ---- Replicas --------------------------------------------------------- */

struct cst_plan_record *
cst_record_original(const struct cst_plan_record *record)
{
    return record->replica ? record->replica->original : NULL;
}

bool cst_record_retained(const struct cst_plan_record *record)
{
    return record->replica && !record->replica->original &&
           record->state == CST_RECORD_KEPT;
}

/* ---- Ends ------------------------------------------------------------- */

void cst_record_finish(struct cst_plan *plan, struct cst_plan_record *record)
{
    for (uint32_t i = 0; i < record->uses_count; i++) {
        struct cst_version *version = record->uses[i].version;

        version->readers--;
        version->kept++;
        cst_version_touch(plan, version);
    }
    for (uint32_t i = 0; i < record->outputs_count; i++) {
        struct cst_version *version = record->outputs[i].version;

        plan->unlooked_bytes += cst_region_bytes(&version->region);
        cst_version_touch(plan, version);
    }
    record->state = CST_RECORD_KEPT;
    plan->unlooked++;
    cst_records_append(&plan->kept, record);
    if (record->outputs_count == 0) {
        record->idle = plan->idle;
        plan->idle = record;
    }
}

static void remove_use(struct cst_plan *plan, struct cst_use *use)
{
    if (use->before)
        use->before->after = use->after;
    else
        use->version->uses = use->after;
    if (use->after)
        use->after->before = use->before;
    use->version->kept--;
    cst_version_unref(plan, use->version);
}

void cst_record_release(struct cst_plan *plan, struct cst_plan_record *record)
{
    CST_ASSERT(record->state == CST_RECORD_KEPT);
    cst_records_remove(&plan->kept, record);
    for (uint32_t i = 0; i < record->uses_count; i++)
        remove_use(plan, &record->uses[i]);
    for (uint32_t i = 0; i < record->outputs_count; i++) {
        record->outputs[i].version->producer = NULL;
        cst_version_unref(plan, record->outputs[i].version);
    }
    cst_plan_ids_remove(&plan->records_by_id, record->id);
    if (!cst_record_original(record))
        plan->ops->forget(plan->context, record->task);
    plan->released(plan, record);
    cst_plan_block_free(plan, record, record->size);
}
