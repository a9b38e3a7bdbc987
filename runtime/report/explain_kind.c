/*
 * Why the tasks of a kind ran when and where they did: what they waited for, in
 * the mean, and who waited for them.
 */
#include "report/explain.h"

#include <inttypes.h>

struct sums {
    uint64_t waits;
    double others_ns;
    double core_ns;
    double data_ns;
    uint64_t data;
};

static void add_task(const struct cst_explanation *why, uint32_t index,
                     struct sums *sums)
{
    const struct cst_history *history = why->history;
    const struct cst_history_task *task = &history->tasks[index];

    for (uint32_t next = task->attempts; next != CST_HISTORY_NONE;
         next = history->attempts[next].next) {
        const struct cst_history_attempt *attempt = &history->attempts[next];

        if (attempt->ready_ns == CST_HISTORY_NEVER)
            continue;
        if (next == task->attempts && task->submitted_ns != CST_HISTORY_NEVER &&
            attempt->ready_ns >= task->submitted_ns) {
            sums->waits++;
            sums->others_ns += (double)(attempt->ready_ns - task->submitted_ns);
            sums->core_ns += (double)(attempt->started_ns - attempt->ready_ns);
        }
        if (attempt->cause == CST_HISTORY_NONE)
            continue;
        sums->data++;
        sums->data_ns += (double)(history->transfers[attempt->cause].end_ns -
                                  history->transfers[attempt->cause].begin_ns);
    }
}

static void say_nodes(const struct cst_explanation *why, uint32_t kind)
{
    bool any = false;

    if (why->history->nodes_count < 2)
        return;
    (void)fputs("They ran on ", why->to);
    for (size_t i = 0; i < why->history->nodes_count; i++) {
        uint64_t count = why->measure->kinds[kind].nodes[i];

        if (count == 0)
            continue;
        (void)fprintf(why->to, "%snode %" PRIu32 " (%" PRIu64 ")",
                      any ? ", " : "", why->history->nodes[i].number, count);
        any = true;
    }
    (void)fputs(any ? ".\n" : "no node.\n", why->to);
}

/* What those lacked that ask for more than a core: of some of them. */
static void say_lacks(const struct cst_explanation *why, uint32_t kind)
{
    enum { LOOKED_MAX = 100 };
    const struct cst_history *history = why->history;
    uint64_t looked = 0, memory = 0, cores = 0;

    for (size_t i = 0; i < history->attempts_count && looked < LOOKED_MAX;
         i++) {
        const struct cst_history_attempt *attempt = &history->attempts[i];
        const struct cst_history_attempt *until;
        enum cst_explain_lack lack;

        if (history->tasks[attempt->task].kind != kind ||
            (attempt->cores <= 1 && attempt->memory == 0))
            continue;
        lack = cst_explain_lack(history, attempt, &until);
        looked++;
        memory += lack == CST_LACK_MEMORY;
        cores += lack == CST_LACK_CORES;
    }
    if (memory + cores > 0)
        (void)fprintf(why->to,
                      "Of the first %" PRIu64 " that ask for more than a core, "
                      "%" PRIu64 " waited for memory and %" PRIu64
                      " for cores that others had.\n",
                      looked, memory, cores);
}

/* Whom tasks of this kind held up. */
static void say_delayed(const struct cst_explanation *why, uint32_t kind)
{
    const struct cst_history *history = why->history;
    uint64_t delayed = 0;

    for (uint32_t i = 0; i < history->tasks_count; i++) {
        uint32_t last = history->tasks[i].last_attempt;
        uint32_t waited =
            last == CST_HISTORY_NONE
                ? CST_HISTORY_NONE
                : cst_measure_waited(history, i, &history->attempts[last]);

        delayed +=
            waited != CST_HISTORY_NONE && history->tasks[waited].kind == kind;
    }
    (void)fprintf(why->to, "%" PRIu64 " task%s waited last for one of them.\n",
                  delayed, delayed == 1 ? "" : "s");
}

void cst_explain_kind(const struct cst_explanation *why, uint32_t kind)
{
    const struct cst_history *history = why->history;
    const struct cst_measure_kind *measured = &why->measure->kinds[kind];
    char a[CST_SAY_SIZE], b[CST_SAY_SIZE], c[CST_SAY_SIZE], d[CST_SAY_SIZE];
    struct sums sums = {0};
    uint64_t critical = 0;

    for (uint32_t i = 0; i < history->tasks_count; i++)
        if (history->tasks[i].kind == kind) {
            add_task(why, i, &sums);
            critical += why->measure->critical[i];
        }
    (void)fprintf(why->to,
                  "Bodies of %s ran %" PRIu64 " times, %s in all: median %s, "
                  "99th of 100 %s, longest %s.\n",
                  history->kinds[kind], measured->count,
                  cst_explain_time(measured->total_ns, a),
                  cst_explain_time(measured->median_ns, b),
                  cst_explain_time(measured->p99_ns, c),
                  cst_explain_time(measured->most_ns, d));
    if (sums.waits > 0)
        (void)fprintf(why->to,
                      "From submission to being ready one took %s in the "
                      "mean (for others, and for data), and then %s for a "
                      "core.\n",
                      cst_say_time(sums.others_ns / (double)sums.waits, a),
                      cst_say_time(sums.core_ns / (double)sums.waits, b));
    if (sums.data > 0)
        (void)fprintf(why->to,
                      "%" PRIu64 " of them waited last for data from another "
                      "node, which took %s in the mean to come.\n",
                      sums.data,
                      cst_say_time(sums.data_ns / (double)sums.data, a));
    say_lacks(why, kind);
    say_nodes(why, kind);
    say_delayed(why, kind);
    (void)fprintf(why->to,
                  "%" PRIu64 " of them %s on the critical path of "
                  "%" PRIu64 " task%s.\n",
                  critical, critical == 1 ? "is" : "are",
                  why->measure->critical_tasks,
                  why->measure->critical_tasks == 1 ? "" : "s");
}
