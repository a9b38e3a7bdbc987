/*
 * A task is added, with room for all that placing it will take; and when it is
 * placed, what it accesses becomes versions.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "plan/plan_internal.h"

/* ---- Holds ------------------------------------------------------------ */

/*
 * The holds of a task, from the last access to the first, as the chunks of
 * further holds are linked; within an access backwards as well.
 */
struct walk {
    struct cst_task *task;
    struct cst_hold_chunk *chunk; /* the next that was not walked through */
    uint32_t access;              /* of the hold that was given last */
    uint32_t left;                /* further holds of it, in the chunk before */
    struct cst_hold *further;
};

static struct walk walk_start(struct cst_task *task)
{
    return (struct walk){
        .task = task,
        .chunk = task->more,
        .access = task->accesses_count,
    };
}

static struct cst_hold *walk_next(struct walk *walk)
{
    if (walk->left == 0 && !walk->further) { /* enter the access before */
        if (walk->access == 0)
            return NULL;
        walk->access--;
        if (walk->chunk && walk->chunk->holds[0].user == walk->access) {
            walk->further = walk->chunk->holds;
            walk->left = walk->chunk->count;
            walk->chunk = walk->chunk->next;
        }
    }
    if (walk->left > 0)
        return &walk->further[--walk->left];
    walk->further = NULL;
    return &cst_task_accesses(walk->task)[walk->access].hold;
}

static struct cst_fragment *fragment_of(const struct cst_hold *hold)
{
    return (struct cst_fragment *)(void *)hold->place;
}

static uint64_t reduction_of(const struct cst_plan *plan, struct cst_task *task,
                             uint32_t access, uint32_t *ret_leaf)
{
    if (!plan->ops->reduction ||
        !(task->flags & (CST_TASK_REDUCES | CST_TASK_INTERNAL)))
        return 0;
    return plan->ops->reduction(plan->context, task, access, ret_leaf);
}

/* ---- Adding ----------------------------------------------------------- */

/* How much a record of that task will need. */
static void measure(const struct cst_plan *plan, struct cst_task *task,
                    struct cst_plan_record *ret_record)
{
    struct walk walk = walk_start(task);
    const struct cst_hold *hold;

    while ((hold = walk_next(&walk))) {
        ret_record->uses_max += cst_mode_reads(hold->mode);
        ret_record->outputs_max += cst_mode_writes(hold->mode);
        ret_record->bytes += cst_region_bytes(&fragment_of(hold)->region);
    }
    for (uint32_t i = 0; i < task->accesses_count; i++) {
        uint8_t mode = cst_task_accesses(task)[i].hold.mode;
        const struct cst_plan_reduction *reduction;
        uint32_t leaf = 0;
        uint64_t key;

        if (mode == CASTELL_REDUCTION) {
            ret_record->outputs_max++;
        } else if (mode == CASTELL_INOUT) {
            key = reduction_of(plan, task, i, &leaf);
            reduction = cst_plan_ids_find(&plan->reductions, key);
            if (reduction)
                ret_record->uses_max += (uint32_t)reduction->count;
        }
    }
}

static enum castell_status grow_scratch(struct cst_plan *plan, size_t pieces,
                                        size_t accesses)
{
    if (pieces > plan->pieces_max) {
        struct cst_plan_piece *list =
            cst_realloc(plan->pieces, 2 * pieces * sizeof(*list));

        if (!list)
            return cst_fail(CASTELL_ERR_NO_MEMORY,
                            "no memory for a task of %zu pieces", pieces);
        plan->pieces = list;
        plan->pieces_max = 2 * pieces;
    }
    if (accesses > plan->accesses_max) {
        struct cst_plan_access *list =
            cst_realloc(plan->accesses, 2 * accesses * sizeof(*list));

        if (!list)
            return cst_fail(CASTELL_ERR_NO_MEMORY,
                            "no memory for a task of %zu accesses", accesses);
        plan->accesses = list;
        plan->accesses_max = 2 * accesses;
    }
    return CASTELL_OK;
}

/* Each piece may need a datum, a version of what main left there, that at home
   and elsewhere; an output is at its node and may be sent home. */
static enum castell_status reserve(struct cst_plan *plan,
                                   const struct cst_plan_record *need,
                                   const struct cst_task *task)
{
    size_t pieces = (size_t)need->uses_max + need->outputs_max;
    enum castell_status status;

    status = grow_scratch(plan, pieces, task->accesses_count);
    if (status == CASTELL_OK)
        status = cst_plan_pool_reserve(&plan->versions, pieces);
    if (status == CASTELL_OK)
        status = cst_plan_pool_reserve(&plan->copies, 2 * pieces);
    if (status == CASTELL_OK)
        status = cst_plan_pool_reserve(&plan->datums, pieces);
    if (status == CASTELL_OK)
        status = cst_plan_ids_reserve(&plan->versions_by_id, pieces);
    if (status == CASTELL_OK)
        status = cst_plan_ids_reserve(&plan->datums_by_number, pieces);
    if (status == CASTELL_OK)
        status = cst_plan_ids_reserve(&plan->records_by_id, 1);
    return status;
}

static void owe(struct cst_plan *plan, const struct cst_plan_record *record,
                bool pay)
{
    size_t pieces = (size_t)record->uses_max + record->outputs_max;
    size_t change = pay ? (size_t)0 - pieces : pieces;

    plan->versions.owed += change;
    if (!pay) /* paid when it is placed */
        plan->copies.owed += 2 * change;
    plan->datums.owed += change;
    plan->versions_by_id.owed += change;
    plan->datums_by_number.owed += change;
}

/* Make room for the leaves of reductions that the task has. */
static enum castell_status expect_leaves(struct cst_plan *plan,
                                         struct cst_task *task)
{
    for (uint32_t i = 0; i < task->accesses_count; i++) {
        struct cst_plan_reduction *reduction;
        struct cst_version **leaves;
        uint32_t leaf = 0;
        size_t max;
        uint64_t key;

        if (cst_task_accesses(task)[i].hold.mode != CASTELL_REDUCTION)
            continue;
        key = reduction_of(plan, task, i, &leaf);
        CST_ASSERT(key != 0);
        reduction = cst_plan_ids_find(&plan->reductions, key);
        if (!reduction) {
            if (cst_plan_ids_reserve(&plan->reductions, 1) != CASTELL_OK)
                return CASTELL_ERR_NO_MEMORY;
            reduction = cst_zalloc(sizeof(*reduction));
            if (!reduction)
                return cst_fail(CASTELL_ERR_NO_MEMORY,
                                "no memory for a reduction");
            reduction->key = key;
            cst_plan_ids_add(&plan->reductions, key, reduction);
        }
        if (leaf < reduction->max)
            continue;
        max = 2 * ((size_t)leaf + 4);
        leaves =
            cst_realloc(reduction->leaves, max * sizeof(struct cst_version *));
        if (!leaves)
            return cst_fail(CASTELL_ERR_NO_MEMORY,
                            "no memory for a reduction of %zu", max);
        for (size_t at = reduction->max; at < max; at++)
            leaves[at] = NULL;
        reduction->leaves = leaves;
        reduction->max = max;
    }
    return CASTELL_OK;
}

enum castell_status cst_plan_add(struct cst_plan *plan, struct cst_task *task)
{
    struct cst_plan_record need = {.state = CST_RECORD_WAITING};
    struct cst_plan_record *record;
    struct cst_plan_needs needs = {0};
    enum castell_status status = CASTELL_OK;

    measure(plan, task, &need);
    if (task->flags & CST_TASK_REDUCES)
        status = expect_leaves(plan, task);
    if (status == CASTELL_OK)
        status = reserve(plan, &need, task);
    if (status != CASTELL_OK)
        return status;
    need.size = sizeof(need) + need.uses_max * sizeof(struct cst_use) +
                need.outputs_max * sizeof(struct cst_plan_output);
    record = cst_plan_block_alloc(plan, need.size);
    if (!record)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to plan a task");
    *record = need;
    record->task = task;
    record->id = task->id;
    record->uses = (struct cst_use *)(record + 1);
    record->outputs =
        (struct cst_plan_output *)(void *)(record->uses + need.uses_max);
    cst_plan_ids_add(&plan->records_by_id, record->id, record);
    owe(plan, record, false);
    plan->waiting++;
    if (!(task->flags & CST_TASK_ORDERED)) {
        cst_ready_add_plain(&plan->ready, task);
        return CASTELL_OK;
    }
    if (plan->ops->needs)
        plan->ops->needs(plan->context, task, &needs);
    cst_ready_add_ordered(&plan->ready, task,
                          needs.deadline_ns ? needs.deadline_ns : UINT64_MAX);
    return CASTELL_OK;
}

/* ---- Binding ---------------------------------------------------------- */

static bool holds_poison(const struct cst_plan *plan,
                         struct cst_fragment *fragment)
{
    const struct cst_datum *datum = cst_datum_find(plan, fragment);

    while (datum && datum->parent)
        datum = datum->parent;
    return datum && datum->current && datum->current->poisoned;
}

bool cst_record_reads_poison(struct cst_plan *plan,
                             struct cst_plan_record *record)
{
    struct walk walk = walk_start(record->task);
    const struct cst_hold *hold;

    while ((hold = walk_next(&walk))) {
        const struct cst_plan_reduction *reduction = NULL;
        uint32_t leaf = 0;

        if (!cst_mode_reads(hold->mode))
            continue;
        if (holds_poison(plan, fragment_of(hold)))
            return true;
        if (hold->mode == CASTELL_INOUT)
            reduction = cst_plan_ids_find(
                &plan->reductions,
                reduction_of(plan, record->task, walk.access, &leaf));
        for (size_t i = 0; reduction && i < reduction->max; i++)
            if (reduction->leaves[i] && reduction->leaves[i]->poisoned)
                return true;
    }
    return false;
}

void cst_record_add_use(struct cst_plan *plan, struct cst_plan_record *record,
                        uint32_t at, struct cst_version *version,
                        uint32_t access)
{
    struct cst_use *use = &record->uses[at];

    *use = (struct cst_use){
        .version = version,
        .record = record,
        .after = version->uses,
        .access = access,
    };
    if (version->uses)
        version->uses->before = use;
    version->uses = use;
    version->refs++;
    version->readers++;
    cst_version_touch(plan, version);
}

void cst_record_add_output(struct cst_plan_record *record, uint32_t at,
                           struct cst_version *version, uint32_t access)
{
    record->outputs[at] = (struct cst_plan_output){version, access};
    version->producer = record;
    version->refs++;
}

/* The last use below `end` gets the leaves of the reduction that is folded. */
static uint32_t use_leaves(struct cst_plan *plan,
                           struct cst_plan_record *record, uint32_t access,
                           uint32_t end)
{
    uint32_t leaf = 0;
    uint64_t key = reduction_of(plan, record->task, access, &leaf);
    struct cst_plan_reduction *reduction =
        cst_plan_ids_find(&plan->reductions, key);

    if (!reduction)
        return end;
    for (size_t i = reduction->max; i-- > 0;) {
        struct cst_version *version = reduction->leaves[i];

        if (!version)
            continue;
        cst_record_add_use(plan, record, --end, version, access);
        version->leaf = false;
        cst_version_unref(plan, version);
    }
    cst_plan_ids_remove(&plan->reductions, key);
    cst_free(reduction->leaves);
    cst_free(reduction);
    return end;
}

static void make_leaf(struct cst_plan *plan, struct cst_plan_record *record,
                      uint32_t access, uint32_t at)
{
    struct cst_access *what = &cst_task_accesses(record->task)[access];
    struct cst_region region = {(uintptr_t)what->base, what->size,
                                what->hold.user, what->pitch};
    struct cst_plan_reduction *reduction;
    struct cst_version *version;
    uint32_t leaf = 0;
    uint64_t key = reduction_of(plan, record->task, access, &leaf);

    cst_region_normalise(&region);
    reduction = cst_plan_ids_find(&plan->reductions, key);
    CST_ASSERT(reduction && leaf < reduction->max && !reduction->leaves[leaf]);
    version = cst_version_create(plan, &region, NULL);
    version->leaf = true;
    version->refs++;
    reduction->leaves[leaf] = version;
    reduction->count++;
    cst_record_add_output(record, at, version, access);
}

/* What is read, before anything that is made becomes what is held. */
static void bind_uses(struct cst_plan *plan, struct cst_plan_record *record)
{
    struct walk walk = walk_start(record->task);
    uint32_t end = record->uses_max;
    uint32_t folded = UINT32_MAX;
    const struct cst_hold *hold;

    while ((hold = walk_next(&walk))) {
        struct cst_datum *datum;

        if (!cst_mode_reads(hold->mode))
            continue;
        if (hold->mode == CASTELL_INOUT && folded != walk.access) {
            folded = walk.access;
            end = use_leaves(plan, record, walk.access, end);
        }
        datum = cst_datum_of(plan, fragment_of(hold));
        cst_record_add_use(plan, record, --end, cst_datum_read(plan, datum),
                           walk.access);
    }
    CST_ASSERT(end == 0);
    record->uses_count = record->uses_max;
}

static void bind_outputs(struct cst_plan *plan, struct cst_plan_record *record)
{
    struct walk walk = walk_start(record->task);
    uint32_t end = record->outputs_max;
    const struct cst_hold *hold;

    while ((hold = walk_next(&walk))) {
        struct cst_version *version;
        struct cst_datum *datum;

        if (hold->mode == CASTELL_REDUCTION) {
            if (!walk.further) /* once an access */
                make_leaf(plan, record, walk.access, --end);
            continue;
        }
        if (!cst_mode_writes(hold->mode) && hold->mode != CASTELL_IN_DELETE)
            continue;
        datum = cst_datum_of(plan, fragment_of(hold));
        if (hold->mode == CASTELL_IN_DELETE) {
            datum->doomed = true; /* older readers may come yet */
            continue;
        }
        version = cst_version_create(plan, &datum->region, datum);
        cst_datum_set_current(plan, datum, version);
        datum->doomed = false;
        cst_record_add_output(record, --end, version, walk.access);
    }
    CST_ASSERT(end == 0);
    record->outputs_count = record->outputs_max;
}

enum castell_status cst_record_bind(struct cst_plan *plan,
                                    struct cst_plan_record *record)
{
    struct walk walk = walk_start(record->task);
    const struct cst_hold *hold;

    CST_ASSERT(record->state == CST_RECORD_WAITING && record->attempt == 0);
    while ((hold = walk_next(&walk))) {
        struct cst_datum *datum = cst_datum_find(plan, fragment_of(hold));
        enum castell_status status = CASTELL_OK;

        if (datum)
            status = cst_datum_resolve(plan, datum);
        if (status != CASTELL_OK)
            return status;
    }
    owe(plan, record, true);
    bind_uses(plan, record);
    bind_outputs(plan, record);
    plan->waiting--;
    return CASTELL_OK;
}
