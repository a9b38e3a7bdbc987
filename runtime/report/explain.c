/*
 * Why a task, or the tasks of a kind, ran when and where they did.
 */
#include "base/fail.h"
#include "measure/measure.h"
#include "report/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 5 };

struct explanation {
    const struct cst_history *history;
    const struct cst_measure *measure;
    FILE *to;
};

static void say_task(const struct explanation *why, uint32_t index)
{
    const struct cst_history_task *task = &why->history->tasks[index];

    (void)fprintf(why->to, "task %" PRIu64 " (%s)", task->id,
                  cst_report_kind(why->history, task->kind));
}

static void say_place(const struct explanation *why, uint32_t track)
{
    char name[CST_REPORT_NAME_SIZE];

    cst_report_track(why->history, track, name);
    (void)fprintf(why->to, "%s of node %" PRIu32, name,
                  why->history->nodes[why->history->tracks[track].node].number);
}

static const char *time_of(uint64_t ns, char text[CST_SAY_SIZE])
{
    return cst_say_time((double)ns, text);
}

/* ---- A task --------------------------------------------------------------------- */

static void say_submitted(const struct explanation *why, uint32_t index)
{
    const struct cst_history_task *task = &why->history->tasks[index];
    char time[CST_SAY_SIZE];

    say_task(why, index);
    if (task->submitted_ns == CST_HISTORY_NEVER) {
        (void)fputs(": the trace does not tell when it was submitted.\n",
                    why->to);
        return;
    }
    (void)fputs(" was submitted by ", why->to);
    if (task->parent == CST_HISTORY_NONE)
        (void)fputs("main()", why->to);
    else
        say_task(why, task->parent);
    (void)fprintf(why->to, ", %s after the run began.\n",
                  time_of(task->submitted_ns, time));
}

static void say_waited(const struct explanation *why, uint32_t index,
                       const struct cst_history_attempt *attempt)
{
    const struct cst_history *history = why->history;
    const struct cst_history_task *task = &history->tasks[index];
    uint32_t waited = cst_measure_waited(history, index, attempt);
    char time[CST_SAY_SIZE], later[CST_SAY_SIZE];
    uint64_t complete;

    if (task->edges_count == 0) {
        (void)fputs("It depends on no other task.\n", why->to);
        return;
    }
    (void)fprintf(why->to, "It depends on %" PRIu32 " task%s",
                  task->edges_count, task->edges_count == 1 ? "" : "s");
    if (waited == CST_HISTORY_NONE) {
        (void)fputs(", all complete when it was submitted.\n", why->to);
        return;
    }
    complete = history->tasks[waited].complete_ns;
    (void)fputs("; the last of them to be complete was ", why->to);
    say_task(why, waited);
    (void)fprintf(why->to, ", %s after the run began", time_of(complete, time));
    if (task->submitted_ns != CST_HISTORY_NEVER)
        (void)fprintf(why->to, ": so it waited %s for others",
                      time_of(complete - task->submitted_ns, later));
    (void)fputs(".\n", why->to);
}

static void say_data(const struct explanation *why,
                     const struct cst_history_attempt *attempt)
{
    const struct cst_history_transfer *came;
    char bytes[CST_SAY_SIZE], time[CST_SAY_SIZE];

    if (attempt->cause == CST_HISTORY_NONE)
        return;
    came = &why->history->transfers[attempt->cause];
    (void)fprintf(why->to,
                  "The last of its data, %s, came from node %" PRIu32
                  " and took %s to come.\n",
                  cst_say_bytes((double)came->bytes, bytes),
                  why->history->nodes[came->from].number,
                  time_of(came->end_ns - came->begin_ns, time));
}

/* The attempt that ended last on that track before it started, or NULL. */
static const struct cst_history_attempt *
before_on_track(const struct cst_history *history,
                const struct cst_history_attempt *attempt)
{
    const struct cst_history_attempt *latest = NULL;

    for (size_t i = 0; i < history->attempts_count; i++) {
        const struct cst_history_attempt *other = &history->attempts[i];

        if (other->started_ns >= attempt->started_ns)
            break;
        if (other->track == attempt->track &&
            other->ended_ns <= attempt->started_ns &&
            (!latest || other->ended_ns > latest->ended_ns))
            latest = other;
    }
    return latest;
}

static void say_core(const struct explanation *why,
                     const struct cst_history_attempt *attempt)
{
    const struct cst_history_attempt *before =
        before_on_track(why->history, attempt);
    char time[CST_SAY_SIZE];

    if (attempt->ready_ns == CST_HISTORY_NEVER)
        return;
    (void)fprintf(why->to, "It was ready, and %s later it started on ",
                  time_of(attempt->started_ns - attempt->ready_ns, time));
    say_place(why, attempt->track);
    if (before && before->ended_ns > attempt->ready_ns) {
        (void)fputs(", which until then had run ", why->to);
        say_task(why, before->task);
    } else if (before) {
        (void)fprintf(why->to, ", which had been free for %s",
                      time_of(attempt->started_ns - before->ended_ns, time));
    }
    (void)fputs(".\n", why->to);
}

/* Why there: where the tasks ran that it depends on. */
static void say_where(const struct explanation *why, uint32_t index,
                      const struct cst_history_attempt *attempt)
{
    const struct cst_history *history = why->history;
    const struct cst_history_task *task = &history->tasks[index];
    uint32_t node = history->tracks[attempt->track].node;
    uint32_t flows = 0, here = 0;

    if (history->nodes_count < 2)
        return;
    for (uint32_t i = 0; i < task->edges_count; i++) {
        const struct cst_history_edge *edge = &history->edges[task->edges + i];
        uint32_t last = history->tasks[edge->task].last_attempt;

        if (edge->why != CST_HISTORY_FLOW || last == CST_HISTORY_NONE)
            continue;
        flows++;
        here += history->tracks[history->attempts[last].track].node == node;
    }
    if (flows > 0)
        (void)fprintf(why->to,
                      "Of %" PRIu32 " task%s whose results it reads, %" PRIu32
                      " ran on its node too.\n",
                      flows, flows == 1 ? "" : "s", here);
    else
        (void)fputs("It reads no other task's result, so any node would have "
                    "done.\n",
                    why->to);
}

static void say_body(const struct explanation *why, uint32_t index,
                     const struct cst_history_attempt *attempt)
{
    uint32_t kind = why->history->tasks[index].kind;
    char time[CST_SAY_SIZE], median[CST_SAY_SIZE];

    if (!attempt->ended)
        (void)fputs("Its end was not seen.\n", why->to);
    else
        (void)fprintf(why->to, "Its body ran %s",
                      time_of(cst_history_own_ns(attempt), time));
    if (attempt->ended && kind < why->history->kinds_count)
        (void)fprintf(why->to, "; the median of its kind is %s",
                      time_of(why->measure->kinds[kind].median_ns, median));
    if (attempt->ended)
        (void)fprintf(why->to, "%s.\n",
                      attempt->result != 0 ? ", and failed" : "");
}

static void say_texts(const struct explanation *why, uint32_t index)
{
    for (size_t i = 0; i < why->history->texts_count; i++)
        if (why->history->texts[i].task == index)
            (void)fprintf(why->to, "%s: %s.\n",
                          why->history->texts[i].event == CST_TRACE_MARK
                              ? "It marked"
                              : "It failed",
                          why->history->texts[i].text);
}

/* Those that started as soon as this one was complete. */
static void say_delayed(const struct explanation *why, uint32_t index)
{
    const struct cst_history *history = why->history;
    uint32_t after = 0, delayed = 0, shown[SHOWN_MAX];

    for (uint32_t i = index + 1; i < history->tasks_count; i++) {
        const struct cst_history_task *task = &history->tasks[i];
        bool depends = false;

        for (uint32_t j = 0; j < task->edges_count && !depends; j++)
            depends = history->edges[task->edges + j].task == index;
        after += depends;
        if (!depends || task->last_attempt == CST_HISTORY_NONE ||
            cst_measure_waited(history, i,
                               &history->attempts[task->last_attempt]) != index)
            continue;
        if (delayed < SHOWN_MAX)
            shown[delayed] = i;
        delayed++;
    }
    if (after == 0) {
        (void)fputs("No task depends on it.\n", why->to);
        return;
    }
    (void)fprintf(why->to,
                  "%" PRIu32 " task%s on it; %" PRIu32
                  " had nothing else to wait for",
                  after, after == 1 ? " depends" : "s depend", delayed);
    for (uint32_t i = 0; i < delayed && i < SHOWN_MAX; i++) {
        (void)fputs(i == 0 ? ": " : ", ", why->to);
        say_task(why, shown[i]);
    }
    (void)fputs(delayed > SHOWN_MAX ? " and others.\n" : ".\n", why->to);
}

static void explain_task(const struct explanation *why, uint32_t index)
{
    const struct cst_history *history = why->history;
    const struct cst_history_task *task = &history->tasks[index];
    char time[CST_SAY_SIZE];

    say_submitted(why, index);
    if (task->attempts == CST_HISTORY_NONE)
        (void)fprintf(why->to, "It did not run%s.\n",
                      task->flags & CST_HISTORY_CANCELLED
                          ? ": it was cancelled"
                          : ", as far as the trace tells");
    for (uint32_t next = task->attempts; next != CST_HISTORY_NONE;
         next = history->attempts[next].next) {
        const struct cst_history_attempt *attempt = &history->attempts[next];

        if (task->attempts != task->last_attempt)
            (void)fprintf(why->to, "Attempt %" PRId32 ":\n", attempt->number);
        if (attempt->assigned_ns != CST_HISTORY_NEVER)
            (void)fprintf(
                why->to,
                "The master sent it to node %" PRIu32
                ", %s after the run began.\n",
                history->nodes[history->tracks[attempt->track].node].number,
                time_of(attempt->assigned_ns, time));
        say_waited(why, index, attempt);
        say_data(why, attempt);
        say_core(why, attempt);
        say_where(why, index, attempt);
        say_body(why, index, attempt);
    }
    say_texts(why, index);
    say_delayed(why, index);
    (void)fprintf(why->to, "It is %son the critical path of the run.\n",
                  why->measure->critical[index] ? "" : "not ");
}

/* ---- A kind ------------------------------------------------------------------------ */

struct sums {
    uint64_t waits;
    double others_ns;
    double core_ns;
    double data_ns;
    uint64_t data;
};

static void add_task(const struct explanation *why, uint32_t index,
                     struct sums *sums)
{
    const struct cst_history *history = why->history;
    const struct cst_history_task *task = &history->tasks[index];
    const struct cst_history_attempt *attempt;

    if (task->last_attempt == CST_HISTORY_NONE ||
        task->submitted_ns == CST_HISTORY_NEVER)
        return;
    attempt = &history->attempts[task->last_attempt];
    if (attempt->ready_ns == CST_HISTORY_NEVER ||
        attempt->ready_ns < task->submitted_ns)
        return;
    sums->waits++;
    sums->others_ns += (double)(attempt->ready_ns - task->submitted_ns);
    sums->core_ns += (double)(attempt->started_ns - attempt->ready_ns);
    if (attempt->cause == CST_HISTORY_NONE)
        return;
    sums->data++;
    sums->data_ns += (double)(history->transfers[attempt->cause].end_ns -
                              history->transfers[attempt->cause].begin_ns);
}

static void say_nodes(const struct explanation *why, uint32_t kind)
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

static void explain_kind(const struct explanation *why, uint32_t kind)
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
                  time_of(measured->total_ns, a),
                  time_of(measured->median_ns, b), time_of(measured->p99_ns, c),
                  time_of(measured->most_ns, d));
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
    say_nodes(why, kind);
    (void)fprintf(why->to,
                  "%" PRIu64 " of them are on the critical path of "
                  "%" PRIu64 " tasks.\n",
                  critical, why->measure->critical_tasks);
}

/* ---- Which ---------------------------------------------------------------------------- */

static bool read_number(const char *text, uint64_t *ret_number)
{
    char *end;

    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    *ret_number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* The kind of that name; a function's name does without its file. */
static uint32_t find_kind(const struct cst_history *history, const char *name)
{
    for (uint32_t i = 0; i < history->kinds_count; i++)
        if (strcmp(history->kinds[i], name) == 0)
            return i;
    for (uint32_t i = 0; i < history->kinds_count; i++) {
        const char *colon = strrchr(history->kinds[i], ':');

        if (colon && strcmp(colon + 1, name) == 0)
            return i;
    }
    return CST_HISTORY_NONE;
}

enum castell_status cst_report_explain(const struct cst_history *history,
                                       const char *what, FILE *to)
{
    struct explanation why = {.history = history, .to = to};
    struct cst_measure *measure = NULL;
    uint32_t task = CST_HISTORY_NONE;
    uint32_t kind = find_kind(history, what);
    enum castell_status status;
    uint64_t id;

    if (read_number(what, &id))
        task = cst_history_find(history, id);
    if (task == CST_HISTORY_NONE && kind == CST_HISTORY_NONE)
        return cst_fail(CASTELL_ERR_INVALID,
                        "there is no task and no kind of task \"%s\" in the "
                        "trace",
                        what);
    status = cst_measure_create(history, &measure);
    if (status < 0)
        return status;
    why.measure = measure;
    if (task != CST_HISTORY_NONE)
        explain_task(&why, task);
    else
        explain_kind(&why, kind);
    cst_measure_destroy(measure);
    return CASTELL_OK;
}
