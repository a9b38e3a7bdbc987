/*
 * Files of numbers of a fixed size: NPY, IDX and raw ones.
 */
#include "blocks/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_MAX = 1 << 16, BUFFER = 1 << 18, DIMENSIONS_MAX = 32 };

void blk_note(struct blk_note *note, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(note->text, sizeof(note->text), format, arguments);
    va_end(arguments);
}

int blk_open(const char *path, const char *name, long *ret_size)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file >= 0 && fstat(file, &about) == 0 && !S_ISREG(about.st_mode)) {
        close(file);
        blk_fail(CASTELL_ERR_SYSTEM, "cannot read %s: it is no ordinary file",
                 name);
        return -1;
    }
    if (file < 0) {
        blk_fail(CASTELL_ERR_SYSTEM, "cannot read %s: %s", name,
                 strerror(errno));
        return -1;
    }
    *ret_size = (long)about.st_size;
    return file;
}

/* ---- Headers -------------------------------------------------------------- */

/* The beginning of a file, and a 0 behind it. */
struct beginning {
    unsigned char bytes[HEADER_MAX + 1];
    size_t size;
    long file_size;
};

static struct beginning *read_beginning(const char *path, const char *name)
{
    struct beginning *begin = calloc(1, sizeof(*begin));
    int file;
    ssize_t got;

    if (!begin) {
        blk_no_memory();
        return NULL;
    }
    file = blk_open(path, name, &begin->file_size);
    if (file < 0) {
        free(begin);
        return NULL;
    }
    got = pread(file, begin->bytes, HEADER_MAX, 0);
    begin->size = got > 0 ? (size_t)got : 0;
    close(file);
    return begin;
}

/* The file must be as long as its numbers need. */
static enum castell_status check_size(const char *name, long file_size,
                                      const struct blk_layout *layout)
{
    long need;

    if (layout->rows < 1 || layout->cols < 1)
        return blk_fail(CASTELL_ERR_INVALID, "%s holds no numbers", name);
    if (__builtin_mul_overflow(layout->rows, layout->cols, &need) ||
        __builtin_mul_overflow(need, (long)layout->size, &need) ||
        __builtin_add_overflow(need, layout->begin, &need))
        return blk_fail(CASTELL_ERR_INVALID,
                        "%s says that it has more numbers than there can be",
                        name);
    if (file_size < need)
        return blk_fail(CASTELL_ERR_INVALID,
                        "%s is cut off: its %ld x %ld numbers need %ld bytes, "
                        "and it has %ld",
                        name, layout->rows, layout->cols, need, file_size);
    return CASTELL_OK;
}

/* "<f8" and so on. */
static bool set_type(const char *text, struct blk_layout *layout)
{
    const char *digit;

    layout->swapped = *text == '>';
    if (strchr("<>|=", *text) && *text)
        text++;
    layout->type = *text;
    digit = *text ? text + 1 : text;
    layout->size = *digit ? *digit - '0' : 0;
    if (!*digit || digit[1])
        return false;
    switch (layout->type) {
    case 'b':
        return layout->size == 1;
    case 'i':
    case 'u':
        return layout->size == 1 || layout->size == 2 || layout->size == 4 ||
               layout->size == 8;
    case 'f':
        return layout->size == 4 || layout->size == 8;
    default:
        return false;
    }
}

/* What stands after 'key': in the header's dictionary; NULL when it is not
   there. */
static const char *value_of(const char *header, const char *key)
{
    char quoted[32];
    const char *at;

    snprintf(quoted, sizeof(quoted), "'%s':", key);
    at = strstr(header, quoted);
    if (!at)
        return NULL;
    at += strlen(quoted);
    return at + strspn(at, " ");
}

/* "(60000, 28, 28)": rows, and the product of the others. */
static bool set_shape(const char *text, struct blk_layout *layout)
{
    long numbers[DIMENSIONS_MAX];
    int count = 0;

    if (*text++ != '(')
        return false;
    for (;;) {
        char *end;

        text += strspn(text, " ,");
        if (*text == ')')
            break;
        errno = 0;
        if (count == DIMENSIONS_MAX)
            return false;
        numbers[count] = strtol(text, &end, 10);
        if (end == text || errno || numbers[count] < 0)
            return false;
        count++;
        text = end;
    }
    layout->rows = count > 0 ? numbers[0] : 1;
    layout->cols = 1;
    for (int i = 1; i < count; i++) {
        if (__builtin_mul_overflow(layout->cols, numbers[i], &layout->cols))
            return false;
    }
    /* By columns, more dimensions than two are another order. */
    return !layout->by_columns || count <= 2;
}

static enum castell_status parse_npy(const char *name, struct beginning *begin,
                                     struct blk_layout *layout)
{
    const unsigned char *bytes = begin->bytes;
    bool is_long = bytes[6] >= 2;
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    const char *header = (const char *)bytes + (is_long ? 12 : 10);
    const char *type, *order, *shape;
    char text[8] = "";

    if (is_long)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    layout->begin = (long)length + (is_long ? 12 : 10);
    if (bytes[6] < 1 || bytes[6] > 3 || layout->begin > HEADER_MAX)
        return blk_fail(CASTELL_ERR_INVALID,
                        "%s is an NPY file of a version that is not known",
                        name);
    if ((size_t)layout->begin > begin->size)
        return blk_fail(CASTELL_ERR_INVALID,
                        "%s is cut off: its header needs %ld bytes, and it has "
                        "%ld",
                        name, layout->begin, begin->file_size);
    begin->bytes[layout->begin] = 0;
    type = value_of(header, "descr");
    order = value_of(header, "fortran_order");
    shape = value_of(header, "shape");
    if (!type || !order || !shape)
        return blk_fail(CASTELL_ERR_INVALID, "%s has a damaged header", name);
    layout->by_columns = !strncmp(order, "True", 4);
    if (*type == '\'')
        snprintf(text, sizeof(text), "%.*s", (int)strcspn(type + 1, "'"),
                 type + 1);
    if (!set_type(text, layout))
        return blk_fail(CASTELL_ERR_INVALID,
                        "%s holds '%.20s', not integers, booleans or floating "
                        "point of 4 or 8 bytes",
                        name, text[0] ? text : type);
    if (!set_shape(shape, layout))
        return blk_fail(CASTELL_ERR_INVALID,
                        "%s has a shape that is no matrix: %.40s", name, shape);
    return check_size(name, begin->file_size, layout);
}

enum castell_status blk_open_npy(const char *path, const char *name,
                                 struct blk_layout *ret_layout)
{
    struct beginning *begin = read_beginning(path, name);
    struct blk_layout layout = {0};
    enum castell_status status;

    if (!begin)
        return CASTELL_ERR_SYSTEM;
    if (begin->size < 12 || memcmp(begin->bytes, "\x93NUMPY", 6) != 0)
        status =
            blk_fail(CASTELL_ERR_INVALID, "%s is no NPY file", name);
    else
        status = parse_npy(name, begin, &layout);
    free(begin);
    if (status == CASTELL_OK)
        *ret_layout = layout;
    return status;
}

static long big_endian(const unsigned char *bytes)
{
    return (long)bytes[0] << 24 | (long)bytes[1] << 16 | (long)bytes[2] << 8 |
           bytes[3];
}

static enum castell_status parse_idx(const char *name,
                                     const struct beginning *begin,
                                     struct blk_layout *layout)
{
    static const char *const types[] = {[0x8] = "u1", [0x9] = "i1",
                                        [0xb] = "i2", [0xc] = "i4",
                                        [0xd] = "f4", [0xe] = "f8"};
    const unsigned char *bytes = begin->bytes;
    int dimensions = bytes[3];

    if (begin->size < 4 || bytes[0] || bytes[1] || bytes[2] > 0xe ||
        !types[bytes[2]] || dimensions < 1 || dimensions > DIMENSIONS_MAX)
        return blk_fail(CASTELL_ERR_INVALID, "%s is no IDX file", name);
    if (!set_type(types[bytes[2]], layout))
        return blk_fail(CASTELL_ERR_INVALID, "%s is no IDX file", name);
    layout->swapped = true;
    layout->begin = 4 + 4L * dimensions;
    if ((long)begin->size < layout->begin)
        return blk_fail(CASTELL_ERR_INVALID, "%s is cut off in its header",
                        name);
    layout->rows = big_endian(bytes + 4);
    layout->cols = 1;
    for (int i = 1; i < dimensions; i++) {
        if (__builtin_mul_overflow(layout->cols, big_endian(bytes + 4 + 4L * i),
                                   &layout->cols))
            return blk_fail(CASTELL_ERR_INVALID, "%s has a damaged header",
                            name);
    }
    return check_size(name, begin->file_size, layout);
}

enum castell_status blk_open_idx(const char *path, const char *name,
                                 struct blk_layout *ret_layout)
{
    struct beginning *begin = read_beginning(path, name);
    struct blk_layout layout = {0};
    enum castell_status status;

    if (!begin)
        return CASTELL_ERR_SYSTEM;
    status = parse_idx(name, begin, &layout);
    free(begin);
    if (status == CASTELL_OK)
        *ret_layout = layout;
    return status;
}

enum castell_status blk_open_raw(const char *path, const char *name,
                                 const struct blocks_file *file,
                                 struct blk_layout *ret_layout)
{
    struct blk_layout layout = {.cols = file->cols};
    const char *type = file->type ? file->type : "f8";
    long size;
    int descriptor;

    if (!set_type(type, &layout))
        return blk_fail(CASTELL_ERR_INVALID,
                        "'%s' is no type of numbers, as f8, <f4 or u1", type);
    if (layout.cols < 1)
        return blk_fail(CASTELL_ERR_INVALID,
                        "%s is raw: how many columns it has must be told",
                        name);
    descriptor = blk_open(path, name, &size);
    if (descriptor < 0)
        return CASTELL_ERR_SYSTEM;
    close(descriptor);
    if (size % (layout.cols * layout.size) != 0)
        return blk_fail(CASTELL_ERR_INVALID,
                        "%s has %ld bytes, which are no rows of %ld numbers of "
                        "%d bytes",
                        name, size, layout.cols, layout.size);
    layout.rows = size / (layout.cols * layout.size);
    *ret_layout = layout;
    return check_size(name, size, &layout);
}

/* ---- Numbers -------------------------------------------------------------- */

static void swap_bytes(unsigned char *bytes, int size, long count)
{
    for (long i = 0; i < count; i++, bytes += size) {
        for (int low = 0, high = size - 1; low < high; low++, high--) {
            unsigned char byte = bytes[low];

            bytes[low] = bytes[high];
            bytes[high] = byte;
        }
    }
}

/* `count` numbers, `step` doubles apart in x. */
typedef void converter(const void *bytes, long count, double *x, long step);

#define BLK_CONVERTER(name, T)                                                 \
    static void name(const void *bytes, long count, double *x, long step)      \
    {                                                                          \
        const T *from = bytes;                                                 \
                                                                               \
        for (long i = 0; i < count; i++)                                       \
            x[i * step] = (double)from[i];                                     \
    }

BLK_CONVERTER(from_i1, int8_t)
BLK_CONVERTER(from_i2, int16_t)
BLK_CONVERTER(from_i4, int32_t)
BLK_CONVERTER(from_i8, int64_t)
BLK_CONVERTER(from_u1, uint8_t)
BLK_CONVERTER(from_u2, uint16_t)
BLK_CONVERTER(from_u4, uint32_t)
BLK_CONVERTER(from_u8, uint64_t)
BLK_CONVERTER(from_f4, float)
BLK_CONVERTER(from_f8, double)

static converter *converter_of(const struct blk_layout *layout)
{
    static converter *const whole[] = {from_i1, from_i2, from_i4, from_i8};
    static converter *const natural[] = {from_u1, from_u2, from_u4, from_u8};
    int power = layout->size == 8 ? 3 : layout->size / 2;

    if (layout->type == 'f')
        return layout->size == 4 ? from_f4 : from_f8;
    return layout->type == 'i' ? whole[power] : natural[power];
}

/* A file while a task reads from it. */
struct reading {
    int file;
    const struct blk_layout *layout;
    unsigned char *buffer; /* BUFFER bytes */
    converter *convert;
};

/* `count` numbers that follow one another in the file from number `first` on,
   into x, `step` doubles apart. */
static bool read_run(const struct reading *reading, long first, long count,
                     double *x, long step)
{
    const struct blk_layout *layout = reading->layout;
    long most = BUFFER / layout->size;

    while (count > 0) {
        long piece = count < most ? count : most;
        size_t size = (size_t)(piece * layout->size);
        ssize_t got = pread(reading->file, reading->buffer, size,
                            layout->begin + first * layout->size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || (size_t)got != size)
            return false;
        if (layout->swapped)
            swap_bytes(reading->buffer, layout->size, piece);
        reading->convert(reading->buffer, piece, x, step);
        x += piece * step;
        first += piece;
        count -= piece;
    }
    return true;
}

static bool read_tile(const struct reading *reading,
                      const struct blk_tile *tile, double *x)
{
    const struct blk_layout *layout = reading->layout;
    bool good = true;

    if (layout->by_columns) {
        for (long i = 0; good && i < tile->cols; i++)
            good = read_run(reading, (tile->col + i) * layout->rows + tile->row,
                            tile->rows, x + i, tile->width);
        return good;
    }
    if (tile->cols == layout->cols && tile->cols == tile->width)
        return read_run(reading, tile->row * layout->cols,
                        tile->rows * layout->cols, x, 1);
    for (long i = 0; good && i < tile->rows; i++)
        good = read_run(reading, (tile->row + i) * layout->cols + tile->col,
                        tile->cols, x + i * tile->width, 1);
    return good;
}

void blk_read_numbers(const char *path, const struct blk_layout *layout,
                      const struct blk_tile *tile, double *x,
                      struct blk_note *note)
{
    struct reading reading = {.file = open(path, O_RDONLY | O_CLOEXEC),
                              .layout = layout,
                              .buffer = malloc(BUFFER),
                              .convert = converter_of(layout)};

    note->system = 1;
    if (reading.file < 0)
        blk_note(note, "%s", strerror(errno));
    else if (!reading.buffer)
        blk_note(note, "no memory");
    else if (!read_tile(&reading, tile, x))
        blk_note(note, "it was cut off, or cannot be read any more");
    if (reading.file >= 0)
        close(reading.file);
    free(reading.buffer);
}
