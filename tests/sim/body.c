/*
 * Bodies. What a body writes may be written at any time from its beginning to
 * its end, and what it reads must be the same all the time: so garbage is all
 * over its outputs from the beginning on, and inputs are compared in the end.
 */
#include "body/child.h"
#include "gang/gang.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t sim_number_of(const struct sim_node *node, struct cst_task *task)
{
    struct sim_argument argument = {.op = OPS_MAX};

    if (task->kind != &node->cluster->berth_kind &&
        task->kind != &node->cluster->fold_kind)
        memcpy(&argument, cst_task_argument(task), sizeof(argument.op));
    return argument.op;
}

static bool is_child(const struct sim_node *node, const struct cst_task *task)
{
    return task->kind == sim_kind_at(node, KIND_CHILD);
}

static struct sim_view view_of(const struct sim *sim, const struct sim_op *op,
                               uint32_t access, void *base)
{
    return (struct sim_view){base, op->accesses[access].cells, sim->cell};
}

static bool is_written(enum castell_mode mode)
{
    return mode != CASTELL_IN && mode != CASTELL_IN_DELETE;
}

/* ---- The beginning --------------------------------------------------------------- */

static void scribble(const struct sim_view *view)
{
    struct sim_values garbage;

    memset(garbage.cells, 0xee, sizeof(garbage.cells));
    sim_write(view, &garbage);
}

static void read_inputs(struct sim *sim, struct sim_executor *executor,
                        const struct sim_op *op)
{
    for (uint32_t i = 0; i < op->accesses_count; i++) {
        enum castell_mode mode = op->accesses[i].mode;
        struct sim_view view =
            view_of(sim, op, i, cst_task_accesses(executor->task)[i].base);

        if (!sim_read(&view, &executor->read[i]) && mode != CASTELL_OUT &&
            mode != CASTELL_REDUCTION)
            sim_wrong(sim, "a body reads what is not whole");
        if (mode == CASTELL_REDUCTION)
            memset(executor->read[i].cells, 0, executor->read[i].count);
    }
}

/* All who run it together are there. */
static void check_crew(struct sim *sim, const struct cst_task *task)
{
    uint32_t others = 0;

    for (uint32_t i = 0; i < sim->nodes_count; i++)
        for (const struct cst_berth *berth = sim->nodes[i]->cluster->berths;
             berth; berth = berth->next)
            others += berth->id == task->id &&
                      berth->attempt == task->attempt &&
                      atomic_load(&berth->taken);
    if (others + 1 != task->extra->crew->nodes &&
        !atomic_load(&task->extra->crew->stop) && sim->deaths == 0)
        sim_wrong(sim, "a gang starts without one of its nodes");
    if (task->extra->crew->nodes != task->extra->constraint.nodes)
        sim_wrong(sim, "a gang of too many nodes, or too few");
}

/* Nobody else runs on the cores that it has; but main's may run on with a body
   that it began before it went on, which here it can. */
static void check_cores(struct sim *sim, const struct sim_node *node,
                        const struct cst_task *task)
{
    const struct cst_claim *claim = &task->extra->claim;

    for (uint32_t i = claim->first; i < claim->first + claim->count; i++)
        if ((i > 0 || node->number > 0) && node->executors[i].task &&
            node->executors[i].task != task)
            sim_wrong(sim, "a task of several cores starts before it has them");
    if (claim->count < task->extra->constraint.cores)
        sim_wrong(sim, "a task has too few cores");
}

/* A replica's own id, of which main's tasks have none. */
static bool is_replica(const struct cst_task *task)
{
    return task->id >> 62 == 3;
}

/* Who is to write there last before that op; else OPS_MAX. */
static uint32_t writer_of(const struct sim *sim, uint32_t number,
                          uintptr_t cell)
{
    const struct cst_region one = {cell, 1, 1, 1};

    while (number-- > 0) {
        const struct sim_op *op = &sim->ops[number];

        if (op->what == SIM_WAIT && sim->wrote[number] &&
            cst_region_overlap(&op->accesses[0].cells, &one))
            break;
        if (op->what != SIM_TASK)
            continue;
        for (uint32_t i = 0; i < op->accesses_count; i++)
            if (is_written(op->accesses[i].mode) &&
                cst_region_overlap(&op->accesses[i].cells, &one))
                return number;
    }
    return OPS_MAX;
}

/* What it reads that is replicated has run here. */
static void check_prepared(struct sim *sim, const struct sim_node *node,
                           uint32_t number)
{
    const struct sim_op *op = &sim->ops[number];

    if (cst_engine_status(sim->nodes[0]->engine, NULL) != CASTELL_OK)
        return; /* it need not have heard yet */
    for (uint32_t i = 0; i < op->accesses_count; i++) {
        const struct cst_region *cells = &op->accesses[i].cells;

        if (op->accesses[i].mode == CASTELL_OUT ||
            op->accesses[i].mode == CASTELL_REDUCTION)
            continue;
        for (size_t at = 0; at < cells->size * cells->rows; at++) {
            uint32_t writer =
                writer_of(sim, number,
                          cells->base + at / cells->size * cells->pitch +
                              at % cells->size);

            if (writer < OPS_MAX && sim->ops[writer].kind == KIND_REPLICA &&
                !(sim->tasks[writer].prepared >> node->number & 1))
                sim_wrong(sim, "a task runs where what it reads has not run");
        }
    }
}

/* What a replica reads is what all others do. */
static void note_replica(struct sim *sim, const struct cst_task *task,
                         uint32_t number, uint64_t hash)
{
    struct sim_task *mine = &sim->tasks[number];

    if (!sim->apart)
        mine->prepared |= UINT32_C(1) << sim->running->number;
    if (mine->replica_read && mine->replica_hash != hash)
        sim_wrong(sim, "replicas have read what differs");
    mine->replica_read = true;
    mine->replica_hash = hash;
    if (!is_replica(task))
        mine->read = hash;
}

bool sim_body_begin(struct sim *sim, struct sim_node *node,
                    struct sim_executor *executor)
{
    struct cst_task *task = executor->task;
    uint32_t number = sim_number_of(node, task);
    const struct sim_op *op = &sim->ops[number];
    bool apart = (task->flags & CST_TASK_SUSPECT) ||
                 (task->kind->flags & CASTELL_ISOLATED);

    if (task->kind == &node->cluster->berth_kind) {
        struct cst_berth *berth = task->extra->guest;

        if (!atomic_load(&berth->over))
            atomic_store(&berth->taken, true);
        return true;
    }
    if (number == OPS_MAX || is_child(node, task) || cst_task_is_off(task) ||
        cst_engine_status(node->engine, NULL) != CASTELL_OK)
        return true; /* it will not be called */
    if (!is_replica(task) &&
        sim->tasks[number].started >> (task->attempt & 63) & 1)
        sim_wrong(sim, "an attempt ran twice");
    if (!is_replica(task))
        sim->tasks[number].started |= UINT64_C(1) << (task->attempt & 63);
    check_prepared(sim, node, number);
    if (task->attempt <= op->kills && node->number > 0 &&
        (op->immortal || !(task->flags & CST_TASK_SUSPECT))) {
        sim_kill(sim, node);
        if (!node->alive)
            return false;
    }
    if (task->extra->crew)
        check_crew(sim, task);
    if (task->flags & CST_TASK_GATHERS)
        check_cores(sim, node, task);
    read_inputs(sim, executor, op);
    for (uint32_t i = 0; i < op->accesses_count && !apart; i++) {
        struct sim_view view =
            view_of(sim, op, i, cst_task_accesses(task)[i].base);

        if (is_written(op->accesses[i].mode))
            scribble(&view);
    }
    return true;
}

/* ---- The end ------------------------------------------------------------------------ */

/* Does this attempt fail, and does what it makes stay for all that? */
static bool fails(const struct sim_op *op, const struct cst_task *task,
                  bool *ret_stays)
{
    const struct cst_visit *visit = task->extra->guest;

    *ret_stays = visit->last && task->kind->on_failure == CASTELL_IGNORE;
    return task->attempt <= op->fails || op->fails > task->kind->retries;
}

static void check_inputs(struct sim *sim, const struct sim_executor *executor,
                         const struct sim_op *op, void *const *buffers)
{
    for (uint32_t i = 0; i < op->accesses_count; i++) {
        struct sim_view view = view_of(sim, op, i, buffers[i]);
        struct sim_values now;

        if (is_written(op->accesses[i].mode))
            continue;
        if (!sim_read(&view, &now) ||
            memcmp(now.cells, executor->read[i].cells, now.count) != 0)
            sim_wrong(sim, "what a body reads has changed");
    }
}

static void submit_child(struct sim *sim, struct cst_task *parent,
                         const struct sim_argument *argument, void *base)
{
    struct sim_node *node = sim->running;
    struct cst_port *port = sim->executor->self.port;
    const struct sim_op *op = &sim->ops[argument->op];
    const struct cst_region *cells = &op->accesses[argument->access].cells;
    struct cst_task *task =
        cst_engine_task_new(node->engine, port, 1, sizeof(*argument), -1);

    if (!task)
        abort();
    task->state = CST_TASK_SUBMITTED;
    task->parent = parent;
    task->depth = (uint8_t)(parent->depth + 1);
    task->id = ((uint64_t)(node->number + 1) << 46) +
               ((uint64_t)port->desk.index << 36) + ++port->ids;
    task->kind = sim_kind_at(node, KIND_CHILD);
    task->argument_size = sizeof(*argument);
    memcpy(cst_task_argument(task), argument, sizeof(*argument));
    cst_task_accesses(task)[0] = (struct cst_access){
        .hold = {.user = (uint32_t)cells->rows,
                 .mode = CASTELL_OUT,
                 .epoch = CST_EPOCH_WRITE,
                 .writes = true},
        .base = base,
        .size = cells->size * sim->cell,
        .pitch = cells->pitch * sim->cell,
    };
    parent->children_submitted++;
    cst_engine_tell(node->engine, port, CST_NEWS_SUBMITTED, task);
}

int sim_child_body(void *const *buffers, const void *bytes)
{
    struct sim *sim = sim_now;
    struct sim_argument argument;
    struct sim_view view;

    memcpy(&argument, bytes, sizeof(argument));
    view = view_of(sim, &sim->ops[argument.op], argument.access, buffers[0]);
    sim_write(&view, &argument.values);
    return 0;
}

int sim_body(void *const *buffers, const void *bytes)
{
    struct sim *sim = sim_now;
    struct sim_executor *executor = sim->executor;
    struct cst_task *task = sim->body;
    struct sim_values values[ACCESSES_MAX];
    struct sim_argument argument = {0};
    const struct sim_op *op;
    uint64_t hash;
    bool stays;
    bool bad;

    memcpy(&argument, bytes, sizeof(argument.op));
    op = &sim->ops[argument.op];
    check_inputs(sim, executor, op, buffers);
    bad = fails(op, task, &stays);
    if (bad && !stays)
        return 1;
    memcpy(values, executor->read, sizeof(values));
    if (sim->options.print)
        sim_say_values(op, values);
    hash = sim_compute(op, argument.op, values);
    if (op->kind == KIND_REPLICA)
        note_replica(sim, task, argument.op, hash);
    else
        sim->tasks[argument.op].read = hash;
    for (uint32_t i = 0; i < op->accesses_count; i++) {
        struct sim_view view = view_of(sim, op, i, buffers[i]);

        if (!is_written(op->accesses[i].mode))
            continue;
        if (op->kind == KIND_NESTED && !(task->flags & CST_TASK_SUSPECT)) {
            argument.access = i;
            argument.values = values[i];
            submit_child(sim, task, &argument, buffers[i]);
        } else {
            sim_write(&view, &values[i]);
        }
    }
    sim->tasks[argument.op].finished |= !is_replica(task);
    return bad ? 1 : 0;
}

/* ---- What the linker puts in the place of the real ones ------------------------------- */

void __wrap_cst_child_run(const struct cst_child_request *request,
                          struct cst_child_result *ret_result);
bool __wrap_cst_run_in_gang(const struct cst_self *self, struct cst_task *task,
                            void *const *buffers, char *how, size_t how_size);

void __wrap_cst_child_run(const struct cst_child_request *request,
                          struct cst_child_result *ret_result)
{
    sim_now->apart = true;
    *ret_result = (struct cst_child_result){
        .outcome = CST_CHILD_RETURNED,
        .number = request->body(request->buffers, request->argument)};
    sim_now->apart = false;
    cst_self()->task = NULL; /* that was the child's */
}

bool __wrap_cst_run_in_gang(const struct cst_self *self, struct cst_task *task,
                            void *const *buffers, char *how, size_t how_size)
{
    (void)self;
    (void)snprintf(how, how_size, "its gang has failed");
    return !atomic_load(&task->extra->crew->stop) &&
           sim_body(buffers, cst_task_argument(task)) == 0;
}
