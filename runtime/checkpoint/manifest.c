/*
 * What a checkpoint says of itself, as text:
 *
 *     castell checkpoint 1
 *     program NAME
 *     order little
 *     step 12
 *     parts 2
 *     part SIZE ROWS ELEMENT NAME     for each, and
 *     sum SUM HOST PROCESS            of its file, and who wrote it
 *     end SUM                         of all before
 */
#include "base/memory.h"
#include "checkpoint/checkpoint.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 128 };

static const char *byte_order(void)
{
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "little" : "big";
}

/* ---- Writing ------------------------------------------------------------- */

/* A stream into memory has ended; NULL when there was too little. */
static char *finish(FILE *to, char **bytes, const size_t *size,
                    size_t *ret_size)
{
    bool well = !ferror(to);
    char *text = NULL;

    well = fclose(to) == 0 && well;
    if (well && *bytes)
        text = cst_alloc(*size + 1);
    if (text) {
        memcpy(text, *bytes, *size + 1);
        *ret_size = *size;
    }
    free(*bytes); /* the C library's */
    return text;
}

char *cst_manifest_text(const struct castell_checkpoint *series, uint64_t step,
                        size_t *ret_size)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&bytes, &size);

    if (!to)
        return NULL;
    (void)fprintf(to,
                  "castell checkpoint 1\nprogram %s\norder %s\n"
                  "step %" PRIu64 "\nparts %zu\n",
                  series->program, byte_order(), step, series->data_count);
    for (size_t i = 0; i < series->data_count; i++) {
        const struct cst_series_datum *datum = &series->data[i];

        (void)fprintf(to, "part %zu %zu %zu %s\n", datum->region.size,
                      datum->region.rows, datum->element_size, datum->name);
    }
    return finish(to, &bytes, &size, ret_size);
}

static const char *line_end(const char *line)
{
    return line + strcspn(line, "\n");
}

static void sum_of(const char *text, size_t size, char hex[CST_SUM_HEX])
{
    unsigned char sum[CST_SUM_SIZE];

    cst_sum_prepare();
    (void)crypto_generichash(sum, sizeof(sum), (const unsigned char *)text,
                             size, NULL, 0);
    (void)sodium_bin2hex(hex, CST_SUM_HEX, sum, sizeof(sum));
}

char *cst_manifest_seal(const char *text, void *const *records, size_t count,
                        size_t *ret_size)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&bytes, &size);
    char hex[CST_SUM_HEX];
    size_t part = 0;

    if (!to)
        return NULL;
    for (const char *line = text; *line; line = line_end(line) + 1) {
        const struct cst_part_record *record;

        (void)fprintf(to, "%.*s\n", (int)(line_end(line) - line), line);
        if (strncmp(line, "part ", 5) != 0 || part == count)
            continue;
        record = records[part++];
        (void)sodium_bin2hex(hex, sizeof(hex), record->sum, CST_SUM_SIZE);
        (void)fprintf(to, "sum %s %s %d\n", hex, record->host,
                      (int)record->process);
    }
    if (fflush(to) == 0 && bytes) {
        sum_of(bytes, size, hex);
        (void)fprintf(to, "end %s\n", hex);
    }
    return finish(to, &bytes, &size, ret_size);
}

/* ---- Reading ------------------------------------------------------------- */

static const char *after_lines(const char *text, unsigned count)
{
    for (; count > 0 && *text; count--)
        text = line_end(text) + (*line_end(text) != '\0');
    return text;
}

bool cst_manifest_is_of(const char *manifest, const char *text)
{
    size_t size = (size_t)(after_lines(text, CST_MANIFEST_HEAD) - text);

    return strncmp(manifest, text, size) == 0;
}

/* Is the line that begins there this one? Its end is at the next. */
static bool take_line(const char **at, const char *line, size_t size)
{
    if (strncmp(*at, line, size) != 0 || (*at)[size] != '\n')
        return false;
    *at += size + 1;
    return true;
}

/* "WORD NUMBER" */
static bool take_number(const char **at, const char *word, uint64_t *ret_number)
{
    size_t size = strlen(word);
    char *end;

    if (strncmp(*at, word, size) != 0 || (*at)[size] < '0' || (*at)[size] > '9')
        return false;
    *ret_number = strtoull(*at + size, &end, 10);
    if (*end != '\n')
        return false;
    *at = end + 1;
    return true;
}

static bool take_sum(const char **at, unsigned char sum[CST_SUM_SIZE])
{
    size_t size = 0;

    if (strncmp(*at, "sum ", 4) != 0 ||
        sodium_hex2bin(sum, CST_SUM_SIZE, *at + 4, CST_SUM_HEX - 1, NULL, &size,
                       NULL) != 0 ||
        size != CST_SUM_SIZE)
        return false;
    *at = after_lines(*at, 1);
    return true;
}

/* Is the last line the checksum of those before? */
static bool is_sealed(const char *manifest, size_t size)
{
    char last[CST_SUM_HEX + 8];
    char hex[CST_SUM_HEX];
    size_t last_size = strlen("end ") + CST_SUM_HEX; /* with a line's end */

    if (size < last_size || strlen(manifest) != size)
        return false;
    sum_of(manifest, size - last_size, hex);
    (void)snprintf(last, sizeof(last), "end %s\n", hex);
    return strcmp(manifest + size - last_size, last) == 0;
}

/* The lines of the parts, against those that there should be. */
static const char *check_parts(const struct castell_checkpoint *series,
                               const char *at, const char *wanted,
                               unsigned char *sums)
{
    for (size_t i = 0; i < series->data_count; i++) {
        size_t size = (size_t)(line_end(wanted) - wanted);

        if (!take_line(&at, wanted, size))
            return "what it has saved has other names or sizes";
        if (!take_sum(&at, sums + i * CST_SUM_SIZE))
            return "its manifest is not understood";
        wanted += size + 1;
    }
    return strncmp(at, "end ", 4) == 0 ? NULL
                                       : "it has saved more than is asked for";
}

const char *cst_manifest_check(const struct castell_checkpoint *series,
                               const char *manifest, size_t size,
                               unsigned char *ret_sums, uint64_t *ret_step)
{
    const char *at = manifest;
    const char *why = NULL;
    uint64_t parts = 0;
    uint64_t step = 0;
    size_t wanted_size;
    char line[LINE_SIZE];
    char *wanted;

    if (!is_sealed(manifest, size))
        return "its manifest is damaged";
    if (!take_line(&at, "castell checkpoint 1", strlen("castell checkpoint 1")))
        return "it has a format that this version does not know";
    wanted = cst_manifest_text(series, 0, &wanted_size);
    if (!wanted)
        return "there is no memory to read it";
    (void)snprintf(line, sizeof(line), "order %s", byte_order());
    if (!take_line(&at, after_lines(wanted, 1),
                   (size_t)(line_end(after_lines(wanted, 1)) -
                            after_lines(wanted, 1))))
        why = "it is of another program";
    else if (!take_line(&at, line, strlen(line)))
        why = "it was written in another order of bytes";
    else if (!take_number(&at, "step ", &step) ||
             !take_number(&at, "parts ", &parts))
        why = "its manifest is not understood";
    else if (parts != series->data_count)
        why = "what it has saved has other names or sizes";
    else
        why = check_parts(series, at, after_lines(wanted, 5), ret_sums);
    cst_free(wanted);
    if (!why)
        *ret_step = step;
    return why;
}
