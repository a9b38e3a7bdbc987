/*
 * Reductions. Tasks that reduce the same region, one after another, are leaves
 * of one tree. It ends when something else names the region, or at a wait:
 * then a task of the engine's own folds the tree into the region. Until then a
 * holder, a task that never runs, keeps the places in the reduction's epoch, so
 * that where the tree ends never depends on how fast its leaves are.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "body/reduction.h"
#include "engine/engine_internal.h"

static struct open_reduction *find_open(struct cst_engine *engine,
                                        uint32_t number)
{
    struct open_reduction *open = engine->reductions;

    while (open && open->number != number)
        open = open->next;
    CST_ASSERT(open);
    return open;
}

/* A task of the engine's own, with one access. */
static struct cst_task *own_task(struct cst_engine *engine,
                                 struct cst_task *parent,
                                 const struct cst_region *region,
                                 enum cst_epoch epoch, size_t argument_size)
{
    struct cst_task *task =
        cst_engine_task_new(engine, &engine->internal, 1, argument_size, -1);
    struct cst_access *access;

    if (!task)
        return NULL;
    access = cst_task_accesses(task);
    task->flags = CST_TASK_INTERNAL;
    task->state = CST_TASK_WAITING;
    task->parent = parent;
    task->depth =
        (uint8_t)(parent->depth < UINT8_MAX ? parent->depth + 1 : UINT8_MAX);
    task->id = ++engine->internal_ids | UINT64_C(1) << 63;
    access->base = (void *)region->base; /* NOLINT(performance-no-int-to-ptr) */
    access->size = region->size;
    access->pitch = region->pitch;
    access->hold.user = (uint32_t)region->rows;
    access->hold.epoch = (uint8_t)epoch;
    access->hold.mode = CASTELL_INOUT;
    access->hold.reads = true;
    access->hold.writes = true;
    return task;
}

/* Write the number of the reduction that is open at these places, or 0. */
static bool mark_places(struct cst_engine *engine, const struct cst_task *task,
                        const struct cst_region *region, uint32_t number)
{
    struct cst_fragment *const *fragments;
    size_t count;

    if (cst_data_resolve(engine->data, cst_task_domain(task), region,
                         &fragments, &count) != CASTELL_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        fragments[i]->place.reduction = number;
    return true;
}

/* No task joins any more: only the leaves still hold the places. */
static void let_go(struct cst_engine *engine, struct open_reduction *open)
{
    open->holder->flags |= CST_TASK_CANCELLED;
    if (open->holder->waits_for == 0)
        cst_task_list_append(&engine->woken, open->holder);
    open->holder = NULL;
}

static struct open_reduction *open_new(struct cst_engine *engine,
                                       struct cst_task *task, uint32_t access,
                                       const struct cst_region *region)
{
    const struct cst_leaf *leaf = &task->extra->leaves[access];
    struct open_reduction *open;

    open = cst_zalloc(sizeof(*open));
    if (!open)
        return NULL;
    if (cst_reduction_create(
            &(struct cst_rows){cst_task_accesses(task)[access].base,
                               region->size, region->rows, region->pitch},
            leaf->operation, &open->reduction) != CASTELL_OK)
        goto fail;
    open->holder =
        own_task(engine, task->parent, region, CST_EPOCH_REDUCTION, 0);
    if (!open->holder)
        goto fail_reduction;
    if (!cst_engine_join_slowly(engine, open->holder,
                                cst_task_accesses(open->holder), region, 0))
        goto fail_holder; /* it joined nothing */
    open->number = ++engine->reductions_count;
    open->parent = task->parent;
    open->region = *region;
    open->whole = leaf->whole;
    open->whole_size = leaf->whole_size;
    open->operation = leaf->operation;
    open->next = engine->reductions;
    engine->reductions = open;
    if (mark_places(engine, task, region, open->number))
        return open;
    let_go(engine, open);
    return NULL;

fail_holder:
    cst_engine_task_discard(engine, &engine->internal, open->holder);
fail_reduction:
    cst_reduction_destroy(open->reduction);
fail:
    cst_free(open);
    return NULL;
}

static bool same_region(const struct cst_region *a, const struct cst_region *b)
{
    return a->base == b->base && a->size == b->size && a->rows == b->rows &&
           a->pitch == b->pitch;
}

bool cst_engine_join_reduction(struct cst_engine *engine, struct cst_task *task,
                               struct cst_access *access)
{
    uint32_t index = (uint32_t)(access - cst_task_accesses(task));
    struct cst_leaf *leaf = &task->extra->leaves[index];
    struct cst_fragment *const *fragments;
    struct open_reduction *open = NULL;
    struct cst_region region;
    size_t count;

    cst_access_region(access, &region);
    if (cst_data_resolve(engine->data, cst_task_domain(task), &region,
                         &fragments, &count) != CASTELL_OK)
        return false;
    if (fragments[0]->place.reduction != 0) {
        open = find_open(engine, fragments[0]->place.reduction);
        if (!same_region(&open->region, &region) ||
            open->operation != leaf->operation ||
            open->parent != task->parent || open->whole != leaf->whole ||
            open->whole_size != leaf->whole_size)
            open = NULL;
    }
    if (!open)
        open = open_new(engine, task, index, &region);
    if (!open ||
        !cst_engine_join_slowly(engine, task, access, &region, open->number))
        return false;
    leaf->reduction = open->reduction;
    leaf->leaf = open->leaves++;
    return true;
}

/* The body of the task that ends a reduction. */
struct fold {
    struct cst_reduction *reduction;
    uint32_t leaves;
};

static int fold_body(void *const *buffers, const void *argument)
{
    const struct fold *fold = argument;

    (void)buffers;
    cst_reduction_finish(fold->reduction, fold->leaves);
    cst_reduction_destroy(fold->reduction);
    return 0;
}

bool cst_engine_fold(const struct cst_engine *engine, struct cst_task *task,
                     struct cst_reduction **ret_reduction, uint32_t *ret_leaves)
{
    const struct fold *fold = cst_task_argument(task);

    if (task->kind != &engine->fold_kind)
        return false;
    *ret_reduction = fold->reduction;
    *ret_leaves = fold->leaves;
    return true;
}

/* It is a child of whoever submitted the leaves, and waited for. */
static void count_fold(struct cst_engine *engine, struct cst_task *parent)
{
    _Atomic(uint64_t) *of_root = &engine->internal.desk.submitted;

    if (parent == &engine->root)
        atomic_store_explicit(
            of_root, atomic_load_explicit(of_root, memory_order_relaxed) + 1,
            memory_order_release);
    else
        parent->folds_submitted++;
}

/* The task that ends a reduction, in the queues of its places; NULL: no
   memory, and nothing has changed but numbers at places. */
static struct cst_task *make_fold(struct cst_engine *engine,
                                  struct open_reduction *open)
{
    struct cst_task *fold = own_task(engine, open->parent, &open->region,
                                     CST_EPOCH_WRITE, sizeof(struct fold));

    if (!fold)
        return NULL;
    fold->kind = &engine->fold_kind;
    *(struct fold *)cst_task_argument(fold) =
        (struct fold){open->reduction, open->leaves};
    if (mark_places(engine, fold, &open->region, 0) &&
        cst_engine_join(engine, fold, cst_task_accesses(fold)))
        return fold;
    cst_engine_task_discard(engine, &engine->internal, fold);
    return NULL;
}

static bool close_one(struct cst_engine *engine, struct open_reduction *open)
{
    struct open_reduction **link = &engine->reductions;
    struct cst_task *fold;

    if (!open->holder)
        return false; /* it could not be closed: the run has failed */
    fold = make_fold(engine, open);
    let_go(engine, open);
    if (!fold)
        return false; /* its leaves may still be at work on it */
    count_fold(engine, open->parent);
    if (fold->waits_for == 0)
        cst_task_list_append(&engine->woken, fold);
    while (*link != open)
        link = &(*link)->next;
    *link = open->next;
    cst_free(open);
    return true;
}

bool cst_engine_close(struct cst_engine *engine, uint32_t number)
{
    struct open_reduction *open = find_open(engine, number);
    const struct open_reduction first = *open;
    bool all = close_one(engine, open);

    if (first.whole == 0)
        return all;
    open = engine->reductions;
    while (open) {
        struct open_reduction *next = open->next;

        if (open->holder && open->parent == first.parent &&
            open->whole == first.whole && open->whole_size == first.whole_size)
            all = close_one(engine, open) && all;
        open = next;
    }
    return all;
}

bool cst_engine_close_all(struct cst_engine *engine, struct cst_task *parent)
{
    struct open_reduction *open = engine->reductions;
    bool all = true;

    while (open) {
        struct open_reduction *next = open->next;

        if (open->parent == parent && open->holder && !close_one(engine, open))
            all = false;
        open = next;
    }
    return all;
}

void cst_engine_drop_reductions(struct cst_engine *engine)
{
    while (engine->reductions) {
        struct open_reduction *open = engine->reductions;

        engine->reductions = open->next;
        cst_reduction_destroy(open->reduction);
        cst_free(open);
    }
}

void cst_engine_init_folds(struct cst_engine *engine)
{
    engine->fold_kind.id = CST_KIND_FOLD;
    engine->fold_kind.name = engine->fold_kind.label = "fold";
    engine->fold_kind.simple = true;
    engine->fold_kind.is_own = true;
    engine->fold_kind.choices[0].body = fold_body;
    engine->fold_kind.choices_count = 1;
}
