/*
 * Tables: comma-separated values, and one object of JSON.
 */
#include "report/json.h"
#include "report/report.h"

#include <inttypes.h>
#include <string.h>

/* ---- Comma-separated values ---------------------------------------------- */

/* As RFC 4180 has it. */
static void write_field(FILE *to, const char *text)
{
    if (!strpbrk(text, "\",\r\n")) {
        (void)fputs(text, to);
        return;
    }
    (void)fputc('"', to);
    for (; *text; text++) {
        if (*text == '"')
            (void)fputc('"', to);
        (void)fputc(*text, to);
    }
    (void)fputc('"', to);
}

/* Seconds, or nothing for a time that is not known. */
static void write_seconds(FILE *to, uint64_t ns)
{
    (void)fputc(',', to);
    if (ns != CST_HISTORY_NEVER)
        (void)fprintf(to, "%" PRIu64 ".%09" PRIu64, ns / 1000000000,
                      ns % 1000000000);
}

static const char *outcome_of(const struct cst_history_task *task,
                              const struct cst_history_attempt *attempt)
{
    if (!attempt)
        return task->flags & CST_HISTORY_CANCELLED ? "cancelled" : "not run";
    if (!attempt->ended)
        return "not seen";
    if (attempt->result == 0)
        return "done";
    return task->flags & CST_HISTORY_FAILED && attempt->next == CST_HISTORY_NONE
               ? "failed"
               : "retried";
}

static void write_task(const struct cst_history *history, FILE *to,
                       const struct cst_history_task *task,
                       const struct cst_history_attempt *attempt)
{
    const struct cst_history_track *track =
        attempt ? &history->tracks[attempt->track] : NULL;

    (void)fprintf(to, "%" PRIu64 ",", task->id);
    write_field(to, cst_report_kind(history, task->kind));
    (void)fputc(',', to);
    if (task->parent != CST_HISTORY_NONE)
        (void)fprintf(to, "%" PRIu64, history->tasks[task->parent].id);
    (void)fprintf(to, ",%s,", outcome_of(task, attempt));
    if (attempt)
        (void)fprintf(to, "%" PRId32 ",%" PRIu32 ",", attempt->number,
                      history->nodes[track->node].number);
    else
        (void)fputs(",,", to);
    if (attempt && track->executor != CST_HISTORY_NONE)
        (void)fprintf(to, "%" PRIu32, track->executor);
    (void)fprintf(to, ",%" PRIu32, attempt ? attempt->cores : 0);
    write_seconds(to, task->submitted_ns);
    write_seconds(to, attempt ? attempt->assigned_ns : CST_HISTORY_NEVER);
    write_seconds(to, attempt ? attempt->ready_ns : CST_HISTORY_NEVER);
    write_seconds(to, attempt ? attempt->started_ns : CST_HISTORY_NEVER);
    write_seconds(to, attempt ? attempt->ended_ns : CST_HISTORY_NEVER);
    write_seconds(to,
                  attempt ? cst_history_own_ns(attempt) : CST_HISTORY_NEVER);
    (void)fputc('\n', to);
}

void cst_report_csv(const struct cst_history *history, FILE *tasks,
                    FILE *transfers)
{
    (void)fputs("task,kind,parent,outcome,attempt,node,core,cores,submitted_s,"
                "assigned_s,ready_s,started_s,ended_s,body_s\n",
                tasks);
    for (size_t i = 0; i < history->tasks_count; i++) {
        const struct cst_history_task *task = &history->tasks[i];
        uint32_t index = task->attempts;

        if (task->flags & CST_HISTORY_INTERNAL)
            continue;
        if (index == CST_HISTORY_NONE)
            write_task(history, tasks, task, NULL);
        for (; index != CST_HISTORY_NONE; index = history->attempts[index].next)
            write_task(history, tasks, task, &history->attempts[index]);
    }
    (void)fputs("version,from_node,to_node,bytes,begin_s,end_s\n", transfers);
    for (size_t i = 0; i < history->transfers_count; i++) {
        const struct cst_history_transfer *transfer = &history->transfers[i];

        (void)fprintf(transfers, "%" PRIu64 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64,
                      transfer->version, history->nodes[transfer->from].number,
                      history->nodes[transfer->to].number, transfer->bytes);
        write_seconds(transfers, transfer->begin_ns);
        write_seconds(transfers, transfer->end_ns);
        (void)fputc('\n', transfers);
    }
}

/* ---- JSON ------------------------------------------------------------------ */

static void write_text(FILE *to, const char *text)
{
    cst_report_json_string(to, text, strlen(text));
}

/* "key":ns or null, and the comma before. */
static void write_ns(FILE *to, const char *key, uint64_t ns)
{
    if (ns == CST_HISTORY_NEVER)
        (void)fprintf(to, ",\"%s\":null", key);
    else
        (void)fprintf(to, ",\"%s\":%" PRIu64, key, ns);
}

static void write_nodes(const struct cst_history *history, FILE *to)
{
    (void)fputs(",\n\"nodes\":[", to);
    for (size_t i = 0; i < history->nodes_count; i++) {
        const struct cst_history_node *node = &history->nodes[i];

        (void)fprintf(to,
                      "%s\n{\"node\":%" PRIu32 ",\"host\":", i > 0 ? "," : "",
                      node->number);
        write_text(to, node->host);
        (void)fprintf(to,
                      ",\"cores\":%" PRIu32 ",\"memory\":%" PRIu64
                      ",\"process\":%" PRIu64 ",\"trace\":%s,\"whole\":%s"
                      ",\"events_lost\":%" PRIu64 ",\"clock_error_ns\":%" PRIu64
                      ",\"clock_offset_ns\":%.0f,\"clock_drift\":%.3g",
                      node->cores, node->memory, node->process,
                      node->has_trace ? "true" : "false",
                      node->whole ? "true" : "false", node->lost,
                      node->clock_error_ns, node->offset_ns, node->drift);
        write_ns(to, "gone_ns", node->gone_ns);
        if (node->why) {
            (void)fputs(",\"why\":", to);
            write_text(to, node->why);
        }
        if (node->has_counters)
            (void)fprintf(to,
                          ",\"counters\":{\"submitted\":%" PRIu64
                          ",\"finished\":%" PRIu64 ",\"failed\":%" PRIu64
                          ",\"cancelled\":%" PRIu64 ",\"retried\":%" PRIu64
                          ",\"recomputed\":%" PRIu64 "}",
                          node->counters.submitted, node->counters.finished,
                          node->counters.failed, node->counters.cancelled,
                          node->counters.retried, node->counters.recomputed);
        (void)fputc('}', to);
    }
    (void)fputc(']', to);
}

static void write_attempts(const struct cst_history *history, FILE *to,
                           const struct cst_history_task *task)
{
    (void)fputs(",\"attempts\":[", to);
    for (uint32_t index = task->attempts; index != CST_HISTORY_NONE;
         index = history->attempts[index].next) {
        const struct cst_history_attempt *attempt = &history->attempts[index];
        const struct cst_history_track *track =
            &history->tracks[attempt->track];

        (void)fprintf(to,
                      "%s{\"attempt\":%" PRId32 ",\"node\":%" PRIu32
                      ",\"track\":%" PRIu32 ",\"cores\":%" PRIu32
                      ",\"memory\":%" PRIu64,
                      index == task->attempts ? "" : ",", attempt->number,
                      history->nodes[track->node].number, attempt->track,
                      attempt->cores, attempt->memory);
        write_ns(to, "assigned_ns", attempt->assigned_ns);
        write_ns(to, "ready_ns", attempt->ready_ns);
        write_ns(to, "started_ns", attempt->started_ns);
        write_ns(to, "ended_ns", attempt->ended_ns);
        write_ns(to, "body_ns", cst_history_own_ns(attempt));
        if (attempt->ended)
            (void)fprintf(to, ",\"result\":%" PRId32 "}", attempt->result);
        else
            (void)fputs(",\"result\":null}", to);
    }
    (void)fputc(']', to);
}

static void write_tasks(const struct cst_history *history, FILE *to)
{
    static const char *const whys[] = {"flow", "anti", "output"};
    bool first = true;

    (void)fputs(",\n\"tasks\":[", to);
    for (size_t i = 0; i < history->tasks_count; i++) {
        const struct cst_history_task *task = &history->tasks[i];

        if (task->flags & CST_HISTORY_INTERNAL)
            continue;
        (void)fprintf(to,
                      "%s\n{\"task\":%" PRIu64 ",\"kind\":", first ? "" : ",",
                      task->id);
        first = false;
        write_text(to, cst_report_kind(history, task->kind));
        if (task->parent != CST_HISTORY_NONE)
            (void)fprintf(to, ",\"parent\":%" PRIu64,
                          history->tasks[task->parent].id);
        write_ns(to, "submitted_ns", task->submitted_ns);
        (void)fprintf(to, ",\"failed\":%s,\"cancelled\":%s",
                      task->flags & CST_HISTORY_FAILED ? "true" : "false",
                      task->flags & CST_HISTORY_CANCELLED ? "true" : "false");
        write_attempts(history, to, task);
        (void)fputs(",\"after\":[", to);
        for (uint32_t j = 0; j < task->edges_count; j++) {
            const struct cst_history_edge *edge =
                &history->edges[task->edges + j];

            (void)fprintf(to, "%s[%" PRIu64 ",\"%s\"]", j > 0 ? "," : "",
                          history->tasks[edge->task].id, whys[edge->why]);
        }
        (void)fputs("]}", to);
    }
    (void)fputc(']', to);
}

static void write_texts(const struct cst_history *history, FILE *to)
{
    (void)fputs(",\n\"texts\":[", to);
    for (size_t i = 0; i < history->texts_count; i++) {
        const struct cst_history_text *text = &history->texts[i];

        (void)fprintf(to, "%s\n{\"ns\":%" PRIu64 ",\"node\":%" PRIu32,
                      i > 0 ? "," : "", text->ns,
                      history->nodes[text->node].number);
        if (text->task != CST_HISTORY_NONE)
            (void)fprintf(to, ",\"task\":%" PRIu64,
                          history->tasks[text->task].id);
        (void)fprintf(to, ",\"mark\":%s,\"text\":",
                      text->event == CST_TRACE_MARK ? "true" : "false");
        write_text(to, text->text);
        (void)fputc('}', to);
    }
    (void)fputc(']', to);
}

void cst_report_json(const struct cst_history *history, FILE *to)
{
    char name[CST_REPORT_NAME_SIZE];

    (void)fputs("{\"run\":", to);
    write_text(to, history->run);
    (void)fprintf(to, ",\"began_at_ns\":%" PRIu64 ",\"total_ns\":%" PRIu64,
                  history->wall_ns, history->total_ns);
    write_nodes(history, to);
    (void)fputs(",\n\"tracks\":[", to);
    for (size_t i = 0; i < history->tracks_count; i++) {
        cst_report_track(history, (uint32_t)i, name);
        (void)fprintf(to, "%s\n{\"node\":%" PRIu32 ",\"name\":\"%s\"}",
                      i > 0 ? "," : "",
                      history->nodes[history->tracks[i].node].number, name);
    }
    (void)fputc(']', to);
    write_tasks(history, to);
    (void)fputs(",\n\"transfers\":[", to);
    for (size_t i = 0; i < history->transfers_count; i++) {
        const struct cst_history_transfer *transfer = &history->transfers[i];

        (void)fprintf(to,
                      "%s\n{\"from\":%" PRIu32 ",\"to\":%" PRIu32
                      ",\"bytes\":%" PRIu64,
                      i > 0 ? "," : "", history->nodes[transfer->from].number,
                      history->nodes[transfer->to].number, transfer->bytes);
        write_ns(to, "begin_ns", transfer->begin_ns);
        write_ns(to, "end_ns", transfer->end_ns);
        (void)fputc('}', to);
    }
    (void)fputc(']', to);
    write_texts(history, to);
    (void)fputs("}\n", to);
}
