#include "gang/call.h"

#include "base/fail.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ALIGNMENT = 64 };

void cst_call_pack(char *packed, const char *rows,
                   const struct cst_call_buffer *buffer)
{
    for (uint64_t row = 0; row < buffer->rows; row++)
        memcpy(packed + row * buffer->size, rows + row * buffer->pitch,
               buffer->size);
}

void cst_call_unpack(char *rows, const char *packed,
                     const struct cst_call_buffer *buffer)
{
    for (uint64_t row = 0; row < buffer->rows; row++)
        memcpy(rows + row * buffer->pitch, packed + row * buffer->size,
               buffer->size);
}

/* Room for so many bytes at the end of what is laid out so far. */
static uint64_t lay(uint64_t *end, uint64_t size)
{
    uint64_t at = (*end + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);

    *end = at + size;
    return at;
}

/* The name of a file is content as any other, which nobody writes. */
static struct cst_call_buffer describe(const struct cst_gang_buffer *from)
{
    size_t name_size = from->is_file ? strlen(from->base) + 1 : 0;

    if (from->is_file)
        return (struct cst_call_buffer){
            .size = name_size, .rows = 1, .pitch = name_size, .reads = true};
    return (struct cst_call_buffer){
        .size = from->base ? from->size : 0,
        .rows = from->rows,
        .pitch = from->rows > 1 ? from->pitch : from->size,
        .reads = from->reads,
        .writes = from->writes,
    };
}

static struct cst_call_head lay_out(const struct cst_gang_request *request)
{
    struct cst_call_head head = {
        .buffers_count = request->buffers_count,
        .choice = request->choice,
        .attempt = request->attempt,
        .cores = request->cores,
        .state = CST_CALL_MADE,
    };
    uint64_t end = sizeof(head);

    head.name_at = lay(&end, strlen(request->kind) + 1);
    head.argument_at = lay(&end, request->argument_size);
    head.buffers_at =
        lay(&end, request->buffers_count * sizeof(struct cst_call_buffer));
    head.known = end;
    for (uint32_t i = 0; i < request->buffers_count; i++) {
        struct cst_call_buffer buffer = describe(&request->buffers[i]);

        (void)lay(&end, buffer.size * buffer.rows);
    }
    head.size = end;
    return head;
}

static void fill(struct cst_call *call, const struct cst_gang_request *request)
{
    char *bytes = (char *)call->head;
    uint64_t end = call->head->known;

    memcpy(bytes + call->head->name_at, request->kind,
           strlen(request->kind) + 1);
    if (request->argument_size > 0)
        memcpy(bytes + call->head->argument_at, request->argument,
               request->argument_size);
    for (uint32_t i = 0; i < request->buffers_count; i++) {
        struct cst_call_buffer *buffer = &cst_call_buffers(call)[i];

        *buffer = describe(&request->buffers[i]);
        buffer->at = lay(&end, buffer->size * buffer->rows);
        if (buffer->reads && buffer->size > 0)
            cst_call_pack(bytes + buffer->at, request->buffers[i].base, buffer);
    }
}

enum castell_status cst_call_create(const struct cst_gang_request *request,
                                    struct cst_call *ret_call)
{
    struct cst_call_head head = lay_out(request);
    struct cst_call call = {NULL, memfd_create("castell-gang", MFD_CLOEXEC)};
    void *memory = MAP_FAILED;

    if (call.file >= 0 && ftruncate(call.file, (off_t)head.size) == 0)
        memory = mmap(NULL, head.size, PROT_READ | PROT_WRITE, MAP_SHARED,
                      call.file, 0);
    if (memory == MAP_FAILED) {
        int error = errno;

        if (call.file >= 0)
            (void)close(call.file);
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "no memory to share with its processes: %s",
                        cst_reason(error));
    }
    call.head = memory;
    *call.head = head;
    fill(&call, request);
    *ret_call = call;
    return CASTELL_OK;
}

void cst_call_take(const struct cst_call *call,
                   const struct cst_gang_request *request)
{
    for (uint32_t i = 0; i < request->buffers_count; i++) {
        const struct cst_call_buffer *buffer = &cst_call_buffers(call)[i];

        if (buffer->writes && buffer->size > 0)
            cst_call_unpack(request->buffers[i].base, cst_call_content(call, i),
                            buffer);
    }
}

enum castell_status cst_call_open(const char *path, struct cst_call *ret_call)
{
    struct cst_call call = {NULL, open(path, O_RDWR | O_CLOEXEC)};
    void *memory = MAP_FAILED;
    struct stat status;

    if (call.file >= 0 && fstat(call.file, &status) == 0 &&
        (size_t)status.st_size >= sizeof(struct cst_call_head))
        memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE,
                      MAP_SHARED, call.file, 0);
    if (memory == MAP_FAILED) {
        int error = errno;

        if (call.file >= 0)
            (void)close(call.file);
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot open %s: %s", path,
                        cst_reason(error));
    }
    call.head = memory;
    *ret_call = call;
    return CASTELL_OK;
}

void cst_call_close(struct cst_call *call)
{
    (void)munmap(call->head, call->head->size);
    (void)close(call->file);
}
