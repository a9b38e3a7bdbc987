/*
 * Arrays from files, block by block, by tasks.
 */
#include "blocks/files/files.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { PATH = 1024, WINDOW = 16 };

/* ---- Tasks ---------------------------------------------------------------- */

/* What a task is to read. */
struct wanted {
    struct blk_layout layout; /* when it is no text */
    struct blk_lines lines;
    struct blk_place place;
    struct blk_tile tile;
    bool is_text, nan_allowed;
};

static void check_finite(const struct wanted *w, const double *x,
                         struct blk_note *note)
{
    for (long r = 0; r < w->tile.rows; r++) {
        const double *row = x + r * w->tile.width;
        double zero = 0;

        #pragma omp simd reduction(+: zero)
        for (long c = 0; c < w->tile.cols; c++)
            zero += row[c] * 0;
        for (long c = 0; isnan(zero) && c < w->tile.cols; c++) {
            if (isfinite(row[c]))
                continue;
            blk_note(note, "row %ld, column %ld is %s", w->tile.row + r + 1,
                     w->tile.col + c + 1,
                     isnan(row[c]) ? "not a number (NaN)" : "infinite");
            return;
        }
    }
}

static void read_wanted(const char *path, const struct wanted *w, double *x,
                        struct blk_note *note)
{
    memset(note, 0, sizeof(*note));
    if (w->tile.cols < w->tile.width)
        memset(x, 0, sizeof(*x) * (size_t)w->tile.size);
    if (w->is_text)
        blk_read_lines(path, &w->lines, w->place, &w->tile, x, note);
    else
        blk_read_numbers(path, &w->layout, &w->tile, x, note);
    if (!note->text[0] && !w->nan_allowed)
        check_finite(w, x, note);
}

/* The first time: main looks at the note. */
#pragma castell task file_in(path) out(x[0:w.tile.size], *note) \
    label("read a block")
static void read_block(const char *path, struct wanted w, double *x,
                       struct blk_note *note)
{
    read_wanted(path, &w, x, note);
}

#pragma castell task file_in(path) out(x[0:w.tile.size]) on_failure(fail) \
    label("read a block again")
static int read_again(const char *path, struct wanted w, double *x)
{
    struct blk_note note;

    read_wanted(path, &w, x, &note);
    if (note.text[0])
        fprintf(stderr, "blocks: a file was changed while it was in use: %s\n",
                note.text);
    return note.text[0] != 0;
}

#pragma castell task file_in(path) out(*count, *note) label("count lines")
static void count_lines(const char *path, struct blk_lines lines, long from,
                        long *count, struct blk_note *note)
{
    memset(note, 0, sizeof(*note));
    *count = 0;
    blk_count_lines(path, &lines, from, count, note);
}

/* ---- Sources -------------------------------------------------------------- */

struct file_source {
    struct blk_source base;
    char path[PATH]; /* of what is read */
    bool ours;       /* remove it afterwards */
    struct wanted wanted;
    struct blocks_shape shape;
    long chunks;  /* of text, and the rows before each */
    long *before;
};

/* The chunk in which that row begins. */
static long chunk_of(const struct file_source *source, long row)
{
    long low = 0;
    long high = source->chunks;

    while (high - low > 1) {
        long middle = low + (high - low) / 2;

        if (source->before[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static struct wanted wanted_at(const struct file_source *source, long row,
                               int col)
{
    const struct blocks_array like = {.shape = source->shape};
    struct wanted wanted = source->wanted;

    wanted.tile = blk_tile_of(&like, row, col);
    if (wanted.is_text) {
        long chunk = chunk_of(source, wanted.tile.row);

        wanted.place.byte = wanted.lines.begin + chunk * BLK_CHUNK;
        wanted.place.skip = wanted.tile.row - source->before[chunk];
        wanted.place.line = wanted.tile.row;
    }
    return wanted;
}

static void source_read(struct blk_source *base, long row, int col,
                        double *tile)
{
    const struct file_source *source = (const struct file_source *)base;

    read_again(source->path, wanted_at(source, row, col), tile);
}

static void source_close(struct blk_source *base)
{
    struct file_source *source = (struct file_source *)base;

    /* Who still reads it has it open, or waits for one who has. */
    if (source->ours)
        unlink(source->path);
    free(source->before);
    free(source);
}

/* ---- Compressed files ----------------------------------------------------- */

static bool ends_in(const char *text, const char *ending)
{
    size_t size = strlen(text);
    size_t end = strlen(ending);

    return size >= end && !strcmp(text + size - end, ending);
}

/* All of `from` to `to`. Returns what went wrong, or NULL. */
static const char *unpack(gzFile from, FILE *to)
{
    static char buffer[1 << 16];
    int status;
    int got;

    while ((got = gzread(from, buffer, sizeof(buffer))) > 0) {
        if (fwrite(buffer, 1, (size_t)got, to) != (size_t)got)
            return strerror(errno);
    }
    gzerror(from, &status);
    if (got < 0 || status == Z_BUF_ERROR)
        return "it is cut off or damaged";
    return fflush(to) ? strerror(errno) : NULL;
}

enum castell_status blk_unpack(const char *path, char *ret_path,
                               bool *ret_ours)
{
    const char *directory = getenv("TMPDIR");
    const char *wrong = NULL;
    gzFile from;
    FILE *to = NULL;
    int file;

    *ret_ours = false;
    snprintf(ret_path, PATH, "%s", path);
    if (!ends_in(path, ".gz"))
        return CASTELL_OK;
    from = gzopen(path, "rb");
    if (!from)
        return blk_fail(CASTELL_ERR_SYSTEM, "cannot read %s: %s", path,
                        strerror(errno));
    gzbuffer(from, 1 << 17);
    snprintf(ret_path, PATH, "%s/blocks.XXXXXX",
             directory && *directory ? directory : "/tmp");
    file = mkstemp(ret_path);
    if (file >= 0)
        to = fdopen(file, "wb");
    wrong = to ? unpack(from, to) : strerror(errno);
    gzclose(from);
    if (to && fclose(to) && !wrong)
        wrong = strerror(errno);
    if (!wrong) {
        *ret_ours = true;
        return CASTELL_OK;
    }
    if (file >= 0)
        unlink(ret_path);
    return blk_fail(CASTELL_ERR_SYSTEM, "cannot unpack %s: %s", path, wrong);
}

/* ---- Opening -------------------------------------------------------------- */

/* By the name, without ".gz", or by the first bytes. */
static enum blocks_format format_of(const char *name, const char *path)
{
    static const struct {
        const char *ending;
        enum blocks_format format;
    } known[] = {
        {".npy", BLOCKS_NPY}, {".csv", BLOCKS_CSV}, {".tsv", BLOCKS_CSV},
        {".txt", BLOCKS_CSV}, {".raw", BLOCKS_RAW}, {".bin", BLOCKS_RAW},
    };
    char bare[PATH];
    unsigned char begin[6] = {1};
    FILE *file;

    snprintf(bare, sizeof(bare), "%s", name);
    if (ends_in(bare, ".gz"))
        bare[strlen(bare) - 3] = 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (ends_in(bare, known[i].ending))
            return known[i].format;
    }
    if (strstr(bare, "idx"))
        return BLOCKS_IDX;
    file = fopen(path, "rb");
    if (file) {
        size_t got = fread(begin, 1, sizeof(begin), file);

        fclose(file);
        if (got == sizeof(begin) && !memcmp(begin, "\x93NUMPY", 6))
            return BLOCKS_NPY;
        if (got == sizeof(begin) && !begin[0] && !begin[1])
            return BLOCKS_IDX;
    }
    return BLOCKS_CSV;
}

/* The first note that is bad, as an error. */
static enum castell_status look_at(const char *name,
                                   const struct blk_note *notes, long count)
{
    enum castell_status status =
        blk_wait(notes, sizeof(*notes) * (size_t)count);

    for (long i = 0; status == CASTELL_OK && i < count; i++) {
        if (notes[i].text[0])
            status = blk_fail(notes[i].system ? CASTELL_ERR_SYSTEM
                                              : CASTELL_ERR_INVALID,
                              "%s: %s", name, notes[i].text);
    }
    return status;
}

/* Rows before each chunk; rows in all. */
static enum castell_status count_rows(const char *name,
                                      struct file_source *source,
                                      long *ret_rows)
{
    const struct blk_lines *lines = &source->wanted.lines;
    long chunks = (lines->size - lines->begin + BLK_CHUNK - 1) / BLK_CHUNK;
    size_t count = (size_t)chunks;
    struct blk_note *notes = castell_alloc(count * sizeof(*notes));
    long *rows = castell_alloc(count * sizeof(*rows));
    enum castell_status status;
    long sum = 0;

    source->chunks = chunks;
    source->before = calloc(count, sizeof(*source->before));
    if (!notes || !rows || !source->before) {
        castell_free(notes);
        castell_free(rows);
        return blk_no_memory();
    }
    for (long i = 0; i < chunks; i++)
        count_lines(source->path, *lines, lines->begin + i * BLK_CHUNK,
                    &rows[i], &notes[i]);
    status = look_at(name, notes, chunks);
    if (status == CASTELL_OK)
        status = blk_wait(rows, count * sizeof(*rows));
    for (long i = 0; status == CASTELL_OK && i < chunks; i++) {
        source->before[i] = sum;
        sum += rows[i];
    }
    castell_free(notes);
    castell_free(rows);
    *ret_rows = sum;
    return status;
}

static enum castell_status open_source(const char *name,
                                       const struct blocks_file *file,
                                       struct file_source *source)
{
    struct wanted *wanted = &source->wanted;
    enum blocks_format format = file->format;
    struct blocks_file how = *file;
    enum castell_status status;
    long rows = 0;

    wanted->nan_allowed = file->nan_allowed;
    if (format == BLOCKS_BY_NAME)
        format = format_of(name, source->path);
    if (!how.delimiter)
        how.delimiter =
            ends_in(name, ".tsv") || ends_in(name, ".tsv.gz") ? '\t' : ',';
    wanted->is_text = format == BLOCKS_CSV;
    if (format == BLOCKS_NPY)
        status = blk_open_npy(source->path, name, &wanted->layout);
    else if (format == BLOCKS_IDX)
        status = blk_open_idx(source->path, name, &wanted->layout);
    else if (format == BLOCKS_RAW)
        status = blk_open_raw(source->path, name, &how, &wanted->layout);
    else
        status = blk_open_csv(source->path, name, &how, &wanted->lines);
    if (status == CASTELL_OK && wanted->is_text)
        status = count_rows(name, source, &rows);
    if (status < 0)
        return status;
    return blk_shape(wanted->is_text ? rows : wanted->layout.rows,
                     wanted->is_text ? wanted->lines.cols : wanted->layout.cols,
                     file->block_rows, file->block_cols, &source->shape);
}

/* Read all of it once, into the array's blocks or places. */
static enum castell_status read_all(const char *name,
                                    const struct file_source *source,
                                    struct blocks_array *array)
{
    const struct blocks_shape *shape = &source->shape;
    const struct blk_storage *storage = array->storage;
    long count = shape->grid_rows * shape->grid_cols;
    struct blk_note *notes = castell_alloc(sizeof(*notes) * (size_t)count);
    enum castell_status status;

    if (!notes)
        return blk_no_memory();
    for (long i = 0; i < count; i++) {
        long row = i / shape->grid_cols;
        int col = (int)(i % shape->grid_cols);
        long place = row % storage->panels * storage->across + col;

        read_block(source->path, wanted_at(source, row, col),
                   storage->tiles[place], &notes[i]);
    }
    status = look_at(name, notes, count);
    castell_free(notes);
    return status;
}

enum castell_status blocks_read(const char *path,
                                const struct blocks_file *file,
                                struct blocks_array **ret_array)
{
    static const struct blocks_file plain = {0};
    const struct blocks_file *how = file ? file : &plain;
    struct file_source *source = calloc(1, sizeof(*source));
    struct blocks_array *array = NULL;
    enum castell_status status;

    if (!source)
        return blk_no_memory();
    source->base = (struct blk_source){source_read, source_close};
    status = blk_unpack(path, source->path, &source->ours);
    if (status == CASTELL_OK)
        status = open_source(path, how, source);
    if (status == CASTELL_OK && how->streamed)
        status = blk_create_streamed(source->shape,
                                     how->window > 0 ? how->window : WINDOW,
                                     &source->base, &array);
    else if (status == CASTELL_OK)
        status = blocks_create(source->shape.rows, source->shape.cols,
                               source->shape.block_rows,
                               source->shape.block_cols, &array);
    if (status == CASTELL_OK)
        status = read_all(path, source, array);
    if (!array || !array->storage->source)
        source_close(&source->base);
    if (status == CASTELL_OK)
        *ret_array = array;
    else
        blocks_destroy(array);
    return status;
}
