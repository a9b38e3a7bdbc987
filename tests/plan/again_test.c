/*
 * Tasks run again as a node was lost, or end and have made nothing: what main, and
 * what others, may have of what they read and make.
 */
#include "data/data.h"
#include "graph/task.h"
#include "harness/tap.h"
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

enum { NODES = 5, TASKS = 2, SIZE = 64 };

/* Main's, as addresses. */
static const struct cst_region kept = {0x10000, SIZE, 1, SIZE};
static const struct cst_region made = {0x20000, SIZE, 1, SIZE};
static const struct cst_region lost = {0x30000, SIZE, 1, SIZE};

static struct cst_kind kind;
static struct cst_task *tasks[TASKS + 1];
static struct cst_plan *plan;
static struct cst_data *data;
static struct {
    uint32_t on[TASKS + 1];
    uint32_t attempts[TASKS + 1];
    bool called[TASKS + 1]; /* back */
    uint64_t kept;          /* the version */
    uint64_t made;          /* ... of the other */
    uint32_t from[NODES];   /* the version that is kept was sent, + 1 */
    uint64_t home;          /* that is to come to main's memory */
    bool granted;
    bool poisoned; /* that is so of what was */
    bool ended[TASKS + 1];
    bool off[TASKS + 1]; /* cancelled where it was placed */
    enum cst_plan_end ends[TASKS + 1];
} seen;

static void on_assign(void *context,
                      const struct cst_plan_assignment *assignment)
{
    (void)context;
    seen.on[assignment->id] = assignment->node;
    seen.attempts[assignment->id] = assignment->attempt;
    if (assignment->accesses[0].inputs_count > 0)
        seen.kept = assignment->accesses[0].inputs[0].version;
    else
        seen.made = assignment->accesses[0].outputs[0].version;
}

static void on_push(void *context, uint32_t from, uint32_t to,
                    const struct cst_plan_piece *piece)
{
    (void)context;
    if (piece->region.base == kept.base)
        seen.from[to] = from + 1;
}

static void on_recall(void *context, uint32_t node, uint64_t id,
                      uint32_t attempt)
{
    (void)context;
    (void)node;
    (void)attempt;
    seen.called[id] = true;
}

static void on_cancel(void *context, uint32_t node, uint64_t id,
                      uint32_t attempt)
{
    (void)context;
    (void)node;
    (void)attempt;
    seen.off[id] = true;
}

static void on_drop(void *context, uint32_t node, uint64_t version)
{
    (void)context;
    (void)node;
    (void)version;
}

static void on_drained(void *context, uint32_t node)
{
    (void)context;
    (void)node;
}

static void on_piece(void *context, const struct cst_plan_piece *piece)
{
    (void)context;
    (void)piece;
}

static void on_home(void *context, const struct cst_plan_piece *piece)
{
    (void)context;
    seen.home = piece->version;
}

static void on_placed(void *context, struct cst_task *task)
{
    struct cst_access *accesses = cst_task_accesses(task);
    struct cst_task_list ready = {0};

    (void)context;
    for (uint32_t i = 0; i < task->accesses_count; i++)
        cst_place_leave(accesses[i].hold.place, &accesses[i].hold, false,
                        &ready);
}

static void on_ended(void *context, struct cst_task *task,
                     enum cst_plan_end end, const char *text)
{
    (void)context;
    (void)text;
    seen.ended[task->id] = end == CST_PLAN_ENDED;
    seen.ends[task->id] = end;
}

static void on_forget(void *context, struct cst_task *task)
{
    (void)context;
    (void)task;
}

static void on_granted(void *context, void *wish, bool poisoned)
{
    (void)context;
    (void)wish;
    seen.granted = !poisoned;
    seen.poisoned = poisoned;
}

static void on_lost(void *context, enum castell_status status, const char *text)
{
    (void)context;
    (void)status;
    tap_bail(text);
}

static const struct cst_plan_ops ops = {
    .assign = on_assign,
    .push = on_push,
    .drop = on_drop,
    .recall = on_recall,
    .cancel = on_cancel,
    .root = on_piece,
    .drained = on_drained,
    .home = on_home,
    .save = on_piece,
    .placed = on_placed,
    .ended = on_ended,
    .forget = on_forget,
    .granted = on_granted,
    .lost = on_lost,
};

static const struct cst_limits limits = {.cores = 1, .memory = 1 << 30};

/* As must(), without a line for each. */
static void need(bool holds, const char *what)
{
    if (!holds)
        tap_bail(what);
}

static struct cst_fragment *fragment_of(const struct cst_region *region)
{
    struct cst_fragment *const *fragments;
    size_t count;

    need(cst_data_resolve(data, 0, region, &fragments, &count) == CASTELL_OK &&
             count == 1,
         "no fragment");
    return fragments[0];
}

static void set_access(struct cst_task *task, uint32_t number,
                       const struct cst_region *region, enum castell_mode mode)
{
    struct cst_fragment *fragment = fragment_of(region);
    struct cst_access *access = &cst_task_accesses(task)[number];

    access->hold.mode = (uint8_t)mode;
    access->hold.epoch = mode == CASTELL_IN ? CST_EPOCH_READ : CST_EPOCH_WRITE;
    access->hold.place = &fragment->place;
    access->hold.task = task;
    need(cst_place_join(&fragment->place, &access->hold), "it is in use");
}

static struct cst_task *new_task(uint64_t id, uint32_t accesses)
{
    struct cst_task *task = aligned_alloc(64, 512);

    need(task && cst_task_argument_offset(accesses) <= 512, "no memory");
    memset(task, 0, 512);
    task->id = id;
    task->kind = &kind;
    task->accesses_count = accesses;
    tasks[id] = task;
    return task;
}

static void arrived(uint32_t node, uint64_t version)
{
    cst_plan_arrived(plan, node, version, 1);
}

static void done(uint64_t id)
{
    struct cst_plan_report report = {.node = seen.on[id],
                                     .id = id,
                                     .attempt = seen.attempts[id],
                                     .duration_ns = 1000};

    cst_plan_done(plan, &report);
}

static void start(uint32_t nodes)
{
    struct cst_plan_options options = {.ops = &ops};

    memset(&seen, 0, sizeof(seen));
    need(cst_plan_create(&options, &plan) == CASTELL_OK &&
             cst_data_create(&data) == CASTELL_OK,
         "no plan");
    cst_data_set_hooks(data, &cst_plan_hooks, plan);
    for (uint32_t i = 0; i < nodes; i++)
        need(cst_plan_join(plan, i, &limits) == CASTELL_OK, "no node");
}

static void end(void)
{
    cst_plan_check_all(plan);
    cst_plan_destroy(plan);
    cst_data_destroy(data);
    for (uint32_t i = 1; i <= TASKS; i++) {
        free(tasks[i]);
        tasks[i] = NULL;
    }
}

/*
 * ---- What main waits for ------------------------------------------------------
 *
 * One thing is at home, the other is to come. Before it has come a node is lost,
 * and a task that had ended runs again, for which what is at home is sent once
 * more. Main knows that the task has ended, and may write what it is granted: so
 * it is not, until that has been sent.
 */

/* Task 1 reads `kept`, makes `lost`, and has ended. Task 2 makes `made`; main
   waits for that, and for `kept`. Then what task 1 made is lost. */
static void begin(void)
{
    struct cst_fragment *fragments[2];
    uint32_t first;

    start(NODES);
    set_access(new_task(1, 2), 0, &kept, CASTELL_IN);
    set_access(tasks[1], 1, &lost, CASTELL_OUT);
    set_access(new_task(2, 1), 0, &made, CASTELL_OUT);
    for (uint32_t i = 1; i <= TASKS; i++)
        need(cst_plan_add(plan, tasks[i]) == CASTELL_OK, "no task");
    cst_plan_go(plan, 1);
    first = seen.on[1];
    need(first != 0 && seen.on[2] != 0 && first != seen.on[2], "not two nodes");
    arrived(first, seen.kept);
    done(1);
    fragments[0] = fragment_of(&kept);
    fragments[1] = fragment_of(&made);
    need(cst_plan_wish(plan, fragments, 2, NULL) == CASTELL_OK, "no wish");
    need(!seen.granted, "nothing was made");
    cst_plan_leave(plan, first);
    cst_plan_go(plan, 2);
    need(seen.attempts[1] == 2 && seen.from[seen.on[1]] == 1,
         "it does not run again with what is at home");
}

/* The other thing that main waits for comes. */
static void come(void)
{
    done(2);
    arrived(0, seen.made);
    need(seen.home == seen.made, "it does not come home");
    cst_plan_home_filled(plan, seen.made);
    cst_plan_check_all(plan);
}

static void test_run_again(void)
{
    begin();
    come();
    ok(!seen.granted, "main gets nothing that is sent to a task once more");
    arrived(seen.on[1], seen.kept);
    ok(seen.granted, "it gets it when it was sent");
    end();
}

/* The node where the task is to run again is to leave, and gives it back; what
   it reads is still on its way there. */
static void test_called_back(void)
{
    uint32_t before;

    begin();
    before = seen.on[1];
    need(cst_plan_drain(plan, before) == CASTELL_OK, "it cannot leave");
    cst_plan_go(plan, 3);
    need(seen.called[1], "it is not called back");
    cst_plan_recalled(plan, before, 1, seen.attempts[1]);
    come();
    ok(!seen.granted, "... nor what is sent to where it was to run");
    cst_plan_go(plan, 4);
    need(seen.on[1] != before, "it was not placed again");
    ok(!seen.granted, "... nor what is sent to where it is now");
    arrived(before, seen.kept);
    arrived(seen.on[1], seen.kept);
    ok(seen.granted, "it gets it when that has come");
    end();
}

/* The task has not run before it is given back, and ends elsewhere before what it
   reads has come to where it was to run first: that would be torn, and may be
   what it is to run with again. */
static void test_moved(void)
{
    struct cst_fragment *fragment;
    uint32_t before;

    start(3);
    set_access(new_task(1, 2), 0, &kept, CASTELL_IN);
    set_access(tasks[1], 1, &lost, CASTELL_OUT);
    need(cst_plan_add(plan, tasks[1]) == CASTELL_OK, "no task");
    cst_plan_go(plan, 1);
    before = seen.on[1];
    need(cst_plan_drain(plan, before) == CASTELL_OK, "it cannot leave");
    cst_plan_go(plan, 2);
    need(seen.called[1], "it is not called back");
    cst_plan_recalled(plan, before, 1, seen.attempts[1]);
    cst_plan_go(plan, 3);
    need(seen.on[1] != before && seen.from[seen.on[1]] == 1,
         "it is not placed again");
    arrived(seen.on[1], seen.kept);
    done(1);
    fragment = fragment_of(&kept);
    need(cst_plan_wish(plan, &fragment, 1, NULL) == CASTELL_OK, "no wish");
    ok(!seen.granted, "main gets nothing that is on its way from its memory");
    arrived(before, seen.kept);
    ok(seen.granted, "it gets it when that has come");
    end();
}

/* ---- What comes where it was to be made anew ------------------------------------ */

/* What task 1 makes is sent to task 2, and its node given up before it has said
   that it ended. It is to run again where task 2 is; there comes what was sent,
   with which task 2 runs. */
static void test_come(void)
{
    uint64_t version;
    uint32_t first;

    start(3);
    set_access(new_task(1, 1), 0, &made, CASTELL_OUT);
    need(cst_plan_add(plan, tasks[1]) == CASTELL_OK, "no task");
    cst_plan_go(plan, 1);
    first = seen.on[1];
    version = seen.made;
    need(cst_plan_drain(plan, first) == CASTELL_OK, "it cannot leave");
    set_access(new_task(2, 2), 0, &made, CASTELL_IN);
    set_access(tasks[2], 1, &lost, CASTELL_OUT);
    need(cst_plan_add(plan, tasks[2]) == CASTELL_OK, "no task");
    cst_plan_go(plan, 2);
    need(seen.on[2] == 3 - first, "it is not at the other node");
    cst_plan_leave(plan, first);
    cst_plan_go(plan, 3);
    need(seen.attempts[1] == 2 && seen.on[1] == seen.on[2],
         "it does not run again there");
    arrived(seen.on[2], version);
    done(2);
    ok(seen.ended[2] && !seen.ended[1], "a task has run with what has come");
    cst_plan_leave(plan, seen.on[2]);
    ok(seen.ended[1], "so the one that made it has, whatever comes of it then");
    end();
}

/* ---- What has made nothing ------------------------------------------------------ */

/* Task 1, whose failure is ignored, ends so where task 2 waits for what it makes,
   as does main; nothing of that is there. */
static void end_with_nothing(enum cst_plan_outcome outcome)
{
    struct cst_fragment *fragment = fragment_of(&made);
    struct cst_plan_report report = {
        .id = 1, .outcome = outcome, .text = "there is no memory for it"};

    set_access(new_task(1, 1), 0, &made, CASTELL_OUT);
    need(cst_plan_add(plan, tasks[1]) == CASTELL_OK, "no task");
    cst_plan_go(plan, 1);
    set_access(new_task(2, 2), 0, &made, CASTELL_IN);
    set_access(tasks[2], 1, &lost, CASTELL_OUT);
    need(cst_plan_add(plan, tasks[2]) == CASTELL_OK, "no task");
    cst_plan_go(plan, 2);
    need(seen.on[2] != 0, "it is not placed");
    need(cst_plan_wish(plan, &fragment, 1, NULL) == CASTELL_OK, "no wish");
    report.node = seen.on[1];
    report.attempt = seen.attempts[1];
    cst_plan_done(plan, &report);
    cst_plan_go(plan, 3);
}

static void test_nothing(void)
{
    struct cst_kind before = kind;

    kind.on_failure = CASTELL_IGNORE;
    start(3);
    end_with_nothing(CST_PLAN_BODY_FAILED);
    ok(seen.ends[1] == CST_PLAN_FAILED && !seen.ended[1],
       "to ignore a failure makes nothing of what was not made");
    ok(seen.off[2] && seen.ends[2] == CST_PLAN_CANCELLED,
       "who waits for that is cancelled");
    ok(!seen.granted && seen.poisoned, "and main is told");
    end();
    kind.retries = 2;
    start(3);
    end_with_nothing(CST_PLAN_OFF);
    ok(seen.ends[1] == CST_PLAN_CANCELLED && seen.attempts[1] == 1,
       "what a run that has failed did not run is not tried again");
    ok(seen.off[2] && seen.ends[2] == CST_PLAN_CANCELLED && seen.poisoned,
       "... and those who wait for it are cancelled");
    end();
    kind = before;
}

int main(void)
{
    atomic_store(&kind.choices_count, 1);
    kind.label = "again";
    test_run_again();
    test_called_back();
    test_moved();
    test_come();
    test_nothing();
    return tap_done();
}
