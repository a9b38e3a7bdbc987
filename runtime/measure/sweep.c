/*
 * Where the time of cores went: all changes in the order of time, and between
 * two of them each core that has no body is counted under what it lacked.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "measure/measure.h"

#include <stdlib.h>

/* From then on there are so many more. */
struct change {
    uint64_t ns;
    uint32_t node;
    int32_t busy;    /* cores that have a body */
    int16_t ready;   /* tasks that wait for one */
    int16_t coming;  /* tasks that wait for data */
    int16_t left;    /* unfinished tasks */
    int16_t program; /* main() itself runs, on a core of the master's */
};

/* How it stands on a node. */
struct state {
    int64_t busy;
    int64_t ready;
    int64_t coming;
    int64_t program;
};

struct sweep {
    struct cst_measure *measure;
    struct change *changes;
    size_t count;
    struct state *states; /* of each node */
    int64_t left;
};

static int compare_changes(const void *a_, const void *b_)
{
    const struct change *a = a_, *b = b_;

    return a->ns < b->ns ? -1 : a->ns > b->ns;
}

static void add(struct sweep *sweep, struct change change)
{
    sweep->changes[sweep->count++] = change;
}

/* Is it the thread of main()? */
static bool is_main(const struct cst_history *history, uint32_t track)
{
    return history->tracks[track].executor == 0 &&
           history->nodes[history->tracks[track].node].number == 0;
}

static void add_attempt(struct sweep *sweep,
                        const struct cst_history_attempt *attempt)
{
    const struct cst_history *history = sweep->measure->history;
    const struct cst_history_track *track = &history->tracks[attempt->track];
    uint32_t node = track->node;
    int32_t cores = attempt->inside ? 0 : (int32_t)attempt->cores;
    int16_t program = is_main(history, attempt->track) ? 1 : 0;
    uint64_t ready = attempt->ready_ns;

    /* What runs on a device takes no core, nor waits for one. */
    if (track->device != CST_HISTORY_NONE ||
        (track->executor == CST_HISTORY_NONE && attempt->cores <= 1))
        cores = 0;
    add(sweep, (struct change){.ns = attempt->started_ns,
                               .node = node,
                               .busy = cores,
                               .program = (int16_t)-program});
    add(sweep, (struct change){.ns = attempt->ended_ns,
                               .node = node,
                               .busy = -cores,
                               .program = program});
    if (ready == CST_HISTORY_NEVER || track->device != CST_HISTORY_NONE)
        return;
    add(sweep, (struct change){.ns = ready, .node = node, .ready = 1});
    add(sweep,
        (struct change){.ns = attempt->started_ns, .node = node, .ready = -1});
    if (attempt->assigned_ns == CST_HISTORY_NEVER ||
        attempt->assigned_ns > ready)
        return;
    add(sweep,
        (struct change){.ns = attempt->assigned_ns, .node = node, .coming = 1});
    add(sweep, (struct change){.ns = ready, .node = node, .coming = -1});
}

/* A body that waits lends its core; so does main(). */
static void add_wait(struct sweep *sweep, const struct cst_history_span *span)
{
    const struct cst_history *history = sweep->measure->history;
    const struct cst_history_track *track = &history->tracks[span->track];
    bool executor = track->executor != CST_HISTORY_NONE;
    int16_t program = 0;
    int32_t busy = 0;

    if (span->kind != CST_HISTORY_WAIT)
        return;
    if (is_main(history, span->track))
        program = 1;
    if (span->task != CST_HISTORY_NONE && executor)
        busy = 1;
    if (program && busy) /* within a body: main() does not run anyway */
        program = 0;
    add(sweep, (struct change){.ns = span->begin_ns,
                               .node = track->node,
                               .busy = -busy,
                               .program = (int16_t)-program});
    add(sweep, (struct change){.ns = span->end_ns,
                               .node = track->node,
                               .busy = busy,
                               .program = program});
}

static void add_task(struct sweep *sweep, const struct cst_history_task *task)
{
    uint64_t end = task->complete_ns > task->outcome_ns ? task->complete_ns
                                                        : task->outcome_ns;

    if (task->submitted_ns == CST_HISTORY_NEVER || end == 0)
        return;
    add(sweep, (struct change){.ns = task->submitted_ns, .left = 1});
    add(sweep, (struct change){.ns = end, .left = -1});
}

/* ---- Counting -------------------------------------------------------------- */

static int64_t at_least_0(int64_t value)
{
    return value > 0 ? value : 0;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Cores of a node that have nothing to do. */
static int64_t idle_on(const struct sweep *sweep, size_t node)
{
    const struct state *state = &sweep->states[node];

    return at_least_0((int64_t)sweep->measure->history->nodes[node].cores -
                      at_least_0(state->busy) - (state->program > 0));
}

/* Tasks that are ready elsewhere, and more than there are cores for them. */
static int64_t spare_elsewhere(const struct sweep *sweep, size_t node)
{
    int64_t spare = 0;

    for (size_t i = 0; i < sweep->measure->history->nodes_count; i++)
        if (i != node)
            spare += at_least_0(sweep->states[i].ready - idle_on(sweep, i));
    return spare;
}

static void count_node(struct sweep *sweep, size_t node, double ns)
{
    struct cst_measure *measure = sweep->measure;
    const struct state *state = &sweep->states[node];
    int64_t cores = measure->history->nodes[node].cores;
    int64_t busy = least(at_least_0(state->busy), cores);
    int64_t program = least(state->program > 0, cores - busy);
    int64_t idle = cores - busy - program;
    int64_t part = least(idle, at_least_0(state->ready));

    measure->node_busy_ns[node] += ns * (double)busy;
    measure->use_ns[CST_USE_BODIES] += ns * (double)busy;
    measure->use_ns[CST_USE_PROGRAM] += ns * (double)program;
    measure->use_ns[CST_USE_RUNTIME] += ns * (double)part;
    idle -= part;
    if (idle == 0)
        return;
    part = least(idle, at_least_0(state->coming));
    measure->use_ns[CST_USE_DATA] += ns * (double)part;
    idle -= part;
    part = idle > 0 ? least(idle, spare_elsewhere(sweep, node)) : 0;
    measure->use_ns[CST_USE_IMBALANCE] += ns * (double)part;
    idle -= part;
    measure->use_ns[sweep->left > 0 ? CST_USE_PARALLEL : CST_USE_NOTHING] +=
        ns * (double)idle;
}

static void count_all(struct sweep *sweep)
{
    const struct cst_measure *measure = sweep->measure;
    uint64_t last = measure->begin_ns;

    for (size_t i = 0; i < sweep->count; i++) {
        const struct change *change = &sweep->changes[i];
        struct state *state = &sweep->states[change->node];

        if (change->ns > last) {
            uint64_t until =
                change->ns < measure->end_ns ? change->ns : measure->end_ns;

            for (size_t node = 0;
                 until > last && node < measure->history->nodes_count; node++)
                count_node(sweep, node, (double)(until - last));
            last = until;
        }
        state->busy += change->busy;
        state->ready += change->ready;
        state->coming += change->coming;
        state->program += change->program;
        sweep->left += change->left;
    }
}

enum castell_status cst_measure_sweep(struct cst_measure *measure)
{
    const struct cst_history *history = measure->history;
    size_t max = 6 * history->attempts_count + 2 * history->spans_count +
                 2 * history->tasks_count + 2;
    struct sweep sweep = {.measure = measure};

    sweep.changes = cst_alloc(max * sizeof(*sweep.changes));
    sweep.states =
        cst_zalloc((history->nodes_count + 1) * sizeof(*sweep.states));
    if (!sweep.changes || !sweep.states) {
        cst_free(sweep.changes);
        cst_free(sweep.states);
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to look at the run");
    }
    if (history->nodes_count > 0 && history->nodes[0].number == 0)
        sweep.states[0].program = 1;
    for (size_t i = 0; i < history->attempts_count; i++)
        add_attempt(&sweep, &history->attempts[i]);
    for (size_t i = 0; i < history->spans_count; i++)
        add_wait(&sweep, &history->spans[i]);
    for (size_t i = 0; i < history->tasks_count; i++)
        add_task(&sweep, &history->tasks[i]);
    qsort(sweep.changes, sweep.count, sizeof(*sweep.changes), compare_changes);
    count_all(&sweep);
    cst_free(sweep.changes);
    cst_free(sweep.states);
    return CASTELL_OK;
}
