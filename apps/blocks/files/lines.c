/*
 * Files of lines of decimal numbers.
 *
 * A file is cut in chunks of bytes, whose lines tasks count; from that main knows
 * in which chunk a row begins, and how many lines into it. Lines without any
 * number are passed over.
 */
#include "blocks/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIELD = 64, DIGITS = 19 };

/* A file, to look at from begin to end. */
struct text {
    const char *begin, *end;
};

static bool map_text(const char *path, struct text *ret_text)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    void *memory = MAP_FAILED;

    if (file < 0)
        return false;
    if (fstat(file, &about) == 0 && about.st_size > 0)
        memory =
            mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (memory == MAP_FAILED)
        return false;
    *ret_text = (struct text){memory, (char *)memory + about.st_size};
    return true;
}

static void unmap_text(const struct text *text)
{
    munmap((void *)(uintptr_t)text->begin, (size_t)(text->end - text->begin));
}

/* ---- Lines ---------------------------------------------------------------- */

/* Behind the end of the line. */
static const char *next_line(const struct text *text, const char *at)
{
    const char *end = memchr(at, '\n', (size_t)(text->end - at));

    return end ? end + 1 : text->end;
}

static bool is_blank(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' ||
                        *at == '\n'))
        at++;
    return at == end;
}

/* The first line that begins at that byte or later. */
static const char *line_from(const struct text *text, long byte)
{
    const char *at = text->begin + byte;

    if (byte == 0 || at[-1] == '\n')
        return at;
    return next_line(text, at);
}

void blk_count_lines(const char *path, const struct blk_lines *lines, long from,
                     long *ret_count, struct blk_note *note)
{
    long to = from + BLK_CHUNK < lines->size ? from + BLK_CHUNK : lines->size;
    struct text text;
    long count = 0;

    if (!map_text(path, &text) || text.end - text.begin < lines->size) {
        note->system = 1;
        blk_note(note, "it was cut off, or cannot be read any more");
        return;
    }
    for (const char *at = line_from(&text, from); at < text.begin + to;) {
        const char *end = next_line(&text, at);

        count += !is_blank(at, end);
        at = end;
    }
    unmap_text(&text);
    *ret_count = count;
}

/* ---- Numbers -------------------------------------------------------------- */

/* What strtod() makes of a field in the C locale; false when it is no number. */
static bool convert_slowly(const char *at, const char *end, double *ret_number)
{
    char field[FIELD + 1];
    size_t size = (size_t)(end - at);
    locale_t plain;
    char *stop;

    if (size == 0 || size > FIELD)
        return false;
    memcpy(field, at, size);
    field[size] = 0;
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain)
        return false;
    *ret_number = strtod_l(field, &stop, plain);
    freelocale(plain);
    return *stop == 0 && stop > field;
}

/* Digits of one number. */
struct decimal {
    uint64_t mantissa;
    int digits, exponent;
};

static const char *take_digits(const char *at, const char *end, bool fraction,
                               struct decimal *decimal)
{
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (decimal->digits < DIGITS)
            decimal->mantissa =
                decimal->mantissa * 10 + (uint64_t)(*at - '0');
        decimal->digits += decimal->mantissa > 0;
        decimal->exponent -= fraction;
    }
    return at;
}

/*
 * A number whose digits are an integer below 2^53, and whose power of ten is one
 * that a double is exactly, takes one rounding (Clinger, 1990). Others go to
 * strtod().
 */
static bool convert(const char *at, const char *end, double *ret_number)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,
                                  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
                                  1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal decimal = {0};
    const char *begin = at;
    bool negative = at < end && *at == '-';
    double number;

    at += negative;
    if (at == end || *at < '0' || *at > '9')
        return convert_slowly(begin, end, ret_number);
    at = take_digits(at, end, false, &decimal);
    if (at < end && *at == '.')
        at = take_digits(at + 1, end, true, &decimal);
    if (at < end || decimal.digits > DIGITS ||
        decimal.mantissa > (uint64_t)1 << 53 || decimal.exponent < -22)
        return convert_slowly(begin, end, ret_number);
    number = (double)decimal.mantissa / tens[-decimal.exponent];
    *ret_number = negative ? -number : number;
    return true;
}

/* The end of the field at `at`, of a line that ends at `end`. */
static const char *field_end(char delimiter, const char *at, const char *end)
{
    if (delimiter == ' ') {
        while (at < end && *at != ' ' && *at != '\t')
            at++;
        return at;
    }
    at = memchr(at, delimiter, (size_t)(end - at));
    return at ? at : end;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

/* Numbers, without the blanks around them. */
static bool convert_field(const char *at, const char *end, double *ret_number)
{
    at = skip_blanks(at, end);
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return convert(at, end, ret_number);
}

/* Without the end of the line, and blanks before it. */
static const char *trim(const char *at, const char *end)
{
    while (end > at && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
        end--;
    return end;
}

/*
 * Columns from .. to of a line. Returns how many columns the line has, or -1 when
 * *ret_bad is the number (from 1) of one that is no number.
 */
static long read_line(const struct blk_lines *lines, const struct blk_tile *tile,
                      const char *at, const char *end, double *x, long *ret_bad)
{
    long col = 0;

    end = trim(at, end);
    if (lines->delimiter == ' ')
        at = skip_blanks(at, end);
    for (;; col++) {
        const char *stop = field_end(lines->delimiter, at, end);

        if (col >= tile->col && col < tile->col + tile->cols &&
            !convert_field(at, stop, &x[col - tile->col])) {
            *ret_bad = col + 1;
            return -1;
        }
        if (stop == end)
            return col + 1;
        at = stop + 1;
        if (lines->delimiter == ' ')
            at = skip_blanks(at, end);
    }
}

static bool read_rows(const struct text *text, const struct blk_lines *lines,
                      struct blk_place place, const struct blk_tile *tile,
                      double *x, struct blk_note *note)
{
    const char *at = line_from(text, place.byte);

    for (long row = -place.skip; row < tile->rows && at < text->end;) {
        const char *end = next_line(text, at);
        double *to = x + row * tile->width;
        long bad = 0;
        long cols = lines->cols;

        if (!is_blank(at, end)) {
            if (row >= 0)
                cols = read_line(lines, tile, at, end, to, &bad);
            if (cols < 0)
                blk_note(note, "row %ld, column %ld is no number: '%.*s'",
                         place.line + row + 1, bad,
                         (int)(end - at > 30 ? 30 : trim(at, end) - at), at);
            else if (cols != lines->cols)
                blk_note(note, "row %ld has %ld columns, the first one has %ld",
                         place.line + row + 1, cols, lines->cols);
            if (cols != lines->cols)
                return false;
            row++;
        }
        at = end;
    }
    return true;
}

void blk_read_lines(const char *path, const struct blk_lines *lines,
                    struct blk_place place, const struct blk_tile *tile,
                    double *x, struct blk_note *note)
{
    struct text text;

    if (!map_text(path, &text) || text.end - text.begin < lines->size) {
        note->system = 1;
        blk_note(note, "it was cut off, or cannot be read any more");
        return;
    }
    read_rows(&text, lines, place, tile, x, note);
    unmap_text(&text);
}

/* ---- Opening -------------------------------------------------------------- */

/* Find the first line of numbers: the first with anything, or the second. */
static bool find_numbers(const struct text *text, struct blk_lines *lines)
{
    const struct blk_tile all = {.cols = 1};
    const char *at = text->begin;

    for (int tried = 0; tried < 2 && at < text->end;) {
        const char *end = next_line(text, at);
        double first;
        long bad;

        if (!is_blank(at, end)) {
            lines->begin = at - text->begin;
            lines->cols = read_line(lines, &all, at, end, &first, &bad);
            if (lines->cols > 0)
                return true;
            tried++;
        }
        at = end;
    }
    return false;
}

enum castell_status blk_open_csv(const char *path, const char *name,
                                 const struct blocks_file *file,
                                 struct blk_lines *ret_lines)
{
    struct blk_lines lines = {.delimiter = file->delimiter};
    struct text text;
    bool found;
    int descriptor = blk_open(path, name, &lines.size);

    if (descriptor < 0)
        return CASTELL_ERR_SYSTEM;
    close(descriptor);
    if (lines.size == 0)
        return blk_fail(CASTELL_ERR_INVALID, "%s holds no numbers", name);
    if (!map_text(path, &text))
        return blk_fail(CASTELL_ERR_SYSTEM, "cannot read %s: %s", name,
                        strerror(errno));
    found = find_numbers(&text, &lines);
    unmap_text(&text);
    if (!found)
        return blk_fail(CASTELL_ERR_INVALID,
                        "%s has no number at the begin of its first two lines; "
                        "is it no text, or is the delimiter not '%c'?",
                        name, lines.delimiter);
    *ret_lines = lines;
    return CASTELL_OK;
}
