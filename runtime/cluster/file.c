/*
 * Versions of files on this node: in the store such a version is a byte; here
 * is where its content lies. A guest reads and leaves contents.
 */
#include "base/memory.h"
#include "cluster/cluster_internal.h"
#include "files/files.h"

#include <string.h>

/* ---- What is here ---------------------------------------------------------- */

bool cst_held_add(struct cst_cluster *cluster, uint64_t version,
                  struct cst_content *content, const char *path,
                  bool is_directory)
{
    struct cst_held *held = cst_zalloc(sizeof(*held));

    if (held)
        *held = (struct cst_held){content, cst_strdup(path), is_directory};
    if (!content || !held || !held->path ||
        !cst_map_reserve(&cluster->held, 1)) {
        cst_content_unref(content);
        if (held)
            cst_free(held->path);
        cst_free(held);
        cst_engine_fail(cluster->engine, CASTELL_ERR_NO_MEMORY,
                        "no memory for a file's name");
        return false;
    }
    cst_held_forget(cluster, version);
    cst_map_add(&cluster->held, version, held);
    return true;
}

static void held_free(struct cst_held *held)
{
    if (!held)
        return;
    cst_content_unref(held->content);
    cst_free(held->path);
    cst_free(held);
}

void cst_held_forget(void *cluster_, uint64_t version)
{
    struct cst_cluster *cluster = cluster_;

    if (cluster->held.count > 0)
        held_free(cst_map_remove(&cluster->held, version));
}

void cst_held_release(struct cst_cluster *cluster)
{
    struct cst_held *held;
    size_t cursor = 0;

    while ((held = cst_map_next(&cluster->held, &cursor)))
        held_free(held);
    cst_map_release(&cluster->held);
}

/* ---- Of the program -------------------------------------------------------- */

void cst_held_root(struct cst_cluster *cluster, const struct cst_piece *piece)
{
    const void *byte = (const void *)piece->region.base; /* NOLINT */
    struct cst_edition *edition;
    struct cst_file *file;

    if (!cst_file_is_byte(byte))
        return;
    edition = cst_edition_of(byte);
    file = cst_edition_file(edition);
    (void)cst_held_add(cluster, piece->version, cst_edition_content(edition),
                       cst_file_path(file), cst_file_is_directory(file));
}

void cst_held_at_home(void *cluster_, const struct cst_piece *piece)
{
    struct cst_cluster *cluster = cluster_;
    const struct cst_held *held =
        cluster->held.count > 0 ? cst_map_find(&cluster->held, piece->version)
                                : NULL;

    if (held) /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
        cst_edition_set(cst_edition_of((const void *)piece->region.base),
                        cst_content_ref(held->content));
}

enum castell_status cst_held_save(struct cst_cluster *cluster, uint64_t version)
{
    const struct cst_held *held = cst_map_find(&cluster->held, version);

    return held ? cst_content_keep(held->content) : CASTELL_OK;
}

/* ---- Of guests ---------------------------------------------------------------- */

static char *copy_text(const char *text, size_t size)
{
    return cst_format("%.*s", (int)size, text);
}

bool cst_visit_name_file(struct cst_visit *visit, uint32_t access,
                         const struct cst_message_access *from)
{
    struct cst_task *task = visit->task;
    struct cst_file_use *use;

    if (!(task->flags & CST_TASK_FILES)) {
        task->extra->uses =
            cst_zalloc(task->accesses_count * sizeof(*task->extra->uses));
        if (!task->extra->uses)
            return false;
        task->flags |= CST_TASK_FILES;
    }
    use = &task->extra->uses[access];
    use->path = copy_text(from->path, from->path_size);
    use->below =
        from->below_size > 0 ? copy_text(from->below, from->below_size) : NULL;
    use->is_directory = (from->file_flags & CST_MESSAGE_DIRECTORY) != 0;
    use->in_directory = (from->file_flags & CST_MESSAGE_IN_DIRECTORY) != 0;
    use->reads = from->mode != CASTELL_OUT;
    use->keeps = (from->file_flags & CST_MESSAGE_KEEPS) != 0;
    use->writes = from->mode != CASTELL_IN && from->mode != CASTELL_IN_DELETE;
    return use->path && (use->below || from->below_size == 0);
}

void cst_visit_files_fired(struct cst_cluster *cluster, struct cst_visit *visit)
{
    struct cst_task *task = visit->task;

    for (uint32_t i = 0;
         (task->flags & CST_TASK_FILES) && i < task->accesses_count; i++) {
        struct cst_file_use *use = &task->extra->uses[i];
        const struct cst_store_access *access = &visit->job->accesses[i];
        const struct cst_held *held;

        if (!use->path)
            continue;
        held =
            access->inputs_count > 0
                ? cst_map_find(&cluster->held, access->inputs[0].piece.version)
                : NULL;
        if (held)
            use->input = cst_content_ref(held->content);
        /* The byte is the same in every version. */
        if (use->writes)
            *(char *)cst_task_accesses(task)[i].base = 0;
    }
}

void cst_visit_files_made(struct cst_cluster *cluster, struct cst_visit *visit)
{
    struct cst_task *task = visit->task;

    for (uint32_t i = 0;
         (task->flags & CST_TASK_FILES) && i < task->accesses_count; i++) {
        struct cst_file_use *use = &task->extra->uses[i];
        const struct cst_store_access *access = &visit->job->accesses[i];

        if (use->path && access->outputs_count > 0)
            (void)cst_held_add(cluster, access->outputs[0].version,
                               cst_file_use_take(use), use->path,
                               use->in_directory);
    }
}
