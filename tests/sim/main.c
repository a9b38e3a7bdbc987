/*
 * Main: what castell_task_submit(), castell_wait_on(), castell_barrier() and
 * castell_delete() do, one step at a time.
 */
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What it asks for ------------------------------------------------------------ */

static void fill_access(const struct sim *sim, struct cst_access *access,
                        const struct cst_region *cells, enum castell_mode mode)
{
    static const uint8_t epochs[] = {
        [CASTELL_IN] = CST_EPOCH_READ,
        [CASTELL_OUT] = CST_EPOCH_WRITE,
        [CASTELL_INOUT] = CST_EPOCH_WRITE,
        [CASTELL_CONCURRENT] = CST_EPOCH_CONCURRENT,
        [CASTELL_COMMUTATIVE] = CST_EPOCH_COMMUTATIVE,
        [CASTELL_REDUCTION] = CST_EPOCH_REDUCTION,
        [CASTELL_IN_DELETE] = CST_EPOCH_READ,
    };

    access->base = sim_home() + cells->base * sim->cell;
    access->size = cells->size * sim->cell;
    access->pitch = cells->pitch * sim->cell;
    access->hold.user = (uint32_t)cells->rows;
    access->hold.mode = (uint8_t)mode;
    access->hold.epoch = epochs[mode];
    access->hold.reads = mode != CASTELL_OUT;
    access->hold.writes = mode != CASTELL_IN && mode != CASTELL_IN_DELETE;
}

static struct cst_task *new_task(struct sim *sim, uint32_t accesses,
                                 size_t argument, int64_t leaves)
{
    struct sim_node *node = sim->nodes[0];
    struct cst_task *task = cst_engine_task_new(node->engine, node->main,
                                                accesses, argument, leaves);

    if (!task)
        abort();
    task->state = CST_TASK_SUBMITTED;
    task->parent = cst_engine_root(node->engine);
    task->depth = 1;
    task->id = ((uint64_t)node->main->desk.index << 36) + ++node->main->ids;
    return task;
}

static uint64_t after_of(const struct cst_task *task)
{
    return (atomic_load(&task->generation) | CST_TASK_END_MASK) + 1;
}

static void tell(struct sim *sim, struct cst_task *task, bool counts)
{
    struct sim_node *node = sim->nodes[0];

    if (counts)
        atomic_fetch_add(&node->main->desk.submitted, 1);
    sim->running = node;
    cst_engine_tell(node->engine, node->main, CST_NEWS_SUBMITTED, task);
    sim->running = NULL;
    sim_main_look(sim); /* it may have had the baton */
    if (sim_draw(sim, 2))
        sim_node_poke(sim, node);
}

/* While it waits it is an executor, as soon as it may be. */
static void sit(struct sim *sim)
{
    if (!sim->main.seated)
        sim->main.seated = sim_node_sit(sim->nodes[0]);
}

static void wait_for(struct sim *sim, _Atomic(uint64_t) *word, uint64_t value)
{
    sim->main.word = word;
    sim->main.value = value;
    sim->main.phase++;
    sit(sim);
}

static void signal(struct sim *sim, uint32_t flags,
                   const struct cst_region *cells, enum castell_mode mode)
{
    struct cst_task *task = new_task(sim, cells ? 1 : 0, 0, cells ? 0 : -1);
    uint64_t after = after_of(task);

    task->flags = CST_TASK_INTERNAL | CST_TASK_SIGNAL | flags;
    if (cells) {
        fill_access(sim, cst_task_accesses(task), cells, mode);
        sim->main.outcome = (struct cst_outcome){.status = CASTELL_OK};
        task->extra->outcome = &sim->main.outcome;
    }
    tell(sim, task, false);
    wait_for(sim, &task->generation, after);
}

/* ---- Tasks --------------------------------------------------------------------------- */

static struct cst_group *group_of(struct sim *sim, uint32_t number)
{
    char name[24];

    (void)snprintf(name, sizeof(name), "group %u", number);
    return cst_engine_group(sim->nodes[0]->engine, name, true);
}

/* What api/ would refuse is done by a task of another kind. */
static void choose_kind(struct sim *sim, struct sim_op *op)
{
    const struct castell_kind *kind = sim_kind(op->kind);
    struct cst_cluster *cluster = sim->nodes[0]->cluster;
    enum castell_status status = CASTELL_OK;

    if (kind->device == CASTELL_MPI)
        status = cst_cluster_check_gang(cluster, &kind->constraint, kind->name,
                                        NULL);
    else if (kind->constraint.cores > 1)
        status =
            cst_plan_check(cluster->plan, &kind->constraint, kind->name, NULL);
    if (status != CASTELL_OK)
        op->kind = KIND_PLAIN;
    kind = sim_kind(op->kind);
    if (!sim->options.failing && op->fails > kind->retries)
        op->fails = 0;
    if (kind->on_failure == CASTELL_FAIL)
        op->starves = false;
}

static void fill_extra(struct cst_task *task)
{
    for (uint32_t i = 0; task->extra && i < task->accesses_count; i++) {
        const struct cst_access *access = &cst_task_accesses(task)[i];

        task->extra->size += access->size * access->hold.user;
        if (task->flags & CST_TASK_REDUCES)
            task->extra->leaves[i].operation = &sim_add;
    }
}

static int64_t leaves_of(const struct sim_op *op, const struct cst_kind *kind)
{
    for (uint32_t i = 0; i < op->accesses_count; i++)
        if (op->accesses[i].mode == CASTELL_REDUCTION)
            return op->accesses_count;
    return atomic_load(&kind->simple) ? -1 : 0;
}

static void submit(struct sim *sim, uint32_t number)
{
    struct sim_op *op = &sim->ops[number];
    struct sim_argument argument = {.op = number};
    struct sim_task *mine = &sim->tasks[number];
    struct cst_kind *kind;
    struct cst_task *task;

    choose_kind(sim, op);
    kind = sim_kind_at(sim->nodes[0], op->kind);
    task = new_task(sim, op->accesses_count, sizeof(argument.op),
                    leaves_of(op, kind));
    task->kind = kind;
    task->priority = op->priority;
    task->flags |= op->priority != 0 ? CST_TASK_ORDERED : 0u;
    task->argument_size = sizeof(argument.op);
    memcpy(cst_task_argument(task), &argument, sizeof(argument.op));
    for (uint32_t i = 0; i < op->accesses_count; i++) {
        enum castell_mode mode = op->accesses[i].mode;

        fill_access(sim, &cst_task_accesses(task)[i], &op->accesses[i].cells,
                    mode);
        task->flags |= mode == CASTELL_COMMUTATIVE ? CST_TASK_EXCLUSIVE : 0u;
        task->flags |= mode == CASTELL_REDUCTION ? CST_TASK_REDUCES : 0u;
        task->flags |= mode == CASTELL_IN_DELETE ? CST_TASK_DELETES : 0u;
    }
    fill_extra(task);
    if (op->group > 0)
        task->group = group_of(sim, op->group);
    if (task->group)
        atomic_fetch_add(&task->group->submitted, 1);
    mine->slot = task;
    mine->after = after_of(task);
    mine->submitted = true;
    tell(sim, task, true);
}

void sim_main_look(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->main.at; i++) {
        struct sim_task *task = &sim->tasks[i];
        uint64_t generation;

        if (!task->submitted || task->ended)
            continue;
        generation = atomic_load(&task->slot->generation);
        if (generation < task->after)
            continue;
        task->ended = true;
        task->end = generation - task->after <= CST_TASK_END_MASK
                        ? (enum cst_task_end)(generation & CST_TASK_END_MASK)
                        : CST_TASK_ENDED;
        sim_say(sim, "task %u has ended: %d", i + 1, (int)task->end);
    }
}

static void cancel(struct sim *sim, uint32_t number)
{
    cst_engine_group_cancel(sim->nodes[0]->engine, group_of(sim, number));
    for (uint32_t i = 0; i < sim->main.at; i++)
        if (sim->ops[i].what == SIM_TASK && sim->ops[i].group == number &&
            !sim->tasks[i].ended)
            sim->tasks[i].off = true;
}

/* ---- Main goes on ----------------------------------------------------------------------- */

static bool is_used(const struct sim *sim, const struct cst_region *cells)
{
    for (uint32_t i = 0; i < sim->main.at; i++) {
        const struct sim_op *op = &sim->ops[i];

        if (op->what != SIM_TASK || sim->tasks[i].ended)
            continue;
        for (uint32_t at = 0; at < op->accesses_count; at++)
            if (cst_region_overlap(&op->accesses[at].cells, cells))
                return true;
    }
    return false;
}

static void next_op(struct sim *sim)
{
    sim->main.at++;
    sim->main.phase = 0;
}

/* Main may write there now. */
static void check_free(struct sim *sim, const struct cst_region *cells)
{
    const struct cst_region memory = {
        (uintptr_t)(sim_home() + cells->base * sim->cell),
        cells->size * sim->cell, cells->rows, cells->pitch * sim->cell};

    if (sim_net_reads(sim, &memory))
        sim_wrong(sim, "main may write what is still sent");
}

/* It has waited for a region. */
static void step_waited(struct sim *sim, const struct sim_op *op)
{
    struct sim_reference reference;
    const struct cst_region *cells = &op->accesses[0].cells;
    uint32_t number = sim->main.at;
    bool failed = cst_engine_status(sim->nodes[0]->engine, NULL) != CASTELL_OK;
    /* castell_wait_on() says so too, whatever has become of the region: what
       bodies have submitted does not run any more. */
    bool poisoned = failed || sim->main.outcome.status != CASTELL_OK;
    unsigned char state;

    sim_refer(sim, number, &reference);
    state = sim_poison_of(&reference, cells);
    sim_say(sim, "main hears %d of what is %d", poisoned, state);
    /* In a run that has failed it hears that, of whatever it waits for. */
    if (state != EITHER && poisoned != (state == POISONED) &&
        !(poisoned && failed))
        sim_wrong(sim, "main hears the wrong thing of poison");
    if (!poisoned)
        sim_compare(sim, cells, &reference);
    if (poisoned || is_used(sim, cells)) {
        next_op(sim);
        return;
    }
    check_free(sim, cells);
    if (op->what == SIM_DELETE) {
        signal(sim, CST_TASK_DELETES, cells, CASTELL_IN_DELETE);
        return;
    }
    if (sim_draw(sim, 2)) {
        struct sim_view view = {sim_home() + cells->base * sim->cell, *cells,
                                sim->cell};
        struct sim_values values;

        sim_main_values(number, &values);
        sim_write(&view, &values);
        sim->wrote[number] = true;
    }
    next_op(sim);
}

static void step_wait(struct sim *sim, const struct sim_op *op)
{
    if (sim->main.phase == 0)
        signal(sim, 0, &op->accesses[0].cells, CASTELL_INOUT);
    else if (sim->main.phase == 1)
        step_waited(sim, op);
    else
        next_op(sim);
}

static void step_barrier(struct sim *sim)
{
    struct sim_node *node = sim->nodes[0];
    struct cst_task *root = cst_engine_root(node->engine);
    const struct cst_region all = {0, CELLS, 1, CELLS};
    struct sim_reference reference;

    if (sim->main.phase == 0) {
        signal(sim, 0, NULL, CASTELL_IN);
    } else if (sim->main.phase == 1) {
        wait_for(sim, &root->children_finished,
                 cst_engine_submitted(node->engine));
    } else if (sim->main.phase == 2 &&
               cst_engine_status(node->engine, NULL) == CASTELL_OK) {
        signal(sim, CST_TASK_HOME, NULL, CASTELL_IN);
    } else {
        if (cst_engine_status(node->engine, NULL) == CASTELL_OK) {
            sim_refer(sim, sim->main.at, &reference);
            sim_compare(sim, &all, &reference);
        }
        next_op(sim);
    }
}

/* The run has failed: the program is at its last barrier. */
static void hurry(struct sim *sim)
{
    if (cst_engine_status(sim->nodes[0]->engine, NULL) == CASTELL_OK ||
        sim->main.phase > 0 || sim->main.at == sim->ops_count)
        return;
    sim->main.at = sim->ops_count - 1;
}

bool sim_main_step(struct sim *sim)
{
    const struct sim_op *op;

    if (sim->main.word) {
        if (atomic_load(sim->main.word) < sim->main.value) {
            sit(sim);
            return false;
        }
        if (sim->main.seated && !sim_node_leave(sim->nodes[0]))
            return false;
        sim->main.seated = false;
        sim->main.word = NULL;
    }
    hurry(sim);
    if (sim->main.at == sim->ops_count) {
        sim->main.over = true;
        sit(sim);
        return false;
    }
    op = &sim->ops[sim->main.at];
    if (sim->options.print && sim->main.phase == 0) {
        printf("# %5u  ", sim->steps);
        sim_print_op(op, sim->main.at);
    }
    switch (op->what) {
    case SIM_WAIT:
    case SIM_DELETE:
        step_wait(sim, op);
        break;
    case SIM_BARRIER:
        step_barrier(sim);
        break;
    case SIM_CANCEL:
        cancel(sim, op->group);
        next_op(sim);
        break;
    case SIM_TASK:
        sim->main.at++;
        submit(sim, sim->main.at - 1);
        break;
    }
    return true;
}
