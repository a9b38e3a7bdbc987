#include "plan/left.h"

static bool is_idle(const struct cst_plan_node *node)
{
    return node->work_ns == 0 && node->incoming_bytes == 0 &&
           node->cores_asked == 0 && node->recalls == 0 && node->sending == 0 &&
           node->placed.count == 0 && !node->copies && !node->gang;
}

static bool is_owed(const struct cst_plan *plan)
{
    return plan->copies.owed + plan->versions.owed + plan->datums.owed +
               plan->versions_by_id.owed + plan->records_by_id.owed +
               plan->datums_by_number.owed >
           0;
}

const char *left_in_plan(const struct cst_plan *plan)
{
    if (plan->records_by_id.count + plan->waiting + plan->placed +
            plan->again.count + plan->kept.count >
        0)
        return "the plan keeps tasks after the end";
    if (plan->gangs || plan->wishes || plan->granted)
        return "the plan keeps gangs or wishes after the end";
    if (plan->reductions.count > 0)
        return "the plan keeps reductions after the end";
    if (left_in_use(&plan->copies) > 0)
        return "the plan keeps copies after the end";
    if (is_owed(plan))
        return "the plan owes something after the end";
    for (size_t i = 0; i < plan->live_count; i++)
        if (!is_idle(plan->live[i]))
            return "a node has something to do after the end";
    if (!plan->poisoned_once &&
        left_in_use(&plan->versions) + plan->versions_by_id.count > 0)
        return "the plan keeps versions after the end";
    return NULL;
}
