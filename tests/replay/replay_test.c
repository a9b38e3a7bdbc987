/*
 * The replay checker finds what is wrong: a small run is right, and each of
 * its rules, broken by hand, is noticed. With that what a history is made of:
 * dependences, attempts, what a task holds, from a trace that is written here.
 */
#include "base/clock.h"
#include "harness/tap.h"
#include "history/history.h"
#include "replay/replay.h"
#include "trace/trace.h"
#include "trace/world.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    A = 4096,
    B = 8192,
    SIZE = 256,
    WRITER = 1,
    READER,
    PART,
    ADD,
    ADD_TOO,
    ON_DEVICE,
};

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

static void told(enum cst_trace_event event, uint64_t task, uint64_t bytes,
                 uint64_t begin_ns)
{
    struct cst_trace_record what = {.task = task, .event = (uint16_t)event};

    cst_trace_lasted(trace, &what, bytes, begin_ns, cst_clock_ns() - begin_ns);
}

/* On the device behind both cores: it takes none of them. */
static void run_on_device(void)
{
    const struct castell_constraint holds = {.cores = 3};
    const struct cst_trace_device device = {.memory = SIZE};
    const struct cst_trace_depot depot = {
        .in = 1, .in_bytes = SIZE, .kernels = 1};
    uint64_t begin_ns = cst_clock_ns();

    cst_trace_device(trace, 0, &device, "a device");
    cst_trace_thread(trace, 2);
    submit(ON_DEVICE, B, SIZE, CASTELL_IN);
    told(CST_TRACE_COPY_IN, B, SIZE, begin_ns);
    cst_trace_started(trace, ON_DEVICE, 0, 1, &holds);
    begin_ns = cst_clock_ns();
    (void)usleep(1000);
    told(CST_TRACE_KERNEL, ON_DEVICE, 0, begin_ns);
    cst_trace_event(trace, CST_TRACE_ENDED, ON_DEVICE, 0, 0);
    cst_trace_depot(trace, &depot);
}

static void ask(uint32_t ticket, enum cst_trace_request_state state)
{
    const struct cst_trace_request request = {.ticket = ticket,
                                              .state = (uint32_t)state};

    cst_trace_request(trace, &request, "a reason");
    (void)usleep(1000);
}

static void write_trace(void)
{
    const struct cst_trace_node node = {0, 2, 1500, 0};
    const struct cst_trace_counters counters = {.submitted = 6, .finished = 6};

    must(cst_trace_open(directory, 3, &trace) == CASTELL_OK, "a trace");
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
    run_on_device();
    ask(1, CST_TRACE_REQUEST_ASKED);
    ask(1, CST_TRACE_REQUEST_STARTED);
    ask(1, CST_TRACE_REQUEST_CAME);
    ask(2, CST_TRACE_REQUEST_ASKED);
    ask(2, CST_TRACE_REQUEST_REFUSED);
    cst_trace_counters(trace, &counters);
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

static void other_retries(struct cst_history *history)
{
    history->nodes[0].retried++;
}

static void other_ends(struct cst_history *history)
{
    history->nodes[0].counters.finished--;
}

static void other_losses(struct cst_history *history)
{
    history->nodes[0].counters.recomputed++;
}

static void other_transfers(struct cst_history *history)
{
    history->nodes[0].counters.came_bytes++;
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

static void other_copies(struct cst_history *history)
{
    history->nodes[0].depot.in++;
}

static void other_bytes(struct cst_history *history)
{
    history->copies[0].bytes++;
}

static void other_kernels(struct cst_history *history)
{
    history->kernels_count = 0;
}

static void other_device(struct cst_history *history)
{
    history->tracks[attempt(history, ON_DEVICE)->track].device =
        CST_HISTORY_NONE;
    attempt(history, ON_DEVICE)->cores = 1;
}

static void other_way(struct cst_history *history)
{
    history->copies[0].way = CST_HISTORY_TO_MAIN;
}

static void late_kernel(struct cst_history *history)
{
    history->kernels[0].end_ns = attempt(history, ON_DEVICE)->ended_ns + 1000;
}

static void endless_copy(struct cst_history *history)
{
    history->copies[0].end_ns = history->copies[0].begin_ns - 1;
}

static void came_early(struct cst_history *history)
{
    history->requests[0].came_ns = history->requests[0].asked_ns - 1;
}

static void came_twice(struct cst_history *history)
{
    history->requests[1].node = history->requests[0].node;
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
    {"other ends than were counted", other_ends},
    {"other retries", other_retries},
    {"other recomputations", other_losses},
    {"other transfers", other_transfers},
    {"events that are lost", events_lost},
    {"a trace without an end", no_end},
    {"a start before it was ready", late_ready},
    {"other copies than were counted", other_copies},
    {"other bytes than were counted", other_bytes},
    {"a copy the other way", other_way},
    {"a copy that ends before it begins", endless_copy},
    {"other kernels than were counted", other_kernels},
    {"a kernel on no device", other_device},
    {"a kernel after its task", late_kernel},
    {"a node that came before it was asked for", came_early},
    {"a node that came by two requests", came_twice},
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
    ok(replay.tasks == 6 && replay.attempts == 6 && replay.orders == 5 &&
           replay.copies == 1 && replay.kernels == 1 && replay.requests == 2,
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
