/*
 * A picture for other programs.
 */
#include "report/json.h"

#include "top/top.h"

#include <inttypes.h>
#include <string.h>

static void write_text(FILE *to, const char *name, const char *text)
{
    (void)fprintf(to, "\"%s\":", name);
    cst_report_json_string(to, text, strlen(text));
}

static void write_number(FILE *to, const char *name, uint64_t value)
{
    (void)fprintf(to, ",\"%s\":%" PRIu64, name, value);
}

static void write_counts(FILE *to, const struct cst_watch_kind *kind)
{
    write_number(to, "submitted", kind->submitted);
    write_number(to, "waiting", cst_watch_waiting(kind));
    write_number(to, "running", kind->running);
    write_number(to, "done", kind->done);
    write_number(to, "failed", kind->failed);
    write_number(to, "cancelled", kind->cancelled);
    if (kind->measured > 0)
        write_number(to, "mean_ns", kind->measured_ns / kind->measured);
    else
        (void)fputs(",\"mean_ns\":null", to);
}

static void write_node(FILE *to, const struct cst_watch_node *node)
{
    static const char *const states[CST_WATCH_STATES_COUNT] = {
        [CST_WATCH_THERE] = "there",   [CST_WATCH_SILENT] = "silent",
        [CST_WATCH_DRAINS] = "drains", [CST_WATCH_LEFT] = "left",
        [CST_WATCH_LOST] = "lost",
    };

    (void)fputc('{', to);
    write_text(to, "host", node->name);
    write_number(to, "node", node->number);
    (void)fprintf(to, ",\"state\":\"%s\"", states[node->state]);
    write_number(to, "cores", node->cores);
    write_number(to, "busy", node->busy);
    write_number(to, "running", node->running);
    write_number(to, "queued", node->queued);
    write_number(to, "ready", node->ready);
    write_number(to, "done", node->done);
    write_number(to, "memory", node->memory);
    write_number(to, "memory_used", node->memory_used);
    write_number(to, "came", node->came);
    write_number(to, "came_bytes", node->came_bytes);
    write_number(to, "went", node->went);
    write_number(to, "went_bytes", node->went_bytes);
    write_number(to, "heard_ns", node->heard_ns);
    (void)fputc('}', to);
}

static void write_request(FILE *to, const struct cst_watch_request *request)
{
    static const char *const states[CST_WATCH_REQUESTS_COUNT] = {
        [CST_WATCH_WAITS] = "waits",         [CST_WATCH_STARTED] = "started",
        [CST_WATCH_HERE] = "here",           [CST_WATCH_ENDS] = "ends",
        [CST_WATCH_CANCELLED] = "cancelled",
    };

    (void)fputc('{', to);
    write_text(to, "class", request->class);
    write_number(to, "request", request->ticket);
    (void)fprintf(to, ",\"state\":\"%s\"", states[request->state]);
    write_number(to, "age_ns", request->age_ns);
    if (request->state == CST_WATCH_HERE)
        write_number(to, "node", request->node);
    else
        (void)fputs(",\"node\":null", to);
    (void)fputc(',', to);
    write_text(to, "job", request->job);
    (void)fputc(',', to);
    write_text(to, "reason", request->reason);
    (void)fputc(',', to);
    write_text(to, "pending", request->pending);
    (void)fputc('}', to);
}

void cst_top_json(const struct cst_watch_picture *picture, FILE *to)
{
    struct cst_watch_kind total = cst_watch_total(picture);

    (void)fputc('{', to);
    write_text(to, "program", picture->program);
    write_number(to, "process", picture->process);
    write_number(to, "elapsed_ns", picture->elapsed_ns);
    (void)fputs(",\n\"failure\":", to);
    if (*picture->failure)
        cst_report_json_string(to, picture->failure, strlen(picture->failure));
    else
        (void)fputs("null", to);
    (void)fputs(",\n\"tasks\":{\"ready\":", to);
    (void)fprintf(to, "%" PRIu64, picture->ready);
    write_counts(to, &total);
    write_number(to, "retried", picture->retried);
    write_number(to, "recomputed", picture->recomputed);
    write_number(to, "memory", picture->task_memory);
    write_number(to, "regions", picture->regions);
    (void)fputs("},\n\"kinds\":[", to);
    for (size_t i = 0; i < picture->kinds_count; i++) {
        (void)fputs(i > 0 ? ",\n{" : "\n{", to);
        write_text(to, "name", picture->kinds[i].name);
        write_counts(to, &picture->kinds[i]);
        (void)fputc('}', to);
    }
    (void)fputs("],\n\"nodes\":[", to);
    for (size_t i = 0; i < picture->nodes_count; i++) {
        (void)fputs(i > 0 ? ",\n" : "\n", to);
        write_node(to, &picture->nodes[i]);
    }
    (void)fputs("],\n\"requests\":[", to);
    for (size_t i = 0; i < picture->requests_count; i++) {
        (void)fputs(i > 0 ? ",\n" : "\n", to);
        write_request(to, &picture->requests[i]);
    }
    (void)fputs("]}\n", to);
}
