/*
 * What is left when all has ended, inside the plan: nothing but, where a task
 * has failed, what it has poisoned.
 */
#include "plan/left.h"
#include "plan/sim.h"

#include <stdlib.h>

/* What was cut goes little by little, as other regions come to be named. */
static void collect(struct sim *sim)
{
    for (uint32_t i = 0; i < 4 * PIECES_MAX; i++) {
        struct cst_region other = {BASE + ARENA + i, 1, 1, 1};
        struct cst_fragment *const *fragments;
        size_t count;

        if (cst_data_resolve(sim->data, 0, &other, &fragments, &count) !=
            CASTELL_OK)
            abort();
        (void)cst_data_forget(sim->data, 0, &other);
    }
}

void sim_check_leaks(struct sim *sim)
{
    const struct cst_plan *plan = sim->plan;
    const char *left = left_in_plan(plan);
    struct cst_region all = {BASE, ARENA, 1, ARENA};

    if (left)
        sim_wrong(sim, left);
    if (plan->poisoned_once)
        return;
    (void)cst_data_forget(sim->data, 0, &all);
    if (cst_data_regions_count(sim->data) > 0)
        sim_wrong(sim, "data keeps regions after the end");
    collect(sim);
    if (left_in_use(&plan->datums) + plan->datums_by_number.count > 0)
        sim_wrong(sim, "the plan keeps datums after the end");
}
