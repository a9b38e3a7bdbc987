#include "history/reader.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"

#include <errno.h>
#include <string.h>

enum castell_status
cst_history_reader_open(const char *path, struct cst_history_reader *ret_reader)
{
    struct cst_history_reader reader = {.file = fopen(path, "re")};
    struct cst_trace_header header;

    if (!reader.file)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot read the trace %s: %s",
                        path, cst_reason(errno));
    if (fread(&header, sizeof(header), 1, reader.file) != 1 ||
        memcmp(header.magic, CST_TRACE_MAGIC, sizeof(CST_TRACE_MAGIC)) != 0) {
        (void)fclose(reader.file);
        return cst_fail(CASTELL_ERR_INVALID, "%s is no trace", path);
    }
    if (header.version < CST_TRACE_VERSION_OLDEST ||
        header.version > CST_TRACE_VERSION ||
        header.record_size != sizeof(struct cst_trace_record)) {
        (void)fclose(reader.file);
        return cst_fail(CASTELL_ERR_INVALID,
                        "the trace %s is of another version, or machine", path);
    }
    reader.process = header.process;
    *ret_reader = reader;
    return CASTELL_OK;
}

void cst_history_reader_close(struct cst_history_reader *reader)
{
    (void)fclose(reader->file);
    cst_free(reader->body);
}

void cst_history_reader_rewind(struct cst_history_reader *reader)
{
    clearerr(reader->file);
    (void)fseek(reader->file, sizeof(struct cst_trace_header), SEEK_SET);
}

/* Is it a chunk that we could have written? */
static bool makes_sense(const struct cst_trace_chunk *chunk)
{
    switch ((enum cst_trace_chunk_type)chunk->type) {
    case CST_TRACE_CHUNK_CLOCK:
    case CST_TRACE_CHUNK_END:
        return chunk->size == sizeof(struct cst_trace_moment);
    case CST_TRACE_CHUNK_EVENTS:
        return chunk->size % sizeof(struct cst_trace_record) == 0 &&
               chunk->size <= CST_HISTORY_CHUNK_SIZE_MAX;
    case CST_TRACE_CHUNK_TRACK:
    case CST_TRACE_CHUNK_LOST:
        return chunk->size == 0;
    case CST_TRACE_CHUNK_HOST:
    case CST_TRACE_CHUNK_KIND:
    case CST_TRACE_CHUNK_CLASS:
        return chunk->size <= CST_HISTORY_CHUNK_SIZE_MAX;
    case CST_TRACE_CHUNK_NODE:
        return chunk->size >= sizeof(struct cst_trace_node) &&
               chunk->size <= CST_HISTORY_CHUNK_SIZE_MAX;
    case CST_TRACE_CHUNK_TEXT:
        return chunk->size >= sizeof(struct cst_trace_text) &&
               chunk->size <= CST_HISTORY_CHUNK_SIZE_MAX;
    case CST_TRACE_CHUNK_SYNC:
        return chunk->size == sizeof(struct cst_trace_sync);
    case CST_TRACE_CHUNK_MEMORY:
        return chunk->size == sizeof(struct cst_trace_memory);
    case CST_TRACE_CHUNK_COUNTERS:
        return chunk->size == sizeof(struct cst_trace_counters);
    case CST_TRACE_CHUNK_DEVICE:
        return chunk->size >= sizeof(struct cst_trace_device) &&
               chunk->size <= CST_HISTORY_CHUNK_SIZE_MAX;
    case CST_TRACE_CHUNK_DEPOT:
        return chunk->size == sizeof(struct cst_trace_depot);
    case CST_TRACE_CHUNK_REQUEST:
        return chunk->size >= sizeof(struct cst_trace_request) &&
               chunk->size <= CST_HISTORY_CHUNK_SIZE_MAX;
    }
    return false;
}

enum castell_status cst_history_reader_next(struct cst_history_reader *reader,
                                            bool *ret_more)
{
    struct cst_trace_chunk *chunk = &reader->chunk;

    *ret_more = false;
    if (fread(chunk, sizeof(*chunk), 1, reader->file) != 1 ||
        !makes_sense(chunk))
        return CASTELL_OK;
    if (chunk->size > reader->body_max) {
        void *body = cst_realloc(reader->body, chunk->size);

        if (!body)
            return cst_fail(CASTELL_ERR_NO_MEMORY,
                            "no memory for %u bytes of a trace", chunk->size);
        reader->body = body;
        reader->body_max = chunk->size;
    }
    *ret_more = chunk->size == 0 ||
                fread(reader->body, chunk->size, 1, reader->file) == 1;
    return CASTELL_OK;
}
