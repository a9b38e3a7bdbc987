#include "api/api.h"
#include "base/built.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/thread.h"
#include "checkpoint/checkpoint.h"
#include "sched/declare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TRIES = 1000, /* for a number that nobody has */
    MODE_DIRECTORY = 0777,
};

/* Those of castell_checkpoint_at(). The main thread's. */
static struct castell_checkpoint *known;

/* ---- Making one ---------------------------------------------------------- */

enum castell_status cst_series_enter(const char *call,
                                     const struct castell_checkpoint *series)
{
    enum castell_status status;
    struct cst_self *self;

    cst_stop_watch();
    status = cst_api_enter(call, &self);
    if (status != CASTELL_OK)
        return status;
    if (self->task)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s() was called in a task: only main() may", call);
    if (!series)
        return cst_fail(CASTELL_ERR_INVALID, "%s() was given NULL", call);
    if (series->run != cst_run()->number)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s() was given a checkpoint of a run that has ended",
                        call);
    return CASTELL_OK;
}

/* Nodes may have other current directories. */
static enum castell_status set_path(struct castell_checkpoint *series,
                                    const char *path)
{
    char current[CST_SERIES_PATH];
    int size;

    if (*path == '/')
        size = snprintf(series->path, sizeof(series->path), "%s", path);
    else if (getcwd(current, sizeof(current)))
        size = snprintf(series->path, sizeof(series->path), "%s/%s", current,
                        path);
    else
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "the current directory has no name: %s",
                        cst_reason(errno));
    if (size < 0 || (size_t)size >= sizeof(series->path))
        return cst_fail(CASTELL_ERR_INVALID,
                        "the path of a checkpoint has more than %d characters",
                        CST_SERIES_PATH - 1);
    while (size > 1 && series->path[size - 1] == '/')
        series->path[--size] = '\0';
    return CASTELL_OK;
}

enum castell_status
castell_checkpoint_create(const char *path,
                          struct castell_checkpoint **ret_checkpoint)
{
    struct castell_checkpoint *series;
    enum castell_status status;
    struct cst_self *self;

    cst_stop_watch();
    status = cst_api_enter("castell_checkpoint_create", &self);
    if (status != CASTELL_OK)
        return status;
    if (!path || !*path)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_checkpoint_create() was given no path");
    if (!CST_BUILT_SODIUM)
        return cst_fail(CASTELL_ERR_SYSTEM,
                        "checkpoints need libsodium, which castell was built "
                        "without");
    series = cst_zalloc(sizeof(*series));
    if (!series)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a checkpoint");
    series->run = cst_run()->number;
    series->keep = CST_SERIES_KEEP;
    series->program = cst_format("tasks %016" PRIx64, cst_kinds_table_hash());
    series->outcome = castell_alloc(sizeof(*series->outcome));
    if (!series->program || !series->outcome)
        status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a checkpoint");
    else
        status = set_path(series, path);
    if (status != CASTELL_OK) {
        castell_checkpoint_destroy(series);
        return status;
    }
    memset(series->outcome, 0, sizeof(*series->outcome));
    *ret_checkpoint = series;
    return CASTELL_OK;
}

static void forget_data(struct castell_checkpoint *series)
{
    for (size_t i = 0; i < series->data_count; i++)
        cst_free(series->data[i].name);
    series->data_count = 0;
}

void castell_checkpoint_destroy(struct castell_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    if (cst_run() && cst_run()->number == checkpoint->run)
        castell_free(checkpoint->outcome);
    forget_data(checkpoint);
    cst_free(checkpoint->data);
    cst_free(checkpoint->program);
    cst_free(checkpoint);
}

enum castell_status
castell_checkpoint_at(const char *path,
                      struct castell_checkpoint **ret_checkpoint)
{
    struct castell_checkpoint *made;
    struct castell_checkpoint *series;
    enum castell_status status = castell_checkpoint_create(path, &made);

    if (status != CASTELL_OK)
        return status;
    while (known && known->run != made->run) {
        series = known;
        known = series->next;
        castell_checkpoint_destroy(series);
    }
    series = known;
    while (series && strcmp(series->path, made->path) != 0)
        series = series->next;
    if (series) {
        castell_checkpoint_destroy(made);
        forget_data(series);
    } else {
        series = made;
        made->next = known;
        known = made;
    }
    *ret_checkpoint = series;
    return CASTELL_OK;
}

void cst_series_free(void *memory)
{
    char text[CST_WHY_SIZE];

    (void)snprintf(text, sizeof(text), "%s", castell_error_text());
    castell_free(memory);
    cst_fail_text("%s", text);
}

/* ---- What is in it ------------------------------------------------------- */

/* A name is a line's end. */
static enum castell_status check_name(const char *name)
{
    if (!name || !*name)
        return cst_fail(CASTELL_ERR_INVALID,
                        "what a checkpoint saves needs a name");
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ')
            return cst_fail(CASTELL_ERR_INVALID,
                            "a name in a checkpoint has a character below the "
                            "blank");
    return CASTELL_OK;
}

static enum castell_status check_datum(const struct castell_checkpoint *series,
                                       const char *name,
                                       const struct castell_access *region,
                                       size_t element_size)
{
    uint64_t hash = cst_kind_hash(name);

    if (!region || !region->base || region->size == 0 || region->is_file)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s in a checkpoint is no region of memory", name);
    if (element_size == 0 || region->size % element_size != 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s in a checkpoint has rows of %zu bytes, which are "
                        "no whole elements of %zu",
                        name, region->size, element_size);
    for (size_t i = 0; i < series->data_count; i++)
        if (series->data[i].hash == hash &&
            strcmp(series->data[i].name, name) == 0)
            return cst_fail(CASTELL_ERR_INVALID, "%s is in a checkpoint twice",
                            name);
    return CASTELL_OK;
}

enum castell_status
castell_checkpoint_add(struct castell_checkpoint *checkpoint, const char *name,
                       const struct castell_access *region, size_t element_size)
{
    struct cst_series_datum *datum;
    enum castell_status status =
        cst_series_enter("castell_checkpoint_add", checkpoint);

    if (status == CASTELL_OK)
        status = check_name(name);
    if (status == CASTELL_OK)
        status = check_datum(checkpoint, name, region, element_size);
    if (status != CASTELL_OK)
        return status;
    if (checkpoint->data_count == checkpoint->data_size) {
        size_t size = checkpoint->data_size ? 2 * checkpoint->data_size : 16;

        datum = cst_realloc(checkpoint->data, size * sizeof(*datum));
        if (!datum)
            return cst_fail(CASTELL_ERR_NO_MEMORY,
                            "no memory for %s in a "
                            "checkpoint",
                            name);
        checkpoint->data = datum;
        checkpoint->data_size = size;
    }
    datum = &checkpoint->data[checkpoint->data_count];
    datum->name = cst_strdup(name);
    if (!datum->name)
        return cst_fail(CASTELL_ERR_NO_MEMORY,
                        "no memory for %s in a checkpoint", name);
    datum->hash = cst_kind_hash(name);
    datum->region = *region;
    datum->region.reduction = NULL;
    if (datum->region.rows == 0)
        datum->region.rows = 1;
    if (datum->region.rows == 1)
        datum->region.pitch = datum->region.size;
    datum->element_size = element_size;
    checkpoint->data_count++;
    return CASTELL_OK;
}

void castell_checkpoint_keep(struct castell_checkpoint *checkpoint,
                             uint32_t count)
{
    checkpoint->keep = count > 0 ? count : 1;
}

enum castell_status
castell_checkpoint_program(struct castell_checkpoint *checkpoint,
                           const char *program)
{
    enum castell_status status =
        cst_series_enter("castell_checkpoint_program", checkpoint);
    char *copy;

    if (status == CASTELL_OK)
        status = check_name(program);
    if (status != CASTELL_OK)
        return status;
    copy = cst_strdup(program);
    if (!copy)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a name");
    cst_free(checkpoint->program);
    checkpoint->program = copy;
    return CASTELL_OK;
}

/* ---- Saving -------------------------------------------------------------- */

/* A directory to write to, of a number after all others. False: errno. */
static bool make_directory(struct castell_checkpoint *series,
                           uint64_t *ret_number)
{
    struct cst_series_entry *list = NULL;
    char path[CST_FILE_PATH];
    size_t count;
    uint64_t number = series->last;

    if (!cst_directory_make(series->path))
        return false;
    count = cst_series_list(series->path, &list);
    if (count == SIZE_MAX)
        return false;
    if (count > 0 && list[0].number > number)
        number = list[0].number;
    cst_free(list);
    for (int i = 0; i < TRIES; i++) {
        cst_series_directory(path, series->path, ++number, false);
        if (mkdir(path, MODE_DIRECTORY) == 0) {
            *ret_number = number;
            return true;
        }
        if (errno != EEXIST)
            break;
    }
    return false;
}

static enum castell_status write_parts(const struct castell_checkpoint *series,
                                       const char *directory,
                                       struct cst_part_record *records)
{
    enum castell_status status = CASTELL_OK;

    for (size_t i = 0; i < series->data_count && status == CASTELL_OK; i++) {
        const struct castell_access *region = &series->data[i].region;
        struct cst_part_argument part = {
            .rows = {region->rows, region->size, region->pitch}};
        struct castell_access accesses[2] = {*region,
                                             {.base = &records[i],
                                              .size = sizeof(records[i]),
                                              .mode = CASTELL_OUT}};

        accesses[0].mode = CASTELL_IN;
        cst_series_part(part.path, directory, i);
        status = cst_series_submit(&cst_part_write_kind, accesses, 2, &part,
                                   sizeof(part));
    }
    return status;
}

static enum castell_status commit(const struct castell_checkpoint *series,
                                  uint64_t number, const char *text,
                                  size_t text_size,
                                  struct cst_part_record *records)
{
    size_t count = series->data_count + 2;
    struct cst_commit_argument argument = {.number = number,
                                           .spared = series->restored,
                                           .parts = series->data_count,
                                           .keep = series->keep};
    struct castell_access *accesses = cst_zalloc(count * sizeof(*accesses));
    enum castell_status status;

    if (!accesses)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a checkpoint");
    memcpy(argument.path, series->path, sizeof(argument.path));
    accesses[0] = (struct castell_access){.base = series->outcome,
                                          .size = sizeof(*series->outcome),
                                          .mode = CASTELL_INOUT};
    accesses[1] = (struct castell_access){
        .base = text, .size = text_size, .mode = CASTELL_IN};
    for (size_t i = 0; i < series->data_count; i++)
        accesses[i + 2] = (struct castell_access){.base = &records[i],
                                                  .size = sizeof(records[i]),
                                                  .mode = CASTELL_IN};
    status = cst_series_submit(&cst_series_commit_kind, accesses, count,
                               &argument, sizeof(argument));
    cst_free(accesses);
    return status;
}

/* All but its directory is there. The memory is freed when the tasks are done. */
static enum castell_status submit(struct castell_checkpoint *series,
                                  uint64_t number, uint64_t step)
{
    char directory[CST_FILE_PATH];
    enum castell_status status = CASTELL_ERR_NO_MEMORY;
    struct cst_part_record *records;
    char *shared = NULL;
    size_t size = 0;
    char *text = cst_manifest_text(series, step, &size);

    records = castell_alloc(series->data_count * sizeof(*records));
    if (text)
        shared = castell_alloc(size + 1);
    if (records && shared) {
        memcpy(shared, text, size + 1);
        cst_series_directory(directory, series->path, number, false);
        status = write_parts(series, directory, records);
        if (status == CASTELL_OK)
            status = commit(series, number, shared, size + 1, records);
    } else {
        status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a checkpoint");
    }
    cst_series_free(shared);
    cst_series_free(records);
    cst_free(text);
    return status;
}

enum castell_status
castell_checkpoint_save(struct castell_checkpoint *checkpoint, uint64_t step)
{
    uint64_t number = 0;
    enum castell_status status =
        cst_series_enter("castell_checkpoint_save", checkpoint);

    if (status != CASTELL_OK)
        return status;
    if (checkpoint->data_count == 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "a checkpoint without any region was to be saved");
    checkpoint->why[0] = '\0';
    if (!make_directory(checkpoint, &number)) {
        (void)snprintf(checkpoint->why, sizeof(checkpoint->why),
                       "no directory can be made in %s: %s", checkpoint->path,
                       cst_reason(errno));
        (void)fprintf(stderr,
                      "castell: a checkpoint could not be written, and the run "
                      "goes on: %s\n",
                      checkpoint->why);
        return CASTELL_OK;
    }
    checkpoint->last = number;
    return submit(checkpoint, number, step);
}

enum castell_status
castell_checkpoint_wait(struct castell_checkpoint *checkpoint)
{
    struct castell_access access;
    enum castell_status status =
        cst_series_enter("castell_checkpoint_wait", checkpoint);

    if (status != CASTELL_OK)
        return status;
    access = (struct castell_access){.base = checkpoint->outcome,
                                     .size = sizeof(*checkpoint->outcome),
                                     .mode = CASTELL_IN};
    status = castell_wait_on(&access, 1);
    if (status != CASTELL_OK)
        return status;
    if (checkpoint->why[0])
        return cst_fail(CASTELL_ERR_SYSTEM, "%s", checkpoint->why);
    if (checkpoint->outcome->failed)
        return cst_fail(CASTELL_ERR_SYSTEM, "%s", checkpoint->outcome->why);
    return CASTELL_OK;
}
