/*
 * Accesses that are files: a body gets the name of the file, not the byte that
 * stands for it.
 */
#include "base/memory.h"
#include "cluster/cluster_internal.h"

#include <string.h>

bool cst_path_add(struct cst_visit *visit, uint32_t access,
                  const struct cst_message_access *from)
{
    struct cst_path *path = cst_alloc(sizeof(*path) + from->path_size + 1);

    if (!path)
        return false;
    path->next = visit->paths;
    path->access = access;
    memcpy(path->text, from->path, from->path_size);
    path->text[from->path_size] = '\0';
    visit->paths = path;
    return true;
}

void cst_paths_free(struct cst_visit *visit)
{
    while (visit->paths) {
        struct cst_path *path = visit->paths;

        visit->paths = path->next;
        cst_free(path);
    }
}

void cst_paths_apply(struct cst_visit *visit)
{
    for (struct cst_path *path = visit->paths; path; path = path->next) {
        struct cst_access *access =
            &cst_task_accesses(visit->task)[path->access];

        /* The byte that stands for the file comes to lie on its name at home. */
        if (access->hold.writes)
            *(char *)access->base = path->text[0];
        access->base = path->text;
    }
}
