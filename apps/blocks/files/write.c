/*
 * Arrays to files.
 *
 * Tasks put the rows of a panel together, as numbers or as digits, in one of a
 * few places; main() writes the places to the file, in order.
 */
#include "blocks/files/files.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLACES = 8, NUMBER = 25, STRIP = 1 << 16 };

/* ---- Tasks ---------------------------------------------------------------- */

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    out(bytes[0:p.rows*p.cols*(long)sizeof(double)], *size) on_failure(fail) \
    label("put rows together")
static int pack_numbers(struct blk_panel p, double *const *x, char *bytes,
                        long *size)
{
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);

    *size = p.rows * p.cols * (long)sizeof(double);
    if (rows)
        memcpy(bytes, rows, (size_t)*size);
    free(copy);
    return !rows;
}

/* The shortest of 15 to 17 digits that is this number again. */
static int print_number(char *to, double number)
{
    int size = 0;

    for (int digits = 15; digits <= 17; digits++) {
        size = snprintf(to, NUMBER, "%.*g", digits, number);
        if (digits == 17 || !(strtod(to, NULL) < number ||
                              strtod(to, NULL) > number))
            break;
    }
    return size;
}

#pragma castell task collection_in(x[0:p.tiles] : p.tile) \
    out(bytes[0:p.rows*p.cols*(long)(NUMBER + 1)], *size) on_failure(fail) \
    label("print rows")
static int pack_digits(struct blk_panel p, double *const *x, char *bytes,
                       long *size)
{
    double *copy;
    const double *rows = blk_rows(&p, x, &copy);
    /* Decimal points, whatever language the program speaks. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = uselocale(plain);
    long at = 0;

    for (long i = 0; rows && i < p.rows * p.cols; i++) {
        at += print_number(bytes + at, rows[i]);
        bytes[at++] = i % p.cols == p.cols - 1 ? '\n' : ',';
    }
    uselocale(before);
    freelocale(plain);
    *size = at;
    free(copy);
    return !rows;
}

/* ---- Headers -------------------------------------------------------------- */

/* NumPy's, version 1, with which the numbers begin at byte 128. */
static bool write_npy_header(const struct blocks_shape *shape, FILE *file)
{
    /* Magic, version, how much of the 128 bytes follows. */
    static const char begin[10] = {'\x93', 'N', 'U', 'M', 'P',
                                   'Y',    1,   0,   118, 0};
    char header[129];
    int length;

    memcpy(header, begin, sizeof(begin));
    length = snprintf(header + 10, sizeof(header) - 10,
                      "{'descr': '<f8', 'fortran_order': False, 'shape': "
                      "(%ld, %ld), }",
                      shape->rows, shape->cols);
    memset(header + 10 + length, ' ', (size_t)(118 - length));
    header[127] = '\n';
    return fwrite(header, 1, 128, file) == 128;
}

/* ---- Writing -------------------------------------------------------------- */

struct writing {
    struct blocks_array *array;
    bool digits;
    FILE *file;
    size_t place_size;
    char *places;
    long *sizes;
};

static void submit_panel(const struct writing *writing, long row)
{
    double **tiles;
    struct blk_panel panel = blk_panel(writing->array, row, &tiles);
    long place = row % PLACES;
    char *bytes = writing->places + (size_t)place * writing->place_size;

    if (writing->digits)
        pack_digits(panel, tiles, bytes, &writing->sizes[place]);
    else
        pack_numbers(panel, tiles, bytes, &writing->sizes[place]);
}

static enum castell_status write_panel(const struct writing *writing, long row)
{
    long place = row % PLACES;
    const char *bytes = writing->places + (size_t)place * writing->place_size;
    const struct blk_panel panel = blk_panel_of(writing->array, row);
    size_t most = (size_t)(panel.rows * panel.cols) *
                  (writing->digits ? NUMBER + 1 : sizeof(double));
    enum castell_status status =
        blk_wait(&writing->sizes[place], sizeof(long));
    size_t size;

    if (status == CASTELL_OK)
        status = blk_wait(bytes, most);
    if (status < 0)
        return status;
    size = (size_t)writing->sizes[place];
    if (fwrite(bytes, 1, size, writing->file) != size)
        return blk_fail(CASTELL_ERR_SYSTEM, "%s", strerror(errno));
    return CASTELL_OK;
}

static enum castell_status write_panels(const struct writing *writing)
{
    long rows = writing->array->shape.grid_rows;
    enum castell_status status = CASTELL_OK;

    for (long row = 0; row < rows && row < PLACES; row++)
        submit_panel(writing, row);
    for (long row = 0; status == CASTELL_OK && row < rows; row++) {
        status = write_panel(writing, row);
        if (status == CASTELL_OK && row + PLACES < rows)
            submit_panel(writing, row + PLACES);
    }
    return status;
}

static enum castell_status format_by_name(const char *path,
                                          enum blocks_format *format)
{
    const char *ending = strrchr(path, '.');

    if (*format == BLOCKS_BY_NAME && ending) {
        if (!strcmp(ending, ".npy"))
            *format = BLOCKS_NPY;
        else if (!strcmp(ending, ".csv") || !strcmp(ending, ".txt"))
            *format = BLOCKS_CSV;
        else if (!strcmp(ending, ".raw") || !strcmp(ending, ".bin"))
            *format = BLOCKS_RAW;
    }
    if (*format == BLOCKS_NPY || *format == BLOCKS_CSV || *format == BLOCKS_RAW)
        return CASTELL_OK;
    return blk_fail(CASTELL_ERR_INVALID,
                    "%s: what is written ends in .npy, .csv or .raw", path);
}

/* To a file beside the real one, which then takes its place. */
static enum castell_status write_file(struct writing *writing,
                                      const char *path,
                                      enum blocks_format format)
{
    char partial[1024];
    enum castell_status status = CASTELL_OK;
    bool good;

    snprintf(partial, sizeof(partial), "%s.part", path);
    writing->file = fopen(partial, "wb");
    if (!writing->file)
        return blk_fail(CASTELL_ERR_SYSTEM, "cannot write %s: %s", path,
                        strerror(errno));
    good = format != BLOCKS_NPY ||
           write_npy_header(&writing->array->shape, writing->file);
    if (good)
        status = write_panels(writing);
    if (status == CASTELL_OK)
        good = good && fflush(writing->file) == 0 &&
               fsync(fileno(writing->file)) == 0;
    if (fclose(writing->file))
        good = false;
    if (status == CASTELL_OK && good && rename(partial, path) == 0)
        return CASTELL_OK;
    if (status == CASTELL_OK)
        status = blk_fail(CASTELL_ERR_SYSTEM, "cannot write %s: %s", path,
                          strerror(errno));
    unlink(partial);
    return status;
}

enum castell_status blocks_write(struct blocks_array *array, const char *path,
                                 enum blocks_format format)
{
    const struct blocks_shape *shape = &array->shape;
    struct writing writing = {.array = array};
    enum castell_status status = format_by_name(path, &format);

    if (status < 0)
        return status;
    writing.digits = format == BLOCKS_CSV;
    writing.place_size = (size_t)shape->block_rows * (size_t)shape->cols *
                         (writing.digits ? NUMBER + 1 : sizeof(double));
    writing.places = castell_alloc(writing.place_size * PLACES);
    writing.sizes = blk_alloc(PLACES, sizeof(*writing.sizes));
    if (writing.places && writing.sizes)
        status = write_file(&writing, path, format);
    else
        status = blk_no_memory();
    castell_free(writing.places);
    castell_free(writing.sizes);
    return status;
}
