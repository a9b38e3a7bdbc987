/*
 * One page of HTML with everything in it: page.html, with the data of this run
 * in three places. Numbers that somebody reads are text; the graph (graph.c)
 * and the bodies of tasks, which may be a million, are bytes: for each track, in order of beginning,
 *
 *     nanoseconds since the beginning of the one before, and how long it was;
 *     its kind, times 4, and what it is (enum span_type);
 *     of single tasks the number, as a prefix and the difference to the last;
 *     of copies of devices their bytes
 *
 * each as 7 bits a byte, the low ones first, and all of that in base 64.
 */
#include "report/page.h"

#include "base/fail.h"
#include "base/memory.h"
#include "measure/measure.h"
#include "report/json.h"
#include "report/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS_MAX = 10000, POINTS_MAX = 400 };

struct page {
    const struct cst_history *history;
    const struct cst_measure *measure;
    struct cst_page_prefixes prefixes;
    struct cst_page_spans spans;
    struct cst_page_graph graph;
    FILE *to;
};

static void write_text(struct page *page, const char *text)
{
    cst_report_json_string(page->to, text, strlen(text));
}

static void write_summary(struct page *page)
{
    static const char *const uses[CST_USES_COUNT] = {
        [CST_USE_BODIES] = "bodies of tasks",
        [CST_USE_PROGRAM] = "main() itself",
        [CST_USE_RUNTIME] = "a task was ready",
        [CST_USE_DATA] = "data had not come",
        [CST_USE_IMBALANCE] = "other nodes had the tasks",
        [CST_USE_PARALLEL] = "tasks waited for others",
        [CST_USE_NOTHING] = "there was no task",
    };
    char text[CST_SENTENCE_SIZE];

    (void)fprintf(page->to, "{\"total_ns\":%" PRIu64 ",\"spans\":%zu",
                  page->history->total_ns, page->spans.count);
    (void)fprintf(page->to,
                  ",\"graph\":{\"tasks\":%zu,\"edges\":%zu,\"depths\":%" PRIu32
                  ",\"merged\":%" PRIu32 ",\"all\":%zu}",
                  page->graph.tasks, page->graph.edges, page->graph.depths,
                  page->graph.merged, page->history->tasks_count);
    (void)fputs(",\n\"summary\":[", page->to);
    for (int i = 0; cst_measure_sentence(page->measure, i, text); i++) {
        (void)fputs(i > 0 ? ",\n" : "", page->to);
        write_text(page, text);
    }
    (void)fputs("],\n\"uses\":[", page->to);
    for (int i = 0; i < CST_USES_COUNT; i++)
        (void)fprintf(page->to, "%s{\"name\":\"%s\",\"ns\":%.0f}",
                      i > 0 ? "," : "", uses[i], page->measure->use_ns[i]);
    (void)fputs("]", page->to);
}

static void write_nodes(struct page *page)
{
    double wall = (double)(page->measure->end_ns - page->measure->begin_ns);

    (void)fputs(",\n\"nodes\":[", page->to);
    for (size_t i = 0; i < page->history->nodes_count; i++) {
        const struct cst_history_node *node = &page->history->nodes[i];
        double cores = wall * (double)node->cores;

        (void)fprintf(page->to,
                      "%s{\"node\":%" PRIu32 ",\"host\":", i > 0 ? ",\n" : "",
                      node->number);
        write_text(page, node->host);
        (void)fprintf(
            page->to,
            ",\"cores\":%" PRIu32 ",\"busy\":%.5f,\"clock_error_ns\":%" PRIu64
            ",\"lost\":%" PRIu64 ",\"trace\":%s,\"whole\":%s,\"gone_ns\":",
            node->cores, cores > 0 ? page->measure->node_busy_ns[i] / cores : 0,
            node->clock_error_ns, node->lost,
            node->has_trace ? "true" : "false", node->whole ? "true" : "false");
        if (node->gone)
            (void)fprintf(page->to, "%" PRIu64, node->gone_ns);
        else
            (void)fputs("null", page->to);
        (void)fprintf(page->to, ",\"gone\":%d,\"joined_ns\":%" PRIu64,
                      node->gone, node->joined_ns);
        (void)fputs(",\"why\":", page->to);
        write_text(page, node->why ? node->why : "");
        (void)fputc('}', page->to);
    }
    (void)fputc(']', page->to);
}

static void write_kinds(struct page *page)
{
    size_t nodes = page->history->nodes_count;

    (void)fputs(",\n\"kinds\":[", page->to);
    for (size_t i = 0; i <= page->history->kinds_count; i++) {
        const struct cst_measure_kind *kind = &page->measure->kinds[i];

        (void)fputs(i > 0 ? ",\n{\"name\":" : "{\"name\":", page->to);
        write_text(page, cst_report_kind(page->history, (uint32_t)i));
        (void)fprintf(page->to,
                      ",\"count\":%" PRIu64 ",\"total\":%" PRIu64
                      ",\"median\":%" PRIu64 ",\"p99\":%" PRIu64
                      ",\"most\":%" PRIu64 ",\"nodes\":[",
                      kind->count, kind->total_ns, kind->median_ns,
                      kind->p99_ns, kind->most_ns);
        for (size_t j = 0; j < nodes; j++)
            (void)fprintf(page->to, "%s%" PRIu64, j > 0 ? "," : "",
                          kind->nodes[j]);
        (void)fputs("]}", page->to);
    }
    (void)fputs("],\n\"moves\":[", page->to);
    for (size_t i = 0; i < nodes; i++) {
        (void)fputs(i > 0 ? ",[" : "[", page->to);
        for (size_t j = 0; j < nodes; j++)
            (void)fprintf(page->to, "%s[%" PRIu64 ",%" PRIu64 "]",
                          j > 0 ? "," : "", page->measure->moves[i * nodes + j],
                          page->measure->bytes[i * nodes + j]);
        (void)fputc(']', page->to);
    }
    (void)fputc(']', page->to);
}

/* Returns the node. */
static uint32_t name_track(const struct cst_history *history,
                           const struct cst_page_track *track,
                           char name[CST_REPORT_NAME_SIZE])
{
    static const char *const rows[CST_PAGE_ROWS] = {
        [CST_PAGE_BODIES] = "",
        [CST_PAGE_KERNELS] = "kernels",
        [CST_PAGE_IN] = "in",
        [CST_PAGE_OUT] = "out",
    };

    if (track->track != CST_HISTORY_NONE) {
        cst_report_track(history, track->track, name);
        return history->tracks[track->track].node;
    }
    (void)snprintf(name, CST_REPORT_NAME_SIZE, "device %" PRIu32 " %s",
                   history->devices[track->device].number, rows[track->row]);
    return history->devices[track->device].node;
}

static void write_tracks(struct page *page)
{
    const struct cst_history *history = page->history;
    char name[CST_REPORT_NAME_SIZE];

    (void)fputs(",\n\"tracks\":[", page->to);
    for (size_t i = 0; i < page->spans.tracks_count; i++) {
        const struct cst_page_track *track = &page->spans.tracks[i];
        uint32_t node = name_track(history, track, name);
        bool core = track->device == CST_HISTORY_NONE &&
                    history->tracks[track->track].executor != CST_HISTORY_NONE;

        (void)fprintf(page->to,
                      "%s{\"node\":%" PRIu32 ",\"core\":%s,\"device\":",
                      i > 0 ? ",\n" : "", node, core ? "true" : "false");
        if (track->device == CST_HISTORY_NONE)
            (void)fputs("null,\"name\":\"", page->to);
        else
            (void)fprintf(page->to, "%" PRIu32 ",\"name\":\"", track->device);
        if (history->nodes_count > 1)
            (void)fprintf(page->to, "node %" PRIu32 " ",
                          history->nodes[node].number);
        (void)fprintf(page->to, "%s\",\"spans\":%zu,\"long\":[", name,
                      track->count);
        for (size_t j = 0; j < track->long_count; j++)
            (void)fprintf(page->to, "%s%" PRIu32, j > 0 ? "," : "",
                          track->longest[j]);
        (void)fputs("]}", page->to);
    }
    (void)fputs("],\n\"prefixes\":[", page->to);
    for (size_t i = 0; i < page->prefixes.count; i++)
        (void)fprintf(page->to, "%s\"%" PRIu64 "\"", i > 0 ? "," : "",
                      page->prefixes.at[i]);
    (void)fputc(']', page->to);
}

/* What a text was said of. */
static const char *what_of(uint32_t event)
{
    switch (event) {
    case CST_TRACE_MARK:
        return "mark";
    case CST_TRACE_NODE_GONE:
        return "the node is lost";
    case CST_TRACE_FAILED:
        return "failed for good";
    default:
        return "an attempt failed";
    }
}

static void write_texts(struct page *page)
{
    const struct cst_history *history = page->history;
    size_t count = history->texts_count;

    (void)fputs(",\n\"texts\":[", page->to);
    for (size_t i = 0; i < count && i < TEXTS_MAX; i++) {
        const struct cst_history_text *text = &history->texts[i];

        (void)fprintf(page->to, "%s{\"ns\":%" PRIu64 ",\"node\":%" PRIu32,
                      i > 0 ? ",\n" : "", text->ns,
                      history->nodes[text->node].number);
        if (text->task != CST_HISTORY_NONE)
            (void)fprintf(
                page->to, ",\"task\":\"%" PRIu64 "\",\"kind\":%" PRIu32,
                history->tasks[text->task].id,
                cst_page_kind(history, history->tasks[text->task].kind));
        (void)fprintf(page->to,
                      ",\"what\":\"%s\",\"text\":", what_of(text->event));
        write_text(page, text->text);
        (void)fputc('}', page->to);
    }
    (void)fprintf(page->to, "],\n\"texts_more\":%zu",
                  count > TEXTS_MAX ? count - TEXTS_MAX : 0);
}

static bool is_of(const struct cst_history_memory *a,
                  const struct cst_history_memory *b)
{
    return a->node == b->node && a->device == b->device;
}

/* The largest of each of POINTS_MAX times, of each node and device. */
static void write_memory(struct page *page)
{
    const struct cst_history *history = page->history;
    uint64_t step = history->total_ns / POINTS_MAX + 1;
    bool first = true;

    (void)fputs(",\n\"memory\":[", page->to);
    for (size_t i = 0; i < history->memory_count;) {
        const struct cst_history_memory *of = &history->memory[i];
        bool any = false;

        (void)fprintf(page->to,
                      "%s{\"node\":%" PRIu32 ",\"device\":", first ? "" : ",\n",
                      history->nodes[of->node].number);
        if (of->device == CST_HISTORY_NONE)
            (void)fputs("null,\"points\":[", page->to);
        else
            (void)fprintf(page->to, "%" PRIu32 ",\"points\":[", of->device);
        first = false;
        while (i < history->memory_count && is_of(&history->memory[i], of)) {
            uint64_t ns = history->memory[i].ns;
            uint64_t most = 0;

            for (;
                 i < history->memory_count && is_of(&history->memory[i], of) &&
                 history->memory[i].ns / step == ns / step;
                 i++)
                if (history->memory[i].bytes > most)
                    most = history->memory[i].bytes;
            (void)fprintf(page->to, "%s[%" PRIu64 ",%" PRIu64 "]",
                          any ? "," : "", ns, most);
            any = true;
        }
        (void)fputs("]}", page->to);
    }
    (void)fputs("]", page->to);
}

/* The bytes that came in each of POINTS_MAX times, of each node. */
static bool write_rates(struct page *page)
{
    const struct cst_history *history = page->history;
    uint64_t step = history->total_ns / POINTS_MAX + 1;
    uint64_t *sums =
        cst_zalloc((history->nodes_count + 1) * POINTS_MAX * sizeof(*sums));

    if (!sums)
        return false;
    for (size_t i = 0; i < history->transfers_count; i++) {
        const struct cst_history_transfer *transfer = &history->transfers[i];
        uint64_t at = transfer->end_ns / step;

        sums[transfer->to * (size_t)POINTS_MAX +
             (at < POINTS_MAX ? at : POINTS_MAX - 1)] += transfer->bytes;
    }
    (void)fprintf(page->to, ",\n\"step_ns\":%" PRIu64 ",\"came\":[", step);
    for (size_t i = 0; i < history->nodes_count; i++) {
        (void)fputs(i > 0 ? ",\n[" : "[", page->to);
        for (size_t j = 0; j < POINTS_MAX; j++)
            (void)fprintf(page->to, "%s%" PRIu64, j > 0 ? "," : "",
                          sums[i * POINTS_MAX + j]);
        (void)fputc(']', page->to);
    }
    (void)fputs("]}\n", page->to);
    cst_free(sums);
    return true;
}

/* ---- Devices ------------------------------------------------------------------ */

/* From and to each device: so often, so many bytes. */
static void sum_copies(const struct cst_history *history, uint64_t *sums,
                       uint64_t *busy_ns)
{
    size_t places = history->devices_count + 1; /* the last: main memory */

    for (size_t i = 0; i < history->copies_count; i++) {
        const struct cst_history_copy *copy = &history->copies[i];
        size_t main_memory = history->devices_count;
        size_t from =
            copy->way == CST_HISTORY_TO_DEVICE ? main_memory
            : copy->way == CST_HISTORY_TO_MAIN || copy->from == CST_HISTORY_NONE
                ? copy->device
                : copy->from;
        size_t to =
            copy->way == CST_HISTORY_TO_MAIN ? main_memory : copy->device;

        sums[2 * (from * places + to)]++;
        sums[2 * (from * places + to) + 1] += copy->bytes;
    }
    for (size_t i = 0; i < history->kernels_count; i++)
        busy_ns[history->kernels[i].device] +=
            history->kernels[i].end_ns - history->kernels[i].begin_ns;
}

static bool write_devices(struct page *page)
{
    const struct cst_history *history = page->history;
    size_t places = history->devices_count + 1;
    uint64_t *sums = cst_zalloc(2 * places * places * sizeof(*sums));
    uint64_t *busy_ns = cst_zalloc(places * sizeof(*busy_ns));

    if (sums && busy_ns)
        sum_copies(history, sums, busy_ns);
    (void)fputs(",\n\"devices\":[", page->to);
    for (size_t i = 0; sums && busy_ns && i < history->devices_count; i++) {
        const struct cst_history_device *device = &history->devices[i];

        (void)fprintf(page->to,
                      "%s{\"node\":%" PRIu32 ",\"number\":%" PRIu32
                      ",\"memory\":%" PRIu64 ",\"busy_ns\":%" PRIu64
                      ",\"name\":",
                      i > 0 ? ",\n" : "", history->nodes[device->node].number,
                      device->number, device->memory, busy_ns[i]);
        write_text(page, device->name);
        (void)fputc('}', page->to);
    }
    (void)fputs("],\n\"copies\":[", page->to);
    for (size_t i = 0; sums && busy_ns && i < places * places; i++)
        (void)fprintf(page->to, "%s[%" PRIu64 ",%" PRIu64 "]", i > 0 ? "," : "",
                      sums[2 * i], sums[2 * i + 1]);
    (void)fputc(']', page->to);
    cst_free(busy_ns);
    cst_free(sums);
    return sums && busy_ns;
}

/* ---- Nodes that were asked for -------------------------------------------------- */

static void write_time(struct page *page, const char *name, uint64_t ns)
{
    if (ns == CST_HISTORY_NEVER)
        (void)fprintf(page->to, ",\"%s\":null", name);
    else
        (void)fprintf(page->to, ",\"%s\":%" PRIu64, name, ns);
}

static void write_requests(struct page *page)
{
    const struct cst_history *history = page->history;

    (void)fputs(",\n\"requests\":[", page->to);
    for (size_t i = 0; i < history->requests_count; i++) {
        const struct cst_history_request *request = &history->requests[i];

        (void)fprintf(page->to, "%s{\"ticket\":%" PRIu32 ",\"class\":",
                      i > 0 ? ",\n" : "", request->ticket);
        write_text(page, cst_report_class(history, request->class));
        (void)fprintf(page->to, ",\"cancelled\":%s,\"state\":\"%s\"",
                      request->cancelled ? "true" : "false",
                      cst_report_request(request->state));
        write_time(page, "asked", request->asked_ns);
        write_time(page, "started", request->started_ns);
        write_time(page, "came", request->came_ns);
        write_time(page, "leaves", request->leaves_ns);
        write_time(page, "over", request->over_ns);
        if (request->node == CST_HISTORY_NONE)
            (void)fputs(",\"node\":null}", page->to);
        else
            (void)fprintf(page->to, ",\"node\":%" PRIu32 "}",
                          history->nodes[request->node].number);
    }
    (void)fputc(']', page->to);
}

static void write_notices(struct page *page)
{
    const struct cst_history *history = page->history;

    (void)fputs(",\n\"notices\":[", page->to);
    for (size_t i = 0; i < history->notices_count && i < TEXTS_MAX; i++) {
        const struct cst_history_notice *notice = &history->notices[i];

        (void)fprintf(page->to,
                      "%s{\"ns\":%" PRIu64 ",\"request\":", i > 0 ? ",\n" : "",
                      notice->ns);
        if (notice->request == CST_HISTORY_NONE)
            (void)fputs("null", page->to);
        else
            (void)fprintf(page->to, "%" PRIu32, notice->request);
        (void)fprintf(page->to, ",\"what\":\"%s\",\"text\":",
                      cst_report_request(notice->state));
        write_text(page, notice->text);
        (void)fputc('}', page->to);
    }
    (void)fputc(']', page->to);
}

static bool write_data(struct page *page)
{
    write_summary(page);
    write_nodes(page);
    write_kinds(page);
    write_tracks(page);
    write_texts(page);
    write_memory(page);
    if (!write_devices(page))
        return false;
    write_requests(page);
    write_notices(page);
    return write_rates(page);
}

enum castell_status cst_page_write(const struct cst_history *history,
                                   size_t tasks_max, FILE *to)
{
    struct page page = {.history = history, .to = to};
    struct cst_measure *measure = NULL;
    enum castell_status status = cst_measure_create(history, &measure);

    page.measure = measure;
    if (status == CASTELL_OK)
        status = cst_page_spans_create(history, &page.prefixes, &page.spans);
    if (status == CASTELL_OK)
        status = cst_page_graph_create(measure, &page.prefixes, tasks_max,
                                       &page.graph);
    for (const char *const *line = cst_page_lines;
         status == CASTELL_OK && *line; line++)
        if (strcmp(*line, "@DATA@\n") == 0)
            status = write_data(&page) ? CASTELL_OK
                                       : cst_fail(CASTELL_ERR_NO_MEMORY,
                                                  "no memory for the page");
        else if (strcmp(*line, "@SPANS@\n") == 0)
            cst_page_write_bytes(&page.spans.bytes, to);
        else if (strcmp(*line, "@GRAPH@\n") == 0)
            cst_page_write_bytes(&page.graph.bytes, to);
        else
            (void)fputs(*line, to);
    cst_page_graph_release(&page.graph);
    cst_page_spans_release(&page.spans);
    cst_free(page.prefixes.at);
    cst_measure_destroy(measure);
    return status;
}

enum castell_status cst_report_page(const struct cst_history *history, FILE *to)
{
    enum { TASKS_MAX = 2000000 }; /* that a browser opens without waiting */

    return cst_page_write(history, TASKS_MAX, to);
}
