#include "base/memory.h"
#include "harness/tap.h"
#include "replay/replay_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SAID_MAX = 20,
    PROCESSES_NS = 20000, /* processes of a machine */
};

void replay_wrong(struct check *check, const char *format, ...)
{
    va_list arguments;

    if (check->replay->wrong++ >= SAID_MAX)
        return;
    (void)printf("# ");
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("\n");
}

static const struct cst_history_node *node_of(const struct check *check,
                                              uint32_t track)
{
    return &check->history->nodes[check->history->tracks[track].node];
}

/* ---- Is the trace all of the run? ------------------------------------------- */

static void check_whole(struct check *check)
{
    for (size_t i = 0; i < check->history->nodes_count; i++) {
        const struct cst_history_node *node = &check->history->nodes[i];

        if (node->lost > 0)
            replay_wrong(check, "node %u has lost %" PRIu64 " events",
                         node->number, node->lost);
        if (!node->gone && !node->has_trace)
            replay_wrong(check, "node %u has no trace", node->number);
        if (node->gone <= 1 && node->has_trace && !node->whole)
            replay_wrong(check, "the trace of node %u has no end",
                         node->number);
    }
    if (check->history->edges_missing)
        replay_wrong(check, "there are too many dependences");
}

void replay_compare(struct check *check, const char *what, uint64_t counted,
                    uint64_t seen)
{
    if (counted != seen)
        replay_wrong(check,
                     "%s: the engine has counted %" PRIu64
                     ", the trace has %" PRIu64,
                     what, counted, seen);
}

/* What the engine of the master says of tasks is what all traces show. */
static void check_tasks(struct check *check)
{
    const struct cst_history *history = check->history;
    const struct cst_trace_counters *counters = &history->nodes[0].counters;
    uint64_t submitted = 0, finished = 0, failed = 0, cancelled = 0;
    uint64_t recomputed = 0;

    for (size_t i = 0; i < history->tasks_count; i++) {
        const struct cst_history_task *task = &history->tasks[i];
        bool off = task->flags & (CST_HISTORY_FAILED | CST_HISTORY_CANCELLED);

        if (task->node != 0)
            continue;
        submitted += (task->flags & CST_HISTORY_SUBMITTED) != 0;
        finished += off || task->complete_ns > 0;
        failed += (task->flags & CST_HISTORY_FAILED) != 0;
        cancelled += off && !(task->flags & CST_HISTORY_FAILED);
    }
    for (size_t i = 0; i < history->assignments_count; i++)
        recomputed += history->assignments[i].reason == CST_HISTORY_RECOMPUTED;
    replay_compare(check, "tasks submitted", counters->submitted, submitted);
    replay_compare(check, "tasks finished", counters->finished, finished);
    replay_compare(check, "tasks failed", counters->failed, failed);
    replay_compare(check, "tasks cancelled", counters->cancelled, cancelled);
    replay_compare(check, "tasks computed again", counters->recomputed,
                   recomputed);
}

/* Each process has counted what its own trace shows. */
static void check_counters(struct check *check)
{
    const struct cst_history *history = check->history;

    if (history->nodes[0].number == 0 && history->nodes[0].has_counters)
        check_tasks(check);
    for (uint32_t node = 0; node < history->nodes_count; node++) {
        const struct cst_trace_counters *counters =
            &history->nodes[node].counters;
        uint64_t came = 0, bytes = 0;

        if (history->nodes[node].has_depot)
            replay_check_depot(check, node);
        if (!history->nodes[node].has_counters)
            continue;
        for (size_t i = 0; i < history->transfers_count; i++) {
            came += history->transfers[i].to == node;
            if (history->transfers[i].to == node)
                bytes += history->transfers[i].bytes;
        }
        replay_compare(check, "attempts after a failure", counters->retried,
                       history->nodes[node].retried);
        replay_compare(check, "transfers to a node", counters->came, came);
        replay_compare(check, "bytes that came to a node", counters->came_bytes,
                       bytes);
    }
}

/* ---- Once per attempt ---------------------------------------------------------- */

static bool is_off(const struct cst_history_task *task)
{
    return task->flags & (CST_HISTORY_FAILED | CST_HISTORY_CANCELLED);
}

/* Some node has died, so that tasks may have been computed again. */
static bool has_losses(const struct check *check)
{
    for (size_t i = 0; i < check->history->nodes_count; i++)
        if (check->history->nodes[i].gone > 1)
            return true;
    return false;
}

/* What ran in its last moments is not in the trace of a node that was killed. */
static void find_lost(struct check *check)
{
    const struct cst_history *history = check->history;

    check->lost = cst_zalloc(history->tasks_count + 1);
    if (!check->lost)
        tap_bail("no memory");
    for (size_t i = 0; i < history->assignments_count; i++)
        if (history->nodes[history->assignments[i].node].gone > 1)
            check->lost[history->assignments[i].task] = true;
    for (size_t i = 0; i < history->tasks_count; i++) {
        uint32_t parent = history->tasks[i].parent;

        if (parent != CST_HISTORY_NONE && check->lost[parent])
            check->lost[i] = true;
    }
}

static void check_attempts(struct check *check, size_t index)
{
    const struct cst_history *history = check->history;
    const struct cst_history_task *task = &history->tasks[index];
    const struct cst_history_attempt *before = NULL;
    size_t good = 0;
    uint32_t next = task->attempts;

    for (; next != CST_HISTORY_NONE; next = history->attempts[next].next) {
        const struct cst_history_attempt *attempt = &history->attempts[next];

        check->replay->attempts++;
        good += attempt->ended && attempt->result == 0;
        if (before && attempt->number <= before->number)
            replay_wrong(check, "task %" PRIu64 ": attempt %d came after %d",
                         task->id, attempt->number, before->number);
        if (before && check->alone &&
            attempt->started_ns + THREADS_NS < before->ended_ns)
            replay_wrong(check, "task %" PRIu64 ": two attempts at one time",
                         task->id);
        if (before && check->alone && before->result == 0)
            replay_wrong(check, "task %" PRIu64 " ran again after it was done",
                         task->id);
        if (attempt->ready_ns != CST_HISTORY_NEVER &&
            attempt->ready_ns > attempt->started_ns + THREADS_NS)
            replay_wrong(check, "task %" PRIu64 " started before it was ready",
                         task->id);
        before = attempt;
    }
    if (good == 0 && !is_off(task) && !check->lost[index] &&
        (task->flags & CST_HISTORY_SUBMITTED))
        replay_wrong(check, "task %" PRIu64 " was never done", task->id);
    if (good > 1 && !has_losses(check))
        replay_wrong(check, "task %" PRIu64 " was done %zu times", task->id,
                     good);
}

/* ---- After what it reads was written ---------------------------------------------- */

/* When what the task makes was there for the first time; NEVER: it was not. */
static uint64_t made_at(const struct check *check, uint32_t index,
                        uint32_t *ret_track)
{
    const struct cst_history *history = check->history;
    const struct cst_history_task *task = &history->tasks[index];
    uint32_t next = task->attempts;

    for (; next != CST_HISTORY_NONE; next = history->attempts[next].next) {
        const struct cst_history_attempt *attempt = &history->attempts[next];

        if (!attempt->ended || attempt->result != 0)
            continue;
        *ret_track = attempt->track;
        return next == task->last_attempt ? task->complete_ns
                                          : attempt->ended_ns;
    }
    return CST_HISTORY_NEVER;
}

static uint64_t slack(const struct check *check, uint32_t a, uint32_t b)
{
    const struct cst_history_node *one = node_of(check, a);
    const struct cst_history_node *two = node_of(check, b);

    if (one == two)
        return THREADS_NS;
    return PROCESSES_NS + one->clock_error_ns + two->clock_error_ns;
}

/*
 * Where there may be nodes writers do not wait for readers, nor for other
 * writers: each version has memory of its own. What bodies submit stays in their
 * process.
 */
static bool is_binding(const struct check *check, size_t task,
                       const struct cst_history_edge *edge)
{
    return check->alone ||
           check->history->tasks[task].parent != CST_HISTORY_NONE ||
           (edge->why == CST_HISTORY_FLOW && !edge->perhaps);
}

static void check_order(struct check *check, size_t index)
{
    const struct cst_history *history = check->history;
    const struct cst_history_task *task = &history->tasks[index];

    for (uint32_t i = 0; i < task->edges_count; i++) {
        const struct cst_history_edge *edge = &history->edges[task->edges + i];
        uint32_t track = 0, next = task->attempts;
        uint64_t made = made_at(check, edge->task, &track);

        if (!is_binding(check, index, edge) || check->lost[edge->task] ||
            (made == CST_HISTORY_NEVER && is_off(&history->tasks[edge->task])))
            continue;
        for (; next != CST_HISTORY_NONE; next = history->attempts[next].next) {
            const struct cst_history_attempt *attempt =
                &history->attempts[next];

            check->replay->orders++;
            if (made == CST_HISTORY_NEVER ||
                attempt->started_ns + slack(check, track, attempt->track) <
                    made)
                replay_wrong(
                    check,
                    "task %" PRIu64 " started at %" PRIu64 " ns, before "
                    "task %" PRIu64 " was complete at %" PRIu64 " (%d%s)",
                    task->id, attempt->started_ns,
                    history->tasks[edge->task].id, made, edge->why,
                    edge->perhaps ? ", perhaps" : "");
        }
    }
}

/* ---- Alone -------------------------------------------------------------------------- */

struct use {
    struct cst_region region;
    uint32_t parent;
    uint32_t task;
    uint64_t begin_ns;
    uint64_t end_ns;
};

static int compare_uses(const void *a_, const void *b_)
{
    const struct use *a = a_, *b = b_;

    if (a->parent != b->parent)
        return a->parent < b->parent ? -1 : 1;
    if (a->region.base != b->region.base)
        return a->region.base < b->region.base ? -1 : 1;
    if (a->region.size != b->region.size)
        return a->region.size < b->region.size ? -1 : 1;
    return a->begin_ns < b->begin_ns ? -1 : a->begin_ns > b->begin_ns;
}

/* Commutative accesses of one region are one at a time. */
static void check_alone(struct check *check)
{
    const struct cst_history *history = check->history;
    struct use *uses = cst_alloc((history->accesses_count + 1) * sizeof(*uses));
    size_t count = 0;

    if (!uses)
        tap_bail("no memory");
    for (size_t i = 0; i < history->tasks_count; i++) {
        const struct cst_history_task *task = &history->tasks[i];

        if (task->attempts == CST_HISTORY_NONE ||
            task->attempts != task->last_attempt)
            continue;
        for (uint32_t j = 0; j < task->accesses_count; j++) {
            const struct cst_history_access *access =
                &history->accesses[task->accesses + j];

            if (access->mode == CASTELL_COMMUTATIVE)
                uses[count++] =
                    (struct use){access->region, task->parent, (uint32_t)i,
                                 history->attempts[task->attempts].started_ns,
                                 task->complete_ns};
        }
    }
    if (count > 0)
        qsort(uses, count, sizeof(*uses), compare_uses);
    for (size_t i = 1; i < count; i++) {
        uint32_t one = history->tasks[uses[i - 1].task].attempts;
        uint32_t two = history->tasks[uses[i].task].attempts;

        if (uses[i].parent == uses[i - 1].parent &&
            cst_region_equal(&uses[i].region, &uses[i - 1].region) &&
            uses[i].begin_ns + slack(check, history->attempts[one].track,
                                     history->attempts[two].track) <
                uses[i - 1].end_ns)
            replay_wrong(check,
                         "tasks %" PRIu64 " and %" PRIu64 " were not alone",
                         history->tasks[uses[i - 1].task].id,
                         history->tasks[uses[i].task].id);
    }
    cst_free(uses);
}

/* ---- Cores and memory at every moment -------------------------------------------------- */

struct change {
    uint64_t ns;
    uint32_t node;
    int64_t cores;
    int64_t memory;
};

static int compare_changes(const void *a_, const void *b_)
{
    const struct change *a = a_, *b = b_;

    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    if (a->ns != b->ns)
        return a->ns < b->ns ? -1 : 1;
    return a->cores < b->cores ? -1 : a->cores > b->cores; /* ends first */
}

/* A thread that is no executor brings its own core for a task of one. */
static int64_t cores_of(const struct check *check,
                        const struct cst_history_attempt *attempt)
{
    bool executor =
        check->history->tracks[attempt->track].executor != CST_HISTORY_NONE;

    /* What a device does takes no core of its node's. */
    if (attempt->inside ||
        check->history->tracks[attempt->track].device != CST_HISTORY_NONE)
        return 0;
    return executor || attempt->cores > 1 ? attempt->cores : 0;
}

static void note(struct change *to, uint64_t ns, uint32_t node, int64_t cores,
                 int64_t memory)
{
    *to = (struct change){ns, node, cores, memory};
}

/* A body that waits lends what it holds: which attempt is it? */
static const struct cst_history_attempt *
waiting(const struct check *check, const struct cst_history_span *span)
{
    const struct cst_history *history = check->history;
    uint32_t next;

    if (span->kind != CST_HISTORY_WAIT || span->task == CST_HISTORY_NONE)
        return NULL;
    next = history->tasks[span->task].attempts;
    for (; next != CST_HISTORY_NONE; next = history->attempts[next].next)
        if (history->attempts[next].track == span->track &&
            history->attempts[next].started_ns <= span->begin_ns &&
            history->attempts[next].ended_ns >= span->end_ns)
            return &history->attempts[next];
    return NULL;
}

static size_t find_changes(const struct check *check, struct change *changes)
{
    const struct cst_history *history = check->history;
    size_t count = 0;

    for (size_t i = 0; i < history->attempts_count; i++) {
        const struct cst_history_attempt *attempt = &history->attempts[i];
        uint32_t node = history->tracks[attempt->track].node;
        int64_t cores = cores_of(check, attempt);
        int64_t memory = (int64_t)attempt->memory;

        note(&changes[count++], attempt->started_ns, node, cores, memory);
        note(&changes[count++], attempt->ended_ns, node, -cores, -memory);
    }
    for (size_t i = 0; i < history->spans_count; i++) {
        const struct cst_history_span *span = &history->spans[i];
        const struct cst_history_attempt *attempt = waiting(check, span);
        int64_t cores, memory;

        if (!attempt)
            continue;
        cores = cores_of(check, attempt);
        memory = (int64_t)attempt->memory;
        note(&changes[count++], span->begin_ns,
             history->tracks[span->track].node, -cores, -memory);
        note(&changes[count++], span->end_ns, history->tracks[span->track].node,
             cores, memory);
    }
    return count;
}

static void check_resources(struct check *check)
{
    const struct cst_history *history = check->history;
    size_t max = 2 * (history->attempts_count + history->spans_count) + 1;
    struct change *changes = cst_alloc(max * sizeof(*changes));
    int64_t cores = 0, memory = 0;
    size_t count;

    if (!changes)
        tap_bail("no memory");
    count = find_changes(check, changes);
    qsort(changes, count, sizeof(*changes), compare_changes);
    for (size_t i = 0; i < count; i++) {
        const struct cst_history_node *node = &history->nodes[changes[i].node];

        if (i == 0 || changes[i].node != changes[i - 1].node)
            cores = memory = 0;
        cores += changes[i].cores;
        memory += changes[i].memory;
        check->replay->moments++;
        if (!node->has_trace)
            continue;
        if (cores > (int64_t)node->cores)
            replay_wrong(check,
                         "at %" PRIu64 " ns tasks on node %u had %" PRId64
                         " cores, there are %u",
                         changes[i].ns, node->number, cores, node->cores);
        if (memory > (int64_t)node->memory)
            replay_wrong(check,
                         "at %" PRIu64 " ns tasks on node %u had too much "
                         "memory: %" PRId64,
                         changes[i].ns, node->number, memory);
    }
    cst_free(changes);
}

void replay_check(const struct cst_history *history, struct replay *ret_replay)
{
    struct check check = {.history = history, .replay = ret_replay};

    *ret_replay = (struct replay){0};
    check.alone = history->nodes_count == 1 && history->assignments_count == 0;
    find_lost(&check);
    check_whole(&check);
    check_counters(&check);
    replay_check_beside(&check);
    for (size_t i = 0; i < history->tasks_count; i++) {
        if (history->tasks[i].flags & CST_HISTORY_INTERNAL)
            continue;
        ret_replay->tasks++;
        check_attempts(&check, i);
        check_order(&check, i);
    }
    check_alone(&check);
    check_resources(&check);
    cst_free(check.lost);
}
