/*
 * Why a task, or the tasks of a kind, ran when and where they did.
 */
#include "report/explain.h"

#include "base/fail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 5 };

static void say_task(const struct cst_explanation *why, uint32_t index)
{
    const struct cst_history_task *task = &why->history->tasks[index];

    (void)fprintf(why->to, "task %" PRIu64 " (%s)", task->id,
                  cst_report_kind(why->history, task->kind));
}

static void say_place(const struct cst_explanation *why, uint32_t track)
{
    char name[CST_REPORT_NAME_SIZE];

    cst_report_track(why->history, track, name);
    (void)fprintf(why->to, "%s of node %" PRIu32, name,
                  why->history->nodes[why->history->tracks[track].node].number);
}

/* ---- A task --------------------------------------------------------------------- */

static void say_submitted(const struct cst_explanation *why, uint32_t index)
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
                  cst_explain_time(task->submitted_ns, time));
}

static void say_waited(const struct cst_explanation *why, uint32_t index,
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
    (void)fprintf(why->to, ", %s after the run began",
                  cst_explain_time(complete, time));
    if (task->submitted_ns != CST_HISTORY_NEVER)
        (void)fprintf(why->to, ": so it waited %s for others",
                      cst_explain_time(complete - task->submitted_ns, later));
    (void)fputs(".\n", why->to);
}

static void say_data(const struct cst_explanation *why,
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
                  cst_explain_time(came->end_ns - came->begin_ns, time));
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

static bool is_on(const struct cst_history *history,
                  const struct cst_history_attempt *attempt, uint32_t node)
{
    return history->tracks[attempt->track].node == node;
}

enum cst_explain_lack
cst_explain_lack(const struct cst_history *history,
                 const struct cst_history_attempt *attempt,
                 const struct cst_history_attempt **ret_until)
{
    uint32_t node = history->tracks[attempt->track].node;
    const struct cst_history_attempt *until = NULL;
    uint64_t cores = attempt->cores, memory = attempt->memory;

    if (attempt->ready_ns == CST_HISTORY_NEVER ||
        (attempt->cores <= 1 && attempt->memory == 0))
        return CST_LACK_NONE;
    for (size_t i = 0; i < history->attempts_count; i++) {
        const struct cst_history_attempt *other = &history->attempts[i];

        if (other->started_ns >= attempt->started_ns)
            break;
        if (is_on(history, other, node) &&
            other->ended_ns <= attempt->started_ns &&
            other->ended_ns > attempt->ready_ns &&
            (!until || other->ended_ns >= until->ended_ns))
            until = other;
    }
    /* What was held when that one was about to end. */
    for (size_t i = 0; until && i < history->attempts_count; i++) {
        const struct cst_history_attempt *other = &history->attempts[i];

        if (other->started_ns >= until->ended_ns)
            break;
        if (!is_on(history, other, node) || other->ended_ns < until->ended_ns)
            continue;
        cores += other->inside ? 0 : other->cores;
        memory += other->memory;
    }
    *ret_until = until;
    if (until && attempt->memory > 0 && memory > history->nodes[node].memory)
        return CST_LACK_MEMORY;
    if (until && attempt->cores > 1 && cores > history->nodes[node].cores)
        return CST_LACK_CORES;
    return CST_LACK_NONE;
}

/* It asks for more than a core, and that was not free at once. */
static bool say_lack(const struct cst_explanation *why,
                     const struct cst_history_attempt *attempt)
{
    const struct cst_history_node *node =
        &why->history->nodes[why->history->tracks[attempt->track].node];
    const struct cst_history_attempt *until = NULL;
    enum cst_explain_lack lack =
        cst_explain_lack(why->history, attempt, &until);
    char needs[CST_SAY_SIZE], all[CST_SAY_SIZE];

    if (lack == CST_LACK_NONE)
        return false;
    if (lack == CST_LACK_MEMORY)
        (void)fprintf(why->to,
                      "It asks for %s of memory, and of the %s of its node too "
                      "much was promised to others until ",
                      cst_say_bytes((double)attempt->memory, needs),
                      cst_say_bytes((double)node->memory, all));
    else
        (void)fprintf(why->to,
                      "It asks for %" PRIu32 " cores, and of the %" PRIu32
                      " of its node too many were taken until ",
                      attempt->cores, node->cores);
    say_task(why, until->task);
    (void)fputs(" ended.\n", why->to);
    return true;
}

static void say_core(const struct cst_explanation *why,
                     const struct cst_history_attempt *attempt)
{
    const struct cst_history_attempt *before =
        before_on_track(why->history, attempt);
    char time[CST_SAY_SIZE];
    bool lacked = false;

    if (attempt->ready_ns == CST_HISTORY_NEVER)
        return;
    lacked = say_lack(why, attempt);
    (void)fprintf(
        why->to, "It was ready, and %s later it started on ",
        cst_explain_time(attempt->started_ns - attempt->ready_ns, time));
    say_place(why, attempt->track);
    if (before && before->ended_ns > attempt->ready_ns) {
        (void)fputs(", which until then had run ", why->to);
        say_task(why, before->task);
    } else if (before && !lacked) {
        (void)fprintf(
            why->to, ", which had been free for %s",
            cst_explain_time(attempt->started_ns - before->ended_ns, time));
    }
    (void)fputs(".\n", why->to);
}

/* Why the master sent it there this time. */
static void say_sent(const struct cst_explanation *why, uint32_t index,
                     const struct cst_history_attempt *attempt)
{
    static const char *const reasons[] = {
        [CST_HISTORY_SENT] = "",
        [CST_HISTORY_RETRY] = ", because its body had failed",
        [CST_HISTORY_RECOMPUTED] =
            ", because what it had made was lost with its node",
    };
    const struct cst_history *history = why->history;
    uint32_t node = history->tracks[attempt->track].node;
    enum cst_history_reason reason = CST_HISTORY_SENT;
    char time[CST_SAY_SIZE];

    if (attempt->assigned_ns == CST_HISTORY_NEVER)
        return;
    for (size_t i = 0; i < history->assignments_count; i++)
        if (history->assignments[i].task == index &&
            history->assignments[i].attempt == attempt->number)
            reason = history->assignments[i].reason;
    (void)fprintf(
        why->to,
        "The master sent it to node %" PRIu32 ", %s after the run began%s.\n",
        history->nodes[node].number,
        cst_explain_time(attempt->assigned_ns, time), reasons[reason]);
}

/* Why there: where the tasks ran that it depends on. */
static void say_where(const struct cst_explanation *why, uint32_t index,
                      const struct cst_history_attempt *attempt)
{
    const struct cst_history *history = why->history;
    const struct cst_history_task *task = &history->tasks[index];
    uint32_t node = history->tracks[attempt->track].node;
    uint32_t waited = cst_measure_waited(history, index, attempt);
    uint32_t flows = 0, here = 0;

    if (waited != CST_HISTORY_NONE &&
        history->tasks[waited].last_attempt != CST_HISTORY_NONE &&
        history->attempts[history->tasks[waited].last_attempt].track ==
            attempt->track)
        (void)fputs("What it waited for last had run on that core.\n", why->to);
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

static void say_body(const struct cst_explanation *why, uint32_t index,
                     const struct cst_history_attempt *attempt)
{
    uint32_t kind = why->history->tasks[index].kind;
    char time[CST_SAY_SIZE], median[CST_SAY_SIZE];

    if (!attempt->ended)
        (void)fputs("Its end was not seen.\n", why->to);
    else
        (void)fprintf(why->to, "Its body ran %s",
                      cst_explain_time(cst_history_own_ns(attempt), time));
    if (attempt->ended && kind < why->history->kinds_count)
        (void)fprintf(
            why->to, "; the median of its kind is %s",
            cst_explain_time(why->measure->kinds[kind].median_ns, median));
    if (attempt->ended)
        (void)fprintf(why->to, "%s.\n",
                      attempt->result != 0 ? ", and failed" : "");
}

static void say_texts(const struct cst_explanation *why, uint32_t index)
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
static void say_delayed(const struct cst_explanation *why, uint32_t index)
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

static void explain_task(const struct cst_explanation *why, uint32_t index)
{
    const struct cst_history *history = why->history;
    const struct cst_history_task *task = &history->tasks[index];

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
        say_sent(why, index, attempt);
        say_waited(why, index, attempt);
        say_data(why, attempt);
        say_core(why, attempt);
        say_where(why, index, attempt);
        cst_explain_asked(why, attempt);
        cst_explain_device(why, index, attempt);
        say_body(why, index, attempt);
    }
    say_texts(why, index);
    say_delayed(why, index);
    (void)fprintf(why->to, "It is %son the critical path of the run.\n",
                  why->measure->critical[index] ? "" : "not ");
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

static enum castell_status unknown(const struct cst_history *history,
                                   const char *what)
{
    char kinds[160] = "none";
    size_t used = 0;

    for (uint32_t i = 0; i < history->kinds_count && used < sizeof(kinds); i++)
        used += (size_t)snprintf(kinds + used, sizeof(kinds) - used, "%s%s",
                                 i > 0 ? ", " : "", history->kinds[i]);
    if (used >= sizeof(kinds))
        (void)snprintf(kinds + sizeof(kinds) - 4, 4, "...");
    return cst_fail(CASTELL_ERR_INVALID,
                    "there is no task and no kind of task \"%s\" in the trace; "
                    "its kinds: %s",
                    what, kinds);
}

enum castell_status cst_report_explain(const struct cst_history *history,
                                       const char *what, FILE *to)
{
    struct cst_explanation why = {.history = history, .to = to};
    struct cst_measure *measure = NULL;
    uint32_t task = CST_HISTORY_NONE;
    uint32_t kind = find_kind(history, what);
    enum castell_status status;
    uint64_t id;

    if (read_number(what, &id))
        task = cst_history_find(history, id);
    if (task == CST_HISTORY_NONE && kind == CST_HISTORY_NONE)
        return unknown(history, what);
    status = cst_measure_create(history, &measure);
    if (status < 0)
        return status;
    why.measure = measure;
    if (task != CST_HISTORY_NONE)
        explain_task(&why, task);
    else
        cst_explain_kind(&why, kind);
    cst_measure_destroy(measure);
    return CASTELL_OK;
}
