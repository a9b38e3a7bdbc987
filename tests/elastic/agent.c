/* Who asks for nodes and gives them back, in a simulated day. */
#include "world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ACTIONS_MAX = 8 };

struct agent {
    struct world *world;
    struct cst_elastic *elastic;
    struct cst_elastic_class classes[2];
    double again_s; /* when to look, if nothing happens before */
    double looked_s;
    struct cst_elastic_work work[2];
    struct cst_elastic_node *nodes;
    struct cst_elastic_request *requests;
    struct cst_elastic_snapshot snapshot;
    /* Of COMPSs's: */
    double created_s; /* mean time to create a node */
    uint32_t created;
    double tick_s;
};

static void agent_classes(struct agent *agent)
{
    const struct simulate_day *day = agent->world->day;
    struct cst_elastic_options options = {
        .classes = agent->classes,
        .classes_count = day->classes_count,
        .nodes_max = day->nodes_max,
        .node_hours = day->node_hours,
    };

    agent->classes[0] =
        (struct cst_elastic_class){.name = "plain", .cores = day->cores};
    agent->classes[1] = (struct cst_elastic_class){
        .name = "gpu", .cores = day->cores, .nodes_max = day->class_max};
    if (cst_elastic_create(&options, &agent->elastic) != CASTELL_OK)
        abort();
}

struct agent *agent_create(struct world *world)
{
    struct agent *agent = calloc(1, sizeof(*agent));

    if (!agent)
        return NULL;
    agent->world = world;
    agent->looked_s = -1;
    agent->created_s = 30;
    agent->nodes = calloc(CST_ELASTIC_NODES_MAX, sizeof(*agent->nodes));
    agent->requests = calloc(CST_ELASTIC_NODES_MAX, sizeof(*agent->requests));
    if (!agent->nodes || !agent->requests)
        abort();
    agent_classes(agent);
    return agent;
}

void agent_destroy(struct agent *agent)
{
    cst_elastic_destroy(agent->elastic);
    free(agent->nodes);
    free(agent->requests);
    free(agent);
}

/* ---- What it sees ----------------------------------------------------------------- */

/* What can run on the same sorts is one work. */
static void see_work(struct agent *agent)
{
    const struct world *world = agent->world;
    uint32_t all = (1U << (world->day->classes_count + 1)) - 1;

    agent->work[0] = (struct cst_elastic_work){.sorts = all, .what = "bursts"};
    agent->work[1] = (struct cst_elastic_work){.sorts = 2, .what = "of gpus"};
    agent->snapshot.work_count = 2;
    for (uint32_t i = world->bursts_first; i < world->bursts_come; i++) {
        const struct burst *burst = &world->bursts[i];
        struct cst_elastic_work *work = &agent->work[burst->gpu];
        double task_s = burst->done > 0 ? burst->done_s / burst->done
                                        : world->length_mean_s;

        work->core_s += burst->waiting * task_s;
        work->width += burst->waiting;
        work->running_s += burst->running * 0.5 * task_s;
        work->running += burst->running;
        work->task_s = fmax(work->task_s, task_s);
    }
}

static void see_node(struct agent *agent, uint32_t number)
{
    const struct node *node = &agent->world->nodes[number];

    agent->nodes[agent->snapshot.nodes_count++] = (struct cst_elastic_node){
        .number = number,
        .sort = node->class,
        .extra = node->extra,
        .leaves = node->state == NODE_LEAVING,
        .cores = agent->world->day->cores,
        .joined_s = node->joined_s,
        .idle_since_s = node->idle_since_s,
        .until_s = node->until_s,
    };
}

static void see_request(struct agent *agent, uint32_t number)
{
    const struct node *node = &agent->world->nodes[number];

    agent->requests[agent->snapshot.requests_count++] =
        (struct cst_elastic_request){
            .id = number,
            .class = node->class,
            .started = node->state == NODE_STARTING,
            .hopeless = node->fate == FATE_HOPELESS,
            .asked_s = node->asked_s,
            .started_s = node->started_s,
            .until_s = node->until_s,
            .minutes = node->minutes,
            .reason = node->fate == FATE_HOPELESS ? "PartitionTimeLimit" : "",
        };
}

static void see(struct agent *agent)
{
    struct world *world = agent->world;

    agent->snapshot = (struct cst_elastic_snapshot){
        .now_s = world->now_s,
        .end_s = world->day->end_s > 0 ? world->day->end_s : HUGE_VAL,
        .used_node_s = world_cost_s(world),
        .nodes_min = world->day->nodes_min,
        .work = agent->work,
        .nodes = agent->nodes,
        .requests = agent->requests,
    };
    see_work(agent);
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        enum node_state state;

        /* Those of the start are never over. */
        if (i >= world->day->nodes_min && i < world->nodes_live)
            i = world->nodes_live;
        if (i >= world->nodes_count)
            break;
        state = world->nodes[i].state;
        if (state == NODE_HERE || state == NODE_LEAVING)
            see_node(agent, i);
        else if (state != NODE_OVER)
            see_request(agent, i);
    }
}

/* ---- What must hold ---------------------------------------------------------------- */

static const char *check(const struct agent *agent)
{
    const struct world *world = agent->world;
    const struct simulate_day *day = world->day;
    uint32_t of_class = 0;
    uint32_t all = 0;

    for (uint32_t i = 0; i < world->nodes_count; i++) {
        const struct node *node = &world->nodes[i];

        if (node->state == NODE_OVER)
            continue;
        all++;
        of_class += node->class == 1 && node->extra;
    }
    if (all > day->nodes_max)
        return "there are more nodes than --max-nodes";
    if (day->class_max > 0 && of_class > day->class_max)
        return "there are more nodes of a class than its max";
    if (day->node_hours > 0 && world_cost_s(world) > day->node_hours * 3600)
        return "the node-hours are exceeded";
    return NULL;
}

/* What nodes here can do within that time: those of class 1, or the others. */
static double can_do_s(const struct cst_elastic_snapshot *now, bool gpu,
                       double within_s)
{
    double cores = 0;

    for (size_t i = 0; i < now->nodes_count; i++)
        if (!now->nodes[i].leaves && (now->nodes[i].sort == 1) == gpu &&
            now->nodes[i].until_s > now->now_s + within_s)
            cores += now->nodes[i].cores;
    return cores * within_s;
}

/* Would all work that nodes of class 0 could do be done before one comes? Nodes
   of class 1 do first what only they can. */
static bool is_vain(const struct agent *agent, uint32_t class)
{
    const struct cst_elastic_snapshot *now = &agent->snapshot;
    double arrival_s = cst_elastic_arrival_s(agent->elastic, class);
    double any_s = now->work[0].core_s + now->work[0].running_s;
    double gpu_s = now->work[1].core_s + now->work[1].running_s;
    bool gpus = agent->world->day->classes_count > 1;
    double spare_s = gpus ? can_do_s(now, true, arrival_s) - gpu_s : 0;

    return class == 0 &&
           any_s < 0.99 * (can_do_s(now, false, arrival_s) + fmax(spare_s, 0));
}

static const char *check_action(const struct agent *agent,
                                const struct cst_elastic_action *action)
{
    const struct world *world = agent->world;

    switch (action->what) {
    case CST_ELASTIC_REQUEST:
        if (action->class >= world->day->classes_count || action->nodes == 0 ||
            action->minutes == 0)
            return "a request makes no sense";
        if (cst_elastic_given_up(agent->elastic, action->class, NULL))
            return "a class is asked for that was given up";
        if (is_vain(agent, action->class))
            return "a node is asked for that comes too late";
        break;
    case CST_ELASTIC_CANCEL:
        if (action->id >= world->nodes_count ||
            world->nodes[action->id].state > NODE_STARTING)
            return "what is no request is cancelled";
        break;
    case CST_ELASTIC_DRAIN:
        if (action->id >= world->nodes_count ||
            world->nodes[action->id].state != NODE_HERE ||
            !world->nodes[action->id].extra)
            return "a node is drained that cannot be";
        break;
    case CST_ELASTIC_GIVE_UP:
    case CST_ELASTIC_SAY:
        break;
    }
    return action->reason[0] ? NULL : "no reason is given";
}

/* ---- Ours -------------------------------------------------------------------------- */

static void act(struct agent *agent, const struct cst_elastic_action *action)
{
    struct world *world = agent->world;

    if (!world->result.broken)
        world->result.broken = check_action(agent, action);
    if (world->result.broken)
        return;
    if (action->what == CST_ELASTIC_REQUEST)
        world_ask(world, action->class, action->nodes, action->minutes);
    else if (action->what == CST_ELASTIC_CANCEL)
        world_cancel(world, action->id);
    else if (action->what == CST_ELASTIC_DRAIN)
        world_leave(world, action->id);
    else if (action->what == CST_ELASTIC_GIVE_UP)
        world->result.given_up++;
}

static void look_ours(struct agent *agent)
{
    struct world *world = agent->world;
    struct cst_elastic_action actions[ACTIONS_MAX];
    double again_s;
    size_t count;
    uint32_t steps = 0;

    /* So often at most. */
    if (world->now_s < agent->looked_s + 1 && world->now_s < agent->again_s)
        return;
    agent->looked_s = world->now_s;
    do {
        see(agent);
        count = cst_elastic_step(agent->elastic, &agent->snapshot, actions,
                                 ACTIONS_MAX, &again_s);
        for (size_t i = 0; i < count; i++)
            act(agent, &actions[i]);
        /* What is wrong first is what is told. */
        if (world->result.broken)
            return;
    } while (again_s <= 0 && ++steps < 200);
    world->result.broken =
        steps == 200 ? "it does not come to an end" : check(agent);
    agent->again_s = world->now_s + fmax(again_s, 0.01);
    world_at(world, agent->again_s, AT_LOOK, 0, 0);
}

/* ---- COMPSs's ------------------------------------------------------------------------ */

static void drop_one(struct agent *agent)
{
    struct world *world = agent->world;

    for (uint32_t i = world->day->nodes_min; i < world->nodes_count; i++)
        if (world->nodes[i].state == NODE_HERE && world->nodes[i].busy == 0) {
            world_leave(world, i);
            return;
        }
}

static void look_compss(struct agent *agent)
{
    struct world *world = agent->world;
    double work = 0;
    double cores = 0;
    uint32_t all = 0;
    uint32_t creating = 0;

    if (world->now_s < agent->tick_s)
        return;
    agent->tick_s = world->now_s + 2;
    world_at(world, agent->tick_s, AT_LOOK, 0, 0);
    see(agent);
    for (size_t i = 0; i < agent->snapshot.work_count; i++)
        work += agent->work[i].core_s;
    for (uint32_t i = 0; i < world->nodes_count; i++) {
        const struct node *node = &world->nodes[i];

        all += node->state != NODE_OVER;
        creating += node->state < NODE_HERE;
        cores += node->state == NODE_HERE ? world->day->cores : 0;
    }
    if (creating == 0 && all < world->day->nodes_max &&
        work > cores * fmax(agent->created_s, 30))
        world_ask(world, 0, 1, 60 * 24);
    else if (creating == 0)
        drop_one(agent);
}

/* ---- What it hears ----------------------------------------------------------------- */

void agent_look(struct agent *agent)
{
    if (agent->world->day->policy == SIMULATE_OURS)
        look_ours(agent);
    else if (agent->world->day->policy == SIMULATE_COMPSS)
        look_compss(agent);
}

void agent_joined(struct agent *agent, const struct node *node)
{
    double took = node->joined_s - node->asked_s;

    agent->created_s += (took - agent->created_s) / ++agent->created;
    cst_elastic_arrived(
        agent->elastic, node->class, node->started_s - node->asked_s,
        node->joined_s - node->started_s, agent->world->day->cores);
}

void agent_failed(struct agent *agent, const struct node *node)
{
    cst_elastic_failed(agent->elastic, node->class, agent->world->now_s,
                       "its job ended before it came");
}

void agent_left(struct agent *agent, const struct node *node)
{
    cst_elastic_left(agent->elastic, agent->world->now_s - node->leaves_s);
}
