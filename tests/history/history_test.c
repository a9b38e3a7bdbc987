/*
 * What is made of traces: one clock for all nodes, whatever theirs showed;
 * dependences from accesses, also where regions overlap in part; children,
 * transfers and what they made ready, and which files are of the latest run.
 */
#include "base/clock.h"
#include "harness/tap.h"
#include "history/history.h"
#include "trace/trace.h"
#include "trace/world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BASE = 1 << 20,
    SIZE = 1024,
    ROW = 64,
    ROUND_NS = 20000,
    AHEAD_NS = 30000000,
    ANSWERS = 20,
};

static char directory[WORLD_PATH_SIZE];

static struct cst_trace *open_trace(uint32_t number, const char *run)
{
    const struct cst_trace_node node = {number, 1, 1 << 20, 0};
    struct cst_trace *trace = NULL;

    must(cst_trace_open(directory, 1, &trace) == CASTELL_OK, "a trace");
    cst_trace_node(trace, &node, run);
    cst_trace_thread(trace, 0);
    cst_trace_kind(trace, 0, "kind");
    return trace;
}

static struct cst_history *read_history(void)
{
    struct cst_history *history = NULL;

    must(cst_history_open(directory, &history) == CASTELL_OK, "a history: %s",
         castell_error_text());
    return history;
}

static const struct cst_history_task *task_of(const struct cst_history *history,
                                              uint64_t id)
{
    uint32_t index = cst_history_find(history, id);

    must(index != CST_HISTORY_NONE, "task %d is there", (int)id);
    return &history->tasks[index];
}

static const struct cst_history_attempt *
first_of(const struct cst_history *history, uint64_t id)
{
    return &history->attempts[task_of(history, id)->attempts];
}

static void run(struct cst_trace *trace, uint64_t task)
{
    cst_trace_event(trace, CST_TRACE_STARTED, task, 0, 1);
    cst_trace_event(trace, CST_TRACE_ENDED, task, 0, 0);
}

static bool near(uint64_t a, uint64_t b, uint64_t by)
{
    return a > b ? a - b < by : b - a < by;
}

/* ---- Clocks ----------------------------------------------------------------- */

/*
 * Two traces of this process say what they would if the clock of node 1 were
 * ahead. Some answers took long, and say something else.
 */
static void test_clocks(void)
{
    struct cst_trace *master = open_trace(0, "run");
    struct cst_trace *worker = open_trace(1, "run");
    struct cst_history *history;
    uint64_t begun, elapsed, between;

    for (int i = 0; i < ANSWERS; i++) {
        uint64_t now = cst_clock_ns();
        struct cst_trace_sync sync = {now, now - AHEAD_NS, ROUND_NS};

        if (i % 3 == 0) {
            sync.round_ns *= 50;
            sync.master_ns += 10 * ROUND_NS;
        }
        cst_trace_sync(worker, &sync);
    }
    begun = cst_clock_ns();
    cst_trace_thread(master, 0);
    run(master, 1);
    cst_trace_thread(worker, 0);
    run(worker, 2);
    elapsed = cst_clock_ns() - begun;
    cst_trace_close(master);
    cst_trace_close(worker);
    history = read_history();
    ok(history->nodes_count == 2 && history->nodes[0].number == 0 &&
           history->nodes[1].number == 1,
       "the master's node is the first");
    between =
        first_of(history, 1)->started_ns - first_of(history, 2)->started_ns;
    ok(near(between, AHEAD_NS, elapsed + 10000),
       "the clock of node 1 was ahead: %d us", (int)(between / 1000));
    ok(near((uint64_t)history->nodes[1].offset_ns, AHEAD_NS, 1000) &&
           near(history->nodes[1].clock_error_ns, ROUND_NS / 2, 10),
       "by what the quick answers said, and right to half of their time");
    cst_history_close(history);
}

/* ---- Dependences --------------------------------------------------------------- */

static void submit(struct cst_trace *trace, uint64_t task, uint64_t base,
                   uint64_t size, enum castell_mode mode)
{
    struct cst_trace_record records[] = {
        {0, task, CST_TRACE_SUBMITTED, 0, 1},
        {base, size, CST_TRACE_ACCESS, (uint16_t)mode, 1}};

    cst_trace_write_group(trace, records, 2);
}

/* Rows of a matrix of SIZE bytes a row, ROW of each. */
static void submit_rows(struct cst_trace *trace, uint64_t task, uint64_t column,
                        enum castell_mode mode)
{
    struct cst_trace_record records[] = {
        {0, task, CST_TRACE_SUBMITTED, 0, 2},
        {BASE + column, ROW, CST_TRACE_ACCESS, (uint16_t)mode, 4},
        {.ticks = SIZE, .event = CST_TRACE_PITCH}};

    cst_trace_write_group(trace, records, 3);
}

/* "1f 2a" are the tasks that it waits for, and why; p: perhaps. */
static bool waits_for(const struct cst_history *history, uint64_t id,
                      const char *expected)
{
    const struct cst_history_task *task = task_of(history, id);
    char text[256] = "";
    size_t used = 0;

    for (uint32_t i = 0; i < task->edges_count; i++) {
        const struct cst_history_edge *edge = &history->edges[task->edges + i];

        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%d%c%s",
                                 i > 0 ? " " : "",
                                 (int)history->tasks[edge->task].id,
                                 "fao"[edge->why], edge -> perhaps ? "p" : "");
    }
    if (strcmp(text, expected) == 0)
        return true;
    printf("# task %d waits for \"%s\"\n", (int)id, text);
    return false;
}

static void test_dependences(void)
{
    struct cst_trace *trace = open_trace(0, "run");
    struct cst_history *history;

    submit(trace, 1, BASE, SIZE, CASTELL_OUT);
    submit(trace, 2, BASE, SIZE, CASTELL_IN);
    submit(trace, 3, BASE, SIZE, CASTELL_IN);
    submit(trace, 4, BASE, SIZE, CASTELL_INOUT);
    submit(trace, 5, BASE + SIZE / 2, SIZE, CASTELL_OUT);
    submit(trace, 6, BASE, SIZE, CASTELL_IN);
    submit(trace, 7, BASE, 4 * SIZE, CASTELL_OUT);
    submit(trace, 8, BASE, SIZE, CASTELL_CONCURRENT);
    submit(trace, 9, BASE, SIZE, CASTELL_CONCURRENT);
    submit_rows(trace, 10, 0, CASTELL_INOUT);
    submit_rows(trace, 11, ROW, CASTELL_INOUT);
    submit_rows(trace, 12, 0, CASTELL_IN);
    submit(trace, 13, 2 * BASE, SIZE, CASTELL_REDUCTION);
    submit(trace, 14, 2 * BASE, SIZE, CASTELL_REDUCTION);
    submit(trace, 15, 2 * BASE, SIZE, CASTELL_IN);
    cst_trace_close(trace);
    history = read_history();
    ok(waits_for(history, 1, "") && waits_for(history, 2, "1f") &&
           waits_for(history, 3, "1f"),
       "readers wait for the writer, not for one another");
    ok(waits_for(history, 4, "2a 3a 1f"),
       "a writer for readers, and for what it reads itself");
    ok(waits_for(history, 5, "4o"), "one of a part for who wrote a part");
    ok(waits_for(history, 6, "4fp 5f"), "a reader of both for both, perhaps");
    ok(waits_for(history, 8, "7f") && waits_for(history, 9, "7f"),
       "concurrent ones do not wait for one another");
    ok(waits_for(history, 12, "10f 8fp 9fp 7fp"),
       "columns of a matrix are apart");
    ok(waits_for(history, 14, "") && waits_for(history, 15, "13f 14f"),
       "after a reduction one waits for all of its leaves");
    cst_history_close(history);
}

/* ---- What belongs together -------------------------------------------------------- */

static void test_together(void)
{
    struct cst_trace *trace = open_trace(0, "run");
    struct cst_trace_record child[] = {{0, 2, CST_TRACE_SUBMITTED, 0, 1},
                                       {.ticks = 1, .event = CST_TRACE_PARENT}};
    struct cst_trace_record came[] = {
        {.task = 77, .event = CST_TRACE_TRANSFER, .value = 1},
        {4096, 1500, CST_TRACE_SIZE, 0, 0}};
    const struct cst_history_attempt *parent;
    struct cst_history *history;

    submit(trace, 1, BASE, SIZE, CASTELL_OUT);
    cst_trace_event(trace, CST_TRACE_ASSIGNED, 1, 0, 1 << 16);
    cst_trace_write_group(trace, came, 2);
    cst_trace_event(trace, CST_TRACE_READY, 1, 0, 0);
    cst_trace_event(trace, CST_TRACE_FIRED, 0, 0, 0);
    cst_trace_event(trace, CST_TRACE_STARTED, 1, 0, 1);
    cst_trace_write_group(trace, child, 2);
    cst_trace_event(trace, CST_TRACE_WAIT_BEGIN, 1, 0, 0);
    cst_trace_event(trace, CST_TRACE_READY, 2, 0, 0);
    cst_trace_event(trace, CST_TRACE_STARTED, 2, 0, 1);
    (void)usleep(3000);
    cst_trace_event(trace, CST_TRACE_ENDED, 2, 0, 0);
    cst_trace_event(trace, CST_TRACE_WAIT_END, 1, 0, 0);
    cst_trace_text(trace, CST_TRACE_MARK, 1, "a mark");
    cst_trace_event(trace, CST_TRACE_ENDED, 1, 0, 0);
    cst_trace_close(trace);
    history = read_history();
    parent = first_of(history, 1);
    ok(history->transfers_count == 1 && history->transfers[0].bytes == 4096 &&
           near(history->transfers[0].end_ns - history->transfers[0].begin_ns,
                1500, 2),
       "data came");
    ok(parent->cause == 0 && first_of(history, 2)->cause == CST_HISTORY_NONE,
       "and made one task ready, not the other");
    ok(parent->assigned_ns < parent->ready_ns &&
           parent->ready_ns <= parent->started_ns,
       "it was assigned, ready, and started");
    ok(task_of(history, 2)->parent == cst_history_find(history, 1),
       "the other is its child");
    ok(parent->inner_ns > 2900000 &&
           cst_history_own_ns(parent) + parent->inner_ns ==
               parent->ended_ns - parent->started_ns,
       "which ran while its parent waited");
    ok(task_of(history, 1)->complete_ns >= first_of(history, 2)->ended_ns,
       "and had to end before that was complete");
    ok(history->texts_count == 1 &&
           strcmp(history->texts[0].text, "a mark") == 0 &&
           history->texts[0].task == cst_history_find(history, 1),
       "a mark is of its task");
    cst_history_close(history);
}

static void test_runs(void)
{
    struct cst_trace *trace = open_trace(0, "an old run");
    struct cst_history *history;

    run(trace, 1);
    cst_trace_close(trace);
    (void)usleep(2000);
    trace = open_trace(0, "a new run");
    run(trace, 2);
    cst_trace_close(trace);
    history = read_history();
    ok(history->others == 1 && strcmp(history->run, "a new run") == 0 &&
           history->tasks_count == 1 && history->tasks[0].id == 2,
       "of two runs the latest is told");
    cst_history_close(history);
}

/* What no machine has is not believed: others would make room for it. */
static void test_many_cores(void)
{
    const struct cst_trace_node node = {0, UINT32_MAX, 1, 0};
    struct cst_trace *trace = open_trace(0, "run");
    struct cst_history *history;

    cst_trace_node(trace, &node, "run");
    cst_trace_event(trace, CST_TRACE_NODE_JOINED, 1, 0, INT32_MAX);
    cst_trace_close(trace);
    history = read_history();
    ok(history->nodes_count == 2 && history->nodes[0].cores == 0 &&
           history->nodes[1].cores == 0,
       "numbers of cores that cannot be are none");
    cst_history_close(history);
}

int main(void)
{
    void (*const tests[])(void) = {test_clocks, test_dependences, test_together,
                                   test_runs, test_many_cores};

    for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
        world_open(directory);
        tests[i]();
        world_close(directory);
    }
    return tap_done();
}
