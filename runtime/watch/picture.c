/*
 * What there is to see of a run, and how it goes over a socket.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "watch/watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const uint32_t magic = 0x57545343; /* "CSTW" */

/* ---- Pictures ---------------------------------------------------------------- */

void cst_watch_picture_release(struct cst_watch_picture *picture)
{
    cst_free(picture->kinds);
    cst_free(picture->nodes);
    cst_free(picture->requests);
    *picture = (struct cst_watch_picture){.process = 0};
}

/* Room for one more, at powers of two; NULL: no memory. */
static void *grow(void *array, size_t count, size_t size)
{
    enum { FIRST = 8 };

    if (count != 0 && (count < FIRST || (count & (count - 1)) != 0))
        return array;
    return array ? cst_realloc(array, 2 * count * size)
                 : cst_alloc(FIRST * size);
}

struct cst_watch_kind *cst_watch_add_kind(struct cst_watch_picture *picture)
{
    struct cst_watch_kind *kinds =
        grow(picture->kinds, picture->kinds_count, sizeof(*kinds));

    if (!kinds)
        return NULL;
    picture->kinds = kinds;
    kinds += picture->kinds_count++;
    *kinds = (struct cst_watch_kind){.submitted = 0};
    return kinds;
}

struct cst_watch_node *cst_watch_add_node(struct cst_watch_picture *picture)
{
    struct cst_watch_node *nodes =
        grow(picture->nodes, picture->nodes_count, sizeof(*nodes));

    if (!nodes)
        return NULL;
    picture->nodes = nodes;
    nodes += picture->nodes_count++;
    *nodes = (struct cst_watch_node){.number = 0};
    return nodes;
}

struct cst_watch_request *
cst_watch_add_request(struct cst_watch_picture *picture)
{
    struct cst_watch_request *requests =
        grow(picture->requests, picture->requests_count, sizeof(*requests));

    if (!requests)
        return NULL;
    picture->requests = requests;
    requests += picture->requests_count++;
    *requests = (struct cst_watch_request){.ticket = 0};
    return requests;
}

struct cst_watch_kind *cst_watch_kind(struct cst_watch_picture *picture,
                                      const char *name)
{
    char cut[CST_WATCH_NAME_MAX] = ""; /* all of it: pictures are compared */
    struct cst_watch_kind *kind;

    cst_watch_name(cut, name);
    for (size_t i = 0; i < picture->kinds_count; i++)
        if (strcmp(picture->kinds[i].name, cut) == 0)
            return &picture->kinds[i];
    kind = cst_watch_add_kind(picture);
    if (kind)
        memcpy(kind->name, cut, sizeof(cut));
    return kind;
}

static void add_counts(struct cst_watch_kind *kind,
                       const struct cst_watch_kind *more)
{
    kind->submitted += more->submitted;
    kind->running += more->running;
    kind->done += more->done;
    kind->failed += more->failed;
    kind->cancelled += more->cancelled;
    kind->measured += more->measured;
    kind->measured_ns += more->measured_ns;
}

bool cst_watch_count(struct cst_watch_picture *picture,
                     const struct cst_watch_kind *more)
{
    struct cst_watch_kind *kind = cst_watch_kind(picture, more->name);

    if (kind)
        add_counts(kind, more);
    return kind != NULL;
}

struct cst_watch_kind cst_watch_total(const struct cst_watch_picture *picture)
{
    struct cst_watch_kind total = {.submitted = 0};

    for (size_t i = 0; i < picture->kinds_count; i++)
        add_counts(&total, &picture->kinds[i]);
    return total;
}

void cst_watch_straighten(struct cst_watch_picture *picture)
{
    for (size_t i = 0; i < picture->kinds_count; i++) {
        struct cst_watch_kind *kind = &picture->kinds[i];
        uint64_t over = kind->done + kind->failed + kind->cancelled;

        if (kind->submitted < over)
            kind->submitted = over;
        if (kind->running > kind->submitted - over)
            kind->running = kind->submitted - over;
    }
    for (size_t i = 0; i < picture->nodes_count; i++)
        if (picture->nodes[i].busy > picture->nodes[i].cores)
            picture->nodes[i].busy = picture->nodes[i].cores;
}

uint64_t cst_watch_memory_used(void)
{
    char text[128] = "";
    unsigned long long pages = 0;
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t size = 0;

    if (file >= 0) {
        size = read(file, text, sizeof(text) - 1);
        (void)close(file);
    }
    if (size > 0) {
        char *second = NULL;

        text[size] = '\0';
        (void)strtoull(text, &second, 10);
        pages = strtoull(second, NULL, 10);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void cst_watch_name(char *to, const char *from)
{
    (void)snprintf(to, CST_WATCH_NAME_MAX, "%s", from ? from : "");
}

/* ---- Bytes ------------------------------------------------------------------- */

void cst_watch_put_head(uint8_t *head, uint8_t what, size_t size)
{
    cst_store_u32(head, magic);
    head[4] = CST_WATCH_VERSION;
    head[5] = what;
    cst_store_u32(head + 6, (uint32_t)size);
}

enum castell_status cst_watch_get_head(const uint8_t *head, size_t size_max,
                                       uint8_t *ret_what, size_t *ret_size)
{
    if (cst_load_u32(head) != magic)
        return cst_fail(CASTELL_ERR_INVALID, "that makes no sense");
    if (head[4] != CST_WATCH_VERSION)
        return cst_fail(CASTELL_ERR_INVALID,
                        "the program is of another version of castell");
    if (cst_load_u32(head + 6) > size_max)
        return cst_fail(CASTELL_ERR_INVALID, "that is too long");
    *ret_what = head[5];
    *ret_size = cst_load_u32(head + 6);
    return CASTELL_OK;
}

void cst_watch_put_kind(struct cst_writer *writer,
                        const struct cst_watch_kind *kind)
{
    cst_put_text(writer, kind->name);
    cst_put_varint(writer, kind->submitted);
    cst_put_varint(writer, kind->running);
    cst_put_varint(writer, kind->done);
    cst_put_varint(writer, kind->failed);
    cst_put_varint(writer, kind->cancelled);
    cst_put_varint(writer, kind->measured);
    cst_put_varint(writer, kind->measured_ns);
}

void cst_watch_get_kind(struct cst_reader *reader,
                        struct cst_watch_kind *ret_kind)
{
    cst_get_text(reader, ret_kind->name, sizeof(ret_kind->name));
    ret_kind->submitted = cst_get_varint(reader);
    ret_kind->running = cst_get_varint(reader);
    ret_kind->done = cst_get_varint(reader);
    ret_kind->failed = cst_get_varint(reader);
    ret_kind->cancelled = cst_get_varint(reader);
    ret_kind->measured = cst_get_varint(reader);
    ret_kind->measured_ns = cst_get_varint(reader);
}

void cst_watch_put_node(struct cst_writer *writer,
                        const struct cst_watch_node *node)
{
    cst_put_varint(writer, node->number);
    cst_put_u8(writer, (uint8_t)node->state);
    cst_put_varint(writer, node->cores);
    cst_put_varint(writer, node->busy);
    cst_put_text(writer, node->name);
    cst_put_varint(writer, node->running);
    cst_put_varint(writer, node->queued);
    cst_put_varint(writer, node->ready);
    cst_put_varint(writer, node->done);
    cst_put_varint(writer, node->memory_used);
    cst_put_varint(writer, node->memory);
    cst_put_varint(writer, node->came);
    cst_put_varint(writer, node->came_bytes);
    cst_put_varint(writer, node->went);
    cst_put_varint(writer, node->went_bytes);
    cst_put_varint(writer, node->heard_ns);
}

void cst_watch_get_node(struct cst_reader *reader,
                        struct cst_watch_node *ret_node)
{
    ret_node->number = cst_get_count(reader, UINT32_MAX);
    ret_node->state = cst_get_u8(reader);
    if (ret_node->state >= CST_WATCH_STATES_COUNT)
        cst_reader_spoil(reader);
    ret_node->cores = cst_get_count(reader, UINT32_MAX);
    ret_node->busy = cst_get_count(reader, UINT32_MAX);
    cst_get_text(reader, ret_node->name, sizeof(ret_node->name));
    ret_node->running = cst_get_varint(reader);
    ret_node->queued = cst_get_varint(reader);
    ret_node->ready = cst_get_varint(reader);
    ret_node->done = cst_get_varint(reader);
    ret_node->memory_used = cst_get_varint(reader);
    ret_node->memory = cst_get_varint(reader);
    ret_node->came = cst_get_varint(reader);
    ret_node->came_bytes = cst_get_varint(reader);
    ret_node->went = cst_get_varint(reader);
    ret_node->went_bytes = cst_get_varint(reader);
    ret_node->heard_ns = cst_get_varint(reader);
}

void cst_watch_put_request(struct cst_writer *writer,
                           const struct cst_watch_request *request)
{
    cst_put_varint(writer, request->ticket);
    cst_put_u8(writer, (uint8_t)request->state);
    cst_put_varint(writer, request->node);
    cst_put_varint(writer, request->age_ns);
    cst_put_text(writer, request->class);
    cst_put_text(writer, request->job);
    cst_put_text(writer, request->reason);
    cst_put_text(writer, request->pending);
}

void cst_watch_get_request(struct cst_reader *reader,
                           struct cst_watch_request *ret_request)
{
    ret_request->ticket = cst_get_count(reader, UINT32_MAX);
    ret_request->state = cst_get_u8(reader);
    if (ret_request->state >= CST_WATCH_REQUESTS_COUNT)
        cst_reader_spoil(reader);
    ret_request->node = cst_get_count(reader, UINT32_MAX);
    ret_request->age_ns = cst_get_varint(reader);
    cst_get_text(reader, ret_request->class, sizeof(ret_request->class));
    cst_get_text(reader, ret_request->job, sizeof(ret_request->job));
    cst_get_text(reader, ret_request->reason, sizeof(ret_request->reason));
    cst_get_text(reader, ret_request->pending, sizeof(ret_request->pending));
}

void cst_watch_put_picture(struct cst_writer *writer,
                           const struct cst_watch_picture *picture)
{
    cst_put_text(writer, picture->program);
    cst_put_u32(writer, picture->process);
    cst_put_u8(writer, picture->many);
    cst_put_varint(writer, picture->now_ns);
    cst_put_varint(writer, picture->elapsed_ns);
    cst_put_varint(writer, picture->ready);
    cst_put_varint(writer, picture->retried);
    cst_put_varint(writer, picture->recomputed);
    cst_put_varint(writer, picture->task_memory);
    cst_put_varint(writer, picture->regions);
    cst_put_text(writer, picture->failure);
    cst_put_varint(writer, picture->kinds_count);
    for (size_t i = 0; i < picture->kinds_count; i++)
        cst_watch_put_kind(writer, &picture->kinds[i]);
    cst_put_varint(writer, picture->nodes_count);
    for (size_t i = 0; i < picture->nodes_count; i++)
        cst_watch_put_node(writer, &picture->nodes[i]);
    cst_put_varint(writer, picture->requests_count);
    for (size_t i = 0; i < picture->requests_count; i++)
        cst_watch_put_request(writer, &picture->requests[i]);
}

static void get_kinds(struct cst_reader *reader,
                      struct cst_watch_picture *picture)
{
    uint32_t count = cst_get_count(reader, CST_WATCH_COUNT_MAX);

    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        struct cst_watch_kind *kind = cst_watch_add_kind(picture);

        if (kind)
            cst_watch_get_kind(reader, kind);
        else
            cst_reader_spoil(reader);
    }
}

static void get_nodes(struct cst_reader *reader,
                      struct cst_watch_picture *picture)
{
    uint32_t count = cst_get_count(reader, CST_WATCH_COUNT_MAX);

    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        struct cst_watch_node *node = cst_watch_add_node(picture);

        if (node)
            cst_watch_get_node(reader, node);
        else
            cst_reader_spoil(reader);
    }
}

static void get_requests(struct cst_reader *reader,
                         struct cst_watch_picture *picture)
{
    uint32_t count = cst_get_count(reader, CST_WATCH_COUNT_MAX);

    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        struct cst_watch_request *request = cst_watch_add_request(picture);

        if (request)
            cst_watch_get_request(reader, request);
        else
            cst_reader_spoil(reader);
    }
}

bool cst_watch_get_picture(const void *bytes, size_t size,
                           struct cst_watch_picture *ret_picture)
{
    struct cst_reader reader;

    *ret_picture = (struct cst_watch_picture){.process = 0};
    cst_reader_init(&reader, bytes, size);
    cst_get_text(&reader, ret_picture->program, sizeof(ret_picture->program));
    ret_picture->process = cst_get_u32(&reader);
    ret_picture->many = cst_get_u8(&reader) != 0;
    ret_picture->now_ns = cst_get_varint(&reader);
    ret_picture->elapsed_ns = cst_get_varint(&reader);
    ret_picture->ready = cst_get_varint(&reader);
    ret_picture->retried = cst_get_varint(&reader);
    ret_picture->recomputed = cst_get_varint(&reader);
    ret_picture->task_memory = cst_get_varint(&reader);
    ret_picture->regions = cst_get_varint(&reader);
    cst_get_text(&reader, ret_picture->failure, sizeof(ret_picture->failure));
    get_kinds(&reader, ret_picture);
    get_nodes(&reader, ret_picture);
    get_requests(&reader, ret_picture);
    if (cst_reader_done(&reader))
        return true;
    cst_watch_picture_release(ret_picture);
    return false;
}
