#include "files/stream.h"

#include "base/fail.h"
#include "base/memory.h"
#include "files/path.h"
#include "files/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE_BITS = 07777 };

/* What a record is of. A directory has two: before and after what is in it. */
enum { IS_FILE = 1, IS_DIRECTORY, IS_FULL, IS_LINK, IS_END };

/* Then comes the path, and then what the file has, or the link leads to. */
struct record {
    uint8_t what;
    uint8_t zero;
    uint16_t path_size;
    uint32_t mode;
    uint64_t size;
};

/* ---- To bytes ---------------------------------------------------------------- */

struct cst_stream {
    FTS *fts;
    size_t skip; /* of a path: what leads to the top */
    int file;    /* whose bytes come next, or -1 */
    bool ended;
    uint64_t left; /* of them */
    size_t head_at;
    size_t head_size;
    char head[sizeof(struct record) + (size_t)2 * CST_PATH_MAX];
};

static enum castell_status cannot(const char *what, const char *path)
{
    return cst_fail(CASTELL_ERR_SYSTEM, "cannot %s %s: %s", what, path,
                    strerrordesc_np(errno));
}

enum castell_status cst_stream_open(const char *path,
                                    struct cst_stream **ret_stream)
{
    char *const paths[] = {(char *)(uintptr_t)path, NULL};
    struct cst_stream *stream = cst_zalloc(sizeof(*stream));

    if (!stream)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to send a file");
    stream->file = -1;
    stream->skip = strlen(path);
    stream->fts =
        fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (!stream->fts) {
        cst_free(stream);
        return cannot("read", path);
    }
    *ret_stream = stream;
    return CASTELL_OK;
}

void cst_stream_close(struct cst_stream *stream)
{
    if (!stream)
        return;
    if (stream->file >= 0)
        (void)close(stream->file);
    (void)fts_close(stream->fts);
    cst_free(stream);
}

/* Begin a record. */
static void put_head(struct cst_stream *stream, struct record *record,
                     const char *path, const char *target)
{
    char *at = stream->head + sizeof(*record);

    record->path_size = (uint16_t)strlen(path);
    memcpy(stream->head, record, sizeof(*record));
    memcpy(at, path, record->path_size);
    if (target)
        memcpy(at + record->path_size, target, record->size);
    stream->head_at = 0;
    stream->head_size =
        sizeof(*record) + record->path_size + (target ? record->size : 0);
}

static enum castell_status begin_file(struct cst_stream *stream,
                                      const char *from, const char *path)
{
    struct record record = {.what = IS_FILE};
    struct stat status;

    stream->file = open(from, O_RDONLY | O_CLOEXEC);
    if (stream->file < 0 || fstat(stream->file, &status) != 0)
        return cannot("read", from);
    record.mode = status.st_mode & MODE_BITS;
    record.size = stream->left = (uint64_t)status.st_size;
    put_head(stream, &record, path, NULL);
    return CASTELL_OK;
}

static enum castell_status begin_link(struct cst_stream *stream,
                                      const char *from, const char *path)
{
    struct record record = {.what = IS_LINK};
    char *target = cst_tree_link(from);
    enum castell_status status = CASTELL_OK;

    if (!target)
        return cannot("read", from);
    record.size = strlen(target);
    if (cst_path_escapes(path, target))
        status =
            cst_fail(CASTELL_ERR_SYSTEM,
                     "link %s leads out of its directory, to %s", from, target);
    else
        put_head(stream, &record, path, target);
    cst_free(target);
    return status;
}

static enum castell_status begin_entry(struct cst_stream *stream,
                                       const FTSENT *entry)
{
    const char *path = entry->fts_path + stream->skip;
    struct record record = {.what = IS_DIRECTORY};

    while (*path == '/')
        path++;
    if (strlen(path) >= CST_PATH_MAX)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot read %s: %s",
                        entry->fts_path, strerrordesc_np(ENAMETOOLONG));
    errno = entry->fts_errno;
    switch (entry->fts_info) {
    case FTS_F:
        return begin_file(stream, entry->fts_path, path);
    case FTS_SL:
    case FTS_SLNONE:
        return begin_link(stream, entry->fts_path, path);
    case FTS_DP:
        record.what = IS_FULL;
        record.mode = entry->fts_statp->st_mode & MODE_BITS;
        break;
    case FTS_D:
        break;
    case FTS_DEFAULT:
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "%s is neither a file nor a directory",
                        entry->fts_path);
    default:
        return cannot("read", entry->fts_path);
    }
    put_head(stream, &record, path, NULL);
    return CASTELL_OK;
}

static enum castell_status begin_next(struct cst_stream *stream)
{
    struct record end = {.what = IS_END};
    const FTSENT *entry;

    errno = 0;
    entry = fts_read(stream->fts);
    if (entry)
        return begin_entry(stream, entry);
    if (errno != 0)
        return cannot("read", "a directory");
    stream->ended = true;
    put_head(stream, &end, "", NULL);
    return CASTELL_OK;
}

/* More of the file that is open. */
static enum castell_status read_file(struct cst_stream *stream, char *into,
                                     size_t max, size_t *ret_size)
{
    size_t wanted = stream->left < max ? (size_t)stream->left : max;
    ssize_t got = wanted > 0 ? read(stream->file, into, wanted) : 0;

    if (got < 0 || (got == 0 && wanted > 0)) {
        errno = got < 0 ? errno : EIO; /* it was cut short meanwhile */
        return cannot("read", "a file");
    }
    stream->left -= (uint64_t)got;
    *ret_size = (size_t)got;
    if (stream->left > 0)
        return CASTELL_OK;
    (void)close(stream->file);
    stream->file = -1;
    return CASTELL_OK;
}

enum castell_status cst_stream_read(struct cst_stream *stream, void *into,
                                    size_t max, size_t *ret_size,
                                    bool *ret_last)
{
    enum castell_status status = CASTELL_OK;
    size_t size = 0;

    while (status == CASTELL_OK && size < max) {
        size_t left = stream->head_size - stream->head_at;
        size_t more = left < max - size ? left : max - size;

        if (left > 0) {
            memcpy((char *)into + size, stream->head + stream->head_at, more);
            stream->head_at += more;
        } else if (stream->file >= 0) {
            status = read_file(stream, (char *)into + size, max - size, &more);
        } else if (stream->ended) {
            break;
        } else {
            status = begin_next(stream);
        }
        size += more;
    }
    *ret_size = size;
    *ret_last = stream->ended && stream->head_at == stream->head_size;
    return status;
}

/* ---- From bytes ----------------------------------------------------------------- */

struct cst_unstream {
    const char *top;
    char *named;
    int file; /* whose bytes come, or -1 */
    bool whole;
    uint64_t left;
    uint64_t bytes;
    struct record record;
    size_t size; /* of the record, its path and its target that are there */
    char text[2 * CST_PATH_MAX];
    char inside[CST_PATH_MAX];
    char target[CST_PATH_MAX];
};

enum castell_status cst_unstream_open(const char *path, const char *named,
                                      struct cst_unstream **ret_unstream)
{
    struct cst_unstream *unstream = cst_zalloc(sizeof(*unstream));

    if (!unstream)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a file");
    unstream->top = path;
    unstream->named = cst_strdup(named);
    unstream->file = -1;
    if (!unstream->named) {
        cst_free(unstream);
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a file");
    }
    *ret_unstream = unstream;
    return CASTELL_OK;
}

bool cst_unstream_close(struct cst_unstream *unstream)
{
    bool whole;

    if (!unstream)
        return false;
    whole = unstream->whole;
    if (unstream->file >= 0)
        (void)close(unstream->file);
    cst_free(unstream->named);
    cst_free(unstream);
    return whole;
}

uint64_t cst_unstream_bytes(const struct cst_unstream *unstream)
{
    return unstream->bytes;
}

static enum castell_status senseless(const struct cst_unstream *unstream)
{
    return cst_fail(CASTELL_ERR_SYSTEM,
                    "what came as %s from another node makes no sense",
                    unstream->named);
}

/* What follows the record in its text. */
static size_t text_size(const struct record *record)
{
    return record->path_size + (record->what == IS_LINK ? record->size : 0);
}

static bool makes_sense(const struct record *record)
{
    if (record->what < IS_FILE || record->what > IS_END ||
        record->path_size >= CST_PATH_MAX || record->zero != 0 ||
        (record->mode & ~(uint32_t)MODE_BITS) != 0)
        return false;
    if (record->what == IS_LINK)
        return record->path_size > 0 && record->size > 0 &&
               record->size < CST_PATH_MAX;
    return record->what == IS_FILE || record->size == 0;
}

static enum castell_status make_file(struct cst_unstream *unstream,
                                     const char *path)
{
    unstream->file =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    unstream->left = unstream->record.size;
    if (unstream->file < 0 ||
        fchmod(unstream->file, unstream->record.mode) != 0)
        return cannot("write", unstream->named);
    if (unstream->left == 0) {
        (void)close(unstream->file);
        unstream->file = -1;
    }
    return CASTELL_OK;
}

static enum castell_status make_entry(struct cst_unstream *unstream,
                                      const char *path, const char *inside,
                                      const char *target)
{
    bool good = true;

    switch (unstream->record.what) {
    case IS_FILE:
        return make_file(unstream, path);
    case IS_DIRECTORY:
        good = mkdir(path, 0700) == 0;
        break;
    case IS_FULL:
        good = chmod(path, unstream->record.mode) == 0;
        break;
    case IS_LINK:
        if (cst_path_escapes(inside, target))
            return senseless(unstream);
        good = symlink(target, path) == 0;
        break;
    default:
        break;
    }
    return good ? CASTELL_OK : cannot("write", unstream->named);
}

/* A record is there with its text. */
static enum castell_status take_record(struct cst_unstream *unstream)
{
    const struct record *record = &unstream->record;
    char *inside = unstream->inside;
    char *target = unstream->target;
    enum castell_status status;
    char *path;

    unstream->size = 0;
    if (record->what == IS_END) {
        unstream->whole = true;
        return CASTELL_OK;
    }
    memcpy(inside, unstream->text, record->path_size);
    inside[record->path_size] = '\0';
    if (record->what == IS_LINK) {
        memcpy(target, unstream->text + record->path_size, record->size);
        target[record->size] = '\0';
    }
    if (strlen(inside) != record->path_size ||
        (record->path_size > 0 && !cst_path_is_inner(inside)))
        return senseless(unstream);
    path = cst_format("%s%s%s", unstream->top, *inside ? "/" : "", inside);
    if (!path)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a file");
    status = make_entry(unstream, path, inside, target);
    cst_free(path);
    return status;
}

static enum castell_status put_bytes(struct cst_unstream *unstream,
                                     const char *bytes, size_t max,
                                     size_t *ret_size)
{
    size_t size = unstream->left < max ? (size_t)unstream->left : max;
    ssize_t put = write(unstream->file, bytes, size);

    if (put < 0)
        return cannot("write", unstream->named);
    unstream->left -= (uint64_t)put;
    unstream->bytes += (uint64_t)put;
    *ret_size = (size_t)put;
    if (unstream->left > 0)
        return CASTELL_OK;
    if (close(unstream->file) != 0) {
        unstream->file = -1;
        return cannot("write", unstream->named);
    }
    unstream->file = -1;
    return CASTELL_OK;
}

/* More of a record; it is taken when it is whole. */
static enum castell_status put_head_bytes(struct cst_unstream *unstream,
                                          const char *bytes, size_t max,
                                          size_t *ret_size)
{
    size_t head = sizeof(unstream->record);
    bool in_head = unstream->size < head;
    size_t end = in_head ? head : head + text_size(&unstream->record);
    size_t size = end - unstream->size;

    if (size > max)
        size = max;
    if (in_head)
        memcpy((char *)&unstream->record + unstream->size, bytes, size);
    else
        memcpy(unstream->text + (unstream->size - head), bytes, size);
    unstream->size += size;
    *ret_size = size;
    if (unstream->size < head)
        return CASTELL_OK;
    if (in_head && !makes_sense(&unstream->record))
        return senseless(unstream);
    return unstream->size == head + text_size(&unstream->record)
               ? take_record(unstream)
               : CASTELL_OK;
}

enum castell_status cst_unstream_write(struct cst_unstream *unstream,
                                       const void *bytes, size_t size)
{
    const char *at = bytes;
    enum castell_status status = CASTELL_OK;

    while (size > 0 && status == CASTELL_OK) {
        size_t used = 0;

        if (unstream->whole)
            return senseless(unstream);
        if (unstream->file >= 0)
            status = put_bytes(unstream, at, size, &used);
        else
            status = put_head_bytes(unstream, at, size, &used);
        at += used;
        size -= used;
    }
    return status;
}
