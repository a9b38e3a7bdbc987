/*
 * One page of HTML with everything in it: page.html, with the data of this run
 * in two places. Numbers that somebody reads are text; the bodies of tasks,
 * which may be a million, are bytes: for each track, in order of beginning,
 *
 *     nanoseconds since the beginning of the one before, and how long it was;
 *     its kind, times 4, and what it is (enum span_type);
 *     of single tasks the number, as a prefix and the difference to the last
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

enum { TEXTS_MAX = 1000, POINTS_MAX = 400 };

struct page {
    const struct cst_history *history;
    const struct cst_measure *measure;
    struct cst_page_spans spans;
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

static void write_tracks(struct page *page)
{
    const struct cst_history *history = page->history;
    char name[CST_REPORT_NAME_SIZE];

    (void)fputs(",\n\"tracks\":[", page->to);
    for (size_t i = 0; i < page->spans.tracks_count; i++) {
        const struct cst_page_track *track = &page->spans.tracks[i];
        uint32_t node = history->tracks[track->track].node;

        cst_report_track(history, track->track, name);
        (void)fprintf(page->to, "%s{\"name\":\"", i > 0 ? ",\n" : "");
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
    for (size_t i = 0; i < page->spans.prefixes_count; i++)
        (void)fprintf(page->to, "%s\"%" PRIu64 "\"", i > 0 ? "," : "",
                      page->spans.prefixes[i]);
    (void)fputc(']', page->to);
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
            (void)fprintf(page->to, ",\"task\":\"%" PRIu64 "\"",
                          history->tasks[text->task].id);
        (void)fputs(",\"text\":", page->to);
        write_text(page, text->text);
        (void)fputc('}', page->to);
    }
    (void)fprintf(page->to, "],\n\"texts_more\":%zu",
                  count > TEXTS_MAX ? count - TEXTS_MAX : 0);
}

/* The largest of each of POINTS_MAX times, of each node. */
static void write_memory(struct page *page)
{
    const struct cst_history *history = page->history;
    uint64_t step = history->total_ns / POINTS_MAX + 1;
    bool first = true;

    (void)fputs(",\n\"memory\":[", page->to);
    for (size_t i = 0; i < history->memory_count;) {
        uint32_t node = history->memory[i].node;
        bool any = false;

        (void)fprintf(page->to, "%s{\"node\":%" PRIu32 ",\"points\":[",
                      first ? "" : ",\n", history->nodes[node].number);
        first = false;
        while (i < history->memory_count && history->memory[i].node == node) {
            uint64_t ns = history->memory[i].ns;
            uint64_t most = 0;

            for (;
                 i < history->memory_count && history->memory[i].node == node &&
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
    (void)fputs("]}\n", page->to);
}

static void write_data(struct page *page)
{
    write_summary(page);
    write_nodes(page);
    write_kinds(page);
    write_tracks(page);
    write_texts(page);
    write_memory(page);
}

enum castell_status cst_report_page(const struct cst_history *history, FILE *to)
{
    struct page page = {.history = history, .to = to};
    struct cst_measure *measure = NULL;
    enum castell_status status = cst_measure_create(history, &measure);

    if (status == CASTELL_OK)
        status = cst_page_spans_create(history, &page.spans);
    page.measure = measure;
    for (const char *const *line = cst_page_lines;
         status == CASTELL_OK && *line; line++)
        if (strcmp(*line, "@DATA@\n") == 0)
            write_data(&page);
        else if (strcmp(*line, "@SPANS@\n") == 0)
            cst_page_spans_write(&page.spans, to);
        else
            (void)fputs(*line, to);
    cst_page_spans_release(&page.spans);
    cst_measure_destroy(measure);
    return status;
}
