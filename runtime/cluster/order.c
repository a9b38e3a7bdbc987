/*
 * What the plan wants done, as messages to the nodes.
 */
#include "base/fail.h"
#include "cluster/cluster_internal.h"
#include "files/files.h"

#include <string.h>

/* Give the order in cluster->out; node 0 gets it when the plan is done. */
void cst_order_give(struct cst_cluster *cluster, uint32_t node)
{
    if (node != CST_NET_MASTER) {
        cst_cluster_send(cluster, node);
        return;
    }
    cst_put_u32(&cluster->local, (uint32_t)cluster->out.size);
    cst_put_raw(&cluster->local, cluster->out.bytes, cluster->out.size);
    if (cluster->out.bad || cluster->local.bad)
        cst_engine_fail(cluster->engine, CASTELL_ERR_NO_MEMORY,
                        "no memory for an order to this node");
}

static void put_pieces(struct cst_writer *out,
                       const struct cst_plan_piece *pieces, uint32_t count,
                       const struct cst_region *like)
{
    for (uint32_t i = 0; i < count; i++) {
        struct cst_piece piece = {pieces[i].version, pieces[i].region};

        cst_put_piece(out, &piece, like, pieces[i].consumed);
    }
}

static void put_one_access(struct cst_writer *out,
                           const struct cst_message_access *head,
                           const struct cst_plan_piece *inputs,
                           const struct cst_plan_piece *outputs)
{
    cst_put_access(out, head);
    put_pieces(out, inputs, head->inputs, &head->region);
    put_pieces(out, outputs, head->outputs, &head->region);
}

static void put_file(struct cst_message_access *head,
                     const struct cst_file_use *use)
{
    if (!use->path)
        return;
    head->path = use->path;
    head->path_size = strlen(use->path);
    head->below = use->below;
    head->below_size = use->below ? strlen(use->below) : 0;
    head->file_flags =
        (uint8_t)((use->is_directory ? CST_MESSAGE_DIRECTORY : 0) |
                  (use->in_directory ? CST_MESSAGE_IN_DIRECTORY : 0) |
                  (use->keeps ? CST_MESSAGE_KEEPS : 0));
}

static struct cst_message_access head_of(struct cst_task *task, uint32_t index,
                                         const struct cst_plan_access *access)
{
    const struct cst_access *from = &cst_task_accesses(task)[index];
    struct cst_message_access head = {
        .region = {(uintptr_t)from->base, from->size, from->hold.user,
                   from->pitch},
        .mode = from->hold.mode,
        .pointer = from->hold.pointer,
        .inputs = access->inputs_count,
        .outputs = access->outputs_count,
    };

    if (task->flags & CST_TASK_FILES)
        put_file(&head, &task->extra->uses[index]);
    return head;
}

/* The leaves of a fold are accesses of their own: they lie on one another. */
static void put_fold(struct cst_writer *out, struct cst_task *task,
                     const struct cst_plan_access *access, uint32_t leaves)
{
    struct cst_message_access head = head_of(task, 0, access);
    const struct cst_plan_piece *pieces = access->inputs;

    head.mode = CASTELL_INOUT;
    head.inputs -= leaves;
    put_one_access(out, &head, pieces, access->outputs);
    pieces += head.inputs;
    head.mode = CASTELL_IN;
    head.inputs = 1;
    head.outputs = 0;
    for (uint32_t i = 0; i < leaves; i++)
        put_one_access(out, &head, &pieces[i], NULL);
}

static void put_accesses(struct cst_cluster *cluster, struct cst_writer *out,
                         const struct cst_plan_assignment *assignment)
{
    struct cst_task *task = assignment->task;

    for (uint32_t i = 0; i < task->accesses_count; i++) {
        const struct cst_plan_access *access = &assignment->accesses[i];
        struct cst_message_access head = head_of(task, i, access);

        if (head.mode == CASTELL_REDUCTION) {
            struct cst_known_reduction *known = cst_map_find(
                &cluster->reductions,
                (uint64_t)(uintptr_t)task->extra->leaves[i].reduction);

            head.reduction = known ? known->index : 0;
        }
        put_one_access(out, &head, access->inputs, access->outputs);
    }
}

static void fill_head(struct cst_cluster *cluster,
                      const struct cst_plan_assignment *assignment,
                      struct cst_message_assign *head)
{
    struct cst_task *task = assignment->task;

    head->id = assignment->id;
    head->attempt = assignment->attempt;
    head->priority = task->priority;
    head->accesses = task->accesses_count;
    for (uint32_t i = 0; i < task->accesses_count; i++) {
        head->inputs += assignment->accesses[i].inputs_count;
        head->outputs += assignment->accesses[i].outputs_count;
    }
    if (assignment->flags & CST_PLAN_SUSPECT)
        head->flags |= CST_MESSAGE_SUSPECT;
    if (assignment->flags & CST_PLAN_LAST)
        head->flags |= CST_MESSAGE_LAST;
    if (assignment->flags & CST_PLAN_GANG)
        head->flags |= CST_MESSAGE_GANG;
    if (task->flags & CST_TASK_FINAL)
        head->flags |= CST_MESSAGE_FINAL;
    if (task->flags & CST_TASK_REDUCES)
        head->flags |= CST_MESSAGE_REDUCES;
    if (task->extra && task->extra->has_constraint) {
        head->flags |= CST_MESSAGE_HAS_CONSTRAINT;
        head->constraint = task->extra->constraint;
    }
    (void)cluster;
}

void cst_order_assign(void *cluster_,
                      const struct cst_plan_assignment *assignment)
{
    struct cst_cluster *cluster = cluster_;
    struct cst_task *task = assignment->task;
    struct cst_message_assign head = {0};
    struct cst_reduction *reduction;
    struct cst_writer *out;
    uint32_t leaves = 0;

    cluster->assigned = assignment->node;
    if (assignment->flags & CST_PLAN_RETRIED)
        cst_engine_count_retry(cluster->engine);
    cst_story_assigned(cluster, assignment);
    fill_head(cluster, assignment, &head);
    out = cst_begin(cluster, CST_MESSAGE_ASSIGN);
    if (cst_engine_fold(cluster->engine, task, &reduction, &leaves)) {
        struct cst_known_reduction *known =
            cst_map_find(&cluster->reductions, (uint64_t)(uintptr_t)reduction);

        CST_ASSERT(known);
        head.flags |= CST_MESSAGE_FOLD;
        head.kind = known->kind;
        head.fold = known->index;
        head.accesses = 1 + leaves;
        cst_put_assign(out, &head);
        put_fold(out, task, &assignment->accesses[0], leaves);
    } else {
        head.kind = cst_kind_hash(task->kind->name);
        head.argument = cst_task_argument(task);
        head.argument_size = task->argument_size;
        cst_put_assign(out, &head);
        put_accesses(cluster, out, assignment);
    }
    cst_order_give(cluster, assignment->node);
}

/* ---- What tasks ask for --------------------------------------------------- */

void cst_order_needs(void *cluster_, struct cst_task *task,
                     struct cst_plan_needs *ret_needs)
{
    const struct cst_task_extra *extra = task->extra;

    (void)cluster_;
    *ret_needs = (struct cst_plan_needs){.cost = extra ? extra->cost : 0};
    if (!extra)
        return;
    if (extra->deadline_ns != UINT64_MAX)
        ret_needs->deadline_ns = extra->deadline_ns;
    if (extra->has_constraint)
        ret_needs->constraint = &extra->constraint;
}

uint64_t cst_order_reduction(void *cluster_, struct cst_task *task,
                             uint32_t access, uint32_t *ret_leaf)
{
    const struct cst_cluster *cluster = cluster_;
    struct cst_reduction *folded;
    uint32_t leaves;

    if (cst_task_accesses(task)[access].hold.mode == CASTELL_REDUCTION) {
        *ret_leaf = task->extra->leaves[access].leaf;
        return (uint64_t)(uintptr_t)task->extra->leaves[access].reduction;
    }
    if (cst_engine_fold(cluster->engine, task, &folded, &leaves))
        return (uint64_t)(uintptr_t)folded;
    return 0;
}

/* ---- Versions and tasks ---------------------------------------------------- */

static void order_piece(struct cst_cluster *cluster, enum cst_message what,
                        uint32_t node, uint64_t number,
                        const struct cst_plan_piece *from)
{
    struct cst_region nothing = {1, 1, 1, 1};
    struct cst_piece piece = {from->version, from->region};
    struct cst_writer *out = cst_begin(cluster, what);

    if (what == CST_MESSAGE_PUSH || what == CST_MESSAGE_CUT)
        cst_put_varint(out, number);
    cst_put_piece(out, &piece, &nothing, false);
    cst_order_give(cluster, node);
}

void cst_order_push(void *cluster_, uint32_t from, uint32_t to,
                    const struct cst_plan_piece *piece)
{
    order_piece(cluster_, CST_MESSAGE_PUSH, from, to, piece);
}

void cst_order_cut(void *cluster_, uint32_t node,
                   const struct cst_plan_piece *child, uint64_t origin)
{
    order_piece(cluster_, CST_MESSAGE_CUT, node, origin, child);
}

void cst_order_root(void *cluster_, const struct cst_plan_piece *piece)
{
    order_piece(cluster_, CST_MESSAGE_ROOT, CST_NET_MASTER, 0, piece);
}

void cst_order_home(void *cluster_, const struct cst_plan_piece *piece)
{
    order_piece(cluster_, CST_MESSAGE_HOME, CST_NET_MASTER, 0, piece);
}

void cst_order_save(void *cluster_, const struct cst_plan_piece *piece)
{
    order_piece(cluster_, CST_MESSAGE_SAVE, CST_NET_MASTER, 0, piece);
}

void cst_order_drop(void *cluster_, uint32_t node, uint64_t version)
{
    struct cst_cluster *cluster = cluster_;

    cst_put_varint(cst_begin(cluster, CST_MESSAGE_DROP), version);
    cst_order_give(cluster, node);
}

static void order_task(struct cst_cluster *cluster, enum cst_message what,
                       uint32_t node, uint64_t id, uint32_t attempt)
{
    struct cst_writer *out = cst_begin(cluster, what);

    cst_put_varint(out, id);
    cst_put_varint(out, attempt);
    cst_order_give(cluster, node);
}

void cst_order_unberth(void *cluster_, uint32_t node, uint64_t id,
                       uint32_t attempt)
{
    order_task(cluster_, CST_MESSAGE_UNBERTH, node, id, attempt);
}

void cst_order_disband(void *cluster_, uint32_t node, uint64_t id,
                       uint32_t attempt)
{
    order_task(cluster_, CST_MESSAGE_DISBAND, node, id, attempt);
}

void cst_order_recall(void *cluster_, uint32_t node, uint64_t id,
                      uint32_t attempt)
{
    order_task(cluster_, CST_MESSAGE_RECALL, node, id, attempt);
}

void cst_order_cancel(void *cluster_, uint32_t node, uint64_t id,
                      uint32_t attempt)
{
    order_task(cluster_, CST_MESSAGE_CANCEL, node, id, attempt);
}
