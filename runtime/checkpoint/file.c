/*
 * Files that appear whole or not at all: each is written under a name that no
 * other attempt, process or machine uses, made durable, and renamed. So a task
 * that runs twice, even at once, does no harm.
 */
#include "base/memory.h"
#include "base/thread.h"
#include "checkpoint/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE = 1 << 20, /* is hashed while it is in the caches */
    TEMPORARY_SIZE = CST_FILE_PATH + CST_HOST_SIZE + 48,
    MODE_FILE = 0666,
    MODE_DIRECTORY = 0777,
};

static const size_t manifest_max = (size_t)1 << 30;

void cst_sum_prepare(void)
{
    /* It may fail only for lack of random numbers, which nobody wants here. */
    if (sodium_init() < 0)
        return;
}

void cst_series_host(char host[CST_HOST_SIZE])
{
    memset(host, 0, CST_HOST_SIZE);
    if (gethostname(host, CST_HOST_SIZE - 1) != 0 || !*host)
        (void)snprintf(host, CST_HOST_SIZE, "localhost");
}

static void temporary_name(char name[TEMPORARY_SIZE], const char *path)
{
    char host[CST_HOST_SIZE];

    cst_series_host(host);
    (void)snprintf(name, TEMPORARY_SIZE, "%s.%s.%ld.%ld", path, host,
                   (long)getpid(), (long)gettid());
}

static bool write_all(int file, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = write(file, bytes, size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        bytes += count;
        size -= (size_t)count;
    }
    return true;
}

/* Make it durable and give it its name; else remove it. Keeps errno. */
static bool finish(int file, bool well, const char *temporary, const char *path)
{
    int error;

    well = well && fsync(file) == 0;
    error = errno;
    if (close(file) != 0 && well) {
        well = false;
        error = errno;
    }
    if (well && rename(temporary, path) != 0) {
        well = false;
        error = errno;
    }
    if (!well)
        (void)unlink(temporary);
    errno = error;
    return well;
}

static int create(char temporary[TEMPORARY_SIZE], const char *path)
{
    temporary_name(temporary, path);
    return open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, MODE_FILE);
}

bool cst_file_write(const char *path, const char *text, size_t size)
{
    char temporary[TEMPORARY_SIZE];
    int file = create(temporary, path);

    return file >= 0 &&
           finish(file, write_all(file, text, size), temporary, path);
}

char *cst_file_read(const char *path, size_t *ret_size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    char *text = NULL;
    size_t used = 0;
    ssize_t count = 0;
    int error;

    if (file < 0)
        return NULL;
    if (fstat(file, &about) == 0 && (size_t)about.st_size < manifest_max)
        text = cst_zalloc((size_t)about.st_size + 1);
    else
        errno = EFBIG;
    while (text && used < (size_t)about.st_size) {
        count = read(file, text + used, (size_t)about.st_size - used);
        if (count <= 0)
            break;
        used += (size_t)count;
    }
    error = errno;
    (void)close(file);
    if (text && count < 0) {
        cst_free(text);
        text = NULL;
    }
    errno = error;
    *ret_size = used;
    return text;
}

/* ---- Parts --------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void
fail(struct cst_part_record *record, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(record->why, sizeof(record->why), format, args);
    va_end(args);
    record->failed = 1;
}

static void fail_on(struct cst_part_record *record, const char *path,
                    const char *what)
{
    int error = errno;

    if (error == ENOENT)
        fail(record,
             "node %s does not see %s: it is gone, or in no directory that all "
             "nodes see",
             record->host, path);
    else
        fail(record, "node %s cannot %s %s: %s", record->host, what, path,
             cst_reason(error));
}

static bool write_rows(int file, const char *base,
                       const struct cst_part_rows *rows,
                       crypto_generichash_state *sum)
{
    for (uint64_t row = 0; row < rows->rows; row++) {
        const char *bytes = base + row * rows->pitch;

        for (size_t done = 0; done < rows->size;) {
            size_t size = rows->size - done;

            if (size > PIECE)
                size = PIECE;
            if (!write_all(file, bytes + done, size))
                return false;
            (void)crypto_generichash_update(
                sum, (const unsigned char *)bytes + done, size);
            done += size;
        }
    }
    return true;
}

/* Of a process that uses checksums for the first time, too. */
static void begin(crypto_generichash_state *sum, struct cst_part_record *record)
{
    memset(record, 0, sizeof(*record));
    record->process = (int32_t)getpid();
    cst_series_host(record->host);
    cst_sum_prepare();
    (void)crypto_generichash_init(sum, NULL, 0, CST_SUM_SIZE);
}

void cst_part_write(const char *path, const void *base,
                    const struct cst_part_rows *rows,
                    struct cst_part_record *ret_record)
{
    char temporary[TEMPORARY_SIZE];
    crypto_generichash_state sum;
    int file;

    begin(&sum, ret_record);
    file = create(temporary, path);
    if (file < 0 ||
        !finish(file, write_rows(file, base, rows, &sum), temporary, path)) {
        fail_on(ret_record, path, "write");
        return;
    }
    ret_record->size = rows->rows * rows->size;
    (void)crypto_generichash_final(&sum, ret_record->sum, CST_SUM_SIZE);
}

/* Up to size bytes, fewer at the end of the file; -1: errno says why. */
static ssize_t read_some(int file, char *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count = read(file, bytes + done, size - done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

/* All of the file into rows, or through `piece`; false: errno says why. */
static bool read_rows(int file, char *base, const struct cst_part_rows *rows,
                      char *piece, struct cst_part_record *record,
                      crypto_generichash_state *sum)
{
    uint64_t row = 0;
    size_t done = 0;

    while (!base || row < rows->rows) {
        char *to = base ? base + row * rows->pitch + done : piece;
        size_t size = base ? rows->size - done : PIECE;
        ssize_t count;

        if (size > PIECE)
            size = PIECE;
        count = read_some(file, to, size);
        if (count < 0)
            return false;
        (void)crypto_generichash_update(sum, (const unsigned char *)to,
                                        (size_t)count);
        record->size += (size_t)count;
        if ((size_t)count < size)
            break;
        done += size;
        if (base && done == rows->size) {
            row++;
            done = 0;
        }
    }
    return true;
}

void cst_part_read(const char *path, void *base,
                   const struct cst_part_rows *rows,
                   struct cst_part_record *ret_record)
{
    crypto_generichash_state sum;
    char *piece = base ? NULL : cst_alloc(PIECE);
    int file;

    begin(&sum, ret_record);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0 && !base && !piece)
        fail(ret_record, "node %s has no memory to read %s", ret_record->host,
             path);
    else if (file < 0 || !read_rows(file, base, rows, piece, ret_record, &sum))
        fail_on(ret_record, path, "read");
    if (file >= 0)
        (void)close(file);
    cst_free(piece);
    (void)crypto_generichash_final(&sum, ret_record->sum, CST_SUM_SIZE);
}

/* ---- Directories --------------------------------------------------------- */

bool cst_directory_sync(const char *path)
{
    int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool well = file >= 0 && fsync(file) == 0;
    int error = errno;

    if (file >= 0)
        (void)close(file);
    errno = error;
    return well;
}

bool cst_directory_make(const char *path)
{
    char part[CST_FILE_PATH];
    struct stat about;

    for (const char *end = path; *end; end++) {
        if (end == path || (end[0] != '/' && end[1] != '\0'))
            continue;
        (void)snprintf(part, sizeof(part), "%.*s",
                       (int)(end - path + (end[0] != '/')), path);
        if (mkdir(part, MODE_DIRECTORY) != 0 && errno != EEXIST &&
            stat(part, &about) != 0)
            return false;
    }
    if (stat(path, &about) != 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(about.st_mode);
}

void cst_series_directory(char path[CST_FILE_PATH], const char *series,
                          uint64_t number, bool written)
{
    (void)snprintf(path, CST_FILE_PATH, "%s/%06llu%s", series,
                   (unsigned long long)number, written ? "" : ".tmp");
}

void cst_series_part(char path[CST_FILE_PATH], const char *directory,
                     uint64_t part)
{
    /* directory is one of cst_series_directory(): there is room. */
    int size = snprintf(path, CST_FILE_PATH, "%s", directory);

    (void)snprintf(path + size, CST_FILE_PATH - (size_t)size, "/part.%06llu",
                   (unsigned long long)part);
}

/* Is it the name of a whole file of a checkpoint? */
static bool is_whole(const char *name)
{
    static const char part[] = "part.";
    size_t size = strlen(part);

    if (strcmp(name, CST_MANIFEST) == 0)
        return true;
    return strncmp(name, part, size) == 0 &&
           name[size + strspn(name + size, "0123456789")] == '\0';
}

static void remove_files(const char *directory, bool whole_too)
{
    DIR *listing = opendir(directory);
    const struct dirent *entry;

    if (!listing)
        return;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's */
    while ((entry = readdir(listing)) != NULL)
        if (whole_too || !is_whole(entry->d_name))
            (void)unlinkat(dirfd(listing), entry->d_name, 0);
    (void)closedir(listing);
}

void cst_series_tidy(const char *directory)
{
    remove_files(directory, false);
}

void cst_series_remove(const char *directory)
{
    remove_files(directory, true);
    (void)rmdir(directory);
}

/* "000012" or "000012.tmp"? */
static bool read_name(const char *name, struct cst_series_entry *ret_entry)
{
    size_t digits = strspn(name, "0123456789");

    if (digits == 0 || digits > 18 ||
        (name[digits] && strcmp(name + digits, ".tmp") != 0))
        return false;
    ret_entry->number = strtoull(name, NULL, 10);
    ret_entry->valid = name[digits] == '\0';
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct cst_series_entry *x = a, *y = b;

    return (x->number < y->number) - (x->number > y->number);
}

size_t cst_series_list(const char *series, struct cst_series_entry **ret_list)
{
    DIR *listing = opendir(series);
    struct cst_series_entry *list = NULL;
    const struct dirent *entry;
    size_t count = 0;
    size_t room = 0;

    if (!listing)
        return SIZE_MAX;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this thread's */
    while ((entry = readdir(listing)) != NULL) {
        struct cst_series_entry found;

        if (!read_name(entry->d_name, &found))
            continue;
        if (count == room) {
            struct cst_series_entry *larger;

            room = room ? 2 * room : 16;
            larger = cst_realloc(list, room * sizeof(*list));
            if (!larger) {
                cst_free(list);
                (void)closedir(listing);
                errno = ENOMEM;
                return SIZE_MAX;
            }
            list = larger;
        }
        list[count++] = found;
    }
    (void)closedir(listing);
    if (count > 0)
        qsort(list, count, sizeof(*list), compare);
    *ret_list = list;
    return count;
}
