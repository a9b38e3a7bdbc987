/*
 * What is to be true when a task starts: that attempt starts once, and the
 * replicated tasks that it reads from have run on its node.
 */
#include "plan/sim.h"

#include <string.h>

enum { NOBODY = TASKS_MAX };

bool sim_is_replica(const struct sim_run *run)
{
    return run->id > TASKS_MAX;
}

/* Who wrote the byte last, before that op, if it is a task of its own. */
static uint32_t writer_of(const struct sim *sim, uint32_t before, size_t at)
{
    for (uint32_t number = before; number-- > 0;) {
        const struct sim_op *op = &sim->ops[number];
        struct cst_region byte = {BASE + at, 1, 1, 1};

        for (uint32_t i = 0; i < op->accesses_count; i++) {
            const struct sim_access *access = &op->accesses[i];

            if (!cst_region_overlap(&access->region, &byte) ||
                (op->what <= SIM_FOLD && access->mode == CASTELL_IN))
                continue;
            if (op->what != SIM_TASK || sim_is_joint(access->mode) ||
                access->mode == CASTELL_IN_DELETE)
                return NOBODY;
            return number;
        }
    }
    return NOBODY;
}

static void check_reads(struct sim *sim, uint32_t node,
                        const struct sim_run *run)
{
    const struct sim_op *op = &sim->ops[run->task];

    for (uint32_t i = 0; i < op->accesses_count; i++) {
        const struct sim_access *access = &op->accesses[i];

        if (access->mode == CASTELL_OUT || access->mode == CASTELL_REDUCTION)
            continue;
        for (size_t at = 0; at < ARENA; at++) {
            struct cst_region byte = {BASE + at, 1, 1, 1};
            uint32_t writer;

            if (!cst_region_overlap(&access->region, &byte))
                continue;
            writer = writer_of(sim, run->task, at);
            if (writer == NOBODY ||
                !(sim->kinds[sim->ops[writer].kind].flags &
                  CASTELL_REPLICATED) ||
                sim->nodes[node].ran >> writer & 1)
                continue;
            sim_say(sim, "needs", node, run->task + 1, writer + 1);
            sim_wrong(sim, "a task runs where what it needs has not");
        }
    }
}

void sim_note_start(struct sim *sim, uint32_t number, const struct sim_run *run)
{
    struct sim_task *task = &sim->tasks[run->task];
    bool replicated =
        sim->kinds[sim->ops[run->task].kind].flags & CASTELL_REPLICATED;

    if (sim_is_replica(run)) {
        uint16_t *started = &sim->replica_attempts[run->id % REPLICA_ATTEMPTS];

        if (*started >> (run->attempt % 16) & 1)
            sim_wrong(sim, "an attempt of a replica ran twice");
        *started |= (uint16_t)(1 << run->attempt % 16);
    } else {
        if (task->started >> run->attempt & 1)
            sim_wrong(sim, "an attempt ran twice");
        task->started |= UINT64_C(1) << run->attempt;
        if (replicated)
            sim->nodes[number].ran |= UINT64_C(1) << run->task;
    }
    if (sim->options.replicated)
        check_reads(sim, number, run);
}
