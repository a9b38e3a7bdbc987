/*
 * What a body gets for the files that its task names, and what becomes of what
 * it leaves.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "files/files_internal.h"
#include "files/place.h"
#include "files/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NEW_DIRECTORY = 0777 };

/* ---- Life ------------------------------------------------------------------- */

enum castell_status cst_file_use_set(struct cst_file_use *use,
                                     struct cst_edition *edition,
                                     const struct cst_file_request *request,
                                     char *below) /* NOLINT: taken */
{
    struct cst_file *file = edition->file;
    bool missing = false;

    *use = (struct cst_file_use){
        .in_place = use->in_place,
        .edition = edition,
        .below = below,
        .is_directory = request->is_directory,
        .in_directory = file->is_directory,
        .reads = request->reads || below,
        .keeps = request->reads,
        .writes = request->writes,
    };
    use->path = cst_strdup(file->path);
    if (!use->path)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a file's name");
    /* Where the directory is there, it is known now whether it can be done. */
    if (use->writes && !use->in_place &&
        cst_place_make(use->path, &missing) != CASTELL_OK && !missing)
        return CASTELL_ERR_SYSTEM;
    cst_edition_enter(edition, use->writes && !use->in_place);
    use->counted = true;
    return CASTELL_OK;
}

void cst_file_uses_end(struct cst_file_use *uses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (uses[i].counted) {
            uses[i].counted = false;
            cst_content_unref(uses[i].input);
            uses[i].input = NULL;
            cst_edition_leave(uses[i].edition);
        }
}

void cst_file_uses_free(struct cst_file_use *uses, size_t count)
{
    if (!uses)
        return;
    cst_file_uses_end(uses, count);
    cst_file_uses_discard(uses, count);
    for (size_t i = 0; i < count; i++) {
        cst_content_unref(uses[i].input);
        cst_free(uses[i].path);
        cst_free(uses[i].below);
        cst_free(uses[i].given);
    }
    cst_free(uses);
}

static bool is_used(const struct cst_file_use *use)
{
    return use->path != NULL;
}

/* ---- Before ------------------------------------------------------------------- */

/* For sentences: the name that the program knows. */
static char *public_name(const struct cst_file_use *use)
{
    return cst_format("%s%s%s", use->path, use->below ? "/" : "",
                      use->below ? use->below : "");
}

static enum castell_status fail_at(const char *what,
                                   const struct cst_file_use *use, int why)
{
    char *name = public_name(use);
    enum castell_status status =
        cst_fail(CASTELL_ERR_SYSTEM, "cannot %s %s: %s", what,
                 name ? name : use->path, strerrordesc_np(why));

    cst_free(name);
    return status;
}

/* It is not the kind of thing that the task says. */
static enum castell_status check_kind(const struct cst_file_use *use,
                                      const struct stat *status)
{
    if (S_ISDIR(status->st_mode) == use->is_directory)
        return CASTELL_OK;
    return fail_at("use", use, use->is_directory ? ENOTDIR : EISDIR);
}

/* Where what the task reads is; NULL: nothing is there. */
static enum castell_status find_input(struct cst_file_use *use, char **ret_path)
{
    struct cst_content *content;
    enum castell_status status;

    *ret_path = NULL;
    if (!use->edition) /* another node's */
        return use->input ? cst_content_find(use->input, ret_path) : CASTELL_OK;
    content = cst_edition_content(use->edition);
    if (!content)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a file's name");
    status = cst_content_find(content, ret_path);
    /* While it is used it is not moved in place of the file. */
    cst_content_unref(use->input);
    use->input = content;
    return status;
}

static char *inside(const struct cst_file_use *use, const char *path)
{
    return use->below ? cst_format("%s/%s", path, use->below)
                      : cst_strdup(path);
}

static enum castell_status give_input(struct cst_file_use *use,
                                      const char *input)
{
    struct stat status;

    use->given = input ? inside(use, input) : NULL;
    if (input && !use->given)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a file's name");
    if (!input || stat(use->given, &status) != 0)
        return fail_at("read", use, input ? errno : ENOENT);
    if (access(use->given, R_OK) != 0)
        return fail_at("read", use, errno);
    return check_kind(use, &status);
}

/* A device, a pipe: it is what is written to, and no version of a file. */
static bool is_special(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && !S_ISREG(status.st_mode) &&
           !S_ISDIR(status.st_mode);
}

/* What is overwritten is not to be seen; a directory is there, and empty. */
static enum castell_status clear(const struct cst_file_use *use, bool reads)
{
    if (reads)
        return CASTELL_OK;
    cst_tree_remove(use->given);
    if (use->is_directory && mkdir(use->given, NEW_DIRECTORY) != 0)
        return fail_at("write", use, errno);
    return CASTELL_OK;
}

static enum castell_status fill_output(struct cst_file_use *use,
                                       const char *input, bool whole)
{
    struct stat status;
    bool there = input && lstat(input, &status) == 0;

    if (!whole && !use->below) /* it is overwritten */
        return clear(use, false);
    if (there && S_ISDIR(status.st_mode) != use->in_directory)
        return fail_at("use", use, use->in_directory ? ENOTDIR : EISDIR);
    if (there) {
        if (cst_tree_copy(input, use->made) != CASTELL_OK)
            return CASTELL_ERR_SYSTEM;
    } else if (use->in_directory && mkdir(use->made, NEW_DIRECTORY) != 0) {
        return fail_at("write", use, errno);
    }
    return clear(use, whole);
}

/* `whole`: the body reads what it writes. */
static enum castell_status give_output(struct cst_file_use *use,
                                       const char *input, bool whole)
{
    enum castell_status status;

    if (use->in_place || is_special(use->path)) {
        use->given = inside(use, input ? input : use->path);
        return use->given ? CASTELL_OK
                          : cst_fail(CASTELL_ERR_NO_MEMORY,
                                     "no memory for a file's name");
    }
    status = cst_place_name(use->path, &use->made, &use->scratch);
    if (status != CASTELL_OK)
        return status;
    use->given = inside(use, use->made);
    if (!use->given)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a file's name");
    return fill_output(use, input, whole);
}

static enum castell_status open_use(struct cst_file_use *use)
{
    char *input = NULL;
    enum castell_status status = CASTELL_OK;

    cst_free(use->given);
    use->given = NULL;
    if (use->reads || use->in_place)
        status = find_input(use, &input);
    if (status == CASTELL_OK)
        status = use->writes ? give_output(use, input, use->keeps)
                             : give_input(use, input);
    cst_free(input);
    return status;
}

bool cst_file_uses_open(struct cst_file_use *uses, size_t count, void **buffers,
                        char *how, size_t how_size)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_used(&uses[i]))
            continue;
        if (open_use(&uses[i]) != CASTELL_OK) {
            (void)snprintf(how, how_size, "%s", castell_error_text());
            return false;
        }
        buffers[i] = uses[i].given;
    }
    return true;
}

/* ---- After ---------------------------------------------------------------------- */

static enum castell_status close_use(struct cst_file_use *use)
{
    struct stat status;

    if (!use->made || lstat(use->given, &status) != 0)
        return CASTELL_OK; /* the body has not written it */
    if (S_ISLNK(status.st_mode))
        return cst_fail(CASTELL_ERR_SYSTEM, "its body made %s a link",
                        use->path);
    if (check_kind(use, &status) != CASTELL_OK)
        return CASTELL_ERR_SYSTEM;
    if (!use->scratch)
        return CASTELL_OK;
    use->scratch_bytes = cst_tree_bytes(use->made);
    if (cst_scratch_take(use->scratch_bytes) == CASTELL_OK)
        return CASTELL_OK;
    use->scratch_bytes = 0;
    return CASTELL_ERR_LIMIT;
}

bool cst_file_uses_close(struct cst_file_use *uses, size_t count, char *how,
                         size_t how_size)
{
    for (size_t i = 0; i < count; i++)
        if (is_used(&uses[i]) && close_use(&uses[i]) != CASTELL_OK) {
            (void)snprintf(how, how_size, "%s", castell_error_text());
            return false;
        }
    return true;
}

void cst_file_uses_discard(struct cst_file_use *uses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct cst_file_use *use = &uses[i];

        if (!use->made)
            continue;
        cst_tree_remove(use->made);
        cst_scratch_give(use->scratch_bytes);
        use->scratch_bytes = 0;
        cst_free(use->made);
        use->made = NULL;
    }
}

struct cst_content *cst_file_use_take(struct cst_file_use *use)
{
    struct cst_content *content;
    struct stat status;

    if (!use->made) /* a device */
        return cst_content_in_place(use->path, 0);
    if (lstat(use->made, &status) != 0)
        return cst_content_nothing();
    content = cst_content_private(use->made, S_ISDIR(status.st_mode),
                                  use->scratch_bytes);
    if (!content)
        return NULL;
    use->made = NULL;
    use->scratch_bytes = 0;
    return content;
}

void cst_file_uses_keep(struct cst_file_use *uses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct cst_file_use *use = &uses[i];
        struct cst_content *content;

        if (!use->made || !use->edition || access(use->made, F_OK) != 0)
            continue;
        content = cst_file_use_take(use);
        if (content)
            cst_edition_set(use->edition, content);
    }
}
