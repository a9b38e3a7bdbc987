/*
 * The Trace Event Format: an array of elements. A node is a process of theirs,
 * a track a thread.
 */
#include "history/curve.h"
#include "report/json.h"
#include "report/report.h"

#include <inttypes.h>
#include <string.h>

/* Data that come from a node are on a track of their own. */
enum { TRANSFER_TRACK = 100000, DEVICE_TRACK = 200000, REQUEST_TRACK = 300000 };

struct chrome {
    const struct cst_history *history;
    FILE *file;
    bool any; /* an element was written */
};

/* Begin an element of the array: {"ph":"X","pid":1,"tid":2,"ts":3.000 */
static void begin_element(struct chrome *chrome, char phase, uint32_t node,
                          uint32_t thread)
{
    (void)fprintf(chrome->file,
                  "%s{\"ph\":\"%c\",\"pid\":%" PRIu32 ",\"tid\":%" PRIu32,
                  chrome->any ? ",\n" : "", phase,
                  chrome->history->nodes[node].number, thread);
    chrome->any = true;
}

static void write_time(struct chrome *chrome, const char *key, uint64_t ns)
{
    (void)fprintf(chrome->file, ",\"%s\":", key);
    cst_report_json_us(chrome->file, ns);
}

static void write_text(struct chrome *chrome, const char *text)
{
    cst_report_json_string(chrome->file, text, strlen(text));
}

static void write_name(struct chrome *chrome, const char *what, uint32_t node,
                       uint32_t thread, const char *name)
{
    begin_element(chrome, 'M', node, thread);
    (void)fprintf(chrome->file, ",\"name\":\"%s\",\"args\":{\"name\":", what);
    write_text(chrome, name);
    (void)fputs("}}", chrome->file);
}

static void write_head(struct chrome *chrome)
{
    const struct cst_history *history = chrome->history;
    char name[CST_REPORT_NAME_SIZE + 256];
    uint64_t lost = 0;
    bool whole = true;

    for (size_t i = 0; i < history->nodes_count; i++) {
        lost += history->nodes[i].lost;
        whole = whole && history->nodes[i].whole;
    }
    (void)fputs("{\"displayTimeUnit\":\"ns\",\"otherData\":{\"run\":",
                chrome->file);
    write_text(chrome, history->run);
    (void)fprintf(chrome->file,
                  ",\"nodes\":%zu,\"began_at_ns\":%" PRIu64
                  ",\"events_lost\":%" PRIu64 ",\"whole\":%s},\n"
                  "\"traceEvents\":[\n",
                  history->nodes_count, history->wall_ns, lost,
                  whole ? "true" : "false");
    for (size_t i = 0; i < history->nodes_count; i++) {
        (void)snprintf(name, sizeof(name), "node %" PRIu32 ", %.200s",
                       history->nodes[i].number, history->nodes[i].host);
        write_name(chrome, "process_name", (uint32_t)i, 0, name);
    }
    for (size_t i = 0; i < history->tracks_count; i++) {
        const struct cst_history_track *track = &history->tracks[i];

        cst_report_track(history, (uint32_t)i, name);
        write_name(chrome, "thread_name", track->node, track->number, name);
        begin_element(chrome, 'M', track->node, track->number);
        (void)fprintf(chrome->file,
                      ",\"name\":\"thread_sort_index\",\"args\":"
                      "{\"sort_index\":%" PRIu32 "}}",
                      track->number);
    }
}

static void write_attempt(struct chrome *chrome,
                          const struct cst_history_attempt *attempt)
{
    const struct cst_history *history = chrome->history;
    const struct cst_history_track *track = &history->tracks[attempt->track];
    const struct cst_history_task *task = &history->tasks[attempt->task];

    begin_element(chrome, 'X', track->node, track->number);
    write_time(chrome, "ts", attempt->started_ns);
    write_time(chrome, "dur", attempt->ended_ns - attempt->started_ns);
    (void)fputs(",\"cat\":\"task\",\"name\":", chrome->file);
    write_text(chrome, cst_report_kind(history, task->kind));
    (void)fprintf(chrome->file,
                  ",\"args\":{\"task\":%" PRIu64 ",\"attempt\":%" PRId32,
                  task->id, attempt->number);
    if (attempt->ended)
        (void)fprintf(chrome->file, ",\"result\":%" PRId32, attempt->result);
    else
        (void)fputs(",\"end\":\"not seen\"", chrome->file);
    (void)fputs("}}", chrome->file);
    if (attempt->next == CST_HISTORY_NONE)
        return;
    begin_element(chrome, 'i', track->node, track->number);
    write_time(chrome, "ts", attempt->ended_ns);
    (void)fprintf(chrome->file,
                  ",\"s\":\"t\",\"cat\":\"task\",\"name\":\"retried\","
                  "\"args\":{\"task\":%" PRIu64 "}}",
                  task->id);
}

static void write_span(struct chrome *chrome,
                       const struct cst_history_span *span)
{
    const struct cst_history *history = chrome->history;
    const struct cst_history_track *track = &history->tracks[span->track];
    const char *name = span->kind == CST_HISTORY_WAIT ? "wait" : "idle";

    begin_element(chrome, 'X', track->node, track->number);
    write_time(chrome, "ts", span->begin_ns);
    write_time(chrome, "dur", span->end_ns - span->begin_ns);
    (void)fprintf(chrome->file, ",\"cat\":\"%s\",\"name\":\"%s\"", name, name);
    if (span->kind == CST_HISTORY_WAIT)
        (void)fprintf(
            chrome->file, ",\"args\":{\"task\":%" PRIu64 "}",
            span->task == CST_HISTORY_NONE ? 0 : history->tasks[span->task].id);
    (void)fputs("}", chrome->file);
}

static void write_transfer(struct chrome *chrome,
                           const struct cst_history_transfer *transfer)
{
    uint32_t from = chrome->history->nodes[transfer->from].number;

    begin_element(chrome, 'X', transfer->to, TRANSFER_TRACK + from);
    write_time(chrome, "ts", transfer->begin_ns);
    write_time(chrome, "dur", transfer->end_ns - transfer->begin_ns);
    (void)fprintf(chrome->file,
                  ",\"cat\":\"transfer\",\"name\":\"from node %" PRIu32
                  "\",\"args\":{\"bytes\":%" PRIu64 "}}",
                  from, transfer->bytes);
}

/* ---- Devices, and nodes that were asked for -------------------------------- */

/* Rows of a device. */
enum { ROW_KERNELS = 0, ROW_IN, ROW_OUT, ROWS };

static uint32_t row_of(const struct cst_history *history, uint32_t device,
                       uint32_t row)
{
    return DEVICE_TRACK + history->devices[device].number * ROWS + row;
}

static void write_device_rows(struct chrome *chrome)
{
    static const char *const rows[ROWS] = {"kernels", "in", "out"};
    const struct cst_history *history = chrome->history;
    char name[CST_REPORT_NAME_SIZE];

    for (uint32_t i = 0; i < history->devices_count; i++)
        for (uint32_t row = 0; row < ROWS; row++) {
            (void)snprintf(name, sizeof(name), "device %" PRIu32 " %s",
                           history->devices[i].number, rows[row]);
            write_name(chrome, "thread_name", history->devices[i].node,
                       row_of(history, i, row), name);
        }
}

static void write_copy(struct chrome *chrome,
                       const struct cst_history_copy *copy)
{
    static const char *const names[] = {
        [CST_HISTORY_TO_DEVICE] = "to device",
        [CST_HISTORY_TO_MAIN] = "to main memory",
        [CST_HISTORY_BETWEEN] = "from device",
    };
    const struct cst_history *history = chrome->history;

    begin_element(chrome, 'X', history->devices[copy->device].node,
                  row_of(history, copy->device,
                         copy->way == CST_HISTORY_TO_MAIN ? ROW_OUT : ROW_IN));
    write_time(chrome, "ts", copy->begin_ns);
    write_time(chrome, "dur", copy->end_ns - copy->begin_ns);
    (void)fprintf(chrome->file,
                  ",\"cat\":\"copy\",\"name\":\"%s\",\"args\":{\"bytes\":"
                  "%" PRIu64 "}}",
                  names[copy->way], copy->bytes);
}

static void write_kernel(struct chrome *chrome,
                         const struct cst_history_kernel *kernel)
{
    const struct cst_history *history = chrome->history;

    begin_element(chrome, 'X', history->devices[kernel->device].node,
                  row_of(history, kernel->device, ROW_KERNELS));
    write_time(chrome, "ts", kernel->begin_ns);
    write_time(chrome, "dur", kernel->end_ns - kernel->begin_ns);
    (void)fputs(",\"cat\":\"kernel\",\"name\":", chrome->file);
    write_text(chrome,
               cst_report_kind(history, history->tasks[kernel->task].kind));
    (void)fprintf(chrome->file, ",\"args\":{\"task\":%" PRIu64 "}}",
                  history->tasks[kernel->task].id);
}

/* From when it was asked for until it was over. */
static void write_request(struct chrome *chrome,
                          const struct cst_history_request *request)
{
    const struct cst_history *history = chrome->history;
    uint64_t end = request->over_ns == CST_HISTORY_NEVER ? history->total_ns
                                                         : request->over_ns;
    const uint64_t times[] = {request->asked_ns, request->started_ns,
                              request->came_ns, end};
    static const char *const names[] = {"waits", "started", "here"};

    for (int i = 0; i < 3; i++) {
        uint64_t until = end;

        if (times[i] == CST_HISTORY_NEVER)
            continue;
        for (int j = 3; j > i; j--)
            if (times[j] != CST_HISTORY_NEVER)
                until = times[j];
        if (until < times[i])
            until = times[i];
        begin_element(chrome, 'X', 0, REQUEST_TRACK + request->ticket);
        write_time(chrome, "ts", times[i]);
        write_time(chrome, "dur", until - times[i]);
        (void)fprintf(chrome->file,
                      ",\"cat\":\"request\",\"name\":\"%s\",\"args\":"
                      "{\"request\":%" PRIu32 ",\"class\":",
                      names[i], request->ticket);
        write_text(chrome, cst_report_class(history, request->class));
        (void)fputs("}}", chrome->file);
    }
}

static void write_beside(struct chrome *chrome)
{
    const struct cst_history *history = chrome->history;

    write_device_rows(chrome);
    for (size_t i = 0; i < history->copies_count; i++)
        write_copy(chrome, &history->copies[i]);
    for (size_t i = 0; i < history->kernels_count; i++)
        write_kernel(chrome, &history->kernels[i]);
    for (size_t i = 0; i < history->requests_count; i++)
        write_request(chrome, &history->requests[i]);
}

/* Something that happened at a moment, to a task or to nobody. */
static void write_instant(struct chrome *chrome, uint32_t node, uint64_t ns,
                          const char *category, const char *name)
{
    begin_element(chrome, 'i', node, 0);
    write_time(chrome, "ts", ns);
    (void)fprintf(chrome->file,
                  ",\"s\":\"p\",\"cat\":\"%s\",\"name\":", category);
    write_text(chrome, name);
    (void)fputs("}", chrome->file);
}

static void write_outcomes(struct chrome *chrome)
{
    const struct cst_history *history = chrome->history;

    for (size_t i = 0; i < history->tasks_count; i++) {
        const struct cst_history_task *task = &history->tasks[i];

        if (task->flags & CST_HISTORY_FAILED)
            write_instant(chrome, 0, task->outcome_ns, "task", "failed");
        else if (task->flags & CST_HISTORY_CANCELLED)
            write_instant(chrome, 0, task->outcome_ns, "task", "cancelled");
    }
    for (size_t i = 0; i < history->texts_count; i++)
        if (history->texts[i].event == CST_TRACE_MARK)
            write_instant(chrome, history->texts[i].node, history->texts[i].ns,
                          "mark", history->texts[i].text);
    for (size_t i = 0; i < history->notices_count; i++)
        write_instant(chrome, 0, history->notices[i].ns, "request",
                      history->notices[i].text[0]
                          ? history->notices[i].text
                          : cst_report_request(history->notices[i].state));
    for (size_t i = 0; i < history->nodes_count; i++)
        if (history->nodes[i].gone)
            write_instant(chrome, (uint32_t)i, history->nodes[i].gone_ns,
                          "node", "gone");
}

/* ---- Curves ------------------------------------------------------------- */

static void write_curve(struct chrome *chrome, const char *name,
                        struct cst_history_curve *curve)
{
    struct cst_history_curve_point point = {0};
    bool first = true;
    double last = 0;

    while (cst_history_curve_next(curve, &point)) {
        if (!first && point.mean - last < 0.005 && last - point.mean < 0.005)
            continue;
        first = false;
        last = point.mean;
        begin_element(chrome, 'C', 0, 0);
        write_time(chrome, "ts", point.ns);
        (void)fprintf(chrome->file,
                      ",\"name\":\"%s\",\"args\":{\"tasks\":%.2f}}", name,
                      point.mean);
    }
    cst_history_curve_destroy(curve);
}

static void add_running(const struct cst_history *history,
                        struct cst_history_curve *curve, bool is_ready)
{
    for (size_t i = 0; i < history->attempts_count; i++) {
        const struct cst_history_attempt *attempt = &history->attempts[i];
        uint64_t from = is_ready ? attempt->ready_ns : attempt->started_ns;
        uint64_t to = is_ready ? attempt->started_ns : attempt->ended_ns;

        if (from == CST_HISTORY_NEVER)
            continue;
        cst_history_curve_add(curve, from, 1);
        cst_history_curve_add(curve, to, -1);
    }
}

static void add_unfinished(const struct cst_history *history,
                           struct cst_history_curve *curve)
{
    for (size_t i = 0; i < history->tasks_count; i++) {
        const struct cst_history_task *task = &history->tasks[i];
        uint64_t end = task->complete_ns > task->outcome_ns ? task->complete_ns
                                                            : task->outcome_ns;

        if (task->submitted_ns == CST_HISTORY_NEVER)
            continue;
        cst_history_curve_add(curve, task->submitted_ns, 1);
        if (end > 0)
            cst_history_curve_add(curve, end, -1);
    }
}

static enum castell_status write_curves(struct chrome *chrome)
{
    const struct cst_history *history = chrome->history;
    static const char *const names[] = {"running", "ready", "unfinished"};

    for (int i = 0; i < 3; i++) {
        struct cst_history_curve *curve;
        enum castell_status status =
            cst_history_curve_create(history->total_ns, &curve);

        if (status < 0)
            return status;
        if (i == 2)
            add_unfinished(history, curve);
        else
            add_running(history, curve, i == 1);
        write_curve(chrome, names[i], curve);
    }
    for (size_t i = 0; i < history->memory_count; i++) {
        const struct cst_history_memory *memory = &history->memory[i];

        begin_element(chrome, 'C', memory->node, 0);
        write_time(chrome, "ts", memory->ns);
        (void)fputs(",\"name\":\"memory", chrome->file);
        if (memory->device != CST_HISTORY_NONE)
            (void)fprintf(chrome->file, " of device %" PRIu32,
                          history->devices[memory->device].number);
        (void)fprintf(chrome->file, "\",\"args\":{\"bytes\":%" PRIu64 "}}",
                      memory->bytes);
    }
    return CASTELL_OK;
}

enum castell_status cst_report_chrome(const struct cst_history *history,
                                      FILE *to)
{
    struct chrome chrome = {.history = history, .file = to};
    enum castell_status status;

    write_head(&chrome);
    for (size_t i = 0; i < history->attempts_count; i++)
        write_attempt(&chrome, &history->attempts[i]);
    for (size_t i = 0; i < history->spans_count; i++)
        write_span(&chrome, &history->spans[i]);
    for (size_t i = 0; i < history->transfers_count; i++)
        write_transfer(&chrome, &history->transfers[i]);
    write_beside(&chrome);
    write_outcomes(&chrome);
    status = write_curves(&chrome);
    (void)fputs("\n]}\n", to);
    return status;
}
