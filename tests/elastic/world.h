/*
 * world.h - what is in a simulated day: tasks, nodes, and what happens when.
 */
#ifndef CST_TEST_ELASTIC_WORLD_H
#define CST_TEST_ELASTIC_WORLD_H

#include "simulate.h"

#include <stddef.h>

enum { WORLD_NODES_MAX = 20000, WORLD_CORES_MAX = 16 };

enum node_state {
    NODE_PENDING = 0,
    NODE_STARTING,
    NODE_HERE,
    NODE_LEAVING,
    NODE_OVER,
};

enum fate { FATE_GOOD = 0, FATE_NEVER, FATE_HOPELESS, FATE_MUTE, FATE_DIES };

struct node {
    enum node_state state;
    enum fate fate;
    bool extra;
    bool cancelled;
    uint32_t class; /* the sort; classes_count: those of the start */
    uint32_t minutes;
    double asked_s;
    double started_s;
    double joined_s;
    double until_s;
    double idle_since_s;
    double leaves_s; /* when it was told to leave */
    uint32_t busy;
    uint32_t tasks[WORLD_CORES_MAX]; /* by core: number of a burst + 1 */
    double begun_s[WORLD_CORES_MAX];
    double length_s[WORLD_CORES_MAX];
};

struct burst {
    double at_s;
    double task_s;
    bool gpu;
    uint32_t tasks;
    uint32_t waiting;
    uint32_t running;
    double done_s; /* of tasks, in all */
    uint32_t done;
};

enum happening { AT_BURST = 1, AT_START, AT_JOIN, AT_DONE, AT_END, AT_LOOK };

struct event {
    double at_s;
    enum happening what;
    uint32_t node;
    uint32_t core;
    uint32_t turn; /* of the node's core: a task that was taken back is none */
};

struct world {
    const struct simulate_day *day;
    uint64_t random;
    double now_s;
    struct burst *bursts;
    uint32_t bursts_count;
    uint32_t bursts_first; /* not done */
    uint32_t bursts_come;
    struct node *nodes;
    uint32_t *turns; /* by node and core */
    uint32_t nodes_count;
    uint32_t nodes_live;  /* the first that may not be over */
    struct event *events; /* a heap */
    size_t events_count;
    size_t events_max;
    double length_mean_s; /* of the tasks that were done last */
    double over_s;        /* what nodes that are over have cost */
    double done_s[2]; /* when the last task was, by whether it wants a gpu */
    bool over;
    struct simulate_result result;
};

bool world_init(struct world *world, const struct simulate_day *day);
void world_release(struct world *world);
double world_random(struct world *world); /* 0 .. 1, neither of them */
/* With that median. */
double world_lognormal(struct world *world, double median, double sigma);

void world_at(struct world *world, double at_s, enum happening what,
              uint32_t node, uint32_t core);

void world_ask(struct world *world, uint32_t class, uint32_t nodes,
               uint32_t minutes);
void world_cancel(struct world *world, uint32_t node);
void world_leave(struct world *world, uint32_t number);
/* What the nodes that were asked for have cost. */
double world_cost_s(const struct world *world);

/* agent.c: the policies. */
struct agent;
struct agent *agent_create(struct world *world);
void agent_destroy(struct agent *agent);
void agent_look(struct agent *agent);
void agent_joined(struct agent *agent, const struct node *node);
void agent_failed(struct agent *agent, const struct node *node);
void agent_left(struct agent *agent, const struct node *node);

#endif
