/*
 * What main's program comes to when it is run one after another, and whether
 * main sees just that.
 */
#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

/* ---- The arena of the reference: cells of one byte ---------------------------------- */

static void read_cells(const struct sim_reference *reference,
                       const struct cst_region *cells,
                       struct sim_values *ret_values)
{
    struct sim_view view = {
        (char *)(uintptr_t)reference->cells.cells + cells->base, *cells, 1};

    (void)sim_read(&view, ret_values);
}

static void write_cells(struct sim_reference *reference,
                        const struct cst_region *cells,
                        const struct sim_values *values)
{
    struct sim_view view = {(char *)reference->cells.cells + cells->base,
                            *cells, 1};

    sim_write(&view, values);
}

/* The worst of all cells. Those that may come in any order do not wait for one
   another: for them, what is not made yet is as good as made. */
static unsigned char worst_of(const struct sim_reference *reference,
                              const struct cst_region *cells, bool joint)
{
    struct sim_view view = {(char *)(uintptr_t)reference->states + cells->base,
                            *cells, 1};
    struct sim_values states;
    unsigned char state = KNOWN;

    (void)sim_read(&view, &states);
    for (size_t i = 0; i < states.count; i++)
        if (states.cells[i] > state && !(joint && states.cells[i] == UNKNOWN))
            state = states.cells[i];
    return state;
}

unsigned char sim_poison_of(const struct sim_reference *reference,
                            const struct cst_region *cells)
{
    return worst_of(reference, cells, true);
}

static void set_state(struct sim_reference *reference,
                      const struct cst_region *cells, unsigned char state)
{
    struct sim_view view = {(char *)reference->states + cells->base, *cells, 1};
    struct sim_values states;

    memset(states.cells, state, sizeof(states.cells));
    sim_write(&view, &states);
}

/* ---- What the program comes to --------------------------------------------------------- */

static bool reads(enum castell_mode mode)
{
    return mode != CASTELL_OUT;
}

static bool writes(enum castell_mode mode)
{
    return mode != CASTELL_IN && mode != CASTELL_IN_DELETE;
}

/* May it fail though its body does not? */
static bool may_be_lost(const struct sim *sim, const struct sim_op *op)
{
    if (sim->deaths > 3 || op->starves)
        return true;
    return sim->deaths + sim->left > 0 &&
           (sim_kind(op->kind)->device == CASTELL_MPI ||
            sim_kind(op->kind)->constraint.cores > 1);
}

/* Has it run, whatever its body returned then? */
static bool has_run(const struct sim_task *task)
{
    return task->end == CST_TASK_ENDED || task->end == CST_TASK_ENDED_IGNORED;
}

static void blame(struct sim *sim, uint32_t number, const char *what)
{
    sim_say(sim, "of task %u:", number + 1);
    sim_wrong(sim, what);
}

static bool is_spoilt_with(const struct sim *sim, uint32_t number,
                           const struct sim_access *access)
{
    const struct sim_op *op = &sim->ops[number];

    if (!sim->tasks[number].ended ||
        (has_run(&sim->tasks[number]) && !op->starves))
        return false;
    for (uint32_t i = 0; i < op->accesses_count; i++)
        if (op->accesses[i].mode == access->mode &&
            cst_region_overlap(&op->accesses[i].cells, &access->cells))
            return true;
    return false;
}

/* Among those that may come in any order with this one, and that main submitted
   as numbers [from, to), has one failed? */
static bool is_spoilt_by(const struct sim *sim, uint32_t number, uint32_t from,
                         uint32_t to)
{
    const struct sim_op *op = &sim->ops[number];

    for (uint32_t i = 0; i < op->accesses_count; i++)
        for (uint32_t k = from; sim_is_joint(op->accesses[i].mode) && k < to;
             k++)
            if (is_spoilt_with(sim, k, &op->accesses[i]))
                return true;
    return false;
}

static void check_end(struct sim *sim, uint32_t number, unsigned char state)
{
    const struct sim_task *task = &sim->tasks[number];
    const struct sim_op *op = &sim->ops[number];
    const struct castell_kind *kind = sim_kind(op->kind);

    if (!task->ended ||
        cst_engine_status(sim->nodes[0]->engine, NULL) != CASTELL_OK)
        return;
    if (has_run(task) && state == POISONED && !op->starves &&
        !is_spoilt_by(sim, number, 0, number))
        blame(sim, number, "a task ran that reads poison");
    /* That it failed is not known where its node was lost with the report. */
    if (task->end == CST_TASK_ENDED && op->fails > kind->retries &&
        (kind->on_failure != CASTELL_IGNORE || sim->deaths == 0))
        blame(sim, number, "a task that fails has ended well");
    if (task->end == CST_TASK_ENDED_IGNORED &&
        (op->fails <= kind->retries || kind->on_failure != CASTELL_IGNORE))
        blame(sim, number, "a failure was ignored for no reason");
    if (task->end == CST_TASK_ENDED_CANCELLED && state == KNOWN && !task->off &&
        !is_spoilt_by(sim, number, number + 1, sim->main.at))
        blame(sim, number, "a task was cancelled for no reason");
    if (task->end == CST_TASK_ENDED_FAILED && op->fails <= kind->retries &&
        !may_be_lost(sim, op))
        blame(sim, number, "a task failed for no reason");
}

static unsigned char state_before(const struct sim_reference *reference,
                                  const struct sim_op *op)
{
    unsigned char state = KNOWN;

    for (uint32_t i = 0; i < op->accesses_count; i++) {
        unsigned char one;

        if (!reads(op->accesses[i].mode) ||
            op->accesses[i].mode == CASTELL_REDUCTION)
            continue;
        one = worst_of(reference, &op->accesses[i].cells,
                       sim_is_joint(op->accesses[i].mode));
        state = one > state ? one : state;
    }
    return state;
}

/* Of a reduction: the others of it, and what was there before, count too; and
   poison of one is sure, or may be, whatever is not known of others. */
static unsigned char worse(const struct sim_reference *reference,
                           const struct sim_access *access, unsigned char state)
{
    unsigned char before = worst_of(reference, &access->cells, false);
    unsigned char sure = worst_of(reference, &access->cells, true);

    if (state != UNKNOWN && state > sure)
        sure = state;
    if (sure != KNOWN)
        return sure;
    return before > state ? before : state;
}

/* Of others that may come in any order: after one that has failed the cells are
   poison if it came last, whether this one has ended well or not yet. */
static unsigned char spoilt(const struct sim_reference *reference,
                            const struct sim_access *access,
                            unsigned char state)
{
    if (state != POISONED && worst_of(reference, &access->cells, true) != KNOWN)
        return EITHER;
    return state;
}

static void refer_task(struct sim *sim, uint32_t number,
                       struct sim_reference *reference)
{
    const struct sim_op *op = &sim->ops[number];
    const struct sim_task *task = &sim->tasks[number];
    struct sim_values values[ACCESSES_MAX] = {0};
    struct sim_values before[ACCESSES_MAX];
    unsigned char state = state_before(reference, op);
    unsigned char after = KNOWN;

    check_end(sim, number, state);
    if (task->ended && (!has_run(task) || op->starves))
        after = POISONED;
    else if (task->ended && state == EITHER)
        after = EITHER;
    else if (state == UNKNOWN || (!task->ended && !task->finished))
        after = UNKNOWN;
    for (uint32_t i = 0; i < op->accesses_count; i++)
        read_cells(reference, &op->accesses[i].cells, &values[i]);
    memcpy(before, values, sizeof(before));
    if (sim_compute(op, number, values) != task->read && task->finished &&
        state == KNOWN) {
        blame(sim, number, "a task has read other cells than one by one");
        if (sim->options.print)
            sim_say_values(op, before);
    }
    for (uint32_t i = 0; i < op->accesses_count; i++) {
        const struct sim_access *access = &op->accesses[i];
        unsigned char mine = after;

        if (!writes(access->mode))
            continue;
        if (access->mode == CASTELL_REDUCTION)
            mine = worse(reference, access, after);
        else if (sim_is_joint(access->mode))
            mine = spoilt(reference, access, after);
        write_cells(reference, &access->cells, &values[i]);
        set_state(reference, &access->cells, mine);
    }
}

void sim_main_values(uint32_t number, struct sim_values *values)
{
    values->count = CELLS;
    for (size_t i = 0; i < CELLS; i++)
        values->cells[i] = (unsigned char)(i * 31 + number * 17);
}

void sim_refer(struct sim *sim, uint32_t end, struct sim_reference *reference)
{
    struct sim_values values;

    memset(reference, 0, sizeof(*reference));
    for (size_t i = 0; i < CELLS; i++)
        reference->cells.cells[i] = (unsigned char)i;
    sim_main_look(sim);
    for (uint32_t i = 0; i < end; i++) {
        const struct sim_op *op = &sim->ops[i];

        if (op->what == SIM_TASK && sim->tasks[i].submitted) {
            refer_task(sim, i, reference);
        } else if (op->what == SIM_WAIT && sim->wrote[i]) {
            sim_main_values(i, &values);
            write_cells(reference, &op->accesses[0].cells, &values);
        }
    }
}

void sim_compare(struct sim *sim, const struct cst_region *cells,
                 const struct sim_reference *reference)
{
    struct sim_view view = {sim_home() + cells->base * sim->cell, *cells,
                            sim->cell};
    struct sim_view states = {
        (char *)(uintptr_t)reference->states + cells->base, *cells, 1};
    struct sim_values want, got, state;
    bool whole = sim_read(&view, &got);

    read_cells(reference, cells, &want);
    (void)sim_read(&states, &state);
    for (size_t i = 0; i < want.count; i++) {
        if (state.cells[i] == UNKNOWN)
            sim_wrong(sim, "main may read what is not made yet");
        if (state.cells[i] != KNOWN)
            whole = true; /* nothing is promised of some */
        else if (want.cells[i] != got.cells[i])
            sim_say(sim, "cell %zu of %zu+%zu is %u, not %u", i,
                    (size_t)cells->base, cells->size, got.cells[i],
                    want.cells[i]);
        if (state.cells[i] == KNOWN && want.cells[i] != got.cells[i])
            sim_wrong(sim, "main reads other cells than one by one");
    }
    if (!whole)
        sim_wrong(sim, "main reads cells that are not whole");
}
