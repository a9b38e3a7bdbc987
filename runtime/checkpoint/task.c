/*
 * The tasks that a checkpoint is made of. What goes wrong while one is written
 * is a result, not a failure of the task: the run goes on without it.
 */
#include "base/memory.h"
#include "base/thread.h"
#include "checkpoint/checkpoint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Of one part --------------------------------------------------------- */

static int write_body(void *const *buffers, const void *argument)
{
    const struct cst_part_argument *part = argument;

    cst_part_write(part->path, buffers[0], &part->rows, buffers[1]);
    return 0;
}

static int verify_body(void *const *buffers, const void *argument)
{
    const struct cst_part_argument *part = argument;

    cst_part_read(part->path, NULL, &part->rows, buffers[0]);
    return 0;
}

/* It was verified: what is wrong now has happened meanwhile. */
static int read_body(void *const *buffers, const void *argument)
{
    const struct cst_part_argument *part = argument;
    struct cst_part_record record;

    cst_part_read(part->path, buffers[0], &part->rows, &record);
    if (!record.failed && memcmp(record.sum, part->sum, CST_SUM_SIZE) == 0)
        return 0;
    if (record.failed)
        (void)fprintf(stderr, "castell: %s\n", record.why);
    else
        (void)fprintf(stderr,
                      "castell: node %s: %s is not any more what it was when "
                      "it was verified\n",
                      record.host, part->path);
    return 1;
}

struct castell_kind cst_part_write_kind = {.name = "castell:checkpoint:write",
                                           .label = "checkpoint: write",
                                           .body = write_body};
struct castell_kind cst_part_verify_kind = {.name = "castell:checkpoint:verify",
                                            .label = "checkpoint: verify",
                                            .body = verify_body};
struct castell_kind cst_part_read_kind = {.name = "castell:checkpoint:read",
                                          .label = "checkpoint: read",
                                          .body = read_body,
                                          .retries = 2};

/* ---- Of all of them ------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static bool
refuse(struct cst_series_outcome *outcome, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(outcome->why, sizeof(outcome->why), format, args);
    va_end(args);
    return false;
}

/* Did all parts get written, to files that are seen here? */
static bool check_parts(const struct cst_commit_argument *commit,
                        const char *directory, void *const *records,
                        struct cst_series_outcome *outcome)
{
    char path[CST_FILE_PATH];
    char host[CST_HOST_SIZE];
    struct stat about;

    cst_series_host(host);
    for (uint64_t i = 0; i < commit->parts; i++) {
        const struct cst_part_record *record = records[i];

        if (record->failed)
            return refuse(outcome, "%s", record->why);
        cst_series_part(path, directory, i);
        if (stat(path, &about) != 0 || (uint64_t)about.st_size != record->size)
            return refuse(outcome,
                          "node %s does not see what node %s has written to "
                          "%s: a checkpoint needs a directory that all nodes "
                          "see",
                          host, record->host, path);
    }
    return true;
}

/* Was it made valid by an attempt before this one, and maybe removed since? */
static bool is_done(const struct cst_commit_argument *commit)
{
    struct cst_series_entry *list = NULL;
    size_t count = cst_series_list(commit->path, &list);
    bool done = false;

    if (count == SIZE_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (list[i].number == commit->number && !list[i].valid) {
            done = false;
            break;
        }
        done = done || (list[i].valid && list[i].number >= commit->number);
    }
    cst_free(list);
    return done;
}

static bool seal(const struct cst_commit_argument *commit,
                 const char *const directory[2], void *const *buffers,
                 struct cst_series_outcome *outcome)
{
    char path[CST_FILE_PATH + sizeof(CST_MANIFEST)];
    char *manifest;
    size_t size;
    bool well;

    manifest = cst_manifest_seal(buffers[1], buffers + 2, commit->parts, &size);
    if (!manifest)
        return refuse(outcome, "there is no memory for its manifest");
    (void)snprintf(path, sizeof(path), "%s/%s", directory[0], CST_MANIFEST);
    cst_series_tidy(directory[0]);
    well = cst_file_write(path, manifest, size) &&
           cst_directory_sync(directory[0]) &&
           (rename(directory[0], directory[1]) == 0 || is_done(commit)) &&
           cst_directory_sync(commit->path);
    if (!well)
        (void)refuse(outcome, "%s cannot be written: %s", path,
                     cst_reason(errno));
    cst_free(manifest);
    return well;
}

/* Is it a checkpoint of this program? Others are not ours to remove. */
static bool is_ours(const char *directory, const char *text)
{
    char path[CST_FILE_PATH + sizeof(CST_MANIFEST)];
    size_t size;
    char *manifest;
    bool ours;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, CST_MANIFEST);
    manifest = cst_file_read(path, &size);
    ours = manifest && cst_manifest_is_of(manifest, text);
    cst_free(manifest);
    return ours;
}

/* Remove old checkpoints, and what runs that were killed have left. */
static void prune(const struct cst_commit_argument *commit, const char *text)
{
    struct cst_series_entry *list = NULL;
    size_t count = cst_series_list(commit->path, &list);
    uint32_t kept = 0;

    for (size_t i = 0; count != SIZE_MAX && i < count; i++) {
        char directory[CST_FILE_PATH];
        char written[CST_FILE_PATH];

        cst_series_directory(directory, commit->path, list[i].number, true);
        cst_series_directory(written, commit->path, list[i].number, false);
        if (!list[i].valid && list[i].number < commit->number)
            cst_series_remove(written);
        if (!list[i].valid || list[i].number > commit->number ||
            !is_ours(directory, text))
            continue;
        if (kept++ < commit->keep || list[i].number == commit->spared)
            continue;
        /* So that it is never there in part. */
        if (rename(directory, written) == 0)
            cst_series_remove(written);
    }
    cst_free(list);
}

static int commit_body(void *const *buffers, const void *argument)
{
    const struct cst_commit_argument *commit = argument;
    struct cst_series_outcome *outcome = buffers[0];
    char directories[2][CST_FILE_PATH];
    const char *const names[2] = {directories[0], directories[1]};

    memset(outcome, 0, sizeof(*outcome));
    outcome->number = commit->number;
    cst_series_directory(directories[0], commit->path, commit->number, false);
    cst_series_directory(directories[1], commit->path, commit->number, true);
    if (is_done(commit))
        return 0;
    if (check_parts(commit, names[0], buffers + 2, outcome) &&
        seal(commit, names, buffers, outcome)) {
        prune(commit, buffers[1]);
        return 0;
    }
    outcome->failed = 1;
    cst_series_remove(names[0]);
    (void)fprintf(stderr,
                  "castell: checkpoint %s could not be written, and the run "
                  "goes on: %s\n",
                  names[1], outcome->why);
    return 0;
}

struct castell_kind cst_series_commit_kind = {.name =
                                                  "castell:checkpoint:commit",
                                              .label = "checkpoint: make valid",
                                              .body = commit_body};

/* ---- All nodes know them ------------------------------------------------- */

__attribute__((constructor)) static void declare(void)
{
    struct castell_kind *const kinds[] = {
        &cst_part_write_kind, &cst_part_verify_kind, &cst_part_read_kind,
        &cst_series_commit_kind};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        castell_must(castell_kind_declare(kinds[i]), NULL);
}

enum castell_status cst_series_submit(struct castell_kind *kind,
                                      const struct castell_access *accesses,
                                      size_t count, const void *argument,
                                      size_t argument_size)
{
    const struct castell_submission submission = {.kind = kind,
                                                  .accesses = accesses,
                                                  .accesses_count = count,
                                                  .argument = argument,
                                                  .argument_size =
                                                      argument_size};

    return castell_task_submit(&submission, NULL);
}
