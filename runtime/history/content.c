#include "history/content.h"

#include "base/fail.h"
#include "base/memory.h"
#include "trace/trace.h"

#include <string.h>

static enum castell_status no_memory(void)
{
    return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to read the trace");
}

bool cst_history_grow(void **array, size_t *count, size_t wanted, size_t size)
{
    size_t larger = *count > 0 ? *count : 16;
    char *bytes;

    if (wanted <= *count)
        return true;
    while (larger < wanted)
        larger *= 2;
    bytes = cst_realloc(*array, larger * size);
    if (!bytes)
        return false;
    memset(bytes + *count * size, 0, (larger - *count) * size);
    *array = bytes;
    *count = larger;
    return true;
}

/* Keep the chunk's text, which begins after `from` bytes. */
static bool keep_name(const struct cst_history_reader *reader, size_t from,
                      struct cst_history_name *name)
{
    size_t size = reader->chunk.size - from;
    char *bytes;

    if (size == 0)
        return true;
    bytes = cst_alloc(size);
    if (!bytes)
        return false;
    memcpy(bytes, (const char *)reader->body + from, size);
    cst_free(name->bytes);
    name->bytes = bytes;
    name->size = size;
    return true;
}

static bool keep_sync(struct cst_history_content *content,
                      const struct cst_history_reader *reader)
{
    void *syncs = content->syncs;
    bool grown =
        cst_history_grow(&syncs, &content->syncs_max, content->syncs_count + 1,
                         sizeof(*content->syncs));

    content->syncs = syncs;
    if (grown)
        memcpy(&content->syncs[content->syncs_count++], reader->body,
               sizeof(*content->syncs));
    return grown;
}

static bool keep_track(struct cst_history_content *content, uint16_t number,
                       uint16_t executor)
{
    void *tracks = content->tracks;
    bool grown = cst_history_grow(&tracks, &content->tracks_count,
                                  number + (size_t)1, sizeof(*content->tracks));

    content->tracks = tracks;
    if (grown) {
        content->tracks[number].known = true;
        content->tracks[number].executor = executor;
    }
    return grown;
}

static bool keep_kind(struct cst_history_content *content,
                      const struct cst_history_reader *reader)
{
    uint64_t number = reader->chunk.number;
    void *kinds = content->kinds;
    bool grown;

    if (number > CST_TRACE_KIND_MAX)
        return true;
    grown = cst_history_grow(&kinds, &content->kinds_count, (size_t)number + 1,
                             sizeof(*content->kinds));
    content->kinds = kinds;
    return grown && keep_name(reader, 0, &content->kinds[number]);
}

static void keep_moment(struct cst_history_content *content,
                        const struct cst_history_reader *reader)
{
    memcpy(&content->last, reader->body, sizeof(content->last));
    if (content->first.ticks == 0)
        content->first = content->last;
}

static bool keep(struct cst_history_content *content,
                 const struct cst_history_reader *reader)
{
    const struct cst_trace_chunk *chunk = &reader->chunk;

    switch ((enum cst_trace_chunk_type)chunk->type) {
    case CST_TRACE_CHUNK_HOST:
        return keep_name(reader, 0, &content->host);
    case CST_TRACE_CHUNK_END:
        content->whole = true;
        keep_moment(content, reader);
        return true;
    case CST_TRACE_CHUNK_CLOCK:
        keep_moment(content, reader);
        return true;
    case CST_TRACE_CHUNK_TRACK:
        return keep_track(content, chunk->track, (uint16_t)chunk->number);
    case CST_TRACE_CHUNK_KIND:
        return keep_kind(content, reader);
    case CST_TRACE_CHUNK_LOST:
        content->lost = chunk->number;
        return true;
    case CST_TRACE_CHUNK_NODE:
        content->has_node = true;
        memcpy(&content->node, reader->body, sizeof(content->node));
        return keep_name(reader, sizeof(content->node), &content->run);
    case CST_TRACE_CHUNK_SYNC:
        return keep_sync(content, reader);
    case CST_TRACE_CHUNK_COUNTERS:
        content->has_counters = true;
        memcpy(&content->counters, reader->body, sizeof(content->counters));
        return true;
    case CST_TRACE_CHUNK_DEPOT:
        content->has_depot = true;
        memcpy(&content->depot, reader->body, sizeof(content->depot));
        return true;
    case CST_TRACE_CHUNK_TEXT:
    case CST_TRACE_CHUNK_DEVICE:
    case CST_TRACE_CHUNK_CLASS:
    case CST_TRACE_CHUNK_REQUEST:
    case CST_TRACE_CHUNK_MEMORY:
    case CST_TRACE_CHUNK_EVENTS:
        return true;
    }
    return true;
}

enum castell_status
cst_history_content_read(struct cst_history_reader *reader,
                         struct cst_history_content *content)
{
    double ticks;

    *content = (struct cst_history_content){.process = reader->process};
    for (;;) {
        bool more;
        enum castell_status status = cst_history_reader_next(reader, &more);

        if (status < 0)
            return status;
        if (!more)
            break;
        if (!keep(content, reader))
            return no_memory();
    }
    ticks = (double)content->last.ticks - (double)content->first.ticks;
    content->ns_per_tick =
        ticks > 0
            ? ((double)content->last.ns - (double)content->first.ns) / ticks
            : 1;
    return CASTELL_OK;
}

void cst_history_content_release(struct cst_history_content *content)
{
    for (size_t i = 0; i < content->kinds_count; i++)
        cst_free(content->kinds[i].bytes);
    cst_free(content->kinds);
    cst_free(content->tracks);
    cst_free(content->host.bytes);
    cst_free(content->run.bytes);
    cst_free(content->syncs);
}

double cst_history_content_ns_at(const struct cst_history_content *content,
                                 uint64_t ticks)
{
    return (double)content->first.ns +
           ((double)ticks - (double)content->first.ticks) *
               content->ns_per_tick;
}
