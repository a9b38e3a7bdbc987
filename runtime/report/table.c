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

/* What a device did: copies, and kernels with their task. */
static void write_copies(const struct cst_history *history, FILE *to)
{
    static const char *const names[] = {
        [CST_HISTORY_TO_DEVICE] = "in",
        [CST_HISTORY_TO_MAIN] = "out",
        [CST_HISTORY_BETWEEN] = "peer",
    };

    (void)fputs("node,device,what,from_device,task,bytes,begin_s,end_s\n", to);
    for (size_t i = 0; i < history->copies_count; i++) {
        const struct cst_history_copy *copy = &history->copies[i];
        const struct cst_history_device *device =
            &history->devices[copy->device];

        (void)fprintf(to, "%" PRIu32 ",%" PRIu32 ",%s,",
                      history->nodes[device->node].number, device->number,
                      names[copy->way]);
        if (copy->from != CST_HISTORY_NONE)
            (void)fprintf(to, "%" PRIu32, history->devices[copy->from].number);
        (void)fprintf(to, ",,%" PRIu64, copy->bytes);
        write_seconds(to, copy->begin_ns);
        write_seconds(to, copy->end_ns);
        (void)fputc('\n', to);
    }
    for (size_t i = 0; i < history->kernels_count; i++) {
        const struct cst_history_kernel *kernel = &history->kernels[i];
        const struct cst_history_device *device =
            &history->devices[kernel->device];

        (void)fprintf(to, "%" PRIu32 ",%" PRIu32 ",kernel,,%" PRIu64 ",",
                      history->nodes[device->node].number, device->number,
                      history->tasks[kernel->task].id);
        write_seconds(to, kernel->begin_ns);
        write_seconds(to, kernel->end_ns);
        (void)fputc('\n', to);
    }
}

/* A line for each node that was asked for. */
static void write_asked(const struct cst_history *history, FILE *to)
{
    (void)fputs("request,class,state,node,asked_s,started_s,came_s,leaves_s,"
                "over_s\n",
                to);
    for (size_t i = 0; i < history->requests_count; i++) {
        const struct cst_history_request *request = &history->requests[i];

        (void)fprintf(to, "%" PRIu32 ",", request->ticket);
        write_field(to, cst_report_class(history, request->class));
        (void)fprintf(to, ",%s,", cst_report_request(request->state));
        if (request->node != CST_HISTORY_NONE)
            (void)fprintf(to, "%" PRIu32, history->nodes[request->node].number);
        write_seconds(to, request->asked_ns);
        write_seconds(to, request->started_ns);
        write_seconds(to, request->came_ns);
        write_seconds(to, request->leaves_ns);
        write_seconds(to, request->over_ns);
        (void)fputc('\n', to);
    }
}

void cst_report_csv(const struct cst_history *history, FILE *const *files)
{
    FILE *tasks = files[0], *transfers = files[1];

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
    write_copies(history, files[2]);
    write_asked(history, files[3]);
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
        write_ns(to, "joined_ns", node->joined_ns);
        write_ns(to, "gone_ns", node->gone_ns);
        if (node->why) {
            (void)fputs(",\"why\":", to);
            write_text(to, node->why);
        }
        if (node->has_depot)
            (void)fprintf(
                to,
                ",\"devices\":{\"in\":%" PRIu64 ",\"in_bytes\":%" PRIu64
                ",\"out\":%" PRIu64 ",\"out_bytes\":%" PRIu64
                ",\"peer\":%" PRIu64 ",\"peer_bytes\":%" PRIu64
                ",\"kernels\":%" PRIu64 ",\"evicted\":%" PRIu64 "}",
                node->depot.in, node->depot.in_bytes, node->depot.out,
                node->depot.out_bytes, node->depot.peer, node->depot.peer_bytes,
                node->depot.kernels, node->depot.evicted);
        if (node->has_counters)
            (void)fprintf(to,
                          ",\"counters\":{\"submitted\":%" PRIu64
                          ",\"finished\":%" PRIu64 ",\"failed\":%" PRIu64
                          ",\"cancelled\":%" PRIu64 ",\"retried\":%" PRIu64
                          ",\"recomputed\":%" PRIu64 ",\"came\":%" PRIu64
                          ",\"came_bytes\":%" PRIu64 "}",
                          node->counters.submitted, node->counters.finished,
                          node->counters.failed, node->counters.cancelled,
                          node->counters.retried, node->counters.recomputed,
                          node->counters.came, node->counters.came_bytes);
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
        if (task->node == CST_HISTORY_NONE)
            (void)fputs(",\"submitted_by\":null", to);
        else
            (void)fprintf(to, ",\"submitted_by\":%" PRIu32,
                          history->nodes[task->node].number);
        write_ns(to, "done_ns",
                 task->complete_ns ? task->complete_ns : CST_HISTORY_NEVER);
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

static void write_assignments(const struct cst_history *history, FILE *to)
{
    static const char *const whys[] = {
        [CST_HISTORY_SENT] = "sent",
        [CST_HISTORY_RETRY] = "retried",
        [CST_HISTORY_RECOMPUTED] = "recomputed",
    };

    (void)fputs(",\n\"assignments\":[", to);
    for (size_t i = 0; i < history->assignments_count; i++) {
        const struct cst_history_assignment *assignment =
            &history->assignments[i];

        (void)fprintf(to,
                      "%s\n{\"task\":%" PRIu64 ",\"node\":%" PRIu32
                      ",\"attempt\":%" PRId32 ",\"why\":\"%s\"",
                      i > 0 ? "," : "", history->tasks[assignment->task].id,
                      history->nodes[assignment->node].number,
                      assignment->attempt, whys[assignment->reason]);
        write_ns(to, "ns", assignment->ns);
        (void)fputc('}', to);
    }
    (void)fputc(']', to);
}

static const char *const ways[] = {
    [CST_HISTORY_TO_DEVICE] = "in",
    [CST_HISTORY_TO_MAIN] = "out",
    [CST_HISTORY_BETWEEN] = "peer",
};

static void write_devices(const struct cst_history *history, FILE *to)
{
    (void)fputs(",\n\"devices\":[", to);
    for (size_t i = 0; i < history->devices_count; i++) {
        const struct cst_history_device *device = &history->devices[i];

        (void)fprintf(to,
                      "%s\n{\"node\":%" PRIu32 ",\"device\":%" PRIu32
                      ",\"memory\":%" PRIu64 ",\"name\":",
                      i > 0 ? "," : "", history->nodes[device->node].number,
                      device->number, device->memory);
        write_text(to, device->name);
        (void)fputc('}', to);
    }
    (void)fputs("],\n\"copies\":[", to);
    for (size_t i = 0; i < history->copies_count; i++) {
        const struct cst_history_copy *copy = &history->copies[i];

        (void)fprintf(to, "%s\n{\"way\":\"%s\",\"device\":%" PRIu32,
                      i > 0 ? "," : "", ways[copy->way], copy->device);
        if (copy->from != CST_HISTORY_NONE)
            (void)fprintf(to, ",\"from\":%" PRIu32, copy->from);
        (void)fprintf(to, ",\"address\":%" PRIu64 ",\"bytes\":%" PRIu64,
                      copy->base, copy->bytes);
        write_ns(to, "begin_ns", copy->begin_ns);
        write_ns(to, "end_ns", copy->end_ns);
        (void)fputc('}', to);
    }
    (void)fputs("],\n\"kernels\":[", to);
    for (size_t i = 0; i < history->kernels_count; i++) {
        const struct cst_history_kernel *kernel = &history->kernels[i];

        (void)fprintf(to, "%s\n{\"task\":%" PRIu64 ",\"device\":%" PRIu32,
                      i > 0 ? "," : "", history->tasks[kernel->task].id,
                      kernel->device);
        write_ns(to, "begin_ns", kernel->begin_ns);
        write_ns(to, "end_ns", kernel->end_ns);
        (void)fputc('}', to);
    }
    (void)fputc(']', to);
}

static void write_notices(const struct cst_history *history, FILE *to,
                          uint32_t request)
{
    bool first = true;

    (void)fputc('[', to);
    for (size_t i = 0; i < history->notices_count; i++) {
        const struct cst_history_notice *notice = &history->notices[i];

        if (notice->request != request)
            continue;
        (void)fprintf(to, "%s{\"ns\":%" PRIu64 ",\"what\":\"%s\",\"text\":",
                      first ? "" : ",", notice->ns,
                      cst_report_request(notice->state));
        write_text(to, notice->text);
        (void)fputc('}', to);
        first = false;
    }
    (void)fputc(']', to);
}

static void write_requests(const struct cst_history *history, FILE *to)
{
    (void)fputs(",\n\"requests\":[", to);
    for (uint32_t i = 0; i < history->requests_count; i++) {
        const struct cst_history_request *request = &history->requests[i];

        (void)fprintf(to, "%s\n{\"request\":%" PRIu32 ",\"class\":",
                      i > 0 ? "," : "", request->ticket);
        write_text(to, cst_report_class(history, request->class));
        (void)fprintf(to, ",\"state\":\"%s\",\"cancelled\":%s",
                      cst_report_request(request->state),
                      request->cancelled ? "true" : "false");
        write_ns(to, "asked_ns", request->asked_ns);
        write_ns(to, "started_ns", request->started_ns);
        write_ns(to, "came_ns", request->came_ns);
        write_ns(to, "leaves_ns", request->leaves_ns);
        write_ns(to, "over_ns", request->over_ns);
        if (request->node == CST_HISTORY_NONE)
            (void)fputs(",\"node\":null", to);
        else
            (void)fprintf(to, ",\"node\":%" PRIu32,
                          history->nodes[request->node].number);
        (void)fputs(",\"notices\":", to);
        write_notices(history, to, i);
        (void)fputc('}', to);
    }
    (void)fputs("],\n\"notices\":", to);
    write_notices(history, to, CST_HISTORY_NONE);
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
    write_assignments(history, to);
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
    write_devices(history, to);
    write_requests(history, to);
    write_texts(history, to);
    (void)fputs("}\n", to);
}
