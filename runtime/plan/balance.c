/*
 * Second thoughts: tasks that go to a node which has less to do, and data that
 * go home so that less has to be made again.
 */
#include "plan/plan_internal.h"

enum { LONG_ENOUGH_NS = 1000000 }; /* of work, to be worth taking back */

/* ---- Those that should go elsewhere ------------------------------------ */

/* Has nobody been promised anything of what it makes? */
static bool is_free_to_go(const struct cst_plan_record *record)
{
    if (record->recalled || record->ended || record->cancelled || record->gang)
        return false;
    for (uint32_t i = 0; i < record->outputs_count; i++) {
        const struct cst_version *version = record->outputs[i].version;

        if (version->uses || version->children || version->wished ||
            !version->copies || version->copies->next)
            return false;
    }
    return true;
}

static void recall(struct cst_plan *plan, struct cst_plan_node *busy,
                   struct cst_plan_node *idle)
{
    struct cst_plan_record *record = busy->placed.last;
    uint32_t cores = busy->limits->cores;
    uint32_t wanted = idle->limits->cores;

    for (size_t left = busy->placed.count; record && left > cores && wanted > 0;
         left--, record = record->before) {
        if (!is_free_to_go(record) || !cst_record_suits(plan, record, idle))
            continue;
        record->recalled = true;
        busy->recalls++;
        wanted--;
        plan->ops->recall(plan->context, busy->number, record->id,
                          record->attempt);
    }
}

/* Somebody has nothing to do, and nothing waits: take from who has most. */
void cst_plan_balance(struct cst_plan *plan)
{
    struct cst_plan_node *busy = NULL;
    struct cst_plan_node *idle = NULL;

    for (size_t i = 0; i < plan->live_count; i++) {
        struct cst_plan_node *node = plan->live[i];

        if (!cst_node_runs_tasks(plan, node))
            continue;
        if (node->cores_asked < node->limits->cores) {
            idle = idle ? idle : node;
        } else if (node->recalls == 0 &&
                   node->cores_asked > 2 * node->limits->cores &&
                   node->work_ns >
                       (uint64_t)LONG_ENOUGH_NS * node->limits->cores &&
                   (!busy || node->work_ns > busy->work_ns)) {
            busy = node;
        }
    }
    if (idle && busy)
        recall(plan, busy, idle);
}

/* ---- Bounding what is kept --------------------------------------------- */

/*
 * So much has run that would have to run again, were nodes lost, that data go
 * home: of each datum what is made next, and what it holds now.
 */
void cst_plan_save_some(struct cst_plan *plan)
{
    if (plan->kept.count <= plan->options.records_max ||
        plan->generation_left > 0)
        return;
    plan->generation++;
    plan->generation_left = plan->options.records_max / 2 + 1;
    for (struct cst_plan_record *record = plan->kept.first; record;
         record = record->after)
        for (uint32_t i = 0; i < record->outputs_count; i++) {
            struct cst_version *version = record->outputs[i].version;

            if (version->current && cst_version_has_copy(version) &&
                cst_plan_copy_room(plan, 1))
                cst_version_fetch(plan, version, plan->home);
        }
}
