#include "train/data.h"

#include "common/app.h"
#include "common/images.h"

#include <castell.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { PATH_SIZE = 1024 };

/* ---- Orders ------------------------------------------------------------- */

uint64_t data_key(uint64_t seed, int epoch)
{
    uint64_t state = seed * 0x10001 + (uint64_t)epoch;

    return app_random(&state) | 1;
}

/*
 * A permutation that needs no memory: four rounds of a Feistel network permute
 * the numbers below a power of four, again and again until the number is one of
 * ours.
 */
int data_nth(const struct data_part *part, int i)
{
    uint64_t at = (uint64_t)part->first + (uint64_t)i;
    unsigned half = 1;

    if (!part->key)
        return (int)at;
    while (1ull << (2 * half) < (uint64_t)part->total)
        half++;
    do {
        uint64_t mask = (1ull << half) - 1;
        uint64_t left = at >> half;
        uint64_t right = at & mask;

        for (uint64_t round = 1; round <= 4; round++) {
            uint64_t state = part->key + (round << 32) + right;
            uint64_t next = left ^ (app_random(&state) & mask);

            left = right;
            right = next;
        }
        at = left << half | right;
    } while (at >= (uint64_t)part->total);
    return (int)at;
}

/* ---- Files -------------------------------------------------------------- */

int data_read(const char *path, long at, int size, const struct data_part *part,
              uint8_t *into)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    int status = file < 0 ? -1 : 0;

    for (int i = 0; i < part->count && !status; i++) {
        long offset = at + (long)data_nth(part, i) * size;
        ssize_t got = pread(file, into + (long)i * size, (size_t)size, offset);

        if (got >= 0 && got < size)
            errno = ENODATA;
        status = got == size ? 0 : -1;
    }
    if (status)
        fprintf(stderr, "train: cannot read %s: %s\n", path,
                errno == ENODATA ? "it has become shorter" : strerror(errno));
    if (file >= 0)
        close(file);
    return status;
}

/* A file without its compression. */
#pragma castell task file_in(from) file_out(to)
static int unpack(const char *from, const char *to)
{
    char piece[2048];
    gzFile in = gzopen(from, "rb");
    FILE *out = in ? fopen(to, "wb") : NULL;
    int got = 0;
    int failed = !out;

    while (!failed && (got = gzread(in, piece, sizeof(piece))) > 0)
        failed = fwrite(piece, 1, (size_t)got, out) != (size_t)got;
    failed = failed || got < 0;
    if (out && fclose(out))
        failed = 1;
    if (in)
        gzclose(in);
    if (failed)
        fprintf(stderr, "train: cannot unpack %s to %s: %s\n", from, to,
                got < 0 ? "it is damaged" : strerror(errno));
    return failed;
}

static char *copy_of(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        app_die(1, "no memory for a name");
    return copy;
}

/* The file of that name with `size` bytes that may be read at any place. */
static char *unpacked(const char *path, long size, const char *scratch)
{
    char to[PATH_SIZE];
    const char *name = strrchr(path, '/') + 1;
    size_t length = strlen(name);
    struct stat status;

    if (length <= 3 || strcmp(name + length - 3, ".gz") != 0)
        return copy_of(path);
    snprintf(to, sizeof(to), "%s/%.*s", scratch, (int)length - 3, name);
    if (stat(to, &status) || status.st_size != size)
        unpack(path, to);
    return copy_of(to);
}

struct data data_images(const char *directory, const char *stem, int most,
                        const char *scratch)
{
    struct data data = {.labels = 1};

    if (scratch) {
        static struct app_images_files files;

        app_images_find(directory, stem, &files);
        data.count = files.count;
        data.sample = files.pixels;
        data.classes = files.classes;
        data.bytes_at = files.images_at;
        data.labels_at = files.labels_at;
        data.bytes_path = unpacked(
            files.images, files.images_at + (long)files.count * files.pixels,
            scratch);
        data.labels_path =
            unpacked(files.labels, files.labels_at + files.count, scratch);
        if (most > 0 && most < data.count)
            data.count = most;
    } else {
        struct app_images images = app_images_read(directory, stem, most);

        data.count = images.count;
        data.sample = images.pixels;
        data.classes = images.classes;
        data.bytes = images.data;
        data.answers = images.labels;
    }
    return data;
}

/* ---- Text --------------------------------------------------------------- */

static long size_of(const char *path)
{
    struct stat status;

    if (stat(path, &status))
        app_die(2, "cannot read %s: %s", path, strerror(errno));
    return S_ISREG(status.st_mode) ? status.st_size : -1;
}

static int no_dots(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* A file's bytes after those that are in *text. */
static void append(const char *path, long size, uint8_t **text, long *ret_size)
{
    FILE *file = fopen(path, "rb");

    if (*ret_size + size > INT_MAX)
        app_die(2, "%s makes it more than 2 GB of text", path);
    *text = realloc(*text, (size_t)(*ret_size + size) + 1);
    if (!*text)
        app_die(1, "no memory for the text of %s", path);
    if (!file ||
        fread(*text + *ret_size, 1, (size_t)size, file) != (size_t)size)
        app_die(2, "cannot read %s: %s", path, strerror(errno));
    fclose(file);
    *ret_size += size;
}

/* All of it, to be freed. */
static uint8_t *read_text(const char *path, long *ret_size)
{
    struct dirent **entries;
    uint8_t *text = NULL;
    long size = size_of(path);
    int count;

    *ret_size = 0;
    if (size >= 0) {
        append(path, size, &text, ret_size);
        return text;
    }
    count = scandir(path, &entries, no_dots, alphasort);
    if (count < 0)
        app_die(2, "cannot read %s: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        char name[PATH_SIZE];

        snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
        size = size_of(name);
        if (size > 0)
            append(name, size, &text, ret_size);
        free(entries[i]);
    }
    free(entries);
    return text;
}

/* The samples from `at` on: their bytes, and the next ones. */
static void cut(const uint8_t *text, long at, struct data *data)
{
    long size = (long)data->count * data->sample;

    if (!text)
        return;
    data->bytes = app_alloc(size, 1);
    data->answers = app_alloc(size, 1);
    memcpy(data->bytes, text + at, (size_t)size);
    memcpy(data->answers, text + at + 1, (size_t)size);
}

void data_text(const char *path, int context, int most, int streamed,
               struct data *ret_train, struct data *ret_test)
{
    struct data data = {.classes = 256, .sample = context, .labels = context};
    uint8_t *text = NULL;
    long size, samples;

    if (!streamed)
        text = read_text(path, &size);
    else if ((size = size_of(path)) < 0)
        app_die(2, "--stream reads text from one file, and %s is none", path);
    samples = (size - 1) / context;
    if (samples > INT_MAX / context)
        samples = INT_MAX / context;
    if (samples < 10)
        app_die(2, "%s has no ten pieces of %d bytes", path, context);
    *ret_train = *ret_test = data;
    for (int i = 0; i < 2; i++) {
        struct data *part = i ? ret_test : ret_train;

        part->bytes_path = copy_of(path);
        part->labels_path = copy_of(path);
    }
    ret_test->count = (int)(samples / 10);
    ret_train->count = (int)samples - ret_test->count;
    ret_test->bytes_at = (long)ret_train->count * context;
    ret_test->labels_at = ret_test->bytes_at + 1;
    ret_train->labels_at = 1;
    if (most > 0 && most < ret_train->count)
        ret_train->count = most;
    cut(text, 0, ret_train);
    cut(text, ret_test->bytes_at, ret_test);
    free(text);
}

void data_free(struct data *data)
{
    castell_free(data->bytes);
    castell_free(data->answers);
    free(data->bytes_path);
    free(data->labels_path);
}
