#include "measure/measure.h"

#include "base/fail.h"
#include "base/memory.h"

#include <stdlib.h>

enum { PERCENT = 100, HIGH = 99 };

static enum castell_status no_memory(void)
{
    return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to look at the run");
}

static size_t kind_of(const struct cst_history *history,
                      const struct cst_history_attempt *attempt)
{
    uint32_t kind = history->tasks[attempt->task].kind;

    return kind < history->kinds_count ? kind : history->kinds_count;
}

static void count_tasks(struct cst_measure *measure)
{
    const struct cst_history *history = measure->history;

    measure->begin_ns = CST_HISTORY_NEVER;
    for (size_t i = 0; i < history->tasks_count; i++) {
        const struct cst_history_task *task = &history->tasks[i];

        if (task->flags & CST_HISTORY_INTERNAL)
            continue;
        measure->tasks++;
        if (task->kind < history->kinds_count)
            measure->kinds[task->kind].used = true;
        if (task->flags & CST_HISTORY_FAILED)
            measure->failed++;
        else if (task->flags & CST_HISTORY_CANCELLED)
            measure->cancelled++;
        if (task->submitted_ns < measure->begin_ns)
            measure->begin_ns = task->submitted_ns;
        for (uint32_t next = task->attempts; next != CST_HISTORY_NONE;
             next = history->attempts[next].next) {
            const struct cst_history_attempt *attempt =
                &history->attempts[next];

            if (attempt->ended_ns > measure->end_ns)
                measure->end_ns = attempt->ended_ns;
        }
    }
    for (size_t i = 0; i < history->kinds_count; i++)
        measure->kinds_used += measure->kinds[i].used;
    if (measure->begin_ns > measure->end_ns)
        measure->begin_ns = measure->end_ns;
    for (size_t i = 0; i < history->assignments_count; i++)
        measure->recomputed +=
            history->assignments[i].reason == CST_HISTORY_RECOMPUTED;
}

static void count_nodes(struct cst_measure *measure)
{
    const struct cst_history *history = measure->history;

    for (size_t i = 0; i < history->nodes_count; i++) {
        measure->cores += history->nodes[i].cores;
        measure->lost_nodes += history->nodes[i].gone > 1;
        measure->retried += history->nodes[i].retried;
    }
    for (size_t i = 0; i < history->transfers_count; i++) {
        const struct cst_history_transfer *transfer = &history->transfers[i];
        size_t at =
            (size_t)transfer->from * history->nodes_count + transfer->to;

        measure->bytes_moved += transfer->bytes;
        measure->bytes[at] += transfer->bytes;
        measure->moves[at]++;
    }
}

/* ---- Kinds ---------------------------------------------------------------- */

struct duration {
    uint32_t kind;
    uint64_t ns;
};

static int compare_durations(const void *a_, const void *b_)
{
    const struct duration *a = a_, *b = b_;

    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return a->ns < b->ns ? -1 : a->ns > b->ns;
}

static bool measure_kinds(struct cst_measure *measure)
{
    const struct cst_history *history = measure->history;
    struct duration *all =
        cst_alloc((history->attempts_count + 1) * sizeof(*all));
    size_t first = 0;

    if (!all)
        return false;
    for (size_t i = 0; i < history->attempts_count; i++) {
        const struct cst_history_attempt *attempt = &history->attempts[i];
        struct cst_measure_kind *kind =
            &measure->kinds[kind_of(history, attempt)];

        all[i] = (struct duration){(uint32_t)kind_of(history, attempt),
                                   cst_history_own_ns(attempt)};
        kind->count++;
        kind->total_ns += all[i].ns;
        kind->nodes[history->tracks[attempt->track].node]++;
        measure->attempts++;
    }
    qsort(all, history->attempts_count, sizeof(*all), compare_durations);
    for (size_t i = 0; i <= history->kinds_count; i++) {
        struct cst_measure_kind *kind = &measure->kinds[i];

        if (kind->count == 0)
            continue;
        kind->median_ns = all[first + kind->count / 2].ns;
        kind->p99_ns = all[first + (kind->count - 1) * HIGH / PERCENT].ns;
        kind->most_ns = all[first + kind->count - 1].ns;
        first += kind->count;
    }
    cst_free(all);
    return true;
}

/* ---- Life ------------------------------------------------------------------- */

static bool allocate(struct cst_measure *measure)
{
    const struct cst_history *history = measure->history;
    size_t nodes = history->nodes_count;

    measure->critical = cst_zalloc(history->tasks_count + 1);
    measure->node_busy_ns = cst_zalloc((nodes + 1) * sizeof(double));
    measure->bytes = cst_zalloc((nodes * nodes + 1) * sizeof(uint64_t));
    measure->moves = cst_zalloc((nodes * nodes + 1) * sizeof(uint64_t));
    measure->kinds =
        cst_zalloc((history->kinds_count + 1) * sizeof(*measure->kinds));
    if (!measure->critical || !measure->node_busy_ns || !measure->bytes ||
        !measure->moves || !measure->kinds)
        return false;
    for (size_t i = 0; i <= history->kinds_count; i++) {
        measure->kinds[i].nodes = cst_zalloc((nodes + 1) * sizeof(uint64_t));
        if (!measure->kinds[i].nodes)
            return false;
    }
    return true;
}

enum castell_status cst_measure_create(const struct cst_history *history,
                                       struct cst_measure **ret_measure)
{
    struct cst_measure *measure = cst_zalloc(sizeof(*measure));
    enum castell_status status;

    if (!measure)
        return no_memory();
    measure->history = history;
    if (!allocate(measure)) {
        cst_measure_destroy(measure);
        return no_memory();
    }
    count_tasks(measure);
    count_nodes(measure);
    status = measure_kinds(measure) ? CASTELL_OK : no_memory();
    if (status == CASTELL_OK)
        status = cst_measure_sweep(measure);
    if (status == CASTELL_OK)
        status = cst_measure_chain(measure);
    if (status < 0)
        cst_measure_destroy(measure);
    else
        *ret_measure = measure;
    return status;
}

void cst_measure_destroy(struct cst_measure *measure)
{
    if (!measure)
        return;
    for (size_t i = 0; measure->kinds && i <= measure->history->kinds_count;
         i++)
        cst_free(measure->kinds[i].nodes);
    cst_free(measure->kinds);
    cst_free(measure->critical);
    cst_free(measure->node_busy_ns);
    cst_free(measure->bytes);
    cst_free(measure->moves);
    cst_free(measure);
}
