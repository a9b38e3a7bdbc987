/*
 * sim.h - a whole run in one thread: the real engines, clusters and stores of
 * several nodes, with a net, a clock, executors and child processes that the
 * simulator steps.
 *
 * Everything that may happen next is one step, and which one does is drawn from
 * the seed: one seed is one history. README.md says what is real and what is
 * not.
 *
 * Main's program works on an arena of CELLS cells. All bytes of a cell are the
 * same, and how many they are differs from history to history, so that versions
 * are small enough for the stream of messages, or not. The program is written
 * in cells; struct sim_view says where they are in memory.
 */
#ifndef CST_TEST_SIM_SIM_H
#define CST_TEST_SIM_SIM_H

#include "cluster/cluster_internal.h"
#include "data/random.h"
#include "engine/engine_internal.h"
#include "net/net_internal.h"
#include "worker/worker_internal.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CELLS = 192,
    CELL_MAX = 640, /* bytes */
    NODES_MAX = 24, /* numbers; 0 is the master */
    CORES_MAX = 3,
    OPS_MAX = 64,
    ACCESSES_MAX = 4,
    GROUPS = 4,
    LANES = 4,
};

/* Kinds of tasks; see kinds.c. */
enum sim_kind {
    KIND_PLAIN = 0, /* to PLAIN_LAST: they differ in policy and retries */
    KIND_PLAIN_LAST = 5,
    KIND_TURNS, /* distributed */
    KIND_ISOLATED,
    KIND_LARGE,  /* needs more than half of a node's memory */
    KIND_NESTED, /* its body submits what writes */
    KIND_PAIR,   /* of two nodes */
    KIND_TRIPLE,
    KIND_WIDE,    /* of two cores */
    KIND_FATAL,   /* its failure ends the run */
    KIND_REPLICA, /* on every node, before what reads what it makes */
    KIND_CHILD,   /* what a nested body submits */
    KINDS,
};

/* What a history may contain. */
struct sim_options {
    uint64_t seed;
    uint32_t ops;
    bool faults;  /* nodes die, are thought dead, and come */
    bool leaves;  /* nodes are asked to leave, and come */
    bool failing; /* bodies fail, groups are cancelled */
    bool joint;   /* commutative, concurrent, reductions */
    bool gangs;
    bool wide;  /* tasks of several cores */
    bool fatal; /* some failure ends the run */
    bool replicas;
    bool print;
};

/* ---- program.c: what main does ------------------------------------------ */

/* Cells of the arena: base is the number of the first. */
struct sim_access {
    struct cst_region cells;
    enum castell_mode mode;
};

enum sim_what {
    SIM_TASK,
    SIM_WAIT,    /* for accesses[0], and perhaps write it */
    SIM_BARRIER, /* for all */
    SIM_DELETE,  /* as SIM_WAIT, and forget */
    SIM_CANCEL,  /* a group */
};

/* One thing that main does. */
struct sim_op {
    enum sim_what what;
    uint32_t accesses_count;
    struct sim_access accesses[ACCESSES_MAX];
    uint32_t kind;
    uint32_t group; /* of the task, or to be cancelled; from 1, 0: none */
    uint32_t fails; /* attempts of the body that fail */
    uint32_t kills; /* attempts that take their node along */
    bool immortal;  /* ... also from a child process */
    bool starves;   /* there is no memory for its data, on any node */
    int32_t priority;
};

uint32_t sim_program(const struct sim_options *options, uint64_t *state,
                     struct sim_op *ops);
void sim_print_op(const struct sim_op *op, uint32_t number);
/* May accesses like this one come in any order? */
bool sim_is_joint(enum castell_mode mode);

/* Values of the cells of one region, row after row. */
struct sim_values {
    size_t count;
    unsigned char cells[CELLS];
};

/* Run a body on what its accesses hold; returns a hash of what it reads. */
uint64_t sim_compute(const struct sim_op *op, uint32_t number,
                     struct sim_values values[ACCESSES_MAX]);

/* Print what a task reads. */
void sim_say_values(const struct sim_op *op, const struct sim_values *values);

/* Where cells are in memory. */
struct sim_view {
    char *base; /* of the first cell */
    struct cst_region cells;
    uint32_t size; /* bytes of a cell */
};

/* False: some cell is not whole. */
bool sim_read(const struct sim_view *view, struct sim_values *ret_values);
void sim_write(const struct sim_view *view, const struct sim_values *values);

/* ---- net.c: the net ------------------------------------------------------ */

struct sim;
struct sim_node;
struct sim_letter;

enum sim_lane_what {
    LANE_MESSAGES,
    LANE_PAYLOADS, /* messages with one */
    LANE_SENT,     /* the memory of a payload is not read any more */
    LANE_NEWS,     /* of the net itself; from node 0 only */
};

struct sim_lane {
    struct sim_letter *first;
    struct sim_letter *last;
};

struct sim_net {
    struct cst_net net;
    struct sim *sim;
    bool due; /* the next poll delivers the first letter of that lane */
    uint32_t due_from;
    uint32_t due_lane;
    bool gone[NODES_MAX]; /* it has heard that they are */
    bool over;
    bool leaves; /* when all that it has sent has come */
};

/* Deliver something, anything; false: nothing is under way. */
bool sim_net_step(struct sim *sim);
/* Is a payload still to be read there, in main's memory? */
bool sim_net_reads(const struct sim *sim, const struct cst_region *memory);
/* The process dies now. */
void sim_net_die(struct sim *sim, uint32_t number);
/* The master is to hear that it is gone. */
void sim_net_bury(struct sim *sim, uint32_t number);
/* Those that want to leave, and may, do. */
void sim_net_let_go(struct sim *sim);
void sim_net_release(struct sim *sim);

/* ---- node.c: a process ---------------------------------------------------- */

struct sim_executor {
    struct cst_self self;
    struct cst_task *task; /* it has; its body has begun */
    uint32_t joined;       /* claims that had ended when it joined one, + 1 */
    struct sim_values read[ACCESSES_MAX];
};

struct sim_node {
    uint32_t number;
    bool alive;
    bool member;  /* as far as the master has heard */
    bool leaving; /* the master is about to hear that it is gone */
    bool drains;  /* somebody wants it to leave */
    struct cst_limits limits;
    struct cst_engine *engine;
    struct cst_cluster *cluster;
    struct cst_worker worker;
    struct sim_executor executors[CORES_MAX];
    struct sim_net *net;
    struct cst_port *main; /* the master's */
};

void sim_node_start(struct sim *sim);
/* Let it look at its news and its net. */
void sim_node_poke(struct sim *sim, struct sim_node *node);
/* Main runs tasks itself while it waits; false: some others need its core. */
bool sim_node_sit(struct sim_node *node);
/* Main goes on; false: it cannot, for its core is claimed. */
bool sim_node_leave(struct sim_node *node);
/* Begin or end some body there; false: there is none. */
bool sim_node_run(struct sim *sim, struct sim_node *node);
/* The process ends itself, or is dead: free everything. */
void sim_node_destroy(struct sim *sim, struct sim_node *node);

/* ---- kinds.c ---------------------------------------------------------------- */

/* Once. */
void sim_kinds_declare(void);
/* The next engine makes its own of them. */
void sim_kinds_forget(void);
const struct castell_kind *sim_kind(uint32_t number);
struct cst_kind *sim_kind_at(const struct sim_node *node, uint32_t number);
extern const struct castell_reduction sim_add;

/* ---- body.c ---------------------------------------------------------------- */

/* The argument of a task. */
struct sim_argument {
    uint32_t op;
    uint32_t access;          /* KIND_CHILD: which one it writes */
    struct sim_values values; /* KIND_CHILD */
};

/* The body begins: from now on it may write. False: its node is dead. */
bool sim_body_begin(struct sim *sim, struct sim_node *node,
                    struct sim_executor *executor);
/* Of a task of main's: which op; else OPS_MAX. */
uint32_t sim_number_of(const struct sim_node *node, struct cst_task *task);
int sim_body(void *const *buffers, const void *bytes);
int sim_child_body(void *const *buffers, const void *bytes);

/* ---- main.c ---------------------------------------------------------------- */

/* What is known of a task of main's. */
struct sim_task {
    struct cst_task *slot;
    uint64_t after; /* generation */
    bool submitted;
    bool finished; /* its body has, somewhere */
    bool ended;
    bool off; /* its group was cancelled before it had ended */
    enum cst_task_end end;
    uint64_t started;  /* attempts: a bit each */
    uint64_t read;     /* by the last that was finished */
    uint32_t prepared; /* KIND_REPLICA: nodes on which it has: a bit each */
    bool replica_read; /* some replica has, and what */
    uint64_t replica_hash;
};

struct sim_main {
    uint32_t at;    /* the next op */
    uint32_t phase; /* of op `at` */
    bool over;
    bool seated;             /* it is an executor */
    _Atomic(uint64_t) *word; /* it waits for *word >= value; NULL: not */
    uint64_t value;
    struct cst_outcome outcome;
    uint32_t groups[GROUPS + 1]; /* times that they were cancelled */
};

/* Do the next thing; false: main waits, or is at its end. */
bool sim_main_step(struct sim *sim);
/* See which tasks have ended. */
void sim_main_look(struct sim *sim);

/* ---- reference.c: what the program comes to one after another --------------- */

enum { KNOWN, EITHER, POISONED, UNKNOWN }; /* what is known of a cell */

struct sim_reference {
    struct sim_values cells; /* of the whole arena */
    unsigned char states[CELLS];
};

void sim_refer(struct sim *sim, uint32_t end, struct sim_reference *reference);
/* The worst that is known of them. */
unsigned char sim_poison_of(const struct sim_reference *reference,
                            const struct cst_region *cells);
/* Does main's memory hold that? */
void sim_compare(struct sim *sim, const struct cst_region *cells,
                 const struct sim_reference *reference);
void sim_main_values(uint32_t number, struct sim_values *values);

/* ---- history.c ---------------------------------------------------------------- */

struct sim {
    struct sim_options options;
    uint64_t state; /* of the random numbers */
    uint64_t now_ns;
    uint32_t cell; /* bytes */
    bool by_mpi;
    struct sim_op ops[OPS_MAX];
    uint32_t ops_count;
    struct sim_task tasks[OPS_MAX];
    bool wrote[OPS_MAX]; /* main has, after SIM_WAIT */
    struct sim_main main;
    struct sim_node *nodes[NODES_MAX];
    uint32_t nodes_count;
    bool home_runs;
    struct sim_lane lanes[NODES_MAX][NODES_MAX][LANES];
    uint64_t stamps;
    uint32_t under_way; /* letters */
    uint32_t deaths;
    uint32_t left; /* nodes, in order */
    uint32_t steps;
    bool quiet; /* no faults any more */
    struct sim_node *starting;
    struct sim_node *running;
    struct sim_executor *executor; /* whose body is called */
    struct cst_task *body;         /* ... and of what */
    bool apart;                    /* ... in a child process */
    const char *wrong;             /* the first thing that was */
};

extern struct sim *sim_now;

/* Play one history; NULL: all was as it should be. */
const char *sim_play(const struct sim_options *options, uint64_t *ret_steps);
void sim_wrong(struct sim *sim, const char *what);
void sim_say(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The node dies: what it was to send may get lost. */
void sim_kill(struct sim *sim, struct sim_node *node);
static inline uint32_t sim_draw(struct sim *sim, uint32_t below)
{
    return random_below(&sim->state, below);
}
/* Main's memory. */
char *sim_home(void);

/* leak.c: when all is quiet nothing is left. */
void sim_check_leaks(struct sim *sim);

#endif
