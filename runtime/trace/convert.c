/*
 * convert.c - a file of events as JSON for Perfetto and Chrome.
 *
 * The file is read twice: for names and for the clocks at its beginning and
 * end, then for the events, in one pass and with little memory. What began and
 * has not ended is on a stack, one for each track, for a body that waits runs
 * other tasks meanwhile. Where events were lost the stack is put right by the
 * tasks' numbers.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "trace/chrome.h"
#include "trace/content.h"
#include "trace/load.h"
#include "trace/reader.h"
#include "trace/trace.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What began on a track, and has not ended. */
struct stack {
    uint64_t last_ns; /* the latest event */
    struct cst_trace_span *spans;
    size_t spans_count;
    size_t spans_max;
};

struct converter {
    struct cst_trace_reader reader;
    struct cst_trace_content content;
    struct cst_trace_chrome chrome;
    struct stack *stacks; /* content.tracks_count */
    struct cst_trace_load *running;
    struct cst_trace_load *ready;
    struct cst_trace_load *unfinished;
};

/* The event that begins what this one ends. */
static enum cst_trace_event beginning_of(enum cst_trace_event event)
{
    if (event == CST_TRACE_ENDED)
        return CST_TRACE_STARTED;
    return event == CST_TRACE_WAIT_END ? CST_TRACE_WAIT_BEGIN
                                       : CST_TRACE_IDLE_BEGIN;
}

static enum castell_status push(struct stack *stack,
                                const struct cst_trace_record *record)
{
    void *spans = stack->spans;
    bool grown = cst_trace_grow(&spans, &stack->spans_max,
                                stack->spans_count + 1, sizeof(*stack->spans));

    stack->spans = spans;
    if (!grown)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to read the trace");
    stack->spans[stack->spans_count++] = (struct cst_trace_span){
        .begin_ns = stack->last_ns,
        .task = record->task,
        .kind = record->kind,
        .attempt = record->value,
        .event = (enum cst_trace_event)record->event,
    };
    return CASTELL_OK;
}

static void pop(struct converter *converter, size_t number,
                const int32_t *result)
{
    struct stack *stack = &converter->stacks[number];

    stack->spans_count--;
    cst_trace_chrome_span(&converter->chrome, number,
                          &stack->spans[stack->spans_count], stack->last_ns,
                          result);
}

/* End a span, and those within it whose own end was lost. */
static void end_span(struct converter *converter, size_t number,
                     const struct cst_trace_record *record)
{
    struct stack *stack = &converter->stacks[number];
    enum cst_trace_event begin =
        beginning_of((enum cst_trace_event)record->event);
    int32_t result = record->value;
    size_t at = stack->spans_count;

    while (at > 0 && (stack->spans[at - 1].event != begin ||
                      stack->spans[at - 1].task != record->task))
        at--;
    if (at == 0)
        return; /* its beginning was lost */
    while (stack->spans_count > at)
        pop(converter, number, NULL);
    pop(converter, number, &result);
}

static void count(struct converter *converter,
                  const struct cst_trace_record *record, uint64_t ns)
{
    switch ((enum cst_trace_event)record->event) {
    case CST_TRACE_SUBMITTED:
        cst_trace_load_add(converter->unfinished, ns, 1);
        break;
    case CST_TRACE_READY:
        cst_trace_load_add(converter->ready, ns, 1);
        break;
    case CST_TRACE_STARTED:
        cst_trace_load_add(converter->ready, ns, -1);
        cst_trace_load_add(converter->running, ns, 1);
        break;
    case CST_TRACE_ENDED:
        cst_trace_load_add(converter->running, ns, -1);
        cst_trace_load_add(converter->unfinished, ns, -1);
        break;
    case CST_TRACE_RETRIED: /* it had ended; that it is ready follows */
        cst_trace_load_add(converter->unfinished, ns, 1);
        break;
    case CST_TRACE_CANCELLED:
        cst_trace_load_add(converter->unfinished, ns, -1);
        break;
    case CST_TRACE_FAILED:
    case CST_TRACE_WAIT_BEGIN:
    case CST_TRACE_WAIT_END:
    case CST_TRACE_IDLE_BEGIN:
    case CST_TRACE_IDLE_END:
        break;
    }
}

static enum castell_status show(struct converter *converter, size_t number,
                                const struct cst_trace_record *record)
{
    struct stack *stack = &converter->stacks[number];
    uint64_t ns = cst_trace_content_ns_at(&converter->content, record->ticks);

    stack->last_ns = ns;
    count(converter, record, ns);
    switch ((enum cst_trace_event)record->event) {
    case CST_TRACE_STARTED:
    case CST_TRACE_WAIT_BEGIN:
    case CST_TRACE_IDLE_BEGIN:
        return push(stack, record);
    case CST_TRACE_ENDED:
    case CST_TRACE_WAIT_END:
    case CST_TRACE_IDLE_END:
        end_span(converter, number, record);
        break;
    case CST_TRACE_FAILED:
        cst_trace_chrome_instant(&converter->chrome, number, "failed", record,
                                 ns);
        break;
    case CST_TRACE_RETRIED:
        cst_trace_chrome_instant(&converter->chrome, number, "retried", record,
                                 ns);
        break;
    case CST_TRACE_CANCELLED:
        cst_trace_chrome_instant(&converter->chrome, number, "cancelled",
                                 record, ns);
        break;
    case CST_TRACE_SUBMITTED:
    case CST_TRACE_READY:
        break;
    }
    return CASTELL_OK;
}

static enum castell_status show_chunk(struct converter *converter)
{
    const struct cst_trace_reader *reader = &converter->reader;
    size_t number = reader->chunk.track;
    const char *at = reader->body;

    if (reader->chunk.type != CST_TRACE_CHUNK_EVENTS ||
        number >= converter->content.tracks_count)
        return CASTELL_OK;
    for (size_t left = reader->chunk.size / sizeof(struct cst_trace_record);
         left > 0; left--) {
        struct cst_trace_record record;
        enum castell_status status;

        memcpy(&record, at, sizeof(record));
        at += sizeof(record);
        status = show(converter, number, &record);
        if (status < 0)
            return status;
    }
    return CASTELL_OK;
}

static enum castell_status read_events(struct converter *converter)
{
    cst_trace_reader_rewind(&converter->reader);
    for (;;) {
        bool more;
        enum castell_status status =
            cst_trace_reader_next(&converter->reader, &more);

        if (status == CASTELL_OK && more)
            status = show_chunk(converter);
        if (status < 0 || !more)
            return status;
    }
}

/* ---- All of it ------------------------------------------------------- */

static enum castell_status prepare(struct converter *converter)
{
    const struct cst_trace_content *content = &converter->content;
    uint64_t ns = cst_trace_content_ns_at(content, content->last.ticks);
    enum castell_status status = cst_trace_load_create(ns, &converter->running);

    if (status == CASTELL_OK)
        status = cst_trace_load_create(ns, &converter->ready);
    if (status == CASTELL_OK)
        status = cst_trace_load_create(ns, &converter->unfinished);
    if (status < 0 || content->tracks_count == 0)
        return status;
    converter->stacks =
        cst_zalloc(content->tracks_count * sizeof(*converter->stacks));
    if (!converter->stacks)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to read the trace");
    return CASTELL_OK;
}

static enum castell_status write_all(struct converter *converter)
{
    struct cst_trace_chrome *chrome = &converter->chrome;
    enum castell_status status = prepare(converter);

    if (status < 0)
        return status;
    cst_trace_chrome_begin(chrome);
    status = read_events(converter);
    if (status < 0)
        return status;
    for (size_t i = 0; i < converter->content.tracks_count; i++)
        while (converter->stacks[i].spans_count > 0)
            pop(converter, i, NULL);
    cst_trace_chrome_load(chrome, "running", converter->running);
    cst_trace_chrome_load(chrome, "ready", converter->ready);
    cst_trace_chrome_load(chrome, "unfinished", converter->unfinished);
    cst_trace_chrome_end(chrome);
    return CASTELL_OK;
}

static void release(struct converter *converter)
{
    if (converter->stacks)
        for (size_t i = 0; i < converter->content.tracks_count; i++)
            cst_free(converter->stacks[i].spans);
    cst_free(converter->stacks);
    cst_trace_load_destroy(converter->running);
    cst_trace_load_destroy(converter->ready);
    cst_trace_load_destroy(converter->unfinished);
    cst_trace_content_release(&converter->content);
    cst_trace_reader_close(&converter->reader);
}

static enum castell_status write_part(struct converter *converter,
                                      const char *path)
{
    FILE *file = fopen(path, "we");
    enum castell_status status;
    bool written;

    if (!file)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot write %s: %s", path,
                        cst_reason(errno));
    converter->chrome.file = file;
    converter->chrome.content = &converter->content;
    status = write_all(converter);
    written = ferror(file) == 0;
    written = fclose(file) == 0 && written;
    if (status == CASTELL_OK && !written)
        status = cst_fail(CASTELL_ERR_SYSTEM, "cannot write %s: %s", path,
                          cst_reason(errno));
    return status;
}

/* Write to a file beside it first: nobody is to see half of a trace. */
static enum castell_status write_file(struct converter *converter,
                                      const char *json_path)
{
    size_t size = strlen(json_path) + sizeof(".part");
    char *part = cst_alloc(size);
    enum castell_status status;

    if (!part)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a file's name");
    (void)snprintf(part, size, "%s.part", json_path);
    status = write_part(converter, part);
    if (status == CASTELL_OK && rename(part, json_path) != 0)
        status = cst_fail(CASTELL_ERR_SYSTEM, "cannot write %s: %s", json_path,
                          cst_reason(errno));
    if (status < 0)
        (void)unlink(part);
    cst_free(part);
    return status;
}

enum castell_status cst_trace_convert(const char *events_path,
                                      const char *json_path)
{
    struct converter converter = {.running = NULL};
    enum castell_status status =
        cst_trace_reader_open(events_path, &converter.reader);

    if (status < 0)
        return status;
    status = cst_trace_content_read(&converter.reader, &converter.content);
    if (status == CASTELL_OK)
        status = write_file(&converter, json_path);
    release(&converter);
    return status;
}
