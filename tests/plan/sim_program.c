/*
 * Main's programs: random, on a small arena, so that regions overlap in all
 * ways; and what a body does, which depends on every byte that it reads.
 */
#include "plan/sim.h"

#include <string.h>

size_t sim_pack(const struct cst_region *region, const unsigned char *memory,
                unsigned char *packed)
{
    for (size_t row = 0; row < region->rows; row++)
        memcpy(packed + row * region->size,
               memory + (region->base - BASE) + row * region->pitch,
               region->size);
    return region->rows * region->size;
}

void sim_unpack(const struct cst_region *region, unsigned char *memory,
                const unsigned char *packed)
{
    for (size_t row = 0; row < region->rows; row++)
        memcpy(memory + (region->base - BASE) + row * region->pitch,
               packed + row * region->size, region->size);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* Does what it does not depend on what others like it did before? */
bool sim_is_joint(enum castell_mode mode)
{
    return mode == CASTELL_COMMUTATIVE || mode == CASTELL_CONCURRENT ||
           mode == CASTELL_REDUCTION;
}

void sim_body(const struct sim_op *op, uint32_t number, unsigned char *memory)
{
    unsigned char packed[ARENA];
    uint64_t hash = mix(1, number);

    for (uint32_t i = 0; i < op->accesses_count; i++) {
        const struct sim_access *access = &op->accesses[i];
        size_t size;

        if (sim_is_joint(access->mode) || access->mode == CASTELL_OUT)
            continue;
        size = sim_pack(&access->region, memory, packed);
        for (size_t at = 0; at < size; at++)
            hash = mix(hash, packed[at]);
    }
    for (uint32_t i = 0; i < op->accesses_count; i++) {
        const struct sim_access *access = &op->accesses[i];
        size_t size;

        if (access->mode == CASTELL_IN || access->mode == CASTELL_IN_DELETE)
            continue;
        size = sim_pack(&access->region, memory, packed);
        for (size_t at = 0; at < size; at++) {
            unsigned char value = (unsigned char)mix(hash, at * 7 + i);

            packed[at] = sim_is_joint(access->mode)
                             ? (unsigned char)(packed[at] + value)
                             : value;
        }
        sim_unpack(&access->region, memory, packed);
    }
}

/* ---- Programs --------------------------------------------------------- */

static struct cst_region some_region(uint64_t *state)
{
    /* Most programs name the same blocks again and again. */
    if (random_below(state, 3)) {
        static const uint32_t sizes[] = {8, 16, 16, 32};
        uint32_t size = sizes[random_below(state, 4)];
        struct cst_region region = {
            .base = BASE + (uintptr_t)size * random_below(state, ARENA / size),
            .size = size,
            .rows = 1,
            .pitch = size,
        };

        return region;
    }
    return random_region(state, BASE, ARENA);
}

static enum castell_mode some_mode(const struct sim_options *options,
                                   uint64_t *state)
{
    static const enum castell_mode modes[] = {
        CASTELL_IN,    CASTELL_IN,    CASTELL_IN,          CASTELL_OUT,
        CASTELL_INOUT, CASTELL_INOUT, CASTELL_COMMUTATIVE, CASTELL_CONCURRENT,
    };

    return modes[random_below(state, options->joined_modes ? 8 : 6)];
}

static bool clashes(const struct sim_op *op, const struct sim_access *access)
{
    for (uint32_t i = 0; i < op->accesses_count; i++)
        if ((op->accesses[i].mode != CASTELL_IN ||
             access->mode != CASTELL_IN) &&
            cst_region_overlap(&op->accesses[i].region, &access->region))
            return true;
    return false;
}

static void add_access(struct sim_op *op, struct sim_access access)
{
    if (op->accesses_count < ACCESSES_MAX && !clashes(op, &access))
        op->accesses[op->accesses_count++] = access;
}

static struct sim_op some_task(const struct sim_options *options,
                               uint64_t *state)
{
    struct sim_op op = {.what = SIM_TASK};
    uint32_t count = 1 + random_below(state, ACCESSES_MAX);

    for (uint32_t i = 0; i < count; i++) {
        struct sim_access access = {.region = some_region(state)};

        access.mode = some_mode(options, state);
        add_access(&op, access);
    }
    op.kind = random_below(state, SOLO_KINDS);
    if (options->gangs && random_below(state, 5) == 0)
        op.kind =
            SOLO_KINDS + random_below(state, REPLICATED_KIND - SOLO_KINDS);
    if (options->replicated && random_below(state, 5) == 0)
        op.kind =
            REPLICATED_KIND + random_below(state, KINDS - REPLICATED_KIND);
    op.ordered = random_below(state, 8) == 0;
    if (options->failing && random_below(state, 4) == 0)
        op.fails = 1 + random_below(state, 4);
    /* Each node that joins would die of one that is replicated. */
    if (options->faults && random_below(state, 24) == 0 &&
        (options->failing || op.kind < REPLICATED_KIND)) {
        op.kills = 1 + random_below(state, 2);
        op.immortal = random_below(state, 3) == 0;
        if (op.immortal && options->failing)
            op.kills = 9;
    }
    return op;
}

static uint32_t add_reduction(const struct sim_options *options,
                              uint64_t *state, struct sim_op *ops, uint32_t at,
                              uint32_t max)
{
    struct sim_access to = {some_region(state), CASTELL_REDUCTION};
    uint32_t leaves = 1 + random_below(state, 4);
    uint32_t group = at;

    (void)options;
    if (at + leaves + 1 > max)
        return at;
    for (uint32_t i = 0; i < leaves; i++) {
        struct sim_op op = {.what = SIM_LEAF, .group = group, .leaf = i};

        op.accesses[op.accesses_count++] = to;
        if (random_below(state, 2))
            add_access(&op,
                       (struct sim_access){some_region(state), CASTELL_IN});
        op.kind = random_below(state, 4);
        ops[at++] = op;
    }
    to.mode = CASTELL_INOUT;
    ops[at++] = (struct sim_op){
        .what = SIM_FOLD,
        .group = group,
        .accesses_count = 1,
        .accesses = {to},
    };
    return at;
}

uint32_t sim_program(const struct sim_options *options, uint64_t *state,
                     struct sim_op *ops, uint32_t max)
{
    uint32_t wanted = options->tasks < max ? options->tasks : max - 1;
    uint32_t at = 0;

    while (at < wanted) {
        uint32_t dice = random_below(state, 40);
        struct sim_op op = {.what = SIM_TASK};

        if (dice < 2 || dice == 4) {
            op.what = dice == 4 ? SIM_DELETE : SIM_WAIT;
            op.accesses_count = 1;
            op.accesses[0].region = some_region(state);
            ops[at++] = op;
        } else if (dice == 2) {
            op.what = SIM_BARRIER;
            ops[at++] = op;
        } else if (dice == 3 && at + 2 < wanted) {
            /* What is deleted is written before it is read. */
            op = some_task(options, state);
            op.accesses_count = 0;
            op.fails = op.kills = 0;
            add_access(&op, (struct sim_access){some_region(state),
                                                CASTELL_IN_DELETE});
            ops[at++] = op;
            op.accesses[0].mode = CASTELL_OUT;
            ops[at++] = op;
        } else if (dice < 8 && options->joined_modes) {
            at = add_reduction(options, state, ops, at, wanted);
        } else if (dice == 8 && options->failing && at > 0) {
            op.what = SIM_CANCEL;
            op.group = random_below(state, at);
            ops[at++] = op;
        } else {
            ops[at++] = some_task(options, state);
        }
    }
    ops[at++] = (struct sim_op){.what = SIM_BARRIER};
    return at;
}
