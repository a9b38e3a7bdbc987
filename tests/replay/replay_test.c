/*
 * The replay checker finds what is wrong: a small run is right, and each of
 * its rules, broken by hand, is noticed. With that what a history is made of:
 * dependences, attempts, what a task holds, from a trace that is written here.
 */
#include "harness/tap.h"
#include "history/history.h"
#include "replay/replay.h"
#include "trace/trace.h"
#include "trace/world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { A = 4096, B = 8192, SIZE = 256, WRITER = 1, READER, PART, ADD, ADD_TOO };

static char directory[WORLD_PATH_SIZE];
static struct cst_trace *trace;

static void submit(uint64_t task, uint64_t base, uint64_t size,
                   enum castell_mode mode)
{
    struct cst_trace_record records[] = {
        {0, task, CST_TRACE_SUBMITTED, 0, 1},
        {base, size, CST_TRACE_ACCESS, (uint16_t)mode, 1}};

    cst_trace_write_group(trace, records, 2);
}

static void run(uint64_t task, uint32_t cores)
{
    const struct castell_constraint holds = {.cores = cores, .memory = 1000};

    cst_trace_event(trace, CST_TRACE_READY, task, 0, 0);
    cst_trace_started(trace, task, 0, 1, &holds);
    (void)usleep(1000);
    cst_trace_event(trace, CST_TRACE_ENDED, task, 0, 0);
    (void)usleep(1000);
}

static void write_trace(void)
{
    const struct cst_trace_node node = {0, 2, 1500, 0};
    const struct castell_counters counters = {.submitted = 5, .finished = 5};

    must(cst_trace_open(directory, 2, &trace) == CASTELL_OK, "a trace");
    cst_trace_node(trace, &node, "a run");
    cst_trace_thread(trace, 0);
    cst_trace_kind(trace, 0, "kind");
    submit(WRITER, A, SIZE, CASTELL_OUT);
    submit(READER, A, SIZE, CASTELL_IN);
    submit(PART, A + SIZE / 2, SIZE, CASTELL_INOUT);
    submit(ADD, B, SIZE, CASTELL_COMMUTATIVE);
    submit(ADD_TOO, B, SIZE, CASTELL_COMMUTATIVE);
    run(WRITER, 1);
    run(READER, 1);
    run(PART, 2);
    run(ADD, 1);
    run(ADD_TOO, 1);
    cst_trace_counters(trace, &counters, 0);
    cst_trace_close(trace);
}

static struct cst_history *read_trace(void)
{
    struct cst_history *history = NULL;

    must(cst_history_open(directory, &history) == CASTELL_OK, "a history");
    return history;
}

static struct cst_history_attempt *attempt(struct cst_history *history,
                                           uint64_t id)
{
    return &history->attempts[history->tasks[cst_history_find(history, id)]
                                  .attempts];
}

/* ---- What can be wrong -------------------------------------------------------- */

static void start_early(struct cst_history *history)
{
    attempt(history, READER)->started_ns =
        attempt(history, WRITER)->started_ns + 10;
    attempt(history, READER)->ready_ns = 0;
}

static void start_part_early(struct cst_history *history)
{
    attempt(history, PART)->started_ns =
        attempt(history, READER)->started_ns + 10;
    attempt(history, PART)->cores = 1;
    attempt(history, PART)->ready_ns = 0;
    attempt(history, PART)->memory = 0;
}

static void run_twice(struct cst_history *history)
{
    struct cst_history_attempt *first = attempt(history, WRITER);

    attempt(history, ADD)->task = first->task;
    first->next = history->tasks[cst_history_find(history, ADD)].attempts;
    history->tasks[first->task].last_attempt = first->next;
}

static void never_run(struct cst_history *history)
{
    struct cst_history_task *task =
        &history->tasks[cst_history_find(history, ADD)];

    task->attempts = task->last_attempt = CST_HISTORY_NONE;
}

static void run_together(struct cst_history *history)
{
    struct cst_history_attempt *one = attempt(history, ADD);
    struct cst_history_attempt *two = attempt(history, ADD_TOO);

    one->memory = two->memory = 0;
    two->ready_ns = one->ready_ns;
    two->started_ns = one->started_ns + 1;
}

static void too_many_cores(struct cst_history *history)
{
    attempt(history, PART)->cores = 3;
}

static void too_much_memory(struct cst_history *history)
{
    attempt(history, READER)->memory = 1501;
}

static void other_counters(struct cst_history *history)
{
    history->nodes[0].counters.submitted++;
}

static void events_lost(struct cst_history *history)
{
    history->nodes[0].lost = 1;
}

static void no_end(struct cst_history *history)
{
    history->nodes[0].whole = false;
}

static void late_ready(struct cst_history *history)
{
    attempt(history, ADD)->ready_ns = attempt(history, ADD)->ended_ns;
}

static const struct fault {
    const char *name;
    void (*commit)(struct cst_history *history);
} faults[] = {
    {"a reader before its writer", start_early},
    {"a writer of a part before a reader", start_part_early},
    {"a task that was done twice", run_twice},
    {"a task that was never done", never_run},
    {"commutative tasks together", run_together},
    {"more cores than there are", too_many_cores},
    {"more memory than there is", too_much_memory},
    {"other counters", other_counters},
    {"events that are lost", events_lost},
    {"a trace without an end", no_end},
    {"a start before it was ready", late_ready},
};

int main(void)
{
    struct cst_history *history;
    struct replay replay;

    world_open(directory);
    write_trace();
    history = read_trace();
    replay_check(history, &replay);
    ok(replay.wrong == 0, "the run was right");
    ok(replay.tasks == 5 && replay.attempts == 5 && replay.orders == 3,
       "%zu tasks, %zu attempts, %zu orders", replay.tasks, replay.attempts,
       replay.orders);
    ok(history->edges[0].why == CST_HISTORY_FLOW,
       "the reader reads what the writer wrote");
    cst_history_close(history);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        history = read_trace();
        faults[i].commit(history);
        replay_check(history, &replay);
        ok(replay.wrong > 0, "%s is noticed", faults[i].name);
        cst_history_close(history);
    }
    world_close(directory);
    return tap_done();
}
