/*
 * Main: what it does goes through data and graph as the engine does it, and
 * what becomes ready to the plan.
 */
#include "plan/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Main ------------------------------------------------------------- */

static uint8_t epoch_of(enum castell_mode mode)
{
    switch (mode) {
    case CASTELL_IN:
    case CASTELL_IN_DELETE:
        return CST_EPOCH_READ;
    case CASTELL_CONCURRENT:
        return CST_EPOCH_CONCURRENT;
    case CASTELL_COMMUTATIVE:
        return CST_EPOCH_COMMUTATIVE;
    case CASTELL_REDUCTION:
        return CST_EPOCH_REDUCTION;
    case CASTELL_OUT:
    case CASTELL_INOUT:
        break;
    }
    return CST_EPOCH_WRITE;
}

static void join_one(struct cst_task *task, struct cst_fragment *fragment,
                     struct cst_hold *hold)
{
    hold->place = &fragment->place;
    hold->task = task;
    if (!cst_place_join(&fragment->place, hold))
        task->waits_for++;
}

static void join(struct sim *sim, struct cst_task *task, uint32_t number,
                 const struct cst_region *region)
{
    struct cst_access *access = &cst_task_accesses(task)[number];
    struct cst_fragment *const *fragments;
    size_t count;

    if (cst_data_resolve(sim->data, 0, region, &fragments, &count) !=
        CASTELL_OK)
        abort();
    if (count > 1) {
        struct cst_hold_chunk *chunk =
            calloc(1, sizeof(*chunk) + count * sizeof(chunk->holds[0]));

        if (!chunk)
            abort();
        chunk->count = (uint32_t)count - 1;
        chunk->next = task->more;
        task->more = chunk;
        for (uint32_t i = 0; i < chunk->count; i++) {
            chunk->holds[i] = access->hold;
            chunk->holds[i].user = number;
            join_one(task, fragments[i + 1], &chunk->holds[i]);
        }
    }
    join_one(task, fragments[0], &access->hold);
}

static struct cst_task *new_task(struct sim *sim, uint32_t number)
{
    const struct sim_op *op = &sim->ops[number];
    size_t size = cst_task_argument_offset(op->accesses_count);
    struct cst_task *task = aligned_alloc(16, (size + 63) / 64 * 64);

    if (!task)
        abort();
    memset(task, 0, size);
    task->id = number + 1;
    task->kind = &sim->kinds[op->kind];
    task->accesses_count = op->accesses_count;
    if (op->ordered) {
        task->flags |= CST_TASK_ORDERED;
        task->priority = (int32_t)(number * 7 % 5) - 2;
    }
    for (uint32_t i = 0; i < op->accesses_count; i++) {
        const struct sim_access *from = &op->accesses[i];
        struct cst_access *access = &cst_task_accesses(task)[i];
        enum castell_mode mode = from->mode ? from->mode : CASTELL_IN;

        access->base = (void *)from->region.base; /* NOLINT */
        access->size = from->region.size;
        access->pitch = from->region.pitch;
        access->hold.user = (uint32_t)from->region.rows;
        access->hold.mode = (uint8_t)mode;
        access->hold.epoch = epoch_of(mode);
        access->hold.reads = mode != CASTELL_OUT;
        access->hold.writes = mode != CASTELL_IN && mode != CASTELL_IN_DELETE;
        task->flags |= mode == CASTELL_COMMUTATIVE ? CST_TASK_EXCLUSIVE : 0;
        task->flags |= mode == CASTELL_REDUCTION ? CST_TASK_REDUCES : 0;
        task->flags |= mode == CASTELL_IN_DELETE ? CST_TASK_DELETES : 0;
    }
    if (op->what == SIM_FOLD)
        task->flags |= CST_TASK_INTERNAL;
    return task;
}

void sim_free_task(struct cst_task *task)
{
    while (task->more) {
        struct cst_hold_chunk *chunk = task->more;

        task->more = chunk->next;
        free(chunk);
    }
    free(task);
}

static void wish(struct sim *sim, struct cst_task *task)
{
    struct cst_fragment *fragments[PIECES_MAX];
    size_t count = 0;

    fragments[count++] =
        (struct cst_fragment *)(void *)cst_task_accesses(task)->hold.place;
    for (struct cst_hold_chunk *chunk = task->more; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count; i++)
            fragments[count++] =
                (struct cst_fragment *)(void *)chunk->holds[i].place;
    if (cst_plan_wish(sim->plan, fragments, count, sim) != CASTELL_OK)
        abort();
}

static void make_ready(struct sim *sim, struct cst_task *task)
{
    struct sim_task *mine;

    if ((task->flags & CST_TASK_EXCLUSIVE) &&
        !cst_task_take_places(task, &sim->woken))
        return;
    if (task == sim->signal) {
        wish(sim, task);
        return;
    }
    mine = &sim->tasks[sim_number_of(sim, task)];
    if (cst_plan_add(sim->plan, task) != CASTELL_OK)
        abort();
    mine->added = true;
    if (mine->cancelled)
        cst_plan_cancel(sim->plan, task);
}

/* What the plan has called for is done when it has returned. */
void sim_settle(struct sim *sim)
{
    struct cst_task *task;

    while ((task = cst_task_list_take(&sim->woken)))
        make_ready(sim, task);
    while ((task = cst_task_list_take(&sim->deleting)))
        (void)cst_data_forget(sim->data, 0,
                              &sim->ops[task->id - 1].accesses[0].region);
}

static void submit(struct sim *sim, uint32_t number)
{
    struct cst_task *task = new_task(sim, number);

    sim->tasks[number].task = task;
    for (uint32_t i = 0; i < task->accesses_count; i++)
        join(sim, task, i, &sim->ops[number].accesses[i].region);
    if (task->waits_for == 0)
        make_ready(sim, task);
}

static void wait_on(struct sim *sim, uint32_t number)
{
    struct cst_task *task = new_task(sim, number);

    sim->signal = task;
    cst_task_accesses(task)[0].hold.epoch = CST_EPOCH_WRITE;
    sim->tasks[number].task = task;
    sim->main_waits = true;
    join(sim, task, 0, &sim->ops[number].accesses[0].region);
    if (task->waits_for == 0)
        make_ready(sim, task);
}

static bool all_ended(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->at; i++)
        if (sim->ops[i].what <= SIM_FOLD && !sim->tasks[i].ended)
            return false;
    return true;
}

/* ---- Main goes on ------------------------------------------------------ */

static void print_op(const struct sim *sim, uint32_t number)
{
    static const char *const modes[] = {"",       "in",     "out",    "inout",
                                        "concur", "commut", "reduce", "delete"};
    static const char *const whats[] = {"task",    "leaf",   "fold",  "wait",
                                        "barrier", "delete", "cancel"};
    const struct sim_op *op = &sim->ops[number];

    printf("# %5u  main: %u %s", sim->steps, number + 1, whats[op->what]);
    if (op->what == SIM_CANCEL)
        printf(" of %u", op->group + 1);
    for (uint32_t i = 0; i < op->accesses_count; i++)
        printf("  %s %zu+%zu x%zu/%zu", modes[op->accesses[i].mode],
               (size_t)op->accesses[i].region.base - BASE,
               op->accesses[i].region.size, op->accesses[i].region.rows,
               op->accesses[i].region.pitch);
    printf("%s\n", op->fails ? "  fails" : "");
}

static bool is_used(const struct sim *sim, const struct cst_region *region)
{
    for (uint32_t i = 0; i < sim->at; i++) {
        const struct sim_op *op = &sim->ops[i];

        if (op->what > SIM_FOLD || sim->tasks[i].ended)
            continue;
        for (uint32_t at = 0; at < op->accesses_count; at++)
            if (cst_region_overlap(&op->accesses[at].region, region))
                return true;
    }
    return false;
}

static void forget_region(struct sim *sim, const struct cst_region *region)
{
    struct cst_fragment *const *fragments;
    size_t count;

    if (cst_data_resolve(sim->data, 0, region, &fragments, &count) !=
        CASTELL_OK)
        abort();
    for (size_t i = 0; i < count; i++)
        if (cst_place_idle(&fragments[i]->place))
            cst_plan_delete(sim->plan, fragments[i]);
    (void)cst_data_forget(sim->data, 0, region);
}

void sim_main_granted(struct sim *sim, bool poisoned)
{
    static struct sim_reference reference;
    uint32_t number = sim->at - 1;
    const struct sim_op *op = &sim->ops[number];
    struct cst_region all = {BASE, ARENA, 1, ARENA};
    const struct cst_region *region =
        op->what == SIM_BARRIER ? &all : &op->accesses[0].region;

    sim_refer(sim, sim->at, &reference);
    if (op->what != SIM_BARRIER &&
        poisoned != (sim_state_of(&reference, region) == POISONED) &&
        /* What came before its maker's nodes were lost is right all the same. */
        (poisoned || sim->deaths <= 3))
        sim_wrong(sim, "main hears the wrong thing of poison");
    sim_compare(sim, region, &reference);
    if (sim->signal) {
        sim_leave(sim, sim->signal);
        sim->signal = NULL;
        sim_settle(sim);
    }
    if (op->what == SIM_WAIT && !poisoned && !is_used(sim, region)) {
        sim->tasks[number].done_once = true;
        sim_main_writes(op, number, sim->home);
    }
    if (op->what == SIM_DELETE && !poisoned && !is_used(sim, region))
        forget_region(sim, region);
    sim->main_waits = false;
}

bool sim_main_step(struct sim *sim)
{
    const struct sim_op *op;

    if (sim->main_waits || sim->at == sim->ops_count)
        return false;
    op = &sim->ops[sim->at];
    if (op->what == SIM_BARRIER && !all_ended(sim))
        return false;
    if (sim->options.print)
        print_op(sim, sim->at);
    switch (op->what) {
    case SIM_BARRIER:
        sim->main_waits = true;
        sim->at++;
        if (cst_plan_wish(sim->plan, NULL, 0, sim) != CASTELL_OK)
            abort();
        break;
    case SIM_WAIT:
    case SIM_DELETE:
        wait_on(sim, sim->at++);
        break;
    case SIM_CANCEL: {
        struct sim_task *task = &sim->tasks[op->group];

        sim->at++;
        if (sim->ops[op->group].what != SIM_TASK || task->ended)
            break;
        task->cancelled = true;
        if (task->added)
            cst_plan_cancel(sim->plan, task->task);
        break;
    }
    case SIM_TASK:
    case SIM_LEAF:
    case SIM_FOLD:
        submit(sim, sim->at++);
        break;
    }
    sim_settle(sim);
    return true;
}
