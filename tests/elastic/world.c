#include "world.h"

#include "data/random.h"

#include <math.h>
#include <stdlib.h>

/* How late SLURM ends a job that is over its time, at most. */
static const double overrun_s = 60;
/* From the order to leave, when nothing runs, to the end of the job. */
static const double leaving_s = 0.3;

/* ---- Chance -------------------------------------------------------------------- */

double world_random(struct world *world)
{
    return (random_below(&world->random, 1000000) + 0.5) / 1000000;
}

double world_lognormal(struct world *world, double median, double sigma)
{
    double normal = sqrt(-2 * log(world_random(world))) *
                    cos(6.283185307179586 * world_random(world));

    return median * exp(sigma * normal);
}

/* ---- What happens when ---------------------------------------------------------- */

void world_at(struct world *world, double at_s, enum happening what,
              uint32_t node, uint32_t core)
{
    size_t at = world->events_count;
    struct event event = {at_s, what, node, core, 0};

    if (at == world->events_max) {
        world->events_max = at ? at * 2 : 1024;
        world->events =
            realloc(world->events, world->events_max * sizeof(*world->events));
        if (!world->events)
            abort();
    }
    if (what == AT_DONE)
        event.turn = world->turns[node * WORLD_CORES_MAX + core];
    for (; at > 0 && world->events[(at - 1) / 2].at_s > at_s; at = (at - 1) / 2)
        world->events[at] = world->events[(at - 1) / 2];
    world->events[at] = event;
    world->events_count++;
}

static struct event pop(struct world *world)
{
    struct event first = world->events[0];
    struct event last = world->events[--world->events_count];
    size_t at = 0;
    size_t child;

    while ((child = at * 2 + 1) < world->events_count) {
        if (child + 1 < world->events_count &&
            world->events[child + 1].at_s < world->events[child].at_s)
            child++;
        if (world->events[child].at_s >= last.at_s)
            break;
        world->events[at] = world->events[child];
        at = child;
    }
    world->events[at] = last;
    return first;
}

/* ---- Tasks ------------------------------------------------------------------------ */

static bool can_run(const struct world *world, const struct node *node,
                    const struct burst *burst)
{
    (void)world;
    return !burst->gpu || (node->extra && node->class == 1);
}

/* The next burst with a task for the node; on nodes that alone can run them,
   such come first. NULL: none. */
static struct burst *find_burst(struct world *world, const struct node *node)
{
    struct burst *found = NULL;

    for (uint32_t i = world->bursts_first; i < world->bursts_come; i++) {
        struct burst *burst = &world->bursts[i];

        if (burst->waiting == 0 || !can_run(world, node, burst))
            continue;
        if (burst->gpu)
            return burst;
        if (!found)
            found = burst;
    }
    return found;
}

static void start_task(struct world *world, uint32_t number, uint32_t core,
                       struct burst *burst)
{
    struct node *node = &world->nodes[number];
    double length = world_lognormal(world, burst->task_s, 0.5);

    burst->waiting--;
    burst->running++;
    node->busy++;
    node->tasks[core] = (uint32_t)(burst - world->bursts) + 1;
    node->begun_s[core] = world->now_s;
    node->length_s[core] = length;
    node->idle_since_s = -1;
    world_at(world, world->now_s + length, AT_DONE, number, core);
}

static void feed(struct world *world, uint32_t number)
{
    struct node *node = &world->nodes[number];

    for (uint32_t core = 0;
         core < world->day->cores && node->state == NODE_HERE; core++) {
        struct burst *burst;

        if (node->tasks[core] != 0)
            continue;
        burst = find_burst(world, node);
        if (!burst)
            break;
        start_task(world, number, core, burst);
    }
    if (node->busy == 0 && node->idle_since_s < 0)
        node->idle_since_s = world->now_s;
}

static void feed_all(struct world *world)
{
    for (uint32_t i = world->nodes_live; i < world->nodes_count; i++)
        if (world->nodes[i].state == NODE_HERE &&
            world->nodes[i].busy < world->day->cores)
            feed(world, i);
}

/* ---- Nodes ------------------------------------------------------------------------- */

static double cost_of(const struct world *world, const struct node *node)
{
    return node->started_s < 0 ? 0 : world->now_s - node->started_s;
}

double world_cost_s(const struct world *world)
{
    double sum = world->result.extra_s;

    for (uint32_t i = world->nodes_live; i < world->nodes_count; i++)
        if (world->nodes[i].extra && world->nodes[i].state != NODE_OVER)
            sum += cost_of(world, &world->nodes[i]);
    return sum;
}

static void end_node(struct world *world, uint32_t number)
{
    struct node *node = &world->nodes[number];

    if (node->state == NODE_OVER)
        return;
    for (uint32_t core = 0; core < world->day->cores; core++) {
        struct burst *burst;

        world->turns[number * WORLD_CORES_MAX + core]++;
        if (node->tasks[core] == 0)
            continue;
        burst = &world->bursts[node->tasks[core] - 1];
        burst->running--;
        burst->waiting++;
        node->tasks[core] = 0;
    }
    if (node->extra)
        world->result.extra_s += cost_of(world, node);
    world->result.paid_s += cost_of(world, node);
    node->state = NODE_OVER;
    while (world->nodes_live < world->nodes_count &&
           world->nodes[world->nodes_live].state == NODE_OVER)
        world->nodes_live++;
}

static uint32_t add_node(struct world *world, uint32_t class, bool extra)
{
    uint32_t number = world->nodes_count++;

    if (number >= WORLD_NODES_MAX)
        abort();
    world->nodes[number] = (struct node){
        .extra = extra,
        .class = class,
        .asked_s = world->now_s,
        .started_s = -1,
        .until_s = HUGE_VAL,
        .idle_since_s = -1,
    };
    return number;
}

static enum fate draw_fate(struct world *world)
{
    static const enum fate fates[] = {FATE_NEVER, FATE_HOPELESS, FATE_MUTE,
                                      FATE_DIES};

    if (world_random(world) >= world->day->trouble)
        return FATE_GOOD;
    return fates[random_below(&world->random, 4)];
}

void world_ask(struct world *world, uint32_t class, uint32_t nodes,
               uint32_t minutes)
{
    for (uint32_t i = 0; i < nodes; i++) {
        uint32_t number = add_node(world, class, true);
        struct node *node = &world->nodes[number];

        node->minutes = minutes;
        node->fate = draw_fate(world);
        world->result.asked++;
        if (node->fate != FATE_NEVER && node->fate != FATE_HOPELESS)
            world_at(world,
                     world->now_s + world_lognormal(world, world->day->queue_s,
                                                    world->day->queue_sigma),
                     AT_START, number, 0);
    }
}

void world_cancel(struct world *world, uint32_t node)
{
    world->result.cancelled++;
    end_node(world, node);
}

void world_leave(struct world *world, uint32_t number)
{
    struct node *node = &world->nodes[number];

    node->state = NODE_LEAVING;
    node->leaves_s = world->now_s;
    if (node->busy == 0)
        world_at(world, world->now_s + leaving_s, AT_END, number, 0);
}

static void start_node(struct world *world, uint32_t number)
{
    struct node *node = &world->nodes[number];

    if (node->state != NODE_PENDING)
        return;
    node->state = NODE_STARTING;
    node->started_s = world->now_s;
    node->until_s = world->now_s + node->minutes * 60.0;
    world_at(world, node->until_s + world_random(world) * overrun_s, AT_END,
             number, 0);
    if (node->fate != FATE_MUTE)
        world_at(world,
                 world->now_s + world_lognormal(world, world->day->boot_s, 0.3),
                 AT_JOIN, number, 0);
    if (node->fate == FATE_DIES)
        world_at(world, world->now_s + world_lognormal(world, 120, 1), AT_END,
                 number, 0);
}

/* ---- Life ---------------------------------------------------------------------------- */

static void draw_bursts(struct world *world)
{
    const struct simulate_day *day = world->day;
    double at = 1;
    uint32_t max = (uint32_t)(day->hours * 3600 / day->gap_s * 4) + 16;

    world->bursts = calloc(max, sizeof(*world->bursts));
    if (!world->bursts)
        abort();
    while (world->bursts_count < max) {
        struct burst *burst = &world->bursts[world->bursts_count];
        double work = world_lognormal(world, day->burst_s, 0.8);

        at -= log(world_random(world)) * day->gap_s;
        if (at > day->hours * 3600 && world->bursts_count > 0)
            break;
        burst->at_s = at;
        burst->task_s = world_lognormal(world, day->task_s, 0.5);
        burst->gpu = world_random(world) < day->gpu_share;
        /* 1.13: the mean of a lognormal number is above its median */
        burst->tasks =
            1 + (uint32_t)(work * day->cores / (1.13 * burst->task_s));
        world_at(world, at, AT_BURST, world->bursts_count, 0);
        world->result.tasks += burst->tasks;
        world->bursts_count++;
    }
}

bool world_init(struct world *world, const struct simulate_day *day)
{
    *world = (struct world){.day = day, .length_mean_s = 10};
    world->random = random_start(day->seed);
    world->nodes = calloc(WORLD_NODES_MAX, sizeof(*world->nodes));
    world->turns = calloc((size_t)WORLD_NODES_MAX * WORLD_CORES_MAX,
                          sizeof(*world->turns));
    if (!world->nodes || !world->turns)
        return false;
    draw_bursts(world);
    world->result.bursts = world->bursts_count;
    for (uint32_t i = 0; i < day->nodes_min; i++) {
        uint32_t number = add_node(world, day->classes_count, false);

        world->nodes[number].state = NODE_HERE;
        world->nodes[number].started_s = 0;
        world->nodes[number].idle_since_s = 0;
    }
    return true;
}

void world_release(struct world *world)
{
    free(world->bursts);
    free(world->nodes);
    free(world->turns);
    free(world->events);
}

/* ---- Events -------------------------------------------------------------------------- */

static void burst_done(struct world *world, struct burst *burst)
{
    world->result.burst_s += world->now_s - burst->at_s;
    world->result.end_s = world->now_s;
    while (world->bursts_first < world->bursts_count &&
           world->bursts[world->bursts_first].done ==
               world->bursts[world->bursts_first].tasks)
        world->bursts_first++;
    world->over = world->bursts_first == world->bursts_count;
}

static void task_done(struct world *world, const struct event *event)
{
    struct node *node = &world->nodes[event->node];
    double length = node->length_s[event->core];
    struct burst *burst;

    if (event->turn !=
        world->turns[event->node * WORLD_CORES_MAX + event->core])
        return;
    burst = &world->bursts[node->tasks[event->core] - 1];
    world->turns[event->node * WORLD_CORES_MAX + event->core]++;
    node->tasks[event->core] = 0;
    node->busy--;
    burst->running--;
    burst->done++;
    burst->done_s += length;
    world->done_s[burst->gpu] = world->now_s;
    world->length_mean_s += (length - world->length_mean_s) / 64;
    world->result.work_s += length / world->day->cores;
    if (burst->done == burst->tasks)
        burst_done(world, burst);
    feed(world, event->node);
    if (node->state == NODE_LEAVING && node->busy == 0)
        world_at(world, world->now_s + leaving_s, AT_END, event->node, 0);
}

static void node_joins(struct world *world, struct agent *agent,
                       uint32_t number)
{
    struct node *node = &world->nodes[number];

    if (node->state != NODE_STARTING)
        return;
    node->state = NODE_HERE;
    node->joined_s = world->now_s;
    node->idle_since_s = world->now_s;
    world->result.joined++;
    agent_joined(agent, node);
    feed(world, number);
}

static void node_ends(struct world *world, struct agent *agent, uint32_t number)
{
    struct node *node = &world->nodes[number];
    enum node_state state = node->state;

    end_node(world, number);
    if (state == NODE_STARTING)
        agent_failed(agent, node);
    else if (state == NODE_LEAVING)
        agent_left(agent, node);
    feed_all(world);
}

static void happen(struct world *world, struct agent *agent,
                   const struct event *event)
{
    switch (event->what) {
    case AT_BURST:
        world->bursts[event->node].waiting = world->bursts[event->node].tasks;
        world->bursts_come = event->node + 1;
        feed_all(world);
        break;
    case AT_START:
        start_node(world, event->node);
        break;
    case AT_JOIN:
        node_joins(world, agent, event->node);
        break;
    case AT_DONE:
        task_done(world, event);
        break;
    case AT_END:
        if (world->nodes[event->node].state != NODE_OVER)
            node_ends(world, agent, event->node);
        break;
    case AT_LOOK:
        break;
    }
}

static void count_undone(struct world *world, const struct burst *burst)
{
    double since_s = fmax(world->done_s[burst->gpu], burst->at_s);

    if (burst->done == burst->tasks)
        return;
    world->result.undone += burst->tasks - burst->done;
    world->result.still_s = fmax(world->result.still_s, world->now_s - since_s);
}

struct simulate_result simulate(const struct simulate_day *day)
{
    double end_s =
        day->end_s > 0 ? day->end_s : day->hours * 3600 + day->patience_s;
    struct world world;
    struct agent *agent;

    if (!world_init(&world, day))
        abort();
    agent = agent_create(&world);
    if (!agent)
        abort();
    while (world.events_count > 0 && !world.over && !world.result.broken &&
           world.now_s < end_s) {
        struct event event = pop(&world);

        world.now_s = event.at_s;
        happen(&world, agent, &event);
        if (!world.over)
            agent_look(agent);
    }
    for (uint32_t i = 0; i < world.nodes_count; i++)
        end_node(&world, i);
    for (uint32_t i = 0; i < world.bursts_count; i++)
        count_undone(&world, &world.bursts[i]);
    world.result.base_s = world.result.paid_s - world.result.extra_s;
    world.result.burst_s /= world.result.bursts;
    agent_destroy(agent);
    world_release(&world);
    return world.result;
}
