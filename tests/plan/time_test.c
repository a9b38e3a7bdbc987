/*
 * A task that demands wall_time goes to a node that has so much time left, and
 * fails with a sentence when none has any more, instead of waiting for ever.
 */
#include "harness/tap.h"
#include "plan/plan.h"

#include <stdio.h>
#include <string.h>

static struct {
    uint32_t node; /* that the last task was assigned to */
    uint32_t assigned;
    uint32_t ended;
    enum cst_plan_end end;
    char text[128];
} seen;

static void on_assign(void *context,
                      const struct cst_plan_assignment *assignment)
{
    (void)context;
    seen.node = assignment->node;
    seen.assigned++;
}

static void on_task(void *context, struct cst_task *task)
{
    (void)context;
    (void)task;
}

static void on_ended(void *context, struct cst_task *task,
                     enum cst_plan_end end, const char *text)
{
    (void)context;
    (void)task;
    seen.ended++;
    seen.end = end;
    (void)snprintf(seen.text, sizeof(seen.text), "%s", text ? text : "");
}

static const struct cst_plan_ops ops = {
    .assign = on_assign,
    .placed = on_task,
    .ended = on_ended,
    .forget = on_task,
};

/* Of a node whose job has ended long ago, and of one without an end. */
static const struct cst_limits late = {.name = "late",
                                       .arch = "here",
                                       .cores = 2,
                                       .memory = 1000,
                                       .wall_time_end_ns = 1};
static const struct cst_limits ample = {
    .name = "ample", .arch = "here", .cores = 2, .memory = 10};

static struct cst_kind kind;
static struct cst_task tasks[4];

static struct cst_plan *make(bool more_come, bool has_ample)
{
    const struct cst_plan_options options = {
        .ops = &ops, .home_runs = true, .more_come = more_come};
    struct cst_plan *plan;

    memset(&seen, 0, sizeof(seen));
    if (cst_plan_create(&options, &plan) != CASTELL_OK ||
        cst_plan_join(plan, 0, &late) != CASTELL_OK ||
        (has_ample && cst_plan_join(plan, 1, &ample) != CASTELL_OK))
        tap_bail("there is no plan");
    return plan;
}

static void add(struct cst_plan *plan, uint64_t wall_time_ns, uint64_t memory)
{
    kind = (struct cst_kind){.name = "kind", .label = "kind"};
    kind.choices[0].constraint.wall_time_ns = wall_time_ns;
    kind.choices[0].constraint.memory = memory;
    kind.choices[0].possible = true;
    atomic_init(&kind.choices_count, 1);
    memset(tasks, 0, sizeof(tasks));
    tasks[0].kind = &kind;
    tasks[0].id = 1;
    if (cst_plan_add(plan, &tasks[0]) != CASTELL_OK)
        tap_bail("no memory");
    cst_plan_go(plan, 1000);
}

static void test_time_left(void)
{
    struct cst_plan *plan = make(false, true);

    add(plan, 1, 0);
    ok(seen.assigned == 1 && seen.node == 1, "it goes where time is left");
    cst_plan_destroy(plan);
    plan = make(false, true);
    add(plan, 0, 100);
    ok(seen.assigned == 1 && seen.node == 0,
       "without wall_time it goes anywhere");
    cst_plan_destroy(plan);
}

static void test_none_left(void)
{
    struct cst_plan *plan = make(false, false);

    add(plan, 1, 0);
    ok(seen.assigned == 0 && seen.ended == 1 && seen.end == CST_PLAN_FAILED,
       "it fails when no node has the time");
    ok(strcmp(seen.text, "no node has as much time left as its wall_time") == 0,
       "the sentence says so");
    cst_plan_destroy(plan);
    plan = make(false, true);
    add(plan, 1, 100);
    ok(seen.assigned == 0 && seen.end == CST_PLAN_FAILED,
       "also when another node has time, and nothing else");
    cst_plan_destroy(plan);
}

static void test_more_come(void)
{
    struct cst_plan *plan = make(true, false);

    add(plan, 1, 0);
    ok(seen.assigned + seen.ended == 0, "it waits where more nodes may come");
    if (cst_plan_join(plan, 1, &ample) != CASTELL_OK)
        tap_bail("no memory");
    cst_plan_go(plan, 2000);
    ok(seen.assigned == 1 && seen.node == 1, "and goes to the one that does");
    cst_plan_destroy(plan);
}

int main(void)
{
    test_time_left();
    test_none_left();
    test_more_come();
    return tap_done();
}
