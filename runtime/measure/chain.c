/*
 * Two chains of tasks. The critical path is the one whose bodies take longest:
 * with any number of cores the run cannot be shorter. The other one is what
 * happened: from the task that ended last back to what that had waited for.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "measure/measure.h"

#include <stdlib.h>

/* ---- The critical path -------------------------------------------------------- */

struct path {
    const struct cst_history *history;
    uint64_t *begin_ns;    /* the longest chain before each task */
    uint64_t *complete_ns; /* with it, and its children */
    uint32_t *before;      /* whom it follows in that chain */
    uint32_t *last;        /* who ends its own: itself, or a child's */
    bool alone;            /* one node */
};

static void find_begin(struct path *path, uint32_t index)
{
    const struct cst_history_task *task = &path->history->tasks[index];
    uint32_t parent = task->parent;

    path->before[index] = CST_HISTORY_NONE;
    if (parent != CST_HISTORY_NONE) {
        path->begin_ns[index] = path->begin_ns[parent];
        path->before[index] = path->before[parent];
    }
    for (uint32_t i = 0; i < task->edges_count; i++) {
        const struct cst_history_edge *edge =
            &path->history->edges[task->edges + i];

        if (!path->alone && edge->why != CST_HISTORY_FLOW)
            continue;
        if (path->complete_ns[edge->task] > path->begin_ns[index]) {
            path->begin_ns[index] = path->complete_ns[edge->task];
            path->before[index] = path->last[edge->task];
        }
    }
}

static void find_end(struct path *path, uint32_t index,
                     const struct cst_history_attempt *attempt)
{
    uint64_t end = path->begin_ns[index] + cst_history_own_ns(attempt);
    uint32_t next = index;

    if (end > path->complete_ns[index])
        path->last[index] = index;
    while (next != CST_HISTORY_NONE && end > path->complete_ns[next]) {
        path->complete_ns[next] = end;
        if (next != index)
            path->last[next] = index;
        next = path->history->tasks[next].parent;
    }
}

static void mark_path(struct cst_measure *measure, const struct path *path)
{
    const struct cst_history *history = measure->history;
    uint32_t at = CST_HISTORY_NONE;

    for (uint32_t i = 0; i < history->tasks_count; i++)
        if (path->complete_ns[i] > measure->critical_ns) {
            measure->critical_ns = path->complete_ns[i];
            at = path->last[i];
        }
    while (at != CST_HISTORY_NONE && !measure->critical[at]) {
        measure->critical[at] = true;
        measure->critical_tasks++;
        at = path->before[at];
    }
}

static bool find_path(struct cst_measure *measure)
{
    const struct cst_history *history = measure->history;
    size_t count = history->tasks_count + 1;
    struct path path = {.history = history,
                        .begin_ns = cst_zalloc(count * sizeof(uint64_t)),
                        .complete_ns = cst_zalloc(count * sizeof(uint64_t)),
                        .before = cst_zalloc(count * sizeof(uint32_t)),
                        .last = cst_zalloc(count * sizeof(uint32_t)),
                        .alone = history->nodes_count == 1};
    bool good = path.begin_ns && path.complete_ns && path.before && path.last;

    /* In the order of starts, those that a task waited for come before it. */
    for (uint32_t i = 0; good && i < history->attempts_count; i++) {
        const struct cst_history_attempt *attempt = &history->attempts[i];

        if (history->tasks[attempt->task].last_attempt != i)
            continue;
        find_begin(&path, attempt->task);
        find_end(&path, attempt->task, attempt);
    }
    if (good)
        mark_path(measure, &path);
    cst_free(path.begin_ns);
    cst_free(path.complete_ns);
    cst_free(path.before);
    cst_free(path.last);
    return good;
}

/* ---- What happened ---------------------------------------------------------------- */

uint32_t cst_measure_waited(const struct cst_history *history, uint32_t index,
                            const struct cst_history_attempt *attempt)
{
    const struct cst_history_task *task = &history->tasks[index];
    uint64_t latest =
        task->submitted_ns == CST_HISTORY_NEVER ? 0 : task->submitted_ns;
    uint32_t waited = CST_HISTORY_NONE;

    for (uint32_t i = 0; i < task->edges_count; i++) {
        const struct cst_history_edge *edge = &history->edges[task->edges + i];
        uint64_t complete = history->tasks[edge->task].complete_ns;

        if (complete > latest && complete <= attempt->started_ns) {
            latest = complete;
            waited = edge->task;
        }
    }
    return waited;
}

struct walk {
    const struct cst_history *history;
    struct cst_measure *measure;
    uint32_t *by_end; /* attempts, in the order of their ends */
    uint64_t *waits;  /* when waits of the program ended, in order */
    size_t waits_count;
};

struct end_key {
    uint64_t ns;
    uint32_t index;
};

static int compare_ends(const void *a_, const void *b_)
{
    const struct end_key *a = a_, *b = b_;

    return a->ns < b->ns ? -1 : a->ns > b->ns;
}

static int compare_times(const void *a_, const void *b_)
{
    const uint64_t *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static bool sort_waits(struct walk *walk)
{
    const struct cst_history *history = walk->history;

    walk->waits = cst_alloc((history->spans_count + 1) * sizeof(*walk->waits));
    if (!walk->waits)
        return false;
    for (size_t i = 0; i < history->spans_count; i++)
        if (history->spans[i].kind == CST_HISTORY_WAIT &&
            history->spans[i].task == CST_HISTORY_NONE)
            walk->waits[walk->waits_count++] = history->spans[i].end_ns;
    qsort(walk->waits, walk->waits_count, sizeof(*walk->waits), compare_times);
    return true;
}

static bool sort_ends(struct walk *walk)
{
    const struct cst_history *history = walk->history;
    size_t count = history->attempts_count;
    struct end_key *keys = cst_alloc((count + 1) * sizeof(*keys));

    walk->by_end = cst_alloc((count + 1) * sizeof(*walk->by_end));
    for (size_t i = 0; keys && i < count; i++)
        keys[i] = (struct end_key){history->attempts[i].ended_ns, (uint32_t)i};
    if (keys && walk->by_end) {
        qsort(keys, count, sizeof(*keys), compare_ends);
        for (size_t i = 0; i < count; i++)
            walk->by_end[i] = keys[i].index;
    }
    cst_free(keys);
    return keys && walk->by_end;
}

/* The attempt that ended last until then, or NONE. */
static uint32_t last_until(const struct walk *walk, uint64_t ns)
{
    size_t low = 0, high = walk->history->attempts_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (walk->history->attempts[walk->by_end[middle]].ended_ns <= ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? walk->by_end[low - 1] : CST_HISTORY_NONE;
}

/* When main() last ended a wait until then; 0: it did not wait before. */
static uint64_t waited_until(const struct walk *walk, uint64_t ns)
{
    size_t low = 0, high = walk->waits_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (walk->waits[middle] <= ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? walk->waits[low - 1] : 0;
}

static void blame(const struct walk *walk, enum cst_measure_cause cause,
                  uint64_t from, uint64_t to)
{
    if (to > from)
        walk->measure->cause_ns[cause] += to - from;
}

/* main() submitted it late: what had main() waited for? */
static uint32_t before_main(const struct walk *walk, uint64_t submitted)
{
    uint64_t since = waited_until(walk, submitted);
    uint32_t before = since > 0 ? last_until(walk, since) : CST_HISTORY_NONE;

    if (before == CST_HISTORY_NONE) {
        blame(walk, CST_CAUSE_PROGRAM, walk->measure->begin_ns, submitted);
        return before;
    }
    blame(walk, CST_CAUSE_PROGRAM, since, submitted);
    blame(walk, CST_CAUSE_RUNTIME, walk->history->attempts[before].ended_ns,
          since);
    return before;
}

/* One step back: who made it start when it did? *until: when it was over. */
static uint32_t step(const struct walk *walk, uint32_t index, uint64_t *until)
{
    const struct cst_history *history = walk->history;
    const struct cst_history_attempt *attempt = &history->attempts[index];
    const struct cst_history_task *task = &history->tasks[attempt->task];
    uint64_t ready = attempt->ready_ns < attempt->started_ns
                         ? attempt->ready_ns
                         : attempt->started_ns;
    uint32_t waited = cst_measure_waited(history, attempt->task, attempt);
    uint32_t before;

    blame(walk, CST_CAUSE_BODY, attempt->started_ns, *until);
    blame(walk, CST_CAUSE_CORE, ready, attempt->started_ns);
    if (waited != CST_HISTORY_NONE) {
        uint64_t complete = history->tasks[waited].complete_ns;

        before = history->tasks[waited].last_attempt;
        blame(walk,
              attempt->cause != CST_HISTORY_NONE ? CST_CAUSE_DATA
                                                 : CST_CAUSE_RUNTIME,
              complete, ready);
        *until = complete < ready ? complete : ready;
        return before;
    }
    if (task->submitted_ns == CST_HISTORY_NEVER || task->submitted_ns > ready)
        return CST_HISTORY_NONE;
    blame(walk,
          attempt->cause != CST_HISTORY_NONE ? CST_CAUSE_DATA
                                             : CST_CAUSE_RUNTIME,
          task->submitted_ns, ready);
    if (task->parent != CST_HISTORY_NONE) {
        *until = task->submitted_ns;
        return history->tasks[task->parent].last_attempt;
    }
    before = before_main(walk, task->submitted_ns);
    if (before != CST_HISTORY_NONE)
        *until = history->attempts[before].ended_ns;
    return before;
}

static bool walk_back(struct cst_measure *measure)
{
    struct walk walk = {.history = measure->history, .measure = measure};
    bool good = sort_ends(&walk) && sort_waits(&walk);
    size_t steps = measure->history->attempts_count;
    uint64_t until = measure->end_ns;
    uint32_t at = good ? last_until(&walk, until) : CST_HISTORY_NONE;

    while (at != CST_HISTORY_NONE && steps-- > 0) {
        uint64_t started = measure->history->attempts[at].started_ns;
        uint32_t before = step(&walk, at, &until);

        /* It goes back, or ends. */
        if (before != CST_HISTORY_NONE &&
            measure->history->attempts[before].started_ns >= started)
            break;
        at = before;
    }
    cst_free(walk.by_end);
    cst_free(walk.waits);
    return good;
}

enum castell_status cst_measure_chain(struct cst_measure *measure)
{
    return find_path(measure) && walk_back(measure)
               ? CASTELL_OK
               : cst_fail(CASTELL_ERR_NO_MEMORY,
                          "no memory to look at the run");
}
