/*
 * What is told that is no event: names, counts, sentences.
 */
#include "base/clock.h"
#include "trace/notes.h"
#include "trace/trace.h"

void cst_trace_kind(struct cst_trace *trace, uint32_t kind, const char *name)
{
    cst_trace_note(
        trace,
        (struct cst_trace_chunk){.type = CST_TRACE_CHUNK_KIND,
                                 .number = cst_trace_kind_number(kind)},
        NULL, 0, name); /* lost, it shows as "kind 7" */
}

void cst_trace_node(struct cst_trace *trace, const struct cst_trace_node *node,
                    const char *run)
{
    cst_trace_note(trace,
                   (struct cst_trace_chunk){.type = CST_TRACE_CHUNK_NODE}, node,
                   sizeof(*node), run);
}

void cst_trace_counters(struct cst_trace *trace,
                        const struct cst_trace_counters *counters)
{
    cst_trace_note(trace,
                   (struct cst_trace_chunk){.type = CST_TRACE_CHUNK_COUNTERS},
                   counters, sizeof(*counters), NULL);
}

void cst_trace_sync(struct cst_trace *trace, const struct cst_trace_sync *sync)
{
    cst_trace_note(trace,
                   (struct cst_trace_chunk){.type = CST_TRACE_CHUNK_SYNC}, sync,
                   sizeof(*sync), NULL);
}

void cst_trace_text(struct cst_trace *trace, enum cst_trace_event event,
                    uint64_t subject, const char *text)
{
    const struct cst_trace_text head = {.ticks = cst_ticks(),
                                        .subject = subject,
                                        .event = (uint32_t)event,
                                        .track = cst_trace_track(trace)};

    cst_trace_note(trace,
                   (struct cst_trace_chunk){.type = CST_TRACE_CHUNK_TEXT},
                   &head, sizeof(head), text);
}

void cst_trace_device(struct cst_trace *trace, uint32_t number,
                      const struct cst_trace_device *device, const char *name)
{
    cst_trace_note(trace,
                   (struct cst_trace_chunk){.type = CST_TRACE_CHUNK_DEVICE,
                                            .number = number},
                   device, sizeof(*device), name);
}

void cst_trace_depot(struct cst_trace *trace,
                     const struct cst_trace_depot *depot)
{
    cst_trace_note(trace,
                   (struct cst_trace_chunk){.type = CST_TRACE_CHUNK_DEPOT},
                   depot, sizeof(*depot), NULL);
}

void cst_trace_class(struct cst_trace *trace, uint32_t class, const char *name)
{
    cst_trace_note(trace,
                   (struct cst_trace_chunk){.type = CST_TRACE_CHUNK_CLASS,
                                            .number = class},
                   NULL, 0, name);
}

void cst_trace_request(struct cst_trace *trace,
                       const struct cst_trace_request *request, const char *why)
{
    struct cst_trace_request head = *request;

    head.ticks = cst_ticks();
    cst_trace_note(trace,
                   (struct cst_trace_chunk){.type = CST_TRACE_CHUNK_REQUEST},
                   &head, sizeof(head), why);
}

void cst_trace_lasted(struct cst_trace *trace, struct cst_trace_record *what,
                      uint64_t bytes, uint64_t begin_ns, uint64_t took_ns)
{
    struct cst_trace_record records[] = {
        *what,
        {.ticks = bytes, .task = took_ns, .event = CST_TRACE_SIZE},
        {.ticks = begin_ns, .event = CST_TRACE_BEGAN},
    };

    cst_trace_write_group(trace, records, 3);
}
