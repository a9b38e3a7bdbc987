/*
 * What waits, for who could get more nodes for it: how much work it is, which
 * sorts of node can do it, and how much of it could run at once.
 *
 * Of the many that wait some are looked at, for all. A task could run now if
 * what it reads exists; that it is placed says nothing, for its predecessors may
 * not have run.
 */
#include "data/data.h"
#include "plan/plan_internal.h"

enum {
    WAITING_SAMPLE = 256,
    PLACED_SAMPLE = 128, /* on each node */
    ACCESSES_SAMPLE = 16,
};

/* Where sums go, and what one task that is looked at stands for. */
struct sum {
    struct cst_plan *plan;
    struct cst_plan_survey *survey;
    double weight;
};

/* ---- Which nodes ---------------------------------------------------------- */

static bool fits(const struct cst_plan *plan,
                 const struct cst_plan_record *record,
                 const struct cst_limits *limits)
{
    const struct cst_kind *kind = record->task->kind;
    uint32_t count = atomic_load(&kind->choices_count);
    struct cst_plan_needs needs = {0};

    if (record->task->extra && plan->ops->needs)
        plan->ops->needs(plan->context, record->task, &needs);
    for (uint32_t i = 0; i < count; i++)
        if (cst_limits_have_device(limits, kind->choices[i].device) &&
            cst_limits_fit(limits, needs.constraint
                                       ? needs.constraint
                                       : &kind->choices[i].constraint))
            return true;
    return false;
}

void cst_plan_expect(struct cst_plan *plan, const struct cst_limits *sorts,
                     uint32_t open)
{
    /* Those who wait for what will not come have to be told. */
    if (plan->come && (plan->come != sorts || (plan->come_open & ~open)))
        plan->has_shrunk = true;
    plan->come = sorts;
    plan->come_open = open;
}

bool cst_record_may_wait(const struct cst_plan *plan,
                         const struct cst_plan_record *record)
{
    for (uint32_t s = 0; plan->come_open >> s; s++)
        if (plan->come_open & UINT32_C(1) << s &&
            fits(plan, record, &plan->come[s]))
            return true;
    return false;
}

static uint32_t sorts_of(const struct sum *sum, struct cst_plan_record *record,
                         uint32_t *ret_nodes)
{
    const struct cst_plan_survey *survey = sum->survey;
    uint32_t sorts = 0;
    uint32_t nodes = 0;

    for (uint32_t s = 0; s < survey->sorts_count; s++)
        if (fits(sum->plan, record, &survey->sorts[s]))
            sorts |= UINT32_C(1) << s;
    for (size_t i = 0; i < sum->plan->live_count; i++) {
        const struct cst_plan_node *node = sum->plan->live[i];

        if (!cst_node_runs_tasks(sum->plan, node) ||
            !fits(sum->plan, record, node->limits))
            continue;
        sorts |= UINT32_C(1) << survey->sort_of(survey->context, node->number);
        nodes++;
    }
    *ret_nodes = nodes;
    return sorts;
}

/* The work with those sorts, added if there is none; else the last one. */
static struct cst_plan_work *work_of(const struct sum *sum,
                                     struct cst_plan_record *record)
{
    struct cst_plan_survey *survey = sum->survey;
    uint32_t nodes = 0;
    uint32_t sorts = sorts_of(sum, record, &nodes);
    struct cst_plan_work *work;

    for (uint32_t i = 0; i < survey->works_count; i++)
        if (survey->works[i].sorts == sorts)
            return &survey->works[i];
    if (survey->works_count == CST_PLAN_WORKS_MAX)
        return &survey->works[CST_PLAN_WORKS_MAX - 1];
    work = &survey->works[survey->works_count++];
    *work = (struct cst_plan_work){
        .sorts = sorts, .nodes = nodes, .label = record->task->kind->label};
    return work;
}

/* ---- How much --------------------------------------------------------------- */

/* Of the body that is chosen, or of the first that was measured; 0: none was. */
static uint64_t measured_ns(const struct cst_plan *plan,
                            const struct cst_plan_record *record)
{
    const struct cst_kind *kind = record->task->kind;
    uint32_t choices = atomic_load(&kind->choices_count);
    uint32_t count = 0;
    uint64_t estimate;

    for (uint32_t i = 0; i < choices; i++) {
        estimate = cst_plan_estimate(plan, kind, i, record->bytes, &count);
        if (count > 0)
            return estimate > 0 ? estimate : 1;
    }
    return 0;
}

static bool exists(const struct cst_version *version)
{
    for (const struct cst_copy *copy = version->copies; copy; copy = copy->next)
        if (copy->state == CST_COPY_PRESENT)
            return true;
    return false;
}

/* Does what it reads exist, wherever? Of a task that was never bound. */
static bool is_runnable_unbound(const struct cst_plan *plan,
                                struct cst_task *task)
{
    struct cst_access *accesses = cst_task_accesses(task);
    uint32_t count = task->accesses_count < ACCESSES_SAMPLE
                         ? task->accesses_count
                         : ACCESSES_SAMPLE;

    for (uint32_t i = 0; i < count; i++) {
        struct cst_fragment *fragment =
            (struct cst_fragment *)(void *)accesses[i].hold.place;
        const struct cst_datum *datum;

        if (!cst_mode_reads(accesses[i].hold.mode) || !fragment)
            continue;
        datum = cst_datum_find(plan, fragment);
        if (datum && datum->current && !exists(datum->current))
            return false;
    }
    return true;
}

static bool is_runnable(const struct cst_plan *plan,
                        const struct cst_plan_record *record)
{
    if (record->state == CST_RECORD_WAITING)
        return is_runnable_unbound(plan, record->task);
    for (uint32_t i = 0; i < record->uses_count && i < ACCESSES_SAMPLE; i++)
        if (!exists(record->uses[i].version))
            return false;
    return true;
}

static void add(const struct sum *sum, struct cst_plan_record *record,
                bool runs)
{
    struct cst_plan_work *work = work_of(sum, record);
    uint64_t task_ns = measured_ns(sum->plan, record);
    double cores = record->cores > 1 ? record->cores : 1;
    double weight = sum->weight;

    if ((double)task_ns > work->task_ns)
        work->task_ns = (double)task_ns;
    if (runs) {
        work->running += cores;
        work->running_ns += cores * (double)task_ns / 2;
        return;
    }
    work->tasks += weight;
    if (is_runnable(sum->plan, record))
        work->runnable += weight * cores;
    if (task_ns == 0)
        work->unmeasured += weight;
    work->core_ns += weight * cores * (double)task_ns;
}

/* Those that were placed first run, as many as there are cores. */
static void add_placed(struct sum *sum, const struct cst_plan_node *node)
{
    struct cst_plan_record *record = node->placed.first;
    uint32_t cores = node->limits->cores;
    uint32_t looked = 0;
    size_t count = node->placed.count;

    sum->weight = 1;
    if (count > PLACED_SAMPLE && PLACED_SAMPLE > cores)
        sum->weight = (double)(count - cores) / (double)(PLACED_SAMPLE - cores);
    for (; record && looked < PLACED_SAMPLE; record = record->after, looked++) {
        bool runs = cores > 0 && is_runnable(sum->plan, record);
        uint32_t takes = record->cores > 1 ? record->cores : 1;

        if (runs)
            cores -= takes < cores ? takes : cores;
        add(sum, record, runs);
    }
}

static void add_waiting(struct sum *sum, struct cst_task *first, size_t count)
{
    struct cst_task *task = first;

    sum->weight = count > WAITING_SAMPLE ? (double)count / WAITING_SAMPLE : 1;
    for (size_t i = 0; task && i < WAITING_SAMPLE; i++, task = task->next)
        add(sum, cst_record_find(sum->plan, task->id), false);
}

void cst_plan_survey(struct cst_plan *plan, struct cst_plan_survey *survey)
{
    struct sum sum = {.plan = plan, .survey = survey};
    const struct cst_ready *ready = &plan->ready;

    survey->works_count = 0;
    for (size_t i = 0; i < plan->live_count; i++)
        add_placed(&sum, plan->live[i]);
    add_waiting(&sum, plan->blocked.first, plan->blocked_count);
    add_waiting(&sum, ready->plain.first, ready->plain_count);
    sum.weight = ready->heap_count > WAITING_SAMPLE
                     ? (double)ready->heap_count / WAITING_SAMPLE
                     : 1;
    for (size_t i = 0; i < ready->heap_count && i < WAITING_SAMPLE; i++)
        add(&sum, cst_record_find(plan, ready->heap[i].task->id), false);
    sum.weight = 1;
    for (struct cst_plan_record *record = plan->again.first; record;
         record = record->after)
        add(&sum, record, false);
}
