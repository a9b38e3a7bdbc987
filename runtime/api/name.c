/*
 * Files and directories that tasks and waits name.
 */
#include "api/api.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "files/files.h"
#include "files/place.h"

#include <string.h>

/* The task itself uses that file: it cannot be waited for. */
static bool is_own(struct cst_task *task, size_t number,
                   const struct cst_file *file)
{
    const struct cst_file_use *uses =
        task->flags & CST_TASK_FILES ? task->extra->uses : NULL;

    for (size_t i = 0; uses && i < number; i++)
        if (uses[i].edition && cst_edition_file(uses[i].edition) == file)
            return true;
    return false;
}

/* Tasks use a file of a directory, by itself: from now on they use that. */
static enum castell_status wait_for_inner(const char *directory,
                                          struct cst_file *inside)
{
    const struct castell_access access = {
        .base = cst_file_path(inside),
        .is_file = true,
        .is_directory = cst_file_is_directory(inside),
        .mode = CASTELL_IN,
    };
    enum castell_status status;

    if (cst_self()->task)
        return cst_fail(CASTELL_ERR_INVALID,
                        "a body names directory %s, in which file %s is in use",
                        directory, cst_file_path(inside));
    status = castell_wait_on(&access, 1);
    if (status == CASTELL_OK)
        cst_file_absorb(inside);
    return status;
}

static enum castell_status resolve(struct cst_task *task, size_t number,
                                   const struct cst_file_request *request,
                                   struct cst_edition **ret_edition,
                                   char **ret_below)
{
    struct cst_file *inside;
    enum castell_status status;

    do {
        status = cst_file_resolve(request, ret_edition, ret_below, &inside);
        if (status == CASTELL_OK && inside && is_own(task, number, inside))
            return cst_fail(CASTELL_ERR_INVALID,
                            "access %zu is directory %s, and another names %s "
                            "in it: they overlap",
                            number, request->path, cst_file_path(inside));
        if (status == CASTELL_OK && inside)
            status = wait_for_inner(request->path, inside);
    } while (status == CASTELL_OK && inside);
    return status;
}

/* Is the whole file another one than the task has named already? One that is in
   a directory of the same task is no other. */
static enum castell_status check_once(struct cst_task *task, size_t number,
                                      const struct cst_file_request *request,
                                      struct cst_edition *edition)
{
    const struct cst_file_use *uses =
        task->flags & CST_TASK_FILES ? task->extra->uses : NULL;

    for (size_t i = 0; uses && i < number; i++)
        if (uses[i].edition &&
            cst_edition_file(uses[i].edition) == cst_edition_file(edition) &&
            (uses[i].writes || request->writes))
            return cst_fail(CASTELL_ERR_INVALID,
                            "accesses %zu and %zu overlap, and one of them is "
                            "written: both are of %s",
                            i, number,
                            cst_file_path(cst_edition_file(edition)));
    return CASTELL_OK;
}

static void fill_access(struct cst_access *access, struct cst_edition *edition,
                        bool part)
{
    struct cst_hold *hold = &access->hold;

    access->base = cst_edition_byte(edition);
    access->size = 1;
    access->pitch = 1;
    hold->user = 1;
    /* Bodies do not write together: each has a version of its own. What writes a
       part of a directory makes the next version of all of it. */
    if (hold->writes && hold->epoch != CST_EPOCH_COMMUTATIVE)
        hold->epoch = CST_EPOCH_WRITE;
    if (part && hold->writes)
        hold->reads = true;
    if (hold->writes && hold->reads && hold->epoch == CST_EPOCH_WRITE)
        hold->mode = CASTELL_INOUT;
}

enum castell_status cst_api_name_file(const struct castell_access *from,
                                      size_t number, struct cst_task *task,
                                      struct cst_access *access)
{
    const struct cst_self *self = cst_self();
    bool uses = (task->flags & CST_TASK_FILES) != 0;
    struct cst_file_request request = {
        .path = from->base,
        .is_directory = from->is_directory,
        .reads = access->hold.reads,
        .writes = access->hold.writes,
        .renames = uses && !self->task && !cst_run()->cluster,
    };
    struct cst_edition *edition;
    enum castell_status status;
    char *below;

    if (!request.path || !*request.path)
        return cst_fail(CASTELL_ERR_INVALID, "access %zu is a file of no name",
                        number);
    if (from->mode == CASTELL_REDUCTION)
        return cst_fail(CASTELL_ERR_INVALID,
                        "access %zu reduces a file: only memory can be reduced",
                        number);
    status = resolve(task, number, &request, &edition, &below);
    if (status != CASTELL_OK)
        return status;
    fill_access(access, edition, below != NULL);
    status = check_once(task, number, &request, edition);
    if (status != CASTELL_OK || !uses) {
        cst_free(below);
        return status;
    }
    task->extra->uses[number].in_place = self->task != NULL;
    return cst_file_use_set(&task->extra->uses[number], edition, &request,
                            below);
}

enum castell_status cst_api_publish(struct cst_self *self,
                                    const struct castell_access *regions,
                                    size_t regions_count)
{
    bool several = cst_run()->cluster != NULL;
    enum castell_status status = CASTELL_OK;

    if (self->task)
        return CASTELL_OK; /* its files are not main's */
    if (!regions)
        return cst_files_publish(NULL, several);
    for (size_t i = 0; i < regions_count && status == CASTELL_OK; i++) {
        const struct cst_file_request request = {
            .path = regions[i].base, .is_directory = regions[i].is_directory};
        struct cst_file *file, *inside;
        struct cst_edition *edition;
        char *below;

        if (!regions[i].is_file)
            continue;
        status = cst_file_resolve(&request, &edition, &below, &inside);
        if (status != CASTELL_OK)
            return status;
        cst_free(below);
        if (inside)
            continue; /* since, by another thread */
        /* Nobody may still read what is replaced. */
        file = cst_edition_file(edition);
        cst_api_wait(self, cst_file_finished(file), cst_file_submitted(file));
        status = cst_files_publish(file, several);
    }
    return status;
}

enum castell_status cst_api_files_begin(const struct cst_limits *limits)
{
    const char *shared = cst_parse_environment("CASTELL_SHARED");

    if (shared && strcmp(shared, "no") != 0 && strcmp(shared, "yes") != 0)
        return cst_fail(CASTELL_ERR_INVALID,
                        "CASTELL_SHARED is \"%s\": yes and no are known",
                        shared);
    cst_places_begin(!shared || strcmp(shared, "yes") == 0, limits->storage);
    return CASTELL_OK;
}
