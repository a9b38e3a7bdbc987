/*
 * The graph of tasks for Graphviz; of a run with many tasks that of its kinds,
 * which says the same in a size that somebody can look at.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "measure/measure.h"
#include "report/json.h"
#include "report/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS_MAX = 5000, LABEL_SIZE = 320 };

static void write_head(FILE *to, const char *what)
{
    (void)fprintf(to,
                  "digraph \"%s\" {\n"
                  "    node [style=filled, shape=box, fontname=\"sans\"];\n",
                  what);
}

/* A label as Graphviz has strings: those of JSON, but for some escapes. */
static void write_label(FILE *to, const char *text)
{
    (void)fputc('"', to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', to);
        if ((unsigned char)*text >= ' ')
            (void)fputc(*text, to);
    }
    (void)fputc('"', to);
}

static void write_node(FILE *to, uint64_t id, const char *label, uint32_t kind,
                       const char *more)
{
    (void)fprintf(to, "    t%" PRIu64 " [label=", id);
    write_label(to, label);
    (void)fprintf(to, ", fillcolor=\"%s\", fontcolor=%s%s];\n",
                  cst_report_colour(kind),
                  cst_report_is_dark(kind) ? "white" : "black", more);
}

/* ---- Tasks -------------------------------------------------------------------- */

static void write_task(const struct cst_measure *measure, FILE *to,
                       uint32_t index)
{
    const struct cst_history *history = measure->history;
    const struct cst_history_task *task = &history->tasks[index];
    char label[LABEL_SIZE], time[CST_SAY_SIZE] = "not run";
    const char *more = "";

    if (task->last_attempt != CST_HISTORY_NONE) {
        uint64_t own =
            cst_history_own_ns(&history->attempts[task->last_attempt]);

        (void)cst_say_time((double)own, time);
    }
    (void)snprintf(label, sizeof(label), "%.200s %" PRIu64 ", %s",
                   cst_report_kind(history, task->kind), task->id, time);
    if (measure->critical[index])
        more = ", penwidth=4";
    else if (task->flags & (CST_HISTORY_FAILED | CST_HISTORY_CANCELLED))
        more = ", style=\"filled,dashed\"";
    write_node(to, task->id, label, task->kind, more);
    if (task->parent != CST_HISTORY_NONE)
        (void)fprintf(to, "    t%" PRIu64 " -> t%" PRIu64 " [style=dotted];\n",
                      history->tasks[task->parent].id, task->id);
    for (uint32_t i = 0; i < task->edges_count; i++) {
        const struct cst_history_edge *edge = &history->edges[task->edges + i];
        bool critical =
            measure->critical[index] && measure->critical[edge->task];

        (void)fprintf(to, "    t%" PRIu64 " -> t%" PRIu64 " [%s%s];\n",
                      history->tasks[edge->task].id, task->id,
                      edge->why == CST_HISTORY_FLOW ? "style=solid"
                                                    : "style=dashed",
                      critical ? ", penwidth=4" : "");
    }
}

/* ---- Kinds -------------------------------------------------------------------- */

struct link {
    uint32_t from;
    uint32_t to;
    bool flow;
};

static int compare_links(const void *a_, const void *b_)
{
    const struct link *a = a_, *b = b_;

    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    if (a->to != b->to)
        return a->to < b->to ? -1 : 1;
    return (int)b->flow - (int)a->flow;
}

static void write_links(FILE *to, const struct link *links, size_t count)
{
    size_t same = 1;

    for (size_t i = 0; i < count; i += same) {
        same = 1;
        while (i + same < count &&
               compare_links(&links[i], &links[i + same]) == 0)
            same++;
        (void)fprintf(
            to, "    t%" PRIu32 " -> t%" PRIu32 " [label=\"%zu\", style=%s];\n",
            links[i].from, links[i].to, same,
            links[i].flow ? "solid" : "dashed");
    }
}

static enum castell_status write_kinds(const struct cst_measure *measure,
                                       FILE *to)
{
    const struct cst_history *history = measure->history;
    struct link *links = cst_alloc((history->edges_count + 1) * sizeof(*links));
    char label[LABEL_SIZE], time[CST_SAY_SIZE];
    size_t count = 0;

    if (!links)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a graph");
    for (uint32_t i = 0; i < history->kinds_count; i++) {
        const struct cst_measure_kind *kind = &measure->kinds[i];

        (void)snprintf(label, sizeof(label),
                       "%.200s: %" PRIu64 " tasks, median %s",
                       history->kinds[i], kind->count,
                       cst_say_time((double)kind->median_ns, time));
        write_node(to, i, label, i, "");
    }
    for (size_t i = 0; i < history->tasks_count; i++) {
        const struct cst_history_task *task = &history->tasks[i];

        for (uint32_t j = 0; j < task->edges_count; j++) {
            const struct cst_history_edge *edge =
                &history->edges[task->edges + j];
            uint32_t from = history->tasks[edge->task].kind;

            if (from < history->kinds_count &&
                task->kind < history->kinds_count)
                links[count++] = (struct link){from, task->kind,
                                               edge->why == CST_HISTORY_FLOW};
        }
    }
    qsort(links, count, sizeof(*links), compare_links);
    write_links(to, links, count);
    cst_free(links);
    return CASTELL_OK;
}

enum castell_status cst_report_dot(const struct cst_history *history, FILE *to)
{
    struct cst_measure *measure = NULL;
    enum castell_status status = cst_measure_create(history, &measure);

    if (status < 0)
        return status;
    if (history->tasks_count > TASKS_MAX) {
        write_head(to, "kinds of tasks");
        status = write_kinds(measure, to);
    } else {
        write_head(to, "tasks");
        for (uint32_t i = 0; i < history->tasks_count; i++)
            write_task(measure, to, i);
    }
    (void)fputs("}\n", to);
    cst_measure_destroy(measure);
    return status;
}
