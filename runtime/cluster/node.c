/*
 * A node does what the master orders: tasks come in as guests of its engine.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "cluster/cluster_internal.h"
#include "files/place.h"

#include <stdio.h>
#include <string.h>

/* ---- A task comes --------------------------------------------------------- */

static struct cst_kind *find_kind(struct cst_cluster *cluster,
                                  const struct cst_message_assign *assign)
{
    if (assign->flags & CST_MESSAGE_FOLD)
        return &cluster->fold_kind;
    return cst_map_find(&cluster->kinds, assign->kind);
}

/* As api/ fills in the accesses of a task that is submitted here. */
static void fill_access(struct cst_task *task, uint32_t index,
                        const struct cst_message_access *from)
{
    struct cst_access *access = &cst_task_accesses(task)[index];

    access->size = from->region.size;
    access->pitch = from->region.pitch;
    access->hold.user = (uint32_t)from->region.rows;
    access->hold.mode = from->mode;
    access->hold.epoch = from->mode == CASTELL_REDUCTION
                             ? (uint8_t)CST_EPOCH_REDUCTION
                             : (uint8_t)CST_EPOCH_WRITE;
    access->hold.reads = from->mode != CASTELL_OUT;
    access->hold.writes =
        from->mode != CASTELL_IN && from->mode != CASTELL_IN_DELETE;
    if (access->hold.epoch == CST_EPOCH_WRITE && !access->hold.writes)
        access->hold.epoch = CST_EPOCH_READ;
    if (task->extra)
        task->extra->size += from->region.size * from->region.rows;
}

void cst_visit_free(struct cst_cluster *cluster, struct cst_visit *visit)
{
    cst_lead_free(cluster, visit);
    cst_spare_put(&cluster->visits_spare, visit, sizeof(*visit));
}

/* Read the accesses of the message into the task and its job. */
static bool read_accesses(struct cst_cluster *cluster, struct cst_visit *visit,
                          const struct cst_message_assign *assign,
                          struct cst_reader *message)
{
    uint32_t inputs = 0, outputs = 0;
    bool mark;

    for (uint32_t i = 0; i < assign->accesses; i++) {
        struct cst_store_access *access = &visit->job->accesses[i];
        struct cst_message_access head;

        cst_get_access(message, &head);
        inputs += head.inputs;
        outputs += head.outputs;
        if (message->bad || inputs > assign->inputs ||
            outputs > assign->outputs)
            return false;
        cst_store_job_room(visit->job, i, head.inputs, head.outputs);
        access->region = head.region;
        access->pointer = head.pointer;
        for (uint32_t j = 0; j < head.inputs; j++)
            cst_get_piece(message, &head.region, &access->inputs[j].piece,
                          &access->inputs[j].consumed);
        for (uint32_t j = 0; j < head.outputs; j++)
            cst_get_piece(message, &head.region, &access->outputs[j], &mark);
        fill_access(visit->task, i, &head);
        if (head.path && !cst_visit_name_file(visit, i, &head))
            return false;
        if (head.mode == CASTELL_REDUCTION &&
            !cst_fold_leaf(cluster, visit->task, i, assign, head.reduction))
            return false;
    }
    return cst_reader_done(message);
}

static void fill_task(struct cst_visit *visit, struct cst_kind *kind,
                      const struct cst_message_assign *assign)
{
    struct cst_task *task = visit->task;

    task->id = assign->id;
    task->kind = kind;
    task->attempt = assign->attempt;
    task->priority = assign->priority;
    task->extra->guest = visit;
    if (assign->priority != 0)
        task->flags |= CST_TASK_ORDERED;
    if (assign->flags & CST_MESSAGE_SUSPECT)
        task->flags |= CST_TASK_SUSPECT;
    if (assign->flags & CST_MESSAGE_FINAL)
        task->flags |= CST_TASK_FINAL;
    if (assign->flags & CST_MESSAGE_HAS_CONSTRAINT) {
        task->extra->constraint = assign->constraint;
        if (task->extra->constraint.cores == 0)
            task->extra->constraint.cores = 1;
        task->extra->has_constraint = true;
    }
    task->argument_size = assign->argument_size;
    if (assign->argument_size > 0)
        memcpy(cst_task_argument(task), assign->argument,
               assign->argument_size);
}

void cst_visit_destroy(struct cst_cluster *cluster, struct cst_visit *visit)
{
    if (visit->job)
        cst_store_job_free(cluster->store, visit->job);
    if (visit->task)
        cst_engine_guest_discard(cluster->engine, visit->task);
    cst_visit_free(cluster, visit);
}

static struct cst_visit *visit_new(struct cst_cluster *cluster,
                                   const struct cst_message_assign *assign)
{
    struct cst_visit *visit =
        cst_spare_take(&cluster->visits_spare, sizeof(*visit));
    bool folds = (assign->flags & CST_MESSAGE_FOLD) != 0;

    if (!visit)
        return NULL;
    visit->id = assign->id;
    visit->attempt = assign->attempt;
    visit->last = (assign->flags & CST_MESSAGE_LAST) != 0;
    visit->job = cst_store_job_new(cluster->store, assign->accesses,
                                   assign->inputs, assign->outputs);
    visit->task = cst_engine_guest_new(
        cluster->engine, assign->accesses,
        folds ? cst_fold_argument_size : assign->argument_size,
        (assign->flags & CST_MESSAGE_REDUCES) != 0);
    if (!visit->job || !visit->task || !cst_map_reserve(&cluster->visits, 1)) {
        cst_visit_destroy(cluster, visit);
        return NULL;
    }
    visit->job->id = assign->id;
    visit->job->attempt = assign->attempt;
    visit->job->owner = visit;
    return visit;
}

static bool assign(struct cst_cluster *cluster, struct cst_reader *message)
{
    struct cst_message_assign assign;
    struct cst_visit *visit;
    struct cst_kind *kind;

    cst_get_assign(message, &assign);
    if (message->bad)
        return false;
    kind = find_kind(cluster, &assign);
    if (!kind || cst_map_find(&cluster->visits, assign.id))
        return false;
    visit = visit_new(cluster, &assign);
    if (!visit) {
        cst_node_report_failure(cluster, assign.id, assign.attempt,
                                "there is no memory for it on its node");
        return true;
    }
    if (assign.flags & CST_MESSAGE_FOLD)
        assign.argument_size = 0;
    fill_task(visit, kind, &assign);
    if (!read_accesses(cluster, visit, &assign, message) ||
        ((assign.flags & CST_MESSAGE_FOLD) &&
         !cst_fold_fill(cluster, visit, &assign))) {
        cst_visit_destroy(cluster, visit);
        return false;
    }
    if ((assign.flags & CST_MESSAGE_GANG) && !cst_lead_add(visit)) {
        cst_visit_destroy(cluster, visit);
        cst_node_report_failure(cluster, assign.id, assign.attempt,
                                "there is no memory for it on its node");
        return true;
    }
    cst_map_add(&cluster->visits, visit->id, visit);
    if (cst_store_assign(cluster->store, visit->job) != CASTELL_OK) {
        (void)cst_map_remove(&cluster->visits, visit->id);
        cst_visit_destroy(cluster, visit);
        cst_node_report_failure(cluster, assign.id, assign.attempt,
                                "there is no memory for its data on its node");
    }
    return true;
}

/* ---- It runs, and goes --------------------------------------------------- */

static void on_fire(void *context, struct cst_store_job *job, const char *error)
{
    struct cst_cluster *cluster = context;
    struct cst_visit *visit = job->owner;

    visit->fired = true;
    if (error) {
        (void)cst_map_remove(&cluster->visits, visit->id);
        cst_node_report_failure(cluster, visit->id, visit->attempt, error);
        visit->job = NULL;
        cst_visit_destroy(cluster, visit);
        return;
    }
    for (uint32_t i = 0; i < job->accesses_count; i++)
        cst_task_accesses(visit->task)[i].base = job->buffers[i];
    cst_visit_files_fired(cluster, visit);
    if (visit->lead)
        cst_lead_fired(cluster, visit);
    else
        cst_engine_guest_ready(cluster->engine, visit->task);
}

/* Its body has returned, or it was found not to be wanted before it began. */
void cst_node_guest_done(void *context, struct cst_task *task)
{
    struct cst_cluster *cluster = context;

    if (!cst_berth_done(cluster, task))
        cst_visit_done(cluster, task);
}

/* ---- Orders --------------------------------------------------------------- */

/* The run cannot go on here without what was ordered. */
static void must_do(struct cst_cluster *cluster, enum castell_status status)
{
    if (status == CASTELL_OK)
        return;
    if (cluster->is_master)
        cst_engine_fail(cluster->engine, status, castell_error_text());
    else
        cst_net_leave(cluster->net);
}

static bool take_piece_order(struct cst_cluster *cluster, uint8_t what,
                             struct cst_reader *message)
{
    struct cst_region nothing = {1, 1, 1, 1};
    struct cst_piece piece;
    uint64_t number = 0;
    bool mark;

    if (what == CST_MESSAGE_PUSH || what == CST_MESSAGE_CUT)
        number = cst_get_varint(message);
    cst_get_piece(message, &nothing, &piece, &mark);
    if (!cst_reader_done(message))
        return false;
    switch (what) {
    case CST_MESSAGE_PUSH:
        must_do(cluster,
                cst_store_push(cluster->store, (uint32_t)number, &piece));
        return true;
    case CST_MESSAGE_CUT:
        must_do(cluster, cst_store_cut(cluster->store, &piece, number));
        return true;
    case CST_MESSAGE_ROOT:
        must_do(cluster, cst_store_born(cluster->store, &piece));
        cst_held_root(cluster, &piece);
        return true;
    case CST_MESSAGE_HOME:
        must_do(cluster, cst_store_come_home(cluster->store, &piece));
        return true;
    default:
        must_do(cluster, cst_held_save(cluster, piece.version));
        must_do(cluster, cst_store_save(cluster->store, &piece));
        return true;
    }
}

static bool take_task_order(struct cst_cluster *cluster, uint8_t what,
                            struct cst_reader *message)
{
    uint64_t id = cst_get_varint(message);
    uint32_t attempt = cst_get_count(message, UINT32_MAX);

    if (!cst_reader_done(message))
        return false;
    if (what == CST_MESSAGE_RECALL)
        cst_node_recall(cluster, id, attempt);
    else
        cst_node_cancel(cluster, id, attempt);
    return true;
}

bool cst_node_order(struct cst_cluster *cluster, struct cst_reader *message)
{
    uint8_t what = cst_get_u8(message);
    uint64_t number;

    switch (what) {
    case CST_MESSAGE_ASSIGN:
        return assign(cluster, message);
    case CST_MESSAGE_DROP:
    case CST_MESSAGE_RUN:
        number = cst_get_varint(message);
        if (!cst_reader_done(message))
            return false;
        if (what == CST_MESSAGE_RUN)
            cst_places_set_run(number, false);
        else
            cst_store_drop(cluster->store, number);
        return true;
    case CST_MESSAGE_RECALL:
    case CST_MESSAGE_CANCEL:
        return take_task_order(cluster, what, message);
    case CST_MESSAGE_LEAVE:
        if (!cst_reader_done(message) || cluster->is_master)
            return false;
        cst_net_leave(cluster->net);
        return true;
    case CST_MESSAGE_BERTH:
    case CST_MESSAGE_UNBERTH:
    case CST_MESSAGE_MUSTER:
    case CST_MESSAGE_JOIN:
    case CST_MESSAGE_DISBAND:
        return cst_gang_order(cluster, what, message);
    case CST_MESSAGE_ROOT:
    case CST_MESSAGE_HOME:
    case CST_MESSAGE_SAVE:
        return cluster->is_master && take_piece_order(cluster, what, message);
    case CST_MESSAGE_PUSH:
    case CST_MESSAGE_CUT:
        return take_piece_order(cluster, what, message);
    default:
        return false;
    }
}

/* ---- Life ----------------------------------------------------------------- */

static void on_send(void *context, uint32_t to, const struct cst_piece *piece,
                    const struct cst_rows *rows)
{
    struct cst_cluster *cluster = context;
    struct cst_region nothing = {1, 1, 1, 1};

    if (cst_carry_offer(cluster, to, piece))
        return;
    cst_put_piece(cst_begin(cluster, CST_MESSAGE_DATA), piece, &nothing, false);
    cst_cluster_send_payload(cluster, to, rows, piece->version);
}

/* The plan says who may use main's memory as of all that it has ordered. */
void cst_node_catch_up(struct cst_cluster *cluster)
{
    if (cluster->is_master)
        (void)cst_master_obey(cluster);
}

void cst_node_settle(struct cst_cluster *cluster)
{
    cst_berths_settle(cluster);
    while (cluster->unsent_count > 0)
        cst_store_sent(cluster->store, cluster->unsent[--cluster->unsent_count],
                       true);
}

static bool on_home_claim(void *context, uint64_t version)
{
    const struct cst_cluster *cluster = context;

    return !cluster->local.size && cst_plan_home_claim(cluster->plan, version);
}

static void on_home_unclaimed(void *context, uint64_t version)
{
    const struct cst_cluster *cluster = context;

    cst_plan_home_unclaimed(cluster->plan, version);
}

static void on_home_filled(void *context, uint64_t version)
{
    const struct cst_cluster *cluster = context;

    cst_plan_home_filled(cluster->plan, version);
}

/* Register what the program has declared. */
static enum castell_status know_kinds(struct cst_cluster *cluster)
{
    struct cst_kinds *kinds = cst_engine_kinds(cluster->engine);

    for (const struct cst_declared *declared = cst_kinds_declared(); declared;
         declared = declared->next) {
        struct cst_kind *kind = declared->kind->known;
        enum castell_status status = CASTELL_OK;

        if (!kind)
            status = cst_kinds_know(kinds, declared->kind, &kind);
        if (status != CASTELL_OK)
            return status;
        if (cst_map_find(&cluster->kinds, declared->hash))
            continue;
        cst_story_kind(cluster, kind);
        if (!cst_map_reserve(&cluster->kinds, 1))
            return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for task kinds");
        cst_map_add(&cluster->kinds, declared->hash, kind);
    }
    return CASTELL_OK;
}

enum castell_status cst_node_init(struct cst_cluster *cluster)
{
    static const struct cst_store_ops away = {
        .fire = on_fire, .send = on_send, .forgotten = cst_held_forget};
    static const struct cst_store_ops home = {
        .fire = on_fire,
        .send = on_send,
        .home_claim = on_home_claim,
        .home_unclaimed = on_home_unclaimed,
        .home_filled = on_home_filled,
        .at_home = cst_held_at_home,
        .forgotten = cst_held_forget,
    };
    enum castell_status status = know_kinds(cluster);

    cst_fold_init(&cluster->fold_kind);
    cst_gang_init(cluster);
    cst_story_kind(cluster, &cluster->fold_kind);
    cst_story_kind(cluster, &cluster->berth_kind);
    if (status != CASTELL_OK)
        return status;
    return cst_store_create(cluster->is_master ? &home : &away, cluster,
                            &cluster->store);
}

void cst_node_release(struct cst_cluster *cluster)
{
    struct cst_visit *visit;
    size_t cursor = 0;

    while ((visit = cst_map_next(&cluster->visits, &cursor)))
        cst_visit_free(
            cluster, visit); /* its job is the store's, its task the engine's */
    cst_spare_release(&cluster->visits_spare);
    cst_gang_release(cluster);
    cst_map_release(&cluster->visits);
    cst_map_release(&cluster->kinds);
    cst_store_destroy(cluster->store);
    cst_carry_release(cluster);
    cst_held_release(cluster);
    cst_free(cluster->unsent);
}
