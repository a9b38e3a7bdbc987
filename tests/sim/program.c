/*
 * Main's programs: random, on a small arena, so that regions overlap in all
 * ways; and what a body does, which depends on all that it reads.
 */
#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

/* ---- Cells in memory ----------------------------------------------------- */

static char *cell_at(const struct sim_view *view, size_t row, size_t column)
{
    return view->base + (row * view->cells.pitch + column) * view->size;
}

bool sim_read(const struct sim_view *view, struct sim_values *ret_values)
{
    bool whole = true;

    ret_values->count = 0;
    for (size_t row = 0; row < view->cells.rows; row++)
        for (size_t column = 0; column < view->cells.size; column++) {
            const char *cell = cell_at(view, row, column);

            for (size_t i = 1; i < view->size; i++)
                whole = whole && cell[i] == cell[0];
            ret_values->cells[ret_values->count++] = (unsigned char)cell[0];
        }
    return whole;
}

void sim_write(const struct sim_view *view, const struct sim_values *values)
{
    size_t at = 0;

    for (size_t row = 0; row < view->cells.rows; row++)
        for (size_t column = 0; column < view->cells.size; column++)
            memset(cell_at(view, row, column), values->cells[at++], view->size);
}

/* ---- Bodies ---------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

bool sim_is_joint(enum castell_mode mode)
{
    return mode == CASTELL_COMMUTATIVE || mode == CASTELL_CONCURRENT ||
           mode == CASTELL_REDUCTION;
}

uint64_t sim_compute(const struct sim_op *op, uint32_t number,
                     struct sim_values values[ACCESSES_MAX])
{
    uint64_t hash = mix(1, number);

    for (uint32_t i = 0; i < op->accesses_count; i++) {
        enum castell_mode mode = op->accesses[i].mode;

        if (sim_is_joint(mode) || mode == CASTELL_OUT)
            continue;
        for (size_t at = 0; at < values[i].count; at++)
            hash = mix(hash, values[i].cells[at]);
    }
    for (uint32_t i = 0; i < op->accesses_count; i++) {
        enum castell_mode mode = op->accesses[i].mode;

        if (mode == CASTELL_IN || mode == CASTELL_IN_DELETE)
            continue;
        for (size_t at = 0; at < values[i].count; at++) {
            unsigned char value = (unsigned char)mix(hash, at * 7 + i);

            values[i].cells[at] =
                sim_is_joint(mode)
                    ? (unsigned char)(values[i].cells[at] + value)
                    : value;
        }
    }
    return hash;
}

void sim_say_values(const struct sim_op *op, const struct sim_values *values)
{
    for (uint32_t i = 0; i < op->accesses_count; i++) {
        enum castell_mode mode = op->accesses[i].mode;

        if (sim_is_joint(mode) || mode == CASTELL_OUT)
            continue;
        printf("#          reads %zu+%zu x%zu:",
               (size_t)op->accesses[i].cells.base, op->accesses[i].cells.size,
               op->accesses[i].cells.rows);
        for (size_t at = 0; at < values[i].count; at++)
            printf(" %u", values[i].cells[at]);
        printf("\n");
    }
}

/* ---- Programs ---------------------------------------------------------------- */

static struct cst_region some_cells(uint64_t *state)
{
    enum { FIRST = 4096 }; /* where random_region() may begin */
    struct cst_region region;

    /* Most programs name the same blocks again and again. */
    if (random_below(state, 3)) {
        static const uint32_t sizes[] = {8, 16, 16, 32};
        uint32_t size = sizes[random_below(state, 4)];

        return (struct cst_region){
            (uintptr_t)size * random_below(state, CELLS / size), size, 1, size};
    }
    region = random_region(state, FIRST, CELLS);
    region.base -= FIRST;
    return region;
}

static enum castell_mode some_mode(const struct sim_options *options,
                                   uint64_t *state)
{
    static const enum castell_mode modes[] = {
        CASTELL_IN,    CASTELL_IN,    CASTELL_IN,          CASTELL_OUT,
        CASTELL_INOUT, CASTELL_INOUT, CASTELL_COMMUTATIVE, CASTELL_CONCURRENT,
    };

    return modes[random_below(state, options->joint ? 8 : 6)];
}

/* Comparing cells as if they were bytes at their numbers. */
static bool clashes(const struct sim_op *op, const struct sim_access *access)
{
    for (uint32_t i = 0; i < op->accesses_count; i++)
        if ((op->accesses[i].mode != CASTELL_IN ||
             access->mode != CASTELL_IN) &&
            cst_region_overlap(&op->accesses[i].cells, &access->cells))
            return true;
    return false;
}

static void add_access(struct sim_op *op, struct sim_access access)
{
    if (op->accesses_count < ACCESSES_MAX && !clashes(op, &access))
        op->accesses[op->accesses_count++] = access;
}

static uint32_t some_kind(const struct sim_options *options, uint64_t *state)
{
    if (options->gangs && random_below(state, 5) == 0)
        return KIND_PAIR + random_below(state, 2);
    if (options->wide && random_below(state, 4) == 0)
        return KIND_WIDE;
    if (options->fatal && random_below(state, 6) == 0)
        return KIND_FATAL;
    if (options->replicas && random_below(state, 4) == 0)
        return KIND_REPLICA;
    if (random_below(state, 3) == 0)
        return KIND_TURNS + random_below(state, KIND_NESTED + 1 - KIND_TURNS);
    return KIND_PLAIN + random_below(state, KIND_PLAIN_LAST + 1);
}

static void let_it_fail(const struct sim_options *options, uint64_t *state,
                        struct sim_op *op)
{
    if (options->failing && random_below(state, 4) == 0)
        op->fails = 1 + random_below(state, 4);
    if (!options->failing && random_below(state, 8) == 0)
        op->fails = 1; /* kinds that try again only: see kinds.c */
    op->starves = options->failing && random_below(state, 16) == 0;
    if (options->faults && random_below(state, 24) == 0) {
        op->kills = 1 + random_below(state, 2);
        op->immortal = random_below(state, 3) == 0;
        if (op->immortal && options->failing)
            op->kills = 9;
    }
}

/* Each node that it killed would be one that is lost for good. */
static void let_it_prepare(struct sim_op *op)
{
    op->kills = 0;
    op->starves = false;
    for (uint32_t i = 0; i < op->accesses_count; i++)
        if (sim_is_joint(op->accesses[i].mode))
            op->accesses[i].mode = CASTELL_INOUT;
}

static struct sim_op some_task(const struct sim_options *options,
                               uint64_t *state)
{
    struct sim_op op = {.what = SIM_TASK};
    uint32_t count = 1 + random_below(state, ACCESSES_MAX);

    for (uint32_t i = 0; i < count; i++) {
        struct sim_access access = {.cells = some_cells(state)};

        access.mode = some_mode(options, state);
        add_access(&op, access);
    }
    op.kind = some_kind(options, state);
    if (random_below(state, 8) == 0)
        op.priority = (int32_t)random_below(state, 5) - 2;
    if (options->failing && random_below(state, 3) == 0)
        op.group = 1 + random_below(state, GROUPS);
    let_it_fail(options, state, &op);
    if (op.kind == KIND_REPLICA)
        let_it_prepare(&op);
    return op;
}

/* Some that reduce the same region; what follows ends that. */
static uint32_t add_reduction(const struct sim_options *options,
                              uint64_t *state, struct sim_op *ops, uint32_t at)
{
    struct sim_access to = {some_cells(state), CASTELL_REDUCTION};
    uint32_t leaves = 1 + random_below(state, 4);

    for (uint32_t i = 0; i < leaves && at + 1 < options->ops; i++) {
        struct sim_op op = {.what = SIM_TASK};

        op.accesses[op.accesses_count++] = to;
        if (random_below(state, 2))
            add_access(&op, (struct sim_access){some_cells(state), CASTELL_IN});
        op.kind = KIND_PLAIN + random_below(state, KIND_PLAIN_LAST + 1);
        let_it_fail(options, state, &op);
        ops[at++] = op;
    }
    return at;
}

uint32_t sim_program(const struct sim_options *options, uint64_t *state,
                     struct sim_op *ops)
{
    uint32_t at = 0;

    while (at < options->ops) {
        uint32_t dice = random_below(state, 40);
        struct sim_op op = {.what = SIM_TASK};

        if (dice < 2 || dice == 4) {
            op.what = dice == 4 ? SIM_DELETE : SIM_WAIT;
            op.accesses_count = 1;
            op.accesses[0].cells = some_cells(state);
            ops[at++] = op;
        } else if (dice == 2) {
            op.what = SIM_BARRIER;
            ops[at++] = op;
        } else if (dice == 3 && at + 2 < options->ops) {
            /* What is deleted is written before it is read. */
            add_access(
                &op, (struct sim_access){some_cells(state), CASTELL_IN_DELETE});
            ops[at++] = op;
            op.accesses[0].mode = CASTELL_OUT;
            ops[at++] = op;
        } else if (dice < 8 && options->joint) {
            at = add_reduction(options, state, ops, at);
        } else if (dice == 8 && options->failing && at > 0) {
            op.what = SIM_CANCEL;
            op.group = 1 + random_below(state, GROUPS);
            ops[at++] = op;
        } else {
            ops[at++] = some_task(options, state);
        }
    }
    ops[at++] = (struct sim_op){.what = SIM_BARRIER};
    return at;
}

void sim_print_op(const struct sim_op *op, uint32_t number)
{
    static const char *const modes[] = {"",       "in",     "out",    "inout",
                                        "concur", "commut", "reduce", "delete"};
    static const char *const whats[] = {"task", "wait", "barrier", "delete",
                                        "cancel"};

    printf("main: %u %s", number + 1, whats[op->what]);
    if (op->what == SIM_TASK)
        printf(" of kind %u", op->kind);
    if (op->group > 0)
        printf(" group %u", op->group);
    for (uint32_t i = 0; i < op->accesses_count; i++)
        printf("  %s %zu+%zu x%zu/%zu", modes[op->accesses[i].mode],
               (size_t)op->accesses[i].cells.base, op->accesses[i].cells.size,
               op->accesses[i].cells.rows, op->accesses[i].cells.pitch);
    if (op->fails > 0)
        printf("  fails %u", op->fails);
    if (op->kills > 0)
        printf("  kills %u%s", op->kills, op->immortal ? " always" : "");
    printf(op->starves ? "  starves\n" : "\n");
}
