/*
 * Tasks are called back from nodes that have too much to do for those that have
 * nothing: at once when one joins, from several, and no more than is of use.
 * Tasks without data; a node starts as many as it has cores, and gives the
 * others back when it is asked to.
 */
#include "graph/task.h"
#include "harness/tap.h"
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

enum { TASKS_MAX = 400, NODES_MAX = 10 };

static struct cst_kind kind;
static struct cst_task *tasks[TASKS_MAX + 1];
static struct cst_plan *plan;
static struct {
    uint32_t on[TASKS_MAX + 1]; /* the node + 1 */
    uint32_t attempts[TASKS_MAX + 1];
    uint32_t called[TASKS_MAX + 1]; /* back from that node + 1 */
    uint32_t have[NODES_MAX];
    uint32_t calls;
    uint32_t from[NODES_MAX]; /* calls */
    uint32_t ended;
} seen;

static void assign(void *context, const struct cst_plan_assignment *assignment)
{
    (void)context;
    seen.on[assignment->id] = assignment->node + 1;
    seen.attempts[assignment->id] = assignment->attempt;
    seen.have[assignment->node]++;
}

static void recall(void *context, uint32_t node, uint64_t id, uint32_t attempt)
{
    (void)context;
    (void)attempt;
    seen.called[id] = node + 1;
    seen.calls++;
    seen.from[node]++;
}

static void placed(void *context, struct cst_task *task)
{
    (void)context;
    (void)task;
}

static void ended(void *context, struct cst_task *task, enum cst_plan_end end,
                  const char *text)
{
    (void)context;
    (void)task;
    (void)text;
    seen.ended += end == CST_PLAN_ENDED;
}

static void lost(void *context, enum castell_status status, const char *text)
{
    (void)context;
    (void)status;
    tap_bail(text);
}

static const struct cst_plan_ops ops = {
    .assign = assign,
    .recall = recall,
    .placed = placed,
    .ended = ended,
    .forget = placed,
    .lost = lost,
};

static const struct cst_limits limits = {.cores = 2, .memory = 1 << 30};

/* As must(), without a line for each. */
static void need(bool holds, const char *what)
{
    if (!holds)
        tap_bail(what);
}

static void begin(uint32_t nodes)
{
    struct cst_plan_options options = {.ops = &ops, .home_runs = false};

    memset(&seen, 0, sizeof(seen));
    need(cst_plan_create(&options, &plan) == CASTELL_OK, "no plan");
    for (uint32_t i = 0; i <= nodes; i++)
        need(cst_plan_join(plan, i, &limits) == CASTELL_OK, "no node");
}

static void add(uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        tasks[i] = aligned_alloc(64, 256);
        need(tasks[i] != NULL, "no memory");
        memset(tasks[i], 0, 256);
        tasks[i]->id = i;
        tasks[i]->kind = &kind;
        need(cst_plan_add(plan, tasks[i]) == CASTELL_OK, "no task");
    }
    cst_plan_go(plan, 1);
}

static void end(void)
{
    cst_plan_destroy(plan);
    for (uint32_t i = 1; i <= TASKS_MAX; i++) {
        free(tasks[i]);
        tasks[i] = NULL;
    }
}

static void done(uint64_t id, uint64_t duration_ns)
{
    struct cst_plan_report report = {.node = seen.on[id] - 1,
                                     .id = id,
                                     .attempt = seen.attempts[id],
                                     .duration_ns = duration_ns};

    seen.have[report.node]--;
    seen.on[id] = 0;
    cst_plan_done(plan, &report);
}

/* What was called back comes back. */
static void answer(void)
{
    for (uint64_t id = 1; id <= TASKS_MAX; id++) {
        uint32_t node = seen.called[id];

        if (node == 0)
            continue;
        seen.called[id] = 0;
        seen.have[node - 1]--;
        cst_plan_recalled(plan, node - 1, id, seen.attempts[id]);
    }
    cst_plan_go(plan, 2);
}

static void join(uint32_t number)
{
    need(cst_plan_join(plan, number, &limits) == CASTELL_OK, "no node");
    seen.calls = 0;
    memset(seen.from, 0, sizeof(seen.from));
    cst_plan_go(plan, 3);
}

/* So that it is known how long they take. */
static void measure(uint64_t duration_ns)
{
    add(1, 3);
    for (uint32_t i = 1; i <= 3; i++)
        done(i, duration_ns);
}

static void test_long_ones(void)
{
    begin(4);
    measure(10000000000);
    add(4, 16);
    ok(seen.have[1] == 4 && seen.have[4] == 4,
       "four nodes with two cores have four tasks each");
    join(5);
    ok(seen.calls == 2, "one joins: at once two are called back: %u",
       seen.calls);
    ok(seen.from[1] == 1 && seen.from[2] == 1, "from two nodes");
    cst_plan_go(plan, 4);
    ok(seen.calls == 2, "... and no more while they are on their way");
    answer();
    ok(seen.have[5] == 2, "it has them");
    cst_plan_go(plan, 5);
    ok(seen.calls == 2, "... and that is all that it could begin");
    need(cst_plan_join(plan, 6, &limits) == CASTELL_OK, "no node");
    join(7);
    ok(seen.calls == 4, "two nodes at once get two each: %u", seen.calls);
    answer();
    ok(seen.have[6] == 2 && seen.have[7] == 2, "they have them");
    end();
}

static void test_short_ones(void)
{
    begin(2);
    measure(100000);
    add(4, 8);
    join(3);
    ok(seen.calls == 0, "what is soon begun stays where it is");
    add(12, 88);
    ok(seen.have[3] > 20, "what comes then goes to who joined: %u",
       seen.have[3]);
    end();
}

static void test_unknown_ones(void)
{
    begin(1);
    add(1, 6);
    ok(seen.have[1] == 6, "six tasks of a kind that was never measured");
    join(2);
    ok(seen.calls == 2, "one joins: it gets what it can begin: %u", seen.calls);
    answer();
    ok(seen.have[2] == 2 && seen.have[1] == 4, "it has it");
    end();
}

static void test_waiting_ones(void)
{
    begin(1);
    measure(10000000000);
    add(4, 96);
    ok(seen.have[1] == 6, "no more are placed than are soon begun");
    join(2);
    ok(seen.calls == 0 && seen.have[2] == 6,
       "one joins: it gets of those that wait, and none is called back");
    end();
}

/* When they were placed nobody knew; now it is known. */
static void test_guessed_ones(void)
{
    begin(1);
    add(1, 20);
    need(seen.have[1] == 20, "one node gets all");
    done(1, 400000000);
    done(2, 400000000);
    join(2);
    ok(seen.calls == 2, "what was thought to be short is called back: %u",
       seen.calls);
    answer();
    ok(seen.have[2] == 2, "who joins has it: %u", seen.have[2]);
    end();
}

int main(void)
{
    atomic_store(&kind.choices_count, 1);
    kind.label = "balance";
    test_long_ones();
    test_short_ones();
    test_unknown_ones();
    test_guessed_ones();
    test_waiting_ones();
    return tap_done();
}
