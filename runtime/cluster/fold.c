/*
 * The end of a reduction on any node: the leaves, which were made on others,
 * are combined with what was there before.
 */
#include "base/fail.h"
#include "body/reduction.h"
#include "cluster/cluster_internal.h"

/* What a fold's body is told. */
struct fold {
    const struct castell_reduction *operation;
    uint32_t leaves;
    size_t size, rows, pitch;
};

const size_t cst_fold_argument_size = sizeof(struct fold);

/* A reduction by the kind that names it, or NULL. */
static const struct castell_reduction *find(const struct cst_cluster *cluster,
                                            uint64_t kind_hash, uint32_t index)
{
    struct cst_kind *kind = cst_map_find(&cluster->kinds, kind_hash);

    return kind ? cst_kinds_reduction(kind->name, index) : NULL;
}

bool cst_fold_leaf(struct cst_cluster *cluster, struct cst_task *task,
                   uint32_t access, const struct cst_message_assign *assign,
                   uint32_t index)
{
    const struct castell_reduction *operation =
        find(cluster, assign->kind, index);

    if (!operation || !(assign->flags & CST_MESSAGE_REDUCES))
        return false;
    task->extra->leaves[access].operation = operation;
    return true;
}

bool cst_fold_fill(struct cst_cluster *cluster, struct cst_visit *visit,
                   const struct cst_message_assign *assign)
{
    struct fold *fold = cst_task_argument(visit->task);
    const struct cst_region *region = &visit->job->accesses[0].region;

    *fold = (struct fold){find(cluster, assign->kind, assign->fold),
                          assign->accesses - 1, region->size, region->rows,
                          region->pitch};
    return fold->operation != NULL;
}

/* Combine the leaves as one process does, so that the result is the same. */
static int fold_body(void *const *buffers, const void *argument)
{
    const struct fold *fold = argument;
    struct cst_rows into = {buffers[0], fold->size, fold->rows, fold->pitch};

    return cst_reduction_combine(&into, fold->operation, buffers + 1,
                                 fold->leaves) == CASTELL_OK
               ? 0
               : 1;
}

void cst_fold_init(struct cst_kind *kind)
{
    kind->id = CST_KIND_FOLD;
    kind->name = kind->label = "fold";
    kind->is_own = true;
    kind->simple = true;
    kind->choices[0].body = fold_body;
    kind->choices_count = 1;
}
