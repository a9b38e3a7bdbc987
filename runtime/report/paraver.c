/*
 * The trace format of Paraver: a file of records in the order of time, one of
 * what their numbers mean, one of the names of what is drawn. A node is a task
 * of theirs, a track a thread of it.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "report/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EVENT_KIND = 91000001, EVENT_TASK = 91000002, EVENT_FAILED = 91000003 };
enum { STATE_IDLE = 0, STATE_RUNNING = 1, STATE_WAITING = 5 };

enum record_type { STATE = 1, EVENT = 2, COMMUNICATION = 3 };

/* One line of the trace. */
struct line {
    uint64_t ns;
    uint64_t end_ns;
    enum record_type type;
    uint32_t track; /* of a communication: the index */
    uint32_t what;  /* a state, or an event's type */
    uint64_t value; /* of an event */
};

struct paraver {
    const struct cst_history *history;
    struct line *lines;
    size_t lines_count;
    size_t max;
    uint32_t *threads; /* the number of each track in its node, from 1 */
    uint32_t *cpus;    /* of each track; 0: none */
    uint32_t *of_node; /* the first track of each node */
};

/* ---- Who is who ------------------------------------------------------------- */

static void number_tracks(struct paraver *paraver)
{
    const struct cst_history *history = paraver->history;

    for (uint32_t node = 0; node < history->nodes_count; node++) {
        uint32_t thread = 0, first_cpu = 1;

        for (uint32_t i = 0; i < node; i++)
            first_cpu += history->nodes[i].cores;
        paraver->of_node[node] = CST_HISTORY_NONE;
        for (uint32_t i = 0; i < history->tracks_count; i++) {
            const struct cst_history_track *track = &history->tracks[i];

            if (track->node != node)
                continue;
            if (thread == 0)
                paraver->of_node[node] = i;
            paraver->threads[i] = ++thread;
            if (track->executor < history->nodes[node].cores)
                paraver->cpus[i] = first_cpu + track->executor;
        }
    }
}

static uint32_t threads_of(const struct cst_history *history, uint32_t node)
{
    uint32_t count = 0;

    for (size_t i = 0; i < history->tracks_count; i++)
        count += history->tracks[i].node == node;
    return count > 0 ? count : 1;
}

static uint32_t cpus_of(const struct cst_history *history, uint32_t node)
{
    return history->nodes[node].cores > 0 ? history->nodes[node].cores : 1;
}

/* ---- Lines --------------------------------------------------------------------- */

static void add(struct paraver *paraver, struct line line)
{
    CST_ASSERT(paraver->lines_count < paraver->max);
    paraver->lines[paraver->lines_count++] = line;
}

/* Something begins or ends on a track: what was on top of it until now? */
struct edge {
    uint64_t ns;
    uint32_t track;
    bool begins;
    uint32_t state;
    uint64_t length; /* of the whole: longer ones are outside */
};

static int compare_edges(const void *a_, const void *b_)
{
    const struct edge *a = a_, *b = b_;

    if (a->track != b->track)
        return a->track < b->track ? -1 : 1;
    if (a->ns != b->ns)
        return a->ns < b->ns ? -1 : 1;
    if (a->begins != b->begins)
        return a->begins ? 1 : -1;
    if (a->length != b->length)
        return (a->length > b->length) == a->begins ? -1 : 1;
    return 0;
}

/* States do not overlap: of nested ones the innermost counts. */
static void add_states(struct paraver *paraver, const struct edge *edges,
                       size_t count)
{
    enum { DEPTH_MAX = 4096 };
    static uint8_t stack[DEPTH_MAX];
    size_t depth = 0;
    uint64_t since = 0;

    for (size_t i = 0; i < count; i++) {
        const struct edge *edge = &edges[i];

        if (i == 0 || edge->track != edges[i - 1].track)
            depth = 0;
        if (depth > 0 && depth <= DEPTH_MAX && edge->ns > since)
            add(paraver, (struct line){.ns = since,
                                       .end_ns = edge->ns,
                                       .type = STATE,
                                       .track = edge->track,
                                       .what = stack[depth - 1]});
        since = edge->ns;
        if (edge->begins) {
            if (depth < DEPTH_MAX)
                stack[depth] = (uint8_t)edge->state;
            depth++;
        } else if (depth > 0) {
            depth--;
        }
    }
}

static bool find_states(struct paraver *paraver)
{
    const struct cst_history *history = paraver->history;
    size_t max = 2 * (history->attempts_count + history->spans_count) + 1;
    struct edge *edges = cst_alloc(max * sizeof(*edges));
    size_t count = 0;

    if (!edges)
        return false;
    for (size_t i = 0; i < history->attempts_count; i++) {
        const struct cst_history_attempt *attempt = &history->attempts[i];
        uint64_t length = attempt->ended_ns - attempt->started_ns;

        if (length == 0)
            continue;
        edges[count++] = (struct edge){attempt->started_ns, attempt->track,
                                       true, STATE_RUNNING, length};
        edges[count++] = (struct edge){attempt->ended_ns, attempt->track, false,
                                       STATE_RUNNING, length};
    }
    for (size_t i = 0; i < history->spans_count; i++) {
        const struct cst_history_span *span = &history->spans[i];
        uint32_t state =
            span->kind == CST_HISTORY_WAIT ? STATE_WAITING : STATE_IDLE;
        uint64_t length = span->end_ns - span->begin_ns;

        if (length == 0)
            continue;
        edges[count++] =
            (struct edge){span->begin_ns, span->track, true, state, length};
        edges[count++] =
            (struct edge){span->end_ns, span->track, false, state, length};
    }
    qsort(edges, count, sizeof(*edges), compare_edges);
    add_states(paraver, edges, count);
    cst_free(edges);
    return true;
}

static void find_events(struct paraver *paraver)
{
    const struct cst_history *history = paraver->history;

    for (size_t i = 0; i < history->attempts_count; i++) {
        const struct cst_history_attempt *attempt = &history->attempts[i];
        uint32_t kind = history->tasks[attempt->task].kind;

        add(paraver, (struct line){.ns = attempt->started_ns,
                                   .type = EVENT,
                                   .track = attempt->track,
                                   .what = EVENT_KIND,
                                   .value = kind < history->kinds_count
                                                ? kind + 1
                                                : history->kinds_count + 1});
        add(paraver, (struct line){.ns = attempt->started_ns,
                                   .type = EVENT,
                                   .track = attempt->track,
                                   .what = EVENT_TASK,
                                   .value = attempt->task + (uint64_t)1});
        add(paraver, (struct line){.ns = attempt->ended_ns,
                                   .type = EVENT,
                                   .track = attempt->track,
                                   .what = EVENT_KIND});
        if (attempt->ended && attempt->result != 0)
            add(paraver, (struct line){.ns = attempt->ended_ns,
                                       .type = EVENT,
                                       .track = attempt->track,
                                       .what = EVENT_FAILED,
                                       .value = 1});
    }
    for (uint32_t i = 0; i < history->transfers_count; i++)
        if (paraver->of_node[history->transfers[i].from] != CST_HISTORY_NONE &&
            paraver->of_node[history->transfers[i].to] != CST_HISTORY_NONE)
            add(paraver, (struct line){.ns = history->transfers[i].begin_ns,
                                       .type = COMMUNICATION,
                                       .track = i});
}

static int compare_lines(const void *a_, const void *b_)
{
    const struct line *a = a_, *b = b_;

    if (a->ns != b->ns)
        return a->ns < b->ns ? -1 : 1;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    return a->value < b->value ? -1 : a->value > b->value; /* ends first */
}

/* ---- Files ------------------------------------------------------------------------ */

/* cpu:application:task:thread, all from 1. */
static void write_object(const struct paraver *paraver, FILE *to,
                         uint32_t track)
{
    (void)fprintf(
        to, ":%" PRIu32 ":1:%" PRIu32 ":%" PRIu32, paraver->cpus[track],
        paraver->history->tracks[track].node + 1, paraver->threads[track]);
}

static void write_head(const struct paraver *paraver, FILE *to)
{
    const struct cst_history *history = paraver->history;
    time_t began = (time_t)(history->wall_ns / 1000000000);
    struct tm parts = {0};
    char text[32] = "";

    (void)gmtime_r(&began, &parts);
    (void)strftime(text, sizeof(text), "%d/%m/%Y at %H:%M", &parts);
    (void)fprintf(to, "#Paraver (%s):%" PRIu64 "_ns:%zu(", text,
                  history->total_ns, history->nodes_count);
    for (uint32_t i = 0; i < history->nodes_count; i++)
        (void)fprintf(to, "%s%" PRIu32, i > 0 ? "," : "", cpus_of(history, i));
    (void)fprintf(to, "):1:%zu(", history->nodes_count);
    for (uint32_t i = 0; i < history->nodes_count; i++)
        (void)fprintf(to, "%s%" PRIu32 ":%" PRIu32, i > 0 ? "," : "",
                      threads_of(history, i), i + 1);
    (void)fputs(")\n", to);
}

static void write_line(const struct paraver *paraver, FILE *to,
                       const struct line *line)
{
    const struct cst_history_transfer *transfer;

    (void)fprintf(to, "%u", (unsigned)line->type);
    if (line->type == COMMUNICATION) {
        transfer = &paraver->history->transfers[line->track];
        write_object(paraver, to, paraver->of_node[transfer->from]);
        (void)fprintf(to, ":%" PRIu64 ":%" PRIu64, transfer->begin_ns,
                      transfer->begin_ns);
        write_object(paraver, to, paraver->of_node[transfer->to]);
        (void)fprintf(to, ":%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%" PRIu64 "\n",
                      transfer->end_ns, transfer->end_ns, transfer->bytes,
                      transfer->version);
        return;
    }
    write_object(paraver, to, line->track);
    if (line->type == STATE)
        (void)fprintf(to, ":%" PRIu64 ":%" PRIu64 ":%" PRIu32 "\n", line->ns,
                      line->end_ns, line->what);
    else
        (void)fprintf(to, ":%" PRIu64 ":%" PRIu32 ":%" PRIu64 "\n", line->ns,
                      line->what, line->value);
}

static void write_meaning(const struct cst_history *history, FILE *to)
{
    (void)fprintf(to,
                  "DEFAULT_OPTIONS\n\nLEVEL               THREAD\n"
                  "UNITS               NANOSEC\n"
                  "LOOK_BACK           100\nSPEED               1\n"
                  "FLAG_ICONS          ENABLED\nNUM_OF_STATE_COLORS 1000\n"
                  "YMAX_SCALE          37\n\n\n"
                  "DEFAULT_SEMANTIC\n\nTHREAD_FUNC          State As Is\n\n\n"
                  "STATES\n%d    Idle\n%d    Running\n%d    Waiting\n\n\n"
                  "STATES_COLOR\n%d    {153,153,153}\n%d    {0,114,178}\n"
                  "%d    {230,159,0}\n\n\n"
                  "EVENT_TYPE\n0    %d    Kind of task\nVALUES\n0    None\n",
                  STATE_IDLE, STATE_RUNNING, STATE_WAITING, STATE_IDLE,
                  STATE_RUNNING, STATE_WAITING, EVENT_KIND);
    for (size_t i = 0; i < history->kinds_count; i++)
        (void)fprintf(to, "%zu    %s\n", i + 1, history->kinds[i]);
    (void)fprintf(to, "%zu    ?\n\n\n", history->kinds_count + 1);
    (void)fprintf(to,
                  "EVENT_TYPE\n0    %d    Task, by order of submission\n\n\n"
                  "EVENT_TYPE\n0    %d    Attempt failed\nVALUES\n"
                  "0    No\n1    Yes\n",
                  EVENT_TASK, EVENT_FAILED);
}

static void write_rows(const struct cst_history *history, FILE *to)
{
    char name[CST_REPORT_NAME_SIZE];
    uint32_t cpus = 0, threads = 0;

    for (uint32_t i = 0; i < history->nodes_count; i++) {
        cpus += cpus_of(history, i);
        threads += threads_of(history, i);
    }
    (void)fprintf(to, "LEVEL CPU SIZE %" PRIu32 "\n", cpus);
    for (uint32_t i = 0; i < history->nodes_count; i++)
        for (uint32_t cpu = 0; cpu < cpus_of(history, i); cpu++)
            (void)fprintf(to, "node %" PRIu32 " core %" PRIu32 "\n",
                          history->nodes[i].number, cpu);
    (void)fprintf(to, "\nLEVEL NODE SIZE %zu\n", history->nodes_count);
    for (uint32_t i = 0; i < history->nodes_count; i++)
        (void)fprintf(to, "node %" PRIu32 " %s\n", history->nodes[i].number,
                      history->nodes[i].host);
    (void)fprintf(to, "\nLEVEL THREAD SIZE %" PRIu32 "\n", threads);
    for (uint32_t i = 0; i < history->nodes_count; i++) {
        uint32_t count = 0;

        for (uint32_t j = 0; j < history->tracks_count; j++) {
            if (history->tracks[j].node != i)
                continue;
            cst_report_track(history, j, name);
            (void)fprintf(to, "node %" PRIu32 " %s\n", history->nodes[i].number,
                          name);
            count++;
        }
        if (count == 0)
            (void)fprintf(to, "node %" PRIu32 "\n", history->nodes[i].number);
    }
}

enum castell_status cst_report_paraver(const struct cst_history *history,
                                       FILE *prv, FILE *pcf, FILE *row)
{
    struct paraver paraver = {.history = history};
    size_t tracks = history->tracks_count + 1;
    bool good;

    paraver.max = 6 * history->attempts_count + 2 * history->spans_count +
                  history->transfers_count + 1;
    paraver.lines = cst_alloc(paraver.max * sizeof(*paraver.lines));
    paraver.threads = cst_zalloc(tracks * sizeof(uint32_t));
    paraver.cpus = cst_zalloc(tracks * sizeof(uint32_t));
    paraver.of_node = cst_zalloc((history->nodes_count + 1) * sizeof(uint32_t));
    good = paraver.lines && paraver.threads && paraver.cpus && paraver.of_node;
    if (good) {
        number_tracks(&paraver);
        find_events(&paraver);
        good = find_states(&paraver);
    }
    if (good) {
        qsort(paraver.lines, paraver.lines_count, sizeof(*paraver.lines),
              compare_lines);
        write_head(&paraver, prv);
        for (size_t i = 0; i < paraver.lines_count; i++)
            write_line(&paraver, prv, &paraver.lines[i]);
        write_meaning(history, pcf);
        write_rows(history, row);
    }
    cst_free(paraver.lines);
    cst_free(paraver.threads);
    cst_free(paraver.cpus);
    cst_free(paraver.of_node);
    return good ? CASTELL_OK
                : cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the report");
}
