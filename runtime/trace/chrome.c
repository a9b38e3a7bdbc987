#include "trace/chrome.h"

#include "trace/json.h"

#include <inttypes.h>
#include <string.h>

/* Begin an element of the array: {"ph":"X","pid":1,"tid":2 */
static void begin_element(struct cst_trace_chrome *chrome, char phase,
                          uint64_t thread)
{
    (void)fprintf(
        chrome->file, "%s{\"ph\":\"%c\",\"pid\":%" PRIu64 ",\"tid\":%" PRIu64,
        chrome->any ? ",\n" : "", phase, chrome->content->process, thread);
    chrome->any = true;
}

static void write_time(struct cst_trace_chrome *chrome, const char *key,
                       uint64_t ns)
{
    (void)fprintf(chrome->file, ",\"%s\":", key);
    cst_trace_json_us(chrome->file, ns);
}

static void write_kind(struct cst_trace_chrome *chrome, uint32_t kind)
{
    if (kind < chrome->content->kinds_count &&
        chrome->content->kinds[kind].bytes)
        cst_trace_json_string(chrome->file, chrome->content->kinds[kind].bytes,
                              chrome->content->kinds[kind].size);
    else
        (void)fprintf(chrome->file, "\"kind %" PRIu32 "\"", kind);
}

static void write_metadata(struct cst_trace_chrome *chrome, const char *what,
                           uint64_t thread, const char *name)
{
    begin_element(chrome, 'M', thread);
    (void)fprintf(chrome->file, ",\"name\":\"%s\",\"args\":{\"name\":", what);
    cst_trace_json_string(chrome->file, name, strlen(name));
    (void)fputs("}}", chrome->file);
}

void cst_trace_chrome_begin(struct cst_trace_chrome *chrome)
{
    FILE *json = chrome->file;

    (void)fputs("{\"displayTimeUnit\":\"ns\",\"otherData\":{\"host\":", json);
    cst_trace_json_string(
        json, chrome->content->host.bytes ? chrome->content->host.bytes : "",
        chrome->content->host.size);
    (void)fprintf(json,
                  ",\"process\":%" PRIu64 ",\"began_at_ns\":%" PRIu64
                  ",\"events_lost\":%" PRIu64 ",\"whole\":%s},\n"
                  "\"traceEvents\":[\n",
                  chrome->content->process, chrome->content->first.wall,
                  chrome->content->lost,
                  chrome->content->whole ? "true" : "false");
    write_metadata(chrome, "process_name", 0, "castell");
    for (size_t i = 0; i < chrome->content->tracks_count; i++) {
        const struct cst_trace_track *track = &chrome->content->tracks[i];
        char name[32];

        if (!track->known)
            continue;
        if (track->executor == CST_TRACE_NO_EXECUTOR)
            (void)snprintf(name, sizeof(name), "thread %zu", i);
        else
            (void)snprintf(name, sizeof(name), "executor %u", track->executor);
        write_metadata(chrome, "thread_name", i, name);
        begin_element(chrome, 'M', i);
        (void)fprintf(json,
                      ",\"name\":\"thread_sort_index\",\"args\":"
                      "{\"sort_index\":%u}}",
                      track->executor);
    }
}

void cst_trace_chrome_span(struct cst_trace_chrome *chrome, size_t track,
                           const struct cst_trace_span *span, uint64_t end_ns,
                           const int32_t *result)
{
    FILE *json = chrome->file;
    uint64_t ns = end_ns > span->begin_ns ? end_ns - span->begin_ns : 0;

    begin_element(chrome, 'X', track);
    write_time(chrome, "ts", span->begin_ns);
    write_time(chrome, "dur", ns);
    if (span->event == CST_TRACE_IDLE_BEGIN) {
        (void)fputs(",\"cat\":\"idle\",\"name\":\"idle\"}", json);
        return;
    }
    if (span->event == CST_TRACE_WAIT_BEGIN) {
        (void)fprintf(json,
                      ",\"cat\":\"wait\",\"name\":\"wait\",\"args\":{\"task\":"
                      "%" PRIu64 "}}",
                      span->task);
        return;
    }
    (void)fputs(",\"cat\":\"task\",\"name\":", json);
    write_kind(chrome, span->kind);
    (void)fprintf(json, ",\"args\":{\"task\":%" PRIu64 ",\"attempt\":%" PRId32,
                  span->task, span->attempt);
    if (result)
        (void)fprintf(json, ",\"result\":%" PRId32, *result);
    else
        (void)fputs(",\"end\":\"not seen\"", json);
    (void)fputs("}}", json);
}

void cst_trace_chrome_instant(struct cst_trace_chrome *chrome, size_t track,
                              const char *what,
                              const struct cst_trace_record *record,
                              uint64_t ns)
{
    begin_element(chrome, 'i', track);
    write_time(chrome, "ts", ns);
    (void)fprintf(chrome->file,
                  ",\"s\":\"t\",\"cat\":\"task\",\"name\":\"%s\",\"args\":"
                  "{\"kind\":",
                  what);
    write_kind(chrome, record->kind);
    (void)fprintf(chrome->file, ",\"task\":%" PRIu64 "}}", record->task);
}

void cst_trace_chrome_load(struct cst_trace_chrome *chrome, const char *name,
                           struct cst_trace_load *load)
{
    struct cst_trace_load_point point = {0};
    bool first = true;
    double last = 0;

    while (cst_trace_load_next(load, &point)) {
        if (!first && point.mean - last < 0.005 && last - point.mean < 0.005)
            continue;
        first = false;
        last = point.mean;
        begin_element(chrome, 'C', 0);
        write_time(chrome, "ts", point.ns);
        (void)fprintf(chrome->file,
                      ",\"name\":\"%s\",\"args\":{\"tasks\":%.2f}}", name,
                      point.mean);
    }
}

void cst_trace_chrome_end(struct cst_trace_chrome *chrome)
{
    (void)fputs("\n]}\n", chrome->file);
}
