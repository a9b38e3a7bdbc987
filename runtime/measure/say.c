/*
 * What a run came to, in sentences.
 */
#include "measure/measure.h"

#include <inttypes.h>
#include <stdio.h>

const char *cst_say_time(double ns, char text[CST_SAY_SIZE])
{
    static const struct {
        double ns;
        const char *unit;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    size_t i = 0;

    while (i < 3 && ns < units[i].ns)
        i++;
    (void)snprintf(text, CST_SAY_SIZE, "%.3g %s",
                   ns / units[i].ns < 1000 ? ns / units[i].ns : ns / 1e9,
                   units[i].unit);
    if (ns >= 1e12)
        (void)snprintf(text, CST_SAY_SIZE, "%.0f s", ns / 1e9);
    return text;
}

const char *cst_say_bytes(double bytes, char text[CST_SAY_SIZE])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    size_t i = 0;

    for (; i < 4 && bytes >= 1000; i++)
        bytes /= 1000;
    (void)snprintf(text, CST_SAY_SIZE, "%.3g %s", bytes, units[i]);
    return text;
}

static double capacity(const struct cst_measure *measure)
{
    double ns = (double)(measure->end_ns - measure->begin_ns);

    return ns > 0 && measure->cores > 0 ? ns * (double)measure->cores : 1;
}

static double percent(const struct cst_measure *measure,
                      enum cst_measure_use use)
{
    return 100 * measure->use_ns[use] / capacity(measure);
}

static const char *many(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static bool say_size(const struct cst_measure *measure, char *text)
{
    const struct cst_history *history = measure->history;
    char total[CST_SAY_SIZE], tasks[CST_SAY_SIZE];

    (void)snprintf(
        text, CST_SENTENCE_SIZE,
        "%" PRIu64 " task%s of %" PRIu64 " kind%s ran on %" PRIu64
        " core%s of %zu node%s in %s; the program took %s in all.",
        measure->tasks, many(measure->tasks), measure->kinds_used,
        many(measure->kinds_used), measure->cores, many(measure->cores),
        history->nodes_count, many(history->nodes_count),
        cst_say_time((double)(measure->end_ns - measure->begin_ns), tasks),
        cst_say_time((double)history->total_ns, total));
    return true;
}

static bool say_use(const struct cst_measure *measure, char *text)
{
    (void)snprintf(text, CST_SENTENCE_SIZE,
                   "While there were tasks, the cores spent %.0f %% of their "
                   "time in bodies of tasks.",
                   percent(measure, CST_USE_BODIES));
    return true;
}

/* The use that took most of the time that was not spent in bodies. */
static enum cst_measure_use worst_use(const struct cst_measure *measure)
{
    enum cst_measure_use worst = CST_USE_PROGRAM;

    for (int use = CST_USE_PROGRAM; use < CST_USES_COUNT; use++)
        if (measure->use_ns[use] > measure->use_ns[worst])
            worst = (enum cst_measure_use)use;
    return worst;
}

static bool say_limit(const struct cst_measure *measure, char *text)
{
    static const char *const whys[CST_USES_COUNT] = {
        [CST_USE_BODIES] = "",
        [CST_USE_PROGRAM] = "main() itself used a core: it computed, or "
                            "submitted tasks",
        [CST_USE_RUNTIME] =
            "a task was ready and a core free: the runtime, or "
            "what else ran on the machine, took that long; fewer, "
            "longer tasks would help",
        [CST_USE_DATA] = "tasks were waiting for data from other nodes: "
                         "larger tasks, or fewer moves of data, would help",
        [CST_USE_IMBALANCE] = "other nodes had tasks to spare",
        [CST_USE_PARALLEL] = "the tasks that were left waited for others: "
                             "there was too little parallelism",
        [CST_USE_NOTHING] = "there was no task: main() had submitted none, "
                            "or was away from the cores",
    };
    enum cst_measure_use worst = worst_use(measure);

    if (percent(measure, CST_USE_BODIES) >= 90) {
        (void)snprintf(text, CST_SENTENCE_SIZE,
                       "What limited the run: the work itself. The cores were "
                       "busy nearly all the time.");
        return true;
    }
    (void)snprintf(text, CST_SENTENCE_SIZE,
                   "What limited the run most: for %.0f %% of the cores' time "
                   "%s.",
                   percent(measure, worst), whys[worst]);
    return true;
}

static bool say_critical(const struct cst_measure *measure, char *text)
{
    double work = measure->use_ns[CST_USE_BODIES];
    double wall = (double)(measure->end_ns - measure->begin_ns);
    char critical[CST_SAY_SIZE];

    if (measure->critical_ns == 0 || wall <= 0)
        return false;
    (void)snprintf(
        text, CST_SENTENCE_SIZE,
        "The longest chain of tasks that depend on one another, the critical "
        "path, has %" PRIu64 " task%s that took %s, %.0f %% of the time: with "
        "any number of cores the run could not be faster than that. The work "
        "would keep %.1f cores busy.",
        measure->critical_tasks, many(measure->critical_tasks),
        cst_say_time((double)measure->critical_ns, critical),
        100 * (double)measure->critical_ns / wall,
        work / (double)measure->critical_ns);
    return true;
}

static bool say_chain(const struct cst_measure *measure, char *text)
{
    double all = 0;

    for (int i = 0; i < CST_CAUSES_COUNT; i++)
        all += (double)measure->cause_ns[i];
    if (all <= 0)
        return false;
    (void)snprintf(
        text, CST_SENTENCE_SIZE,
        "Back from the task that ended last, what each one had waited for: "
        "%.0f %% of the time bodies, %.0f %% a free core, %.0f %% data from "
        "other nodes, %.0f %% the runtime, %.0f %% main().",
        100 * (double)measure->cause_ns[CST_CAUSE_BODY] / all,
        100 * (double)measure->cause_ns[CST_CAUSE_CORE] / all,
        100 * (double)measure->cause_ns[CST_CAUSE_DATA] / all,
        100 * (double)measure->cause_ns[CST_CAUSE_RUNTIME] / all,
        100 * (double)measure->cause_ns[CST_CAUSE_PROGRAM] / all);
    return true;
}

static bool say_balance(const struct cst_measure *measure, char *text)
{
    const struct cst_history *history = measure->history;
    double wall = (double)(measure->end_ns - measure->begin_ns);
    double least = 0, most = 0;
    size_t least_at = 0, most_at = 0, counted = 0;

    for (size_t i = 0; i < history->nodes_count; i++) {
        double share;

        if (history->nodes[i].cores == 0 || wall <= 0)
            continue;
        share = measure->node_busy_ns[i] / wall / history->nodes[i].cores;
        if (counted == 0 || share < least) {
            least = share;
            least_at = i;
        }
        if (counted == 0 || share > most) {
            most = share;
            most_at = i;
        }
        counted++;
    }
    if (counted < 2)
        return false;
    (void)snprintf(text, CST_SENTENCE_SIZE,
                   "Node %" PRIu32 " was busiest, with %.0f %% of its cores' "
                   "time in bodies; node %" PRIu32 " least, with %.0f %%.",
                   history->nodes[most_at].number, 100 * most,
                   history->nodes[least_at].number, 100 * least);
    return true;
}

static bool say_moved(const struct cst_measure *measure, char *text)
{
    char bytes[CST_SAY_SIZE];

    if (measure->history->nodes_count < 2)
        return false;
    (void)snprintf(text, CST_SENTENCE_SIZE,
                   "%s moved between nodes, in %zu transfer%s.",
                   cst_say_bytes((double)measure->bytes_moved, bytes),
                   measure->history->transfers_count,
                   many(measure->history->transfers_count));
    return true;
}

static bool say_devices(const struct cst_measure *measure, char *text)
{
    const struct cst_history *history = measure->history;
    double wall = (double)(measure->end_ns - measure->begin_ns);
    double busy = 0, bytes[3] = {0};
    size_t counts[3] = {0};
    char to[CST_SAY_SIZE], back[CST_SAY_SIZE];

    if (history->kernels_count + history->copies_count == 0)
        return false;
    for (size_t i = 0; i < history->kernels_count; i++)
        busy +=
            (double)(history->kernels[i].end_ns - history->kernels[i].begin_ns);
    for (size_t i = 0; i < history->copies_count; i++) {
        counts[history->copies[i].way]++;
        bytes[history->copies[i].way] += (double)history->copies[i].bytes;
    }
    (void)snprintf(
        text, CST_SENTENCE_SIZE,
        "%zu bod%s ran on %zu device%s, whose kernels took %.0f %% of the "
        "time; %s went to devices in %zu cop%s and %s back in %zu, and %zu "
        "cop%s went between devices.",
        history->kernels_count, history->kernels_count == 1 ? "y" : "ies",
        history->devices_count, many(history->devices_count),
        wall > 0 ? 100 * busy / wall / (double)history->devices_count : 0,
        cst_say_bytes(bytes[CST_HISTORY_TO_DEVICE], to),
        counts[CST_HISTORY_TO_DEVICE],
        counts[CST_HISTORY_TO_DEVICE] == 1 ? "y" : "ies",
        cst_say_bytes(bytes[CST_HISTORY_TO_MAIN], back),
        counts[CST_HISTORY_TO_MAIN], counts[CST_HISTORY_BETWEEN],
        counts[CST_HISTORY_BETWEEN] == 1 ? "y" : "ies");
    return true;
}

/* How long the run had to wait for nodes, and what for nothing. */
static bool say_grown(const struct cst_measure *measure, char *text)
{
    const struct cst_history *history = measure->history;
    size_t came = 0, refused = 0, cancelled = 0;
    double waited = 0, most = 0;
    char mean[CST_SAY_SIZE], longest[CST_SAY_SIZE];
    int size;

    if (history->requests_count == 0)
        return false;
    for (size_t i = 0; i < history->requests_count; i++) {
        const struct cst_history_request *request = &history->requests[i];
        bool here = request->came_ns != CST_HISTORY_NEVER;
        double took = here ? (double)(request->came_ns - request->asked_ns) : 0;

        came += here;
        cancelled += !here && request->cancelled;
        refused += !here && !request->cancelled &&
                   request->over_ns != CST_HISTORY_NEVER;
        waited += took;
        most = took > most ? took : most;
    }
    size = snprintf(text, CST_SENTENCE_SIZE,
                    "%zu node%s asked for while it ran: %zu came, %zu %s "
                    "cancelled, %zu %s refused or did not come",
                    history->requests_count,
                    history->requests_count == 1 ? " was" : "s were", came,
                    cancelled, cancelled == 1 ? "was" : "were", refused,
                    refused == 1 ? "was" : "were");
    if (came > 0)
        size += snprintf(text + size, CST_SENTENCE_SIZE - (size_t)size,
                         "; the run waited %s for each in the mean, %s for "
                         "the slowest",
                         cst_say_time(waited / (double)came, mean),
                         cst_say_time(most, longest));
    (void)snprintf(text + size, CST_SENTENCE_SIZE - (size_t)size, ".");
    return true;
}

static bool say_failures(const struct cst_measure *measure, char *text)
{
    if (measure->failed + measure->cancelled + measure->retried +
            measure->lost_nodes + measure->recomputed ==
        0) {
        (void)snprintf(text, CST_SENTENCE_SIZE, "Nothing failed.");
        return true;
    }
    (void)snprintf(
        text, CST_SENTENCE_SIZE,
        "%" PRIu64 " task%s failed for good, %" PRIu64 " %s cancelled, %" PRIu64
        " attempt%s failed and %s made again; %" PRIu64
        " node%s lost, and %" PRIu64 " task%s computed again.",
        measure->failed, many(measure->failed), measure->cancelled,
        measure->cancelled == 1 ? "was" : "were", measure->retried,
        many(measure->retried), measure->retried == 1 ? "was" : "were",
        measure->lost_nodes, measure->lost_nodes == 1 ? " was" : "s were",
        measure->recomputed, measure->recomputed == 1 ? " was" : "s were");
    return true;
}

static bool say_holes(const struct cst_measure *measure, char *text)
{
    const struct cst_history *history = measure->history;
    uint64_t lost = 0, holes = 0;
    int size;

    for (size_t i = 0; i < history->nodes_count; i++) {
        lost += history->nodes[i].lost;
        holes += !history->nodes[i].has_trace || !history->nodes[i].whole;
    }
    if (lost + holes + history->unseen == 0)
        return false;
    size = snprintf(text, CST_SENTENCE_SIZE, "This is not all:");
    if (lost > 0)
        size += snprintf(text + size, CST_SENTENCE_SIZE - (size_t)size,
                         " %" PRIu64 " event%s lost;", lost,
                         lost == 1 ? " was" : "s were");
    if (holes > 0)
        size += snprintf(text + size, CST_SENTENCE_SIZE - (size_t)size,
                         " the traces of %" PRIu64
                         " node%s missing or without an end;",
                         holes, holes == 1 ? " are" : "s are");
    if (history->unseen > 0)
        size += snprintf(text + size, CST_SENTENCE_SIZE - (size_t)size,
                         " %" PRIu64 " bod%s that ended there %s not in them;",
                         history->unseen, history->unseen == 1 ? "y" : "ies",
                         history->unseen == 1 ? "is" : "are");
    text[size - 1] = '.';
    return true;
}

bool cst_measure_sentence(const struct cst_measure *measure, int number,
                          char text[CST_SENTENCE_SIZE])
{
    static bool (*const sayers[])(const struct cst_measure *, char *) = {
        say_size,  say_use,     say_limit, say_critical, say_chain, say_balance,
        say_moved, say_devices, say_grown, say_failures, say_holes,
    };
    size_t i = 0;

    for (; i < sizeof(sayers) / sizeof(sayers[0]); i++)
        if (sayers[i](measure, text) && number-- == 0)
            return true;
    return false;
}
