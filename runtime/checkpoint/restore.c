/*
 * Reading checkpoints, the last one first. All of one is verified, by tasks,
 * before anything is changed.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "checkpoint/checkpoint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One that may be restored. */
struct candidate {
    const struct castell_checkpoint *series;
    char directory[CST_FILE_PATH];
    unsigned char *sums; /* of the parts, as its manifest says */
    struct cst_part_record *records;
    uint64_t step;
    char why[CST_WHY_SIZE + 64]; /* it cannot */
};

__attribute__((format(printf, 2, 3))) static bool
refuse(struct candidate *candidate, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(candidate->why, sizeof(candidate->why), format, args);
    va_end(args);
    return false;
}

static bool read_manifest(struct candidate *candidate)
{
    char path[CST_FILE_PATH + sizeof(CST_MANIFEST)];
    size_t size = 0;
    const char *why;
    char *text;

    (void)snprintf(path, sizeof(path), "%s/%s", candidate->directory,
                   CST_MANIFEST);
    text = cst_file_read(path, &size);
    if (!text)
        return refuse(candidate, "its manifest cannot be read: %s",
                      cst_reason(errno));
    why = cst_manifest_check(candidate->series, text, size, candidate->sums,
                             &candidate->step);
    cst_free(text);
    return !why || refuse(candidate, "%s", why);
}

static struct cst_part_argument argument_of(const struct candidate *candidate,
                                            size_t part)
{
    const struct castell_access *region = &candidate->series->data[part].region;
    struct cst_part_argument argument = {
        .rows = {region->rows, region->size, region->pitch}};

    memcpy(argument.sum, candidate->sums + part * CST_SUM_SIZE, CST_SUM_SIZE);
    cst_series_part(argument.path, candidate->directory, part);
    return argument;
}

/* Have all files read and their checksums taken. */
static enum castell_status read_parts(const struct candidate *candidate)
{
    size_t count = candidate->series->data_count;
    struct castell_access all = {.base = candidate->records,
                                 .size = count * sizeof(*candidate->records),
                                 .mode = CASTELL_IN};
    enum castell_status status = CASTELL_OK;

    for (size_t i = 0; i < count && status == CASTELL_OK; i++) {
        const struct cst_part_argument argument = argument_of(candidate, i);
        const struct castell_access access = {.base = &candidate->records[i],
                                              .size =
                                                  sizeof(*candidate->records),
                                              .mode = CASTELL_OUT};

        status = cst_series_submit(&cst_part_verify_kind, &access, 1, &argument,
                                   sizeof(argument));
    }
    return status == CASTELL_OK ? castell_wait_on(&all, 1) : status;
}

static bool check_parts(struct candidate *candidate)
{
    for (size_t i = 0; i < candidate->series->data_count; i++) {
        const struct cst_series_datum *datum = &candidate->series->data[i];
        const struct cst_part_record *record = &candidate->records[i];
        size_t size = datum->region.rows * datum->region.size;

        if (record->failed)
            return refuse(candidate, "%s", record->why);
        if (record->size != size)
            return refuse(candidate,
                          "the file of %s has %llu bytes and should have %zu",
                          datum->name, (unsigned long long)record->size, size);
        if (memcmp(record->sum, candidate->sums + i * CST_SUM_SIZE,
                   CST_SUM_SIZE) != 0)
            return refuse(candidate,
                          "the file of %s is damaged: its checksum is another",
                          datum->name);
    }
    return true;
}

static enum castell_status load(const struct candidate *candidate)
{
    enum castell_status status = CASTELL_OK;

    for (size_t i = 0;
         i < candidate->series->data_count && status == CASTELL_OK; i++) {
        const struct cst_part_argument argument = argument_of(candidate, i);
        struct castell_access access = candidate->series->data[i].region;

        access.mode = CASTELL_OUT;
        status = cst_series_submit(&cst_part_read_kind, &access, 1, &argument,
                                   sizeof(argument));
    }
    return status;
}

/* The first of them that can be used; *ret_number 0: none can. */
static enum castell_status choose(struct candidate *candidate,
                                  const struct cst_series_entry *list,
                                  size_t count, uint64_t *ret_number)
{
    for (size_t i = 0; i < count; i++) {
        enum castell_status status = CASTELL_OK;
        bool usable;

        if (!list[i].valid)
            continue;
        cst_series_directory(candidate->directory, candidate->series->path,
                             list[i].number, true);
        usable = read_manifest(candidate);
        if (usable)
            status = read_parts(candidate);
        if (status != CASTELL_OK)
            return status;
        if (usable && check_parts(candidate)) {
            *ret_number = list[i].number;
            return CASTELL_OK;
        }
        (void)fprintf(stderr, "castell: checkpoint %s is not used: %s\n",
                      candidate->directory, candidate->why);
    }
    *ret_number = 0;
    return CASTELL_OK;
}

static enum castell_status restore(struct castell_checkpoint *series,
                                   struct candidate *candidate,
                                   uint64_t *ret_step)
{
    struct cst_series_entry *list = NULL;
    size_t count = cst_series_list(series->path, &list);
    enum castell_status status;
    uint64_t number = 0;

    if (count == SIZE_MAX && errno == ENOENT)
        return CASTELL_OK;
    if (count == SIZE_MAX)
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "checkpoints in %s cannot be read: %s", series->path,
                        cst_reason(errno));
    candidate->why[0] = '\0';
    status = choose(candidate, list, count, &number);
    cst_free(list);
    if (status != CASTELL_OK || (number == 0 && !candidate->why[0]))
        return status;
    if (number == 0)
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "no checkpoint in %s can be used: of the oldest, %s",
                        series->path, candidate->why);
    status = load(candidate);
    if (status != CASTELL_OK)
        return status;
    series->restored = number;
    *ret_step = candidate->step;
    return CASTELL_OK;
}

enum castell_status
castell_checkpoint_restore(struct castell_checkpoint *checkpoint,
                           uint64_t *ret_step)
{
    struct candidate candidate = {.series = checkpoint};
    enum castell_status status =
        cst_series_enter("castell_checkpoint_restore", checkpoint);

    if (status == CASTELL_OK && checkpoint->data_count == 0)
        status = cst_fail(CASTELL_ERR_INVALID,
                          "a checkpoint without any region was to be restored");
    /* What is being written now is the last one. */
    if (status == CASTELL_OK)
        status = castell_checkpoint_wait(checkpoint);
    if (status != CASTELL_OK && status != CASTELL_ERR_SYSTEM)
        return status;
    candidate.sums = cst_zalloc(checkpoint->data_count * CST_SUM_SIZE);
    candidate.records =
        castell_alloc(checkpoint->data_count * sizeof(*candidate.records));
    if (candidate.sums && candidate.records)
        status = restore(checkpoint, &candidate, ret_step);
    else
        status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to restore");
    cst_free(candidate.sums);
    cst_series_free(candidate.records);
    return status;
}
