#include "trace/content.h"

#include "base/fail.h"
#include "base/memory.h"
#include "trace/trace.h"

#include <string.h>

static enum castell_status no_memory(void)
{
    return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to read the trace");
}

bool cst_trace_grow(void **array, size_t *count, size_t wanted, size_t size)
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

static bool keep_name(const struct cst_trace_reader *reader,
                      struct cst_trace_name *name)
{
    char *bytes;

    if (reader->chunk.size == 0)
        return true;
    bytes = cst_alloc(reader->chunk.size);
    if (!bytes)
        return false;
    memcpy(bytes, reader->body, reader->chunk.size);
    cst_free(name->bytes);
    name->bytes = bytes;
    name->size = reader->chunk.size;
    return true;
}

static bool keep_track(struct cst_trace_content *content, uint16_t number,
                       uint16_t executor)
{
    void *tracks = content->tracks;
    bool grown = cst_trace_grow(&tracks, &content->tracks_count,
                                number + (size_t)1, sizeof(*content->tracks));

    content->tracks = tracks;
    if (grown) {
        content->tracks[number].known = true;
        content->tracks[number].executor = executor;
    }
    return grown;
}

static bool keep_kind(struct cst_trace_content *content,
                      const struct cst_trace_reader *reader)
{
    uint64_t number = reader->chunk.number;
    void *kinds = content->kinds;
    bool grown;

    if (number > CST_TRACE_KIND_MAX)
        return true;
    grown = cst_trace_grow(&kinds, &content->kinds_count, (size_t)number + 1,
                           sizeof(*content->kinds));
    content->kinds = kinds;
    return grown && keep_name(reader, &content->kinds[number]);
}

static void keep_moment(struct cst_trace_content *content,
                        const struct cst_trace_reader *reader)
{
    memcpy(&content->last, reader->body, sizeof(content->last));
    if (content->first.ticks == 0)
        content->first = content->last;
}

static bool keep(struct cst_trace_content *content,
                 const struct cst_trace_reader *reader)
{
    const struct cst_trace_chunk *chunk = &reader->chunk;

    switch ((enum cst_trace_chunk_type)chunk->type) {
    case CST_TRACE_CHUNK_HOST:
        return keep_name(reader, &content->host);
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
    case CST_TRACE_CHUNK_EVENTS:
        return true;
    }
    return true;
}

enum castell_status cst_trace_content_read(struct cst_trace_reader *reader,
                                           struct cst_trace_content *content)
{
    double ticks;

    *content = (struct cst_trace_content){.process = reader->process};
    for (;;) {
        bool more;
        enum castell_status status = cst_trace_reader_next(reader, &more);

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

void cst_trace_content_release(struct cst_trace_content *content)
{
    for (size_t i = 0; i < content->kinds_count; i++)
        cst_free(content->kinds[i].bytes);
    cst_free(content->kinds);
    cst_free(content->tracks);
    cst_free(content->host.bytes);
}

uint64_t cst_trace_content_ns_at(const struct cst_trace_content *content,
                                 uint64_t ticks)
{
    double ns;

    if (ticks <= content->first.ticks)
        return 0;
    ns = (double)(ticks - content->first.ticks) * content->ns_per_tick;
    return ns < 9e18 ? (uint64_t)ns : 0;
}
