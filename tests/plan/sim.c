/*
 * Main and the master: what main does goes through data and graph as the engine
 * does it, and what becomes ready through the plan, whose orders go to the
 * nodes. In between main compares what it sees with what its program comes to
 * when it is run one after another.
 */
#include "plan/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 200000, DRAINS_MAX = 6 };

/* ---- The master -------------------------------------------------------- */

static void hear(struct sim *sim, uint32_t from)
{
    struct sim_message *message = sim->channels[from][MASTER];
    const struct cst_plan_report report = {
        .node = from,
        .id = message->other,
        .attempt = message->attempt,
        .outcome = message->kept     ? CST_PLAN_FAILURE_IGNORED
                   : message->failed ? CST_PLAN_BODY_FAILED
                                     : CST_PLAN_DONE,
        .text = message->failed ? "it failed" : NULL,
        .duration_ns = 1000 + random_below(&sim->state, 50000000),
    };

    sim->channels[from][MASTER] = message->next;
    switch (message->what) {
    case MSG_DONE:
        sim_say(sim, "done", from, message->other, message->attempt);
        cst_plan_done(sim->plan, &report);
        break;
    case MSG_ARRIVED:
        sim_say(sim, "arrived", from, message->piece.version, 0);
        cst_plan_arrived(sim->plan, from, message->piece.version, 1000);
        break;
    case MSG_NOT_COME:
        sim_say(sim, "not come", from, message->piece.version, 0);
        cst_plan_not_come(sim->plan, from, message->piece.version);
        break;
    case MSG_RECALLED:
        sim_say(sim, "recalled", from, message->other, message->attempt);
        cst_plan_recalled(sim->plan, from, message->other, message->attempt);
        break;
    case MSG_FIRED:
        sim_say(sim, "fired", from, message->other, message->attempt);
        cst_plan_fired(sim->plan, from, message->other, message->attempt);
        break;
    case MSG_BERTHED:
        sim_say(sim, "berthed", from, message->other, message->attempt);
        cst_plan_berthed(sim->plan, from, message->other, message->attempt);
        break;
    case MSG_FILLED:
        sim_say(sim, "filled", from, message->piece.version, 0);
        cst_plan_home_filled(sim->plan, message->piece.version);
        break;
    case MSG_ASSIGN:
    case MSG_PUSH:
    case MSG_DROP:
    case MSG_CUT:
    case MSG_RECALL:
    case MSG_CANCEL:
    case MSG_ROOT:
    case MSG_HOME:
    case MSG_SAVE:
    case MSG_BERTH:
    case MSG_UNBERTH:
    case MSG_MUSTER:
    case MSG_DISBAND:
    case MSG_LEAVE:
    case MSG_GONE:
    case MSG_GRANTED:
    case MSG_DATA:
        sim_wrong(sim, "a message that is for others");
    }
    sim_message_free(message);
    sim_settle(sim);
}

/* The master learns that a node is gone; it may know some things later. */
static void bury(struct sim *sim, uint32_t node)
{
    sim_say(sim, "LEAVES", node, 0, 0);
    sim->nodes[node].member = false;
    if (sim->nodes[node].leaves && !sim->nodes[node].alive)
        sim->drained++;
    else
        sim->deaths++;
    sim_empty_channel(sim, MASTER, node);
    for (uint32_t to = 0; to < sim->nodes_count; to++)
        if (sim->nodes[to].member)
            sim_send(sim, MASTER, to,
                     (struct sim_message){.what = MSG_GONE, .other = node});
    cst_plan_leave(sim->plan, node);
    sim_settle(sim);
}

/* Its messages that are under way may come, or not. */
void sim_kill(struct sim *sim, uint32_t node)
{
    if (!sim->nodes[node].alive)
        return;
    sim_say(sim, "DIES", node, 0, 0);
    sim->nodes[node].alive = false;
    for (uint32_t to = 0; to < ENDS; to++)
        if (random_below(&sim->state, 2))
            sim_empty_channel(sim, node, to);
}

static void join_node(struct sim *sim)
{
    uint32_t number = sim->nodes_count;
    struct sim_node *node = &sim->nodes[number];

    if (number == NODES_MAX)
        return;
    sim_say(sim, "JOINS", number, 0, 0);
    sim->nodes_count++;
    *node = (struct sim_node){
        .exists = true,
        .member = true,
        .alive = true,
        .limits = {.name = "node",
                   .arch = "x86_64",
                   .cores = 1 + random_below(&sim->state, 3),
                   .memory = 1 << 30},
    };
    if (cst_plan_join(sim->plan, number, &node->limits) != CASTELL_OK)
        abort();
}

static void deliver(struct sim *sim, uint32_t from, uint32_t to)
{
    struct sim_message *message = sim->channels[from][to];

    if (to == MASTER) {
        hear(sim, from);
    } else if (message->what == MSG_GRANTED) {
        bool poisoned = message->other != 0;

        sim->channels[from][to] = message->next;
        sim_message_free(message);
        sim_main_granted(sim, poisoned);
    } else {
        sim_store_deliver(sim, to, from);
    }
}

static bool deliver_some(struct sim *sim)
{
    uint32_t count = 0;
    uint32_t from = 0;
    uint32_t to = 0;

    for (uint32_t i = 0; i <= sim->nodes_count; i++)
        for (uint32_t k = 0; k <= sim->nodes_count; k++) {
            uint32_t one = i < sim->nodes_count ? i : MASTER;
            uint32_t other = k < sim->nodes_count ? k : MASTER;

            if (!sim->channels[one][other] ||
                random_below(&sim->state, ++count) != 0)
                continue;
            from = one;
            to = other;
        }
    if (count == 0)
        return false;
    deliver(sim, from, to);
    return true;
}

static bool run_some(struct sim *sim)
{
    uint32_t start = random_below(&sim->state, sim->nodes_count);

    for (uint32_t i = 0; i < sim->nodes_count; i++) {
        uint32_t number = (start + i) % sim->nodes_count;

        if (sim->nodes[number].alive && sim_store_run(sim, number))
            return true;
    }
    return false;
}

static bool has_said_all(const struct sim *sim, uint32_t node)
{
    for (uint32_t to = 0; to < ENDS; to++)
        if (sim->channels[node][to])
            return false;
    return true;
}

/* Nodes are to leave; and those that may do. */
static bool drain_nodes(struct sim *sim)
{
    uint32_t chosen = 1 + random_below(&sim->state, NODES_MAX - 1);

    for (uint32_t i = 1; i < sim->nodes_count; i++)
        if (sim->nodes[i].leaves && sim->nodes[i].member &&
            has_said_all(sim, i)) {
            sim->nodes[i].alive = false;
            bury(sim, i);
            return true;
        }
    if (chosen < sim->nodes_count && sim->nodes[chosen].member && !sim->over &&
        sim->drains < DRAINS_MAX &&
        cst_plan_drain(sim->plan, chosen) == CASTELL_OK) {
        sim->drains++;
        sim->nodes[chosen].drains = true;
        sim_say(sim, "DRAINS", chosen, 0, 0);
    }
    return false;
}

/* Dead nodes are noticed, others are thought dead, or come. */
static bool change_nodes(struct sim *sim, bool must)
{
    uint32_t members = 0;

    if (sim->options.drains && drain_nodes(sim))
        return true;
    for (uint32_t i = 1; i < sim->nodes_count; i++) {
        struct sim_node *node = &sim->nodes[i];

        if (node->member && !node->alive &&
            (must || random_below(&sim->state, 8) == 0)) {
            bury(sim, i);
            return true;
        }
        members += node->member && !node->drains;
    }
    if ((members == 0 && !sim->options.last_nodes) ||
        (must && members < GANG_MAX && sim->options.gangs &&
         !sim->options.last_nodes)) {
        join_node(sim);
        return sim->nodes_count < NODES_MAX;
    }
    if (!sim->options.faults || sim->over)
        return false;
    if (random_below(&sim->state, 60) == 0 && sim->nodes_count < 10 &&
        !sim->options.last_nodes)
        join_node(sim);
    if (members > 0 && random_below(&sim->state, 50) == 0 &&
        sim->nodes_count < 16) {
        uint32_t node = 1 + random_below(&sim->state, sim->nodes_count - 1);

        if (random_below(&sim->state, 3))
            sim_kill(sim, node);
        else if (sim->nodes[node].member)
            bury(sim, node); /* it lives on, and what it says is ignored */
    }
    return false;
}

static bool step(struct sim *sim)
{
    uint32_t dice = random_below(&sim->state, 16);
    uint32_t ended;

    sim->steps++;
    if (change_nodes(sim, false))
        return true;
    if (dice < 3 && sim_main_step(sim))
        return true;
    if (dice < 5) {
        cst_plan_go(sim->plan, sim->steps);
        sim_settle(sim);
        return true;
    }
    if (dice < 9 && run_some(sim))
        return true;
    if (deliver_some(sim) || run_some(sim) || sim_main_step(sim))
        return true;
    ended = sim->ended_count;
    cst_plan_go(sim->plan, sim->steps);
    sim_settle(sim);
    return sim->ended_count > ended || deliver_some(sim) || run_some(sim) ||
           sim_main_step(sim) || change_nodes(sim, true);
}

/* ---- One history -------------------------------------------------------- */

static void start(struct sim *sim)
{
    static const enum cst_plan_policy policies[] = {
        CST_PLAN_EARLIEST_FINISH, CST_PLAN_LOCALITY, CST_PLAN_FIFO};
    struct cst_plan_options options = {
        .ops = &sim_ops,
        .context = sim,
        .losses_max = sim->options.failing ? 0 : 1000,
        .more_come = true,
    };
    uint32_t nodes = 1 + random_below(&sim->state, 7);

    options.home_runs = random_below(&sim->state, 3) != 0;
    if (sim->options.last_nodes) {
        options.home_runs = true;
        options.more_come = false;
        nodes += GANG_MAX - 1;
    }
    options.policy = policies[random_below(&sim->state, 3)];
    options.records_max = random_below(&sim->state, 2) ? 6 : 0;
    for (uint32_t i = 0; i < KINDS; i++)
        sim->kinds[i] = (struct cst_kind){
            .name = "kind",
            .label = "kind",
            .id = i,
            .retries = i % 3,
            .on_failure =
                i % 4 == 1 ? CASTELL_IGNORE : CASTELL_CANCEL_SUCCESSORS,
            .flags = i == 5                 ? CASTELL_DISTRIBUTED
                     : i >= REPLICATED_KIND ? CASTELL_REPLICATED
                                            : 0,
            .simple = i < SOLO_KINDS || i >= REPLICATED_KIND,
            .choices_count = 1,
            .choices[0].constraint.nodes =
                i < SOLO_KINDS || i >= REPLICATED_KIND ? 0 : 2 + i % 2,
        };
    for (size_t i = 0; i < ARENA; i++)
        sim->home[i] = (unsigned char)i;
    if (cst_plan_create(&options, &sim->plan) != CASTELL_OK ||
        cst_data_create(&sim->data) != CASTELL_OK)
        abort();
    cst_data_set_hooks(sim->data, &cst_plan_hooks, sim->plan);
    for (uint32_t i = 0; i <= nodes; i++)
        join_node(sim);
}

static void check_left(struct sim *sim)
{
    if (sim->options.replicated)
        return; /* it keeps them, and what they read, for nodes that join */
    sim_check_leaks(sim);
    for (uint32_t i = 0; i < sim->nodes_count; i++)
        if (sim->nodes[i].member && sim_store_left(sim, i) > 0)
            sim_wrong(sim, "a node keeps versions after the end");
}

/* Nodes that leave in good order cost nothing. */
static void check_recomputed(struct sim *sim)
{
    struct cst_plan_counters counters;

    cst_plan_counters(sim->plan, &counters);
    if (counters.recomputed > 0)
        sim_wrong(sim, "a task ran again though nodes only left");
}

static void release(struct sim *sim)
{
    sim->over = true;
    cst_data_destroy(sim->data);
    cst_plan_destroy(sim->plan);
    for (uint32_t i = 0; i < sim->nodes_count; i++)
        sim_store_release(sim, i);
    for (uint32_t i = 0; i < ENDS; i++)
        for (uint32_t k = 0; k < ENDS; k++)
            sim_empty_channel(sim, i, k);
    for (uint32_t i = 0; i < sim->at; i++) {
        if (!sim->tasks[i].task)
            continue;
        if (sim->ops[i].what <= SIM_FOLD && sim->tasks[i].added &&
            !sim->tasks[i].forgotten)
            sim_wrong(sim, "a task was never forgotten");
        sim_free_task(sim->tasks[i].task);
    }
}

const char *sim_play(const struct sim_options *options, uint64_t *ret_steps)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    const char *wrong;
    bool moved = true;

    if (!sim)
        abort();
    sim->options = *options;
    sim->state = random_start(options->seed);
    sim->ops_count = sim_program(options, &sim->state, sim->ops, TASKS_MAX);
    start(sim);
    while (moved && !sim->wrong && sim->lost == 0 && sim->steps < STEPS_MAX) {
        moved = step(sim);
        if (sim->steps % 64 == 0 || options->print)
            cst_plan_check_all(sim->plan);
    }
    if (!sim->wrong && sim->lost == 0 &&
        (sim->at < sim->ops_count || sim->main_waits ||
         sim->steps == STEPS_MAX))
        sim_wrong(sim, "it does not end");
    if (!sim->wrong && sim->lost == 0)
        check_left(sim);
    if (options->drains && !options->faults)
        check_recomputed(sim);
    release(sim);
    wrong = sim->wrong;
    *ret_steps += sim->steps;
    free(sim);
    return wrong;
}
