/*
 * How long tasks and data take, from the last few that were measured: medians,
 * so that one that stands out means nothing.
 */
#include "base/fail.h"
#include "ledger/records.h"

enum { ESTIMATE_NS = 10000 }; /* of what was never measured */

static uint64_t key_of(const struct cst_kind *kind, uint32_t choice,
                       uint64_t bytes)
{
    uint64_t class = 0;

    for (; bytes > 1; bytes >>= 1)
        class ++;
    return ((uint64_t)kind->id << 16 | (uint64_t)choice << 8 | class) + 1;
}

uint64_t cst_plan_estimate(const struct cst_plan *plan,
                           const struct cst_kind *kind, uint32_t choice,
                           uint64_t bytes, uint32_t *ret_count)
{
    const struct cst_plan_estimate *estimate =
        cst_plan_ids_find(&plan->estimates, key_of(kind, choice, bytes));

    *ret_count = estimate ? estimate->count : 0;
    return estimate ? estimate->median : ESTIMATE_NS;
}

static uint64_t median_of(const struct cst_plan_estimate *estimate)
{
    uint64_t sorted[CST_PLAN_SAMPLES] = {0};
    uint32_t count =
        estimate->count < CST_PLAN_SAMPLES ? estimate->count : CST_PLAN_SAMPLES;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;

        for (; at > 0 && sorted[at - 1] > estimate->samples[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = estimate->samples[i];
    }
    return sorted[count / 2];
}

void cst_plan_measured(struct cst_plan *plan, struct cst_plan_record *record,
                       uint64_t duration_ns)
{
    uint64_t key = key_of(record->task->kind, record->choice, record->bytes);
    struct cst_plan_estimate *estimate =
        cst_plan_ids_find(&plan->estimates, key);

    if (duration_ns == 0)
        return;
    if (!estimate) {
        /* Where there is no memory for it, it stays unknown. */
        if (cst_plan_ids_reserve(&plan->estimates, 1) != CASTELL_OK)
            return;
        estimate = cst_plan_block_alloc(plan, sizeof(*estimate));
        if (!estimate)
            return;
        cst_plan_ids_add(&plan->estimates, key, estimate);
    }
    estimate->samples[estimate->count++ % CST_PLAN_SAMPLES] = duration_ns;
    estimate->median = median_of(estimate);
}

void cst_plan_release_estimates(struct cst_plan *plan)
{
    const struct cst_plan_ids *ids = &plan->estimates;

    for (size_t i = 0; ids->slots && i <= ids->mask; i++)
        if (ids->slots[i].id != 0)
            cst_plan_block_free(plan, ids->slots[i].thing,
                                sizeof(struct cst_plan_estimate));
    cst_plan_ids_release(&plan->estimates);
}

void cst_plan_speed_add(struct cst_plan_speed *speed, double sample)
{
    enum { MAX = sizeof(speed->samples) / sizeof(speed->samples[0]) };
    double sorted[MAX] = {0};
    uint32_t count;

    speed->samples[speed->count++ % MAX] = sample;
    count = speed->count < MAX ? speed->count : MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;

        for (; at > 0 && sorted[at - 1] > speed->samples[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = speed->samples[i];
    }
    speed->median = sorted[count / 2];
}
