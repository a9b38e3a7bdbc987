/*
 * Tasks of several nodes, as the nodes see them: the lead tells when it has its
 * inputs and waits to be mustered, the others keep berths. No node may be in
 * two gangs at once, and none starts before all others have their berths.
 */
#include "plan/sim.h"

#include <stdlib.h>

static struct sim_berth **find_berth(struct sim_node *node, uint64_t id,
                                     uint32_t attempt)
{
    struct sim_berth **link = &node->berths;

    while (*link && ((*link)->id != id || (*link)->attempt != attempt))
        link = &(*link)->next;
    return link;
}

static void keep_berth(struct sim *sim, uint32_t number,
                       const struct sim_message *message)
{
    struct sim_node *node = &sim->nodes[number];
    struct sim_berth *berth;

    if (node->berths)
        sim_wrong(sim, "a node has berths for two gangs");
    berth = malloc(sizeof(*berth));
    if (!berth)
        abort();
    *berth =
        (struct sim_berth){node->berths, message->other, message->attempt, 0};
    node->berths = berth;
}

static void give_up_berth(struct sim *sim, uint32_t number,
                          const struct sim_message *message)
{
    struct sim_node *node = &sim->nodes[number];
    struct sim_berth **link =
        find_berth(node, message->other, message->attempt);
    struct sim_berth *berth = *link;

    if (!berth) {
        sim_wrong(sim, "a berth that was not ordered is given up");
        return;
    }
    *link = berth->next;
    free(berth);
}

static struct sim_run *find_run(struct sim *sim, uint32_t number,
                                const struct sim_message *message)
{
    struct sim_run *run = sim->nodes[number].runs;

    while (run &&
           (run->id != message->other || run->attempt != message->attempt))
        run = run->next;
    return run;
}

static void muster(struct sim *sim, uint32_t number,
                   const struct sim_message *message)
{
    struct sim_run *run = find_run(sim, number, message);

    if (!run)
        return;
    if (run->gang != SIM_GANG_WAITS)
        sim_wrong(sim, "a gang is mustered that does not wait for it");
    run->gang = SIM_GANG_MUSTERED;
    run->crew = message->crew;
}

static void disband(struct sim *sim, uint32_t number,
                    const struct sim_message *message)
{
    struct sim_run *run = find_run(sim, number, message);

    if (!run)
        return;
    run->gang = SIM_GANG_STOPPED;
    if (!run->started)
        sim_give_back(sim, number, run);
}

void sim_gang_order(struct sim *sim, uint32_t number,
                    const struct sim_message *message)
{
    if (message->what == MSG_BERTH)
        keep_berth(sim, number, message);
    else if (message->what == MSG_UNBERTH)
        give_up_berth(sim, number, message);
    else if (message->what == MSG_MUSTER)
        muster(sim, number, message);
    else
        disband(sim, number, message);
}

bool sim_gang_step(struct sim *sim, uint32_t number)
{
    struct sim_node *node = &sim->nodes[number];
    struct sim_berth *berth = node->berths;

    while (berth && berth->taken)
        berth = berth->next;
    if (!berth)
        return false;
    berth->taken = true;
    sim_send(sim, number, MASTER,
             (struct sim_message){.what = MSG_BERTHED,
                                  .other = berth->id,
                                  .attempt = berth->attempt});
    return true;
}

/* All others are there, or are lost. */
static void check_crew(struct sim *sim, uint32_t number,
                       const struct sim_run *run)
{
    uint32_t others = 0;

    if (!sim->nodes[number].member)
        return; /* it is thought dead, and the others were told to go */
    if (sim->nodes[number].berths)
        sim_wrong(sim, "a gang starts on a node that is kept for another");
    for (uint32_t i = 0; i < sim->nodes_count; i++) {
        if (!(run->crew >> i & 1))
            continue;
        others++;
        if (i == number)
            sim_wrong(sim, "a gang has its lead twice");
        if (sim->nodes[i].member && sim->nodes[i].alive) {
            struct sim_berth *berth =
                *find_berth(&sim->nodes[i], run->id, run->attempt);

            if (!berth || !berth->taken)
                sim_wrong(sim, "a gang starts without one of its nodes");
        }
    }
    if (others + 1 !=
        sim->kinds[sim->ops[run->task].kind].choices[0].constraint.nodes)
        sim_wrong(sim, "a gang of too many nodes, or too few");
}

bool sim_gang_may_start(struct sim *sim, uint32_t number, struct sim_run *run)
{
    if (!(run->flags & CST_PLAN_GANG))
        return true;
    switch (run->gang) {
    case SIM_GANG_NONE:
        run->gang = SIM_GANG_WAITS;
        sim_send(sim, number, MASTER,
                 (struct sim_message){.what = MSG_FIRED,
                                      .other = run->id,
                                      .attempt = run->attempt});
        return false;
    case SIM_GANG_WAITS:
    case SIM_GANG_STOPPED:
        return false;
    case SIM_GANG_MUSTERED:
        break;
    }
    check_crew(sim, number, run);
    return true;
}

void sim_gang_release(struct sim_node *node)
{
    while (node->berths) {
        struct sim_berth *berth = node->berths;

        node->berths = berth->next;
        free(berth);
    }
}
