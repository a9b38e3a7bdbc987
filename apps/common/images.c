#include "common/images.h"

#include "common/app.h"

#include <castell.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* Larger numbers in a header are an error in the file. */
enum { COUNT_MAX = 10000000, SIDE_MAX = 1024 };

/* One IDX file while it is read. */
struct reader {
    char path[1024];
    gzFile file; /* zlib reads what is not compressed as it is */
};

static struct reader reader_open(const char *directory, const char *name)
{
    struct reader reader;

    snprintf(reader.path, sizeof(reader.path), "%s/%s.gz", directory, name);
    if (access(reader.path, F_OK))
        snprintf(reader.path, sizeof(reader.path), "%s/%s", directory, name);
    reader.file = gzopen(reader.path, "rb");
    if (!reader.file)
        app_die(2, "cannot read %s: %s", reader.path, strerror(errno));
    gzbuffer(reader.file, 1 << 17);
    return reader;
}

static void read_bytes(struct reader *reader, void *into, size_t size)
{
    uint8_t *next = into;

    while (size > 0) {
        unsigned piece = size > 1 << 30 ? 1u << 30 : (unsigned)size;
        int got = gzread(reader->file, next, piece);

        if (got <= 0)
            app_die(2, "%s ends too early or is damaged", reader->path);
        next += got;
        size -= (size_t)got;
    }
}

/* The next number of the header: four bytes, the highest first. */
static int read_number(struct reader *reader, int most)
{
    uint8_t byte[4];
    uint32_t number;

    read_bytes(reader, byte, sizeof(byte));
    number = (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 |
             (uint32_t)byte[2] << 8 | byte[3];
    if (number < 1 || number > (uint32_t)most)
        app_die(2, "%s: %u is no sensible number in its header", reader->path,
                number);
    return (int)number;
}

/* The first four bytes: 0, 0, "unsigned bytes", the number of dimensions. */
static void read_magic(struct reader *reader, int dimensions)
{
    uint8_t byte[4];

    read_bytes(reader, byte, sizeof(byte));
    if (byte[0] || byte[1] || byte[2] != 8 || byte[3] != dimensions)
        app_die(2, "%s is no IDX file of bytes in %d dimensions", reader->path,
                dimensions);
}

static void read_images(const char *directory, const char *name, int images_max,
                        struct app_images *images)
{
    struct reader reader = reader_open(directory, name);
    int rows;

    read_magic(&reader, 3);
    images->count = read_number(&reader, COUNT_MAX);
    rows = read_number(&reader, SIDE_MAX);
    images->pixels = rows * read_number(&reader, SIDE_MAX);
    if (images_max > 0 && images_max < images->count)
        images->count = images_max;
    if ((long)images->count * images->pixels > INT_MAX)
        app_die(2, "%s holds more than 2 GB", reader.path);
    images->data = app_alloc((long)images->count * images->pixels, 1);
    read_bytes(&reader, images->data,
               (size_t)images->count * (size_t)images->pixels);
    gzclose(reader.file);
}

static void read_labels(const char *directory, const char *name,
                        struct app_images *images)
{
    struct reader reader = reader_open(directory, name);

    read_magic(&reader, 1);
    if (read_number(&reader, COUNT_MAX) < images->count)
        app_die(2, "%s has fewer labels than there are images", reader.path);
    images->labels = app_alloc(images->count, 1);
    read_bytes(&reader, images->labels, (size_t)images->count);
    gzclose(reader.file);
    images->classes = 0;
    for (int i = 0; i < images->count; i++) {
        if (images->labels[i] >= images->classes)
            images->classes = images->labels[i] + 1;
    }
}

struct app_images app_images_read(const char *directory, const char *stem,
                                  int images_max)
{
    struct app_images images = {0};
    char name[64];

    snprintf(name, sizeof(name), "%s-images-idx3-ubyte", stem);
    read_images(directory, name, images_max, &images);
    snprintf(name, sizeof(name), "%s-labels-idx1-ubyte", stem);
    read_labels(directory, name, &images);
    return images;
}

void app_images_free(struct app_images *images)
{
    castell_free(images->data);
    castell_free(images->labels);
}

void app_images_find(const char *directory, const char *stem,
                     struct app_images_files *ret_files)
{
    struct app_images_files *files = ret_files;
    struct reader reader;
    char name[64];
    uint8_t label;

    *files = (struct app_images_files){.images_at = 16, .labels_at = 8};
    snprintf(name, sizeof(name), "%s-images-idx3-ubyte", stem);
    reader = reader_open(directory, name);
    read_magic(&reader, 3);
    files->count = read_number(&reader, COUNT_MAX);
    files->pixels = read_number(&reader, SIDE_MAX);
    files->pixels *= read_number(&reader, SIDE_MAX);
    memcpy(files->images, reader.path, sizeof(files->images));
    gzclose(reader.file);

    snprintf(name, sizeof(name), "%s-labels-idx1-ubyte", stem);
    reader = reader_open(directory, name);
    read_magic(&reader, 1);
    if (read_number(&reader, COUNT_MAX) < files->count)
        app_die(2, "%s has fewer labels than there are images", reader.path);
    for (int i = 0; i < files->count; i++) {
        read_bytes(&reader, &label, 1);
        if (label >= files->classes)
            files->classes = label + 1;
    }
    memcpy(files->labels, reader.path, sizeof(files->labels));
    gzclose(reader.file);
}
