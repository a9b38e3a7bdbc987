#include "trace/file.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { HOST_SIZE = 65, PART_SIZE = 32 };

/* ---- Names ----------------------------------------------------------- */

/* Make the directory and those above it; those that exist are left alone. */
static int make_directories(char *path)
{
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        int failed;

        *at = '\0';
        failed = mkdir(path, 0777) != 0 && errno != EEXIST;
        *at = '/';
        if (failed)
            return -1;
    }
    return mkdir(path, 0777) != 0 && errno != EEXIST ? -1 : 0;
}

/* DIRECTORY/NAME, or NULL. */
static char *join(const char *directory, const char *name)
{
    size_t size = strlen(directory) + 1 + strlen(name) + 1;
    char *path = cst_alloc(size);

    if (path)
        (void)snprintf(path, size, "%s/%s", directory, name);
    return path;
}

/* "events-HOST-PROCESS.bin"; later traces of a process add "-SERIAL". */
static void name_events(const char *host, uint64_t serial, char *name,
                        size_t name_size)
{
    char part[PART_SIZE] = "";

    if (serial > 1)
        (void)snprintf(part, sizeof(part), "-%llu", (unsigned long long)serial);
    (void)snprintf(name, name_size, "events-%s-%ld%s.bin", host, (long)getpid(),
                   part);
}

/* ---- Writing --------------------------------------------------------- */

static void give_up(struct cst_trace_file *file, int error)
{
    if (!file->broken)
        (void)fprintf(stderr,
                      "castell: warning: the trace ends here, %s cannot be "
                      "written: %s\n",
                      file->path, cst_reason(error));
    file->broken = true;
}

/* Write all of it, however the system divides it. */
static int write_all(int descriptor, struct iovec *parts, int parts_count)
{
    while (parts_count > 0) {
        ssize_t written = writev(descriptor, parts, parts_count);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        while (parts_count > 0 && (size_t)written >= parts->iov_len) {
            written -= (ssize_t)parts->iov_len;
            parts++;
            parts_count--;
        }
        if (parts_count > 0) {
            parts->iov_base = (char *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
    return 0;
}

/* A system call only reads what it is given, but has no const for it. */
static struct iovec part_of(const void *bytes, size_t size)
{
    struct iovec part = {.iov_len = size};

    memcpy(&part.iov_base, &bytes, sizeof(bytes));
    return part;
}

bool cst_trace_file_add(struct cst_trace_file *file,
                        const struct cst_trace_chunk *chunk, const void *body)
{
    struct iovec parts[2] = {part_of(chunk, sizeof(*chunk)),
                             part_of(body, chunk->size)};
    int error;

    if (file->broken)
        return false;
    error = write_all(file->descriptor, parts, chunk->size > 0 ? 2 : 1);
    if (error == 0)
        return true;
    give_up(file, error);
    return false;
}

void cst_trace_file_add_text(struct cst_trace_file *file,
                             enum cst_trace_chunk_type type, uint64_t number,
                             const char *text)
{
    struct cst_trace_chunk chunk = {.type = (uint16_t)type,
                                    .size = (uint32_t)strlen(text),
                                    .number = number};

    (void)cst_trace_file_add(file, &chunk, text);
}

void cst_trace_file_add_moment(struct cst_trace_file *file,
                               enum cst_trace_chunk_type type)
{
    struct cst_trace_chunk chunk = {.type = (uint16_t)type};
    struct cst_trace_moment moment;
    struct cst_clock_pair now;
    struct timespec wall;

    cst_clock_read_pair(&now);
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    moment.ticks = now.ticks;
    moment.ns = now.ns;
    moment.wall = (uint64_t)wall.tv_sec * 1000000000 + (uint64_t)wall.tv_nsec;
    chunk.size = sizeof(moment);
    (void)cst_trace_file_add(file, &chunk, &moment);
}

/* ---- Opening and closing --------------------------------------------- */

static enum castell_status begin(struct cst_trace_file *file, const char *host)
{
    struct cst_trace_header header = {
        .magic = CST_TRACE_MAGIC,
        .version = CST_TRACE_VERSION,
        .record_size = sizeof(struct cst_trace_record),
        .process = (uint64_t)getpid(),
    };
    struct iovec part = part_of(&header, sizeof(header));
    int error;

    file->descriptor =
        open(file->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    error =
        file->descriptor < 0 ? errno : write_all(file->descriptor, &part, 1);
    if (error != 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot write the trace %s: %s",
                        file->path, cst_reason(error));
    cst_trace_file_add_text(file, CST_TRACE_CHUNK_HOST, 0, host);
    cst_trace_file_add_moment(file, CST_TRACE_CHUNK_CLOCK);
    return CASTELL_OK;
}

enum castell_status cst_trace_file_open(const char *directory, uint64_t serial,
                                        struct cst_trace_file *file)
{
    char host[HOST_SIZE] = "unknown";
    char name[HOST_SIZE + 3 * PART_SIZE];
    char *path;

    *file = (struct cst_trace_file){.descriptor = -1};
    if (gethostname(host, sizeof(host) - 1) != 0 || strchr(host, '/'))
        (void)strcpy(host, "unknown");
    name_events(host, serial, name, sizeof(name));
    path = join(directory, name);
    file->path = path;
    if (!file->path)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a trace");

    path[strlen(directory)] = '\0';
    if (*path == '\0' || make_directories(path) != 0)
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "cannot make the directory \"%s\" for the trace: %s",
                        path, cst_reason(*path ? errno : ENOENT));
    path[strlen(directory)] = '/';
    return begin(file, host);
}

void cst_trace_file_finish(struct cst_trace_file *file)
{
    /* Some systems, over a network, tell only now that the disk is full. */
    if (close(file->descriptor) != 0)
        give_up(file, errno);
    file->descriptor = -1;
}

void cst_trace_file_close(struct cst_trace_file *file)
{
    if (file->descriptor >= 0)
        (void)close(file->descriptor);
    file->descriptor = -1;
    cst_free(file->path);
    file->path = NULL;
}
