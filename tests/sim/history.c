/*
 * One history: nodes come, main goes on, bodies begin and end, messages arrive,
 * nodes die, in an order that is drawn.
 */
#include "ledger/records.h"
#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    STEPS_MAX = 100000,
    CHECK_EVERY = 128, /* steps, all invariants */
    IDLE_MAX = 6,      /* rounds in which nothing happens */
    NODES_FIRST = 7,   /* at most, beside the master */
    NODES_LATER = 10,  /* so many numbers are given, and no node joins then */
    FAULTS_UNTIL = 16, /* ... and none dies */
};

struct sim *sim_now;

/* ---- Words -------------------------------------------------------------------------- */

void sim_say(const struct sim *sim, const char *format, ...)
{
    va_list arguments;

    if (!sim->options.print)
        return;
    printf("# %5u  ", sim->steps);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

void sim_wrong(struct sim *sim, const char *what)
{
    if (sim->wrong)
        return;
    sim_say(sim, "%s", what);
    sim->wrong = what;
}

/* At the same place in every history, and every process: places are found by
   their addresses. */
char *sim_home(void)
{
    static char *home;

    if (home)
        return home;
    /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
    home = mmap((void *)(uintptr_t)0x7e0000000000, (size_t)CELLS * CELL_MAX,
                PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (home == MAP_FAILED)
        abort();
    return home;
}

/* ---- Nodes die --------------------------------------------------------------------------- */

static uint32_t count_members(const struct sim *sim)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < sim->nodes_count; i++)
        count += sim->nodes[i]->alive && !sim->nodes[i]->leaving &&
                 !sim->nodes[i]->drains;
    return count;
}

/* Somebody has to be left who runs tasks: none is to come, for all that the
   master knows. */
static bool may_lose(const struct sim *sim)
{
    return sim->home_runs || count_members(sim) > 1;
}

void sim_kill(struct sim *sim, struct sim_node *node)
{
    if (!node->alive || !may_lose(sim))
        return;
    sim_say(sim, "node %u DIES", node->number);
    node->alive = false;
    sim_net_die(sim, node->number);
}

static void bury(struct sim *sim, const struct sim_node *node)
{
    sim_say(sim, "node %u is given up%s", node->number,
            node->alive ? " though it lives" : "");
    sim_net_bury(sim, node->number);
}

/* The dead are noticed. */
static bool notice(struct sim *sim, bool must)
{
    for (uint32_t i = 1; i < sim->nodes_count; i++) {
        struct sim_node *node = sim->nodes[i];

        if (node->alive || node->leaving || !node->member ||
            !(must || sim_draw(sim, 8) == 0))
            continue;
        bury(sim, node);
        return true;
    }
    return false;
}

/* Somebody outside wants a node to leave, in order. */
static void drain_one(struct sim *sim)
{
    struct cst_leave *leave = &sim->nodes[0]->cluster->leave;
    struct sim_node *node = sim->nodes[sim_draw(sim, sim->nodes_count)];

    if (sim_draw(sim, 60) != 0 || node->number == 0 || !node->member ||
        !node->alive || node->leaving || node->drains || !may_lose(sim) ||
        atomic_load(&leave->asked) != 0)
        return;
    sim_say(sim, "node %u is to leave", node->number);
    node->drains = true;
    atomic_store(&leave->asked, node->number + 1);
}

static void change_nodes(struct sim *sim)
{
    struct sim_node *node;

    if (sim->quiet || sim->main.over)
        return;
    if (sim->options.leaves)
        drain_one(sim);
    if (!sim->options.faults && !sim->options.leaves)
        return;
    if (sim_draw(sim, 80) == 0 && sim->nodes_count < NODES_LATER)
        sim_node_start(sim);
    if (!sim->options.faults || sim_draw(sim, 60) != 0 ||
        sim->nodes_count > FAULTS_UNTIL || !may_lose(sim) ||
        sim->nodes_count < 2)
        return;
    node = sim->nodes[1 + sim_draw(sim, sim->nodes_count - 1)];
    if (sim_draw(sim, 3))
        sim_kill(sim, node);
    else if (node->member && !node->leaving)
        bury(sim, node); /* it lives on, and what it says is ignored */
}

/* ---- Steps ---------------------------------------------------------------------------------- */

/* Mostly a few microseconds, and sometimes long. */
static void pass_time(struct sim *sim)
{
    sim->now_ns += sim_draw(sim, 16) == 0 ? sim_draw(sim, 20000000)
                                          : 1600 + sim_draw(sim, 4000);
}

static bool run_some(struct sim *sim)
{
    uint32_t start = sim_draw(sim, sim->nodes_count);

    for (uint32_t i = 0; i < sim->nodes_count; i++)
        if (sim_node_run(sim, sim->nodes[(start + i) % sim->nodes_count]))
            return true;
    return false;
}

static void poke_one(struct sim *sim)
{
    struct sim_node *node = sim->nodes[sim_draw(sim, sim->nodes_count)];

    if (node->alive)
        sim_node_poke(sim, node);
}

static bool act(struct sim *sim)
{
    return sim_net_step(sim) || run_some(sim) || sim_main_step(sim);
}

/* Nothing seems to happen: time passes, and all look once more. */
static bool wake_all(struct sim *sim)
{
    for (uint32_t round = 0; round < IDLE_MAX; round++) {
        sim->now_ns += 5000000;
        for (uint32_t i = 0; i < sim->nodes_count; i++)
            if (sim->nodes[i]->alive)
                sim_node_poke(sim, sim->nodes[i]);
        if (act(sim) || notice(sim, true))
            return true;
    }
    return false;
}

static bool step(struct sim *sim)
{
    uint32_t dice = sim_draw(sim, 16);

    sim->steps++;
    pass_time(sim);
    if (notice(sim, false))
        return true;
    change_nodes(sim);
    sim_net_let_go(sim);
    if (dice < 3 && sim_main_step(sim))
        return true;
    if (dice < 4) {
        poke_one(sim);
        return true;
    }
    if (dice < 9 && run_some(sim))
        return true;
    return act(sim) || wake_all(sim);
}

static void check_all(const struct sim *sim)
{
    cst_plan_check_all(sim->nodes[0]->cluster->plan);
    for (uint32_t i = 0; i < sim->nodes_count; i++)
        cst_store_check(sim->nodes[i]->cluster->store);
}

/* ---- One history ------------------------------------------------------------------------------- */

static void start(struct sim *sim)
{
    static const uint32_t sizes[] = {1, 8, 300, CELL_MAX};
    uint32_t nodes = 1 + sim_draw(sim, NODES_FIRST);
    struct cst_plan *plan;
    char *home = sim_home();

    sim->now_ns = 1000000000;
    sim->cell =
        sizes[sim_draw(sim, 4) == 0 ? 2 + sim_draw(sim, 2) : sim_draw(sim, 2)];
    sim->by_mpi = sim_draw(sim, 4) == 0;
    sim->home_runs = sim_draw(sim, 3) != 0;
    for (size_t i = 0; i < CELLS; i++)
        memset(home + i * sim->cell, (int)i, sim->cell);
    for (uint32_t i = 0; i <= nodes; i++)
        sim_node_start(sim);
    plan = sim->nodes[0]->cluster->plan;
    if (!sim->options.failing)
        plan->options.losses_max = 1000;
    if (sim_draw(sim, 2))
        plan->options.records_max = 6;
    /* main() goes on when all have joined. */
    for (uint32_t i = 0; i < nodes; i++)
        while (!sim->nodes[i + 1]->member && sim_net_step(sim))
            sim->now_ns += 2000;
}

static void check_failure(struct sim *sim)
{
    const char *text = "";
    enum castell_status status =
        cst_engine_status(sim->nodes[0]->engine, &text);

    if (status == CASTELL_OK)
        return;
    sim_say(sim, "the run has failed: %s", text);
    if (status == CASTELL_ERR_TASK_FAILED && sim->options.fatal)
        return;
    /* Where all copies go at once there is nothing to be done; but one node
       alone never has all. */
    if ((sim->options.gangs || sim->options.wide) &&
        sim->deaths + sim->left > 0)
        return; /* too few may be left to make something again */
    if (sim->deaths < (status == CASTELL_ERR_NODE_LOST ? 2u : 4u))
        sim_wrong(sim, "the run has failed for no reason");
}

static void end(struct sim *sim)
{
    for (uint32_t i = sim->nodes_count; i-- > 0;)
        for (uint32_t from = 0; from < sim->nodes_count; from++)
            sim->nodes[i]->net->gone[from] = true; /* nobody hears anything */
    for (uint32_t i = sim->nodes_count; i-- > 1;)
        sim_node_destroy(sim, sim->nodes[i]);
    sim_node_destroy(sim, sim->nodes[0]);
}

const char *sim_play(const struct sim_options *options, uint64_t *ret_steps)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    const char *wrong;
    bool moved = true;

    if (!sim)
        abort();
    sim_now = sim;
    sim->options = *options;
    sim->state = random_start(options->seed);
    sim->ops_count = sim_program(options, &sim->state, sim->ops);
    start(sim);
    while (moved && !sim->wrong && sim->steps < STEPS_MAX) {
        moved = step(sim);
        sim->quiet = sim->quiet || sim->steps > STEPS_MAX / 2;
        if (sim->steps % CHECK_EVERY == 0 || options->print)
            check_all(sim);
    }
    if (!sim->wrong && (!sim->main.over || moved))
        sim_wrong(sim, "it does not end");
    if (!sim->wrong)
        check_failure(sim);
    if (!sim->wrong)
        sim_check_leaks(sim);
    wrong = sim->wrong;
    *ret_steps += sim->steps;
    if (wrong)
        return wrong; /* in what state everything is, nobody knows */
    sim_net_release(sim);
    end(sim);
    free(sim);
    sim_now = NULL;
    return wrong;
}
