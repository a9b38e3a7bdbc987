/*
 * What main's program comes to when it is run one after another, and whether
 * main sees just that.
 */
#include "plan/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What the program comes to ----------------------------------------- */

uint8_t sim_state_of(const struct sim_reference *reference,
                     const struct cst_region *region)
{
    uint8_t states[ARENA];
    size_t size = sim_pack(region, reference->states, states);
    uint8_t state = KNOWN;

    for (size_t i = 0; i < size; i++)
        state = states[i] > state ? states[i] : state;
    return state;
}

static void set_state(struct sim_reference *reference,
                      const struct cst_region *region, uint8_t state)
{
    uint8_t states[ARENA];

    memset(states, state, sizeof(states));
    sim_unpack(region, reference->states, states);
}

static bool reads(enum castell_mode mode)
{
    return mode != CASTELL_OUT && mode != CASTELL_REDUCTION;
}

static bool writes(enum castell_mode mode)
{
    return mode != CASTELL_IN && mode != CASTELL_IN_DELETE &&
           mode != CASTELL_REDUCTION;
}

static void check_end(struct sim *sim, uint32_t number, uint8_t state)
{
    const struct sim_task *task = &sim->tasks[number];
    const struct sim_op *op = &sim->ops[number];
    const struct cst_kind *kind = &sim->kinds[op->kind];

    if (!task->ended)
        return;
    /* What a task made may have been read before it was lost once too often. */
    if (task->end == CST_PLAN_ENDED && state == POISONED && sim->deaths <= 3)
        sim_wrong(sim, "a task ran that reads poison");
    if (task->end == CST_PLAN_ENDED && op->fails > kind->retries &&
        kind->on_failure != CASTELL_IGNORE)
        sim_wrong(sim, "a task that fails has ended");
    if (task->end == CST_PLAN_CANCELLED && state == KNOWN && !task->cancelled)
        sim_wrong(sim, "a task was cancelled for no reason");
    /* A gang may lack nodes. */
    if (task->end == CST_PLAN_FAILED && op->fails <= kind->retries &&
        sim->deaths <= 3 &&
        !(sim->options.last_nodes && sim->deaths + sim->drained > 0 &&
          kind->choices[0].constraint.nodes > 0))
        sim_wrong(sim, "a task failed for no reason");
}

/* What a task has made of `memory` with one of its accesses. */
static void refer_access(struct sim_reference *reference,
                         const struct sim_op *op,
                         const struct sim_access *access,
                         const unsigned char *memory, uint8_t after)
{
    unsigned char packed[ARENA];
    unsigned char sum[ARENA];
    size_t size;

    if (access->mode == CASTELL_REDUCTION) {
        size = sim_pack(&access->region, memory, packed);
        sim_pack(&access->region, reference->sums[op->group], sum);
        for (size_t at = 0; at < size; at++)
            sum[at] = (unsigned char)(sum[at] + packed[at]);
        sim_unpack(&access->region, reference->sums[op->group], sum);
        if (after > reference->group_states[op->group])
            reference->group_states[op->group] = after;
    } else if (writes(access->mode)) {
        sim_pack(&access->region, memory, packed);
        sim_unpack(&access->region, reference->bytes, packed);
        set_state(reference, &access->region, after);
    }
}

static void refer_task(struct sim *sim, uint32_t number,
                       struct sim_reference *reference)
{
    const struct sim_op *op = &sim->ops[number];
    const struct sim_task *task = &sim->tasks[number];
    unsigned char memory[ARENA];
    unsigned char packed[ARENA];
    uint8_t state = KNOWN;
    uint8_t after;

    for (uint32_t i = 0; i < op->accesses_count; i++)
        if (reads(op->accesses[i].mode)) {
            uint8_t one = sim_state_of(reference, &op->accesses[i].region);

            /* Those that may come in any order do not wait for one another. */
            if (one == UNKNOWN && sim_is_joint(op->accesses[i].mode))
                one = KNOWN;
            state = one > state ? one : state;
        }
    if (op->what == SIM_FOLD && reference->group_states[op->group] > state)
        state = reference->group_states[op->group];
    check_end(sim, number, state);
    if (task->ended && task->end != CST_PLAN_ENDED)
        after = POISONED;
    else
        after = state == UNKNOWN || (!task->ended && !task->finished) ? UNKNOWN
                                                                      : KNOWN;
    memcpy(memory, reference->bytes, ARENA);
    if (op->what == SIM_LEAF) {
        memset(packed, 0, sizeof(packed));
        sim_unpack(&op->accesses[0].region, memory, packed);
    }
    if (op->what == SIM_FOLD)
        for (size_t i = 0; i < ARENA; i++)
            memory[i] =
                (unsigned char)(memory[i] + reference->sums[op->group][i]);
    else
        sim_body(op, number, memory);
    for (uint32_t i = 0; i < op->accesses_count; i++)
        refer_access(reference, op, &op->accesses[i], memory, after);
}

/* What main writes after it has waited for op `number`. */
void sim_main_writes(const struct sim_op *op, uint32_t number,
                     unsigned char *memory)
{
    unsigned char packed[ARENA];

    for (size_t i = 0; i < ARENA; i++)
        packed[i] = (unsigned char)(i * 31 + number * 17);
    sim_unpack(&op->accesses[0].region, memory, packed);
}

void sim_refer(struct sim *sim, uint32_t end, struct sim_reference *reference)
{
    memset(reference, 0, sizeof(*reference));
    for (size_t i = 0; i < ARENA; i++)
        reference->bytes[i] = (unsigned char)i;
    for (uint32_t i = 0; i < end; i++) {
        const struct sim_op *op = &sim->ops[i];

        if (op->what <= SIM_FOLD)
            refer_task(sim, i, reference);
        else if (op->what == SIM_WAIT && sim->tasks[i].done_once)
            sim_main_writes(op, i, reference->bytes);
    }
}

void sim_compare(struct sim *sim, const struct cst_region *region,
                 const struct sim_reference *reference)
{
    unsigned char want[ARENA], got[ARENA], states[ARENA];
    size_t size = sim_pack(region, reference->bytes, want);

    sim_pack(region, sim->home, got);
    sim_pack(region, reference->states, states);
    for (size_t i = 0; i < size; i++) {
        if (states[i] == UNKNOWN)
            sim_wrong(sim, "main may read what is not made yet");
        if (states[i] == KNOWN && want[i] != got[i]) {
            if (sim->options.print)
                printf("# byte %zu of %zu at %zu\n", i, size,
                       (size_t)region->base - BASE);
            sim_wrong(sim, "main reads other bytes than one by one");
        }
    }
}
