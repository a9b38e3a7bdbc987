/*
 * sim.h - a run on many nodes in one thread: the real rooms graph, data and
 * plan, main's program, and nodes whose stores really move bytes.
 *
 * Everything that may happen next is one step, and which one does is drawn from
 * the seed: one seed is one history. Messages from one process to another keep
 * their order, and nothing else is ordered. Addresses are names: the arena that
 * tasks work on starts at BASE, and its bytes at home are sim->home.
 */
#ifndef CST_TEST_PLAN_SIM_H
#define CST_TEST_PLAN_SIM_H

#include "data/data.h"
#include "data/random.h"
#include "graph/task.h"
#include "plan/plan.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ARENA = 192,
    BASE = 4096,
    NODES_MAX = 64,     /* numbers; 0 is home */
    MASTER = NODES_MAX, /* as an end of a channel */
    ENDS = NODES_MAX + 1,
    TASKS_MAX = 64,
    ACCESSES_MAX = 4,
    KINDS = 13,
    GANG_MAX = 3,
    SOLO_KINDS = 8,       /* the next are of two nodes, or of three */
    REPLICATED_KIND = 11, /* and more */
    REPLICA_ATTEMPTS = 4096,
    PIECES_MAX = 256,
};

/* What a history may contain. */
struct sim_options {
    uint64_t seed;
    uint32_t tasks;
    bool faults;       /* nodes die and join */
    bool failing;      /* bodies fail */
    bool joined_modes; /* commutative, concurrent, reductions */
    bool gangs;        /* tasks of several nodes */
    bool last_nodes;   /* none comes later */
    bool replicated;   /* some tasks are */
    bool drains;       /* nodes leave in good order */
    bool print;
};

/* One access, as main writes it. */
struct sim_access {
    struct cst_region region;
    enum castell_mode mode;
};

enum sim_what {
    SIM_TASK,
    SIM_LEAF, /* of the reduction `group` */
    SIM_FOLD, /* ends it */
    SIM_WAIT, /* for accesses[0] */
    SIM_BARRIER,
    SIM_DELETE, /* as SIM_WAIT, and forget */
    SIM_CANCEL, /* the task `group` */
};

/* One thing that main does. */
struct sim_op {
    enum sim_what what;
    uint32_t accesses_count;
    struct sim_access accesses[ACCESSES_MAX];
    uint32_t kind;
    uint32_t group;
    uint32_t leaf;
    uint32_t fails; /* attempts of the body that fail */
    uint32_t kills; /* attempts that take their node along */
    bool immortal;  /* ... also from a child process */
    bool ordered;
};

struct sim;

/* sim_program.c: make a program of main's; what it comes to, one after
   another. */
uint32_t sim_program(const struct sim_options *options, uint64_t *state,
                     struct sim_op *ops, uint32_t max);
/* Run a body on memory that starts at BASE. */
/* May accesses like this one come in any order? */
bool sim_is_joint(enum castell_mode mode);
void sim_body(const struct sim_op *op, uint32_t number, unsigned char *memory);
/* Bytes of a region, one after another. */
size_t sim_pack(const struct cst_region *region, const unsigned char *memory,
                unsigned char *packed);
void sim_unpack(const struct cst_region *region, unsigned char *memory,
                const unsigned char *packed);

/* sim_store.c ---------------------------------------------------------- */

/* A piece of an assignment, and an assignment as a node has it. */
struct sim_part {
    struct cst_plan_piece piece;
    uint32_t access;
    bool output;
};
/* Of a task of several nodes, on its lead. */
enum sim_gang {
    SIM_GANG_NONE,
    SIM_GANG_WAITS,
    SIM_GANG_MUSTERED,
    SIM_GANG_STOPPED
};
struct sim_run {
    struct sim_run *next;
    uint32_t task; /* number of its op */
    uint64_t id;
    uint32_t attempt;
    uint32_t flags;
    bool fired; /* it has its memory, and may still be recalled */
    bool started;
    enum sim_gang gang;
    uint64_t crew; /* a bit for each of the others */
    size_t parts_count;
    struct sim_part parts[];
};

enum sim_message_what {
    MSG_ASSIGN,
    MSG_PUSH,
    MSG_DROP,
    MSG_CUT,
    MSG_RECALL,
    MSG_CANCEL,
    MSG_ROOT,
    MSG_HOME,
    MSG_SAVE,
    MSG_BERTH,
    MSG_UNBERTH,
    MSG_MUSTER,
    MSG_DISBAND,
    MSG_LEAVE,
    MSG_GONE, /* a node is */
    MSG_GRANTED,
    MSG_DATA, /* from node to node */
    MSG_DONE, /* to the master */
    MSG_ARRIVED,
    MSG_NOT_COME,
    MSG_RECALLED,
    MSG_FILLED,
    MSG_FIRED,
    MSG_BERTHED,
};

struct sim_message {
    struct sim_message *next;
    enum sim_message_what what;
    struct cst_plan_piece piece;
    uint64_t other; /* CUT: the origin; tasks: the id; GRANTED: poisoned */
    uint32_t to;    /* PUSH */
    uint32_t attempt;
    uint64_t crew; /* MUSTER */
    bool failed;   /* DONE */
    bool kept;     /* ... and what it has made is there */
    unsigned char *bytes;
    struct sim_run *run;
};

struct sim_entry {
    struct sim_entry *next;
    struct cst_plan_piece piece;
    unsigned char *bytes; /* NULL: not here yet, or at home */
    bool present;
    bool home;                   /* its bytes are main's memory */
    bool claimed;                /* they will be, if it comes to be */
    uint32_t begun;              /* a node that sends it, + 1, and died at it */
    bool refused;                /* it came from another meanwhile */
    bool dropped;                /* goes when nobody uses it */
    uint32_t users;              /* tasks, and orders that wait for it */
    uint32_t makers;             /* tasks that are to make it */
    struct sim_message *waiting; /* PUSH, CUT and HOME orders */
};

/* Cores that are kept for a gang. */
struct sim_berth {
    struct sim_berth *next;
    uint64_t id;
    uint32_t attempt;
    bool taken;
};

struct sim_node {
    bool exists;
    bool member; /* the master thinks that it is there */
    bool alive;  /* it does something */
    bool drains; /* it was told to leave */
    bool leaves; /* when all that it has said has come */
    struct cst_limits limits;
    uint64_t ran; /* replicated tasks, a bit each */
    struct sim_entry *entries;
    struct sim_run *runs;
    struct sim_berth *berths;
    struct sim_message *homes; /* that wait for main's memory */
};

struct sim_task {
    struct cst_task *task;
    bool added;
    bool finished; /* its body has, somewhere */
    bool ended;
    bool forgotten;
    bool cancelled; /* by main */
    enum cst_plan_end end;
    uint64_t started; /* attempts that were: a bit each */
    bool done_once;
};

struct sim {
    struct sim_options options;
    uint64_t state;
    struct sim_op ops[TASKS_MAX];
    uint32_t ops_count;
    uint32_t at; /* main's next */
    bool main_waits;
    bool over;
    struct cst_plan *plan;
    struct cst_data *data;
    struct cst_kind kinds[KINDS];
    struct sim_task tasks[TASKS_MAX];
    struct cst_task *signal; /* main's wait */
    struct cst_task_list woken;
    struct cst_task_list deleting; /* placed, with IN_DELETE accesses */
    unsigned char home[ARENA];
    struct sim_node nodes[NODES_MAX];
    uint32_t nodes_count;
    struct sim_message *channels[ENDS][ENDS];
    struct sim_message *channels_last[ENDS][ENDS];
    uint16_t replica_attempts[REPLICA_ATTEMPTS]; /* started, a bit each */
    uint32_t deaths;
    uint32_t drains; /* nodes that were told to leave */
    uint32_t drained;
    uint32_t steps;
    uint32_t lost; /* times that ops->lost() was called */
    uint32_t ended_count;
    const char *wrong; /* the first thing that was */
};

void sim_wrong(struct sim *sim, const char *what);
void sim_send(struct sim *sim, uint32_t from, uint32_t to,
              struct sim_message message);
/* Deliver the next message to a node. */
void sim_store_deliver(struct sim *sim, uint32_t number, uint32_t from);
/* Start, or end, some task at that node; false: there is none. */
bool sim_store_run(struct sim *sim, uint32_t node);
/* What is there of a version; NULL: nothing is known of it. Entries are made
   when they are first named, and go when nobody uses them. */
struct sim_entry *sim_find(const struct sim_node *node, uint64_t version);
struct sim_entry *sim_find_or_add(struct sim_node *node,
                                  const struct cst_plan_piece *piece);
void sim_let_go(struct sim_node *node, struct sim_entry *entry);
void sim_read_entry(const struct sim *sim, const struct sim_entry *entry,
                    unsigned char *packed);
void sim_keep(struct sim_entry *entry, const unsigned char *packed);
void sim_put(struct sim *sim, uint32_t number, struct sim_entry *entry,
             const unsigned char *packed);
void sim_serve(struct sim *sim, uint32_t number, struct sim_entry *entry,
               struct sim_message *order);
void sim_serve_waiting(struct sim *sim, uint32_t number,
                       struct sim_entry *entry);
void sim_order_of(struct sim *sim, uint32_t number, struct sim_entry *entry,
                  const struct sim_message *message);
void sim_try_homes(struct sim *sim);
void sim_at_home(struct sim *sim, const struct sim_message *message);
bool sim_claim(struct sim *sim, struct sim_entry *entry,
               const struct sim_run *run);
void sim_unclaim(struct sim *sim, struct sim_entry *entry, bool spoilt);
void sim_fire(struct sim *sim, struct sim_run *run);
void sim_put_home(struct sim *sim, struct sim_entry *entry,
                  const unsigned char *packed);
void sim_remove_entry(struct sim_node *node, struct sim_entry *entry);

/* The attempt has failed, and makes nothing. */
void sim_give_back(struct sim *sim, uint32_t number, struct sim_run *run);

/* sim_gang.c */
void sim_gang_order(struct sim *sim, uint32_t number,
                    const struct sim_message *message);
/* Take a berth; false: there is none to be taken. */
bool sim_gang_step(struct sim *sim, uint32_t number);
/* What has its inputs may start, or asks for its other nodes. */
bool sim_gang_may_start(struct sim *sim, uint32_t number, struct sim_run *run);
void sim_gang_release(struct sim_node *node);

/* sim_replica.c */
/* Is it a run of a replica? */
bool sim_is_replica(const struct sim_run *run);
/* It starts now: is what it needs of replicated tasks there? */
void sim_note_start(struct sim *sim, uint32_t number,
                    const struct sim_run *run);

void sim_store_release(struct sim *sim, uint32_t number);
/* Entries that nothing accounts for. */
uint32_t sim_store_left(const struct sim *sim, uint32_t number);
void sim_message_free(struct sim_message *message);
/* sim.c: the node is lost, now or soon. */
void sim_kill(struct sim *sim, uint32_t node);

/* sim_leak.c: at the end nothing is left. */
void sim_check_leaks(struct sim *sim);

/* sim_orders.c */
extern const struct cst_plan_ops sim_ops;
void sim_say(const struct sim *sim, const char *what, uint32_t node,
             uint64_t id, uint32_t other);
void sim_empty_channel(struct sim *sim, uint32_t from, uint32_t to);
uint32_t sim_number_of(const struct sim *sim, const struct cst_task *task);
/* The task leaves its places. */
void sim_leave(struct sim *sim, struct cst_task *task);

/* sim_reference.c */
enum { KNOWN, POISONED, UNKNOWN }; /* what is known of bytes */
struct sim_reference {
    unsigned char bytes[ARENA];
    uint8_t states[ARENA];
    unsigned char sums[TASKS_MAX][ARENA]; /* of the reductions' leaves */
    uint8_t group_states[TASKS_MAX];
};
/* Run the first `end` things that main does. */
void sim_refer(struct sim *sim, uint32_t end, struct sim_reference *reference);
uint8_t sim_state_of(const struct sim_reference *reference,
                     const struct cst_region *region);
/* Does main's memory hold that? */
void sim_compare(struct sim *sim, const struct cst_region *region,
                 const struct sim_reference *reference);
/* What main writes after it has waited for its op `number`. */
void sim_main_writes(const struct sim_op *op, uint32_t number,
                     unsigned char *memory);

/* sim_main.c */
/* Do the next thing; false: main waits, or is at its end. */
bool sim_main_step(struct sim *sim);
void sim_main_granted(struct sim *sim, bool poisoned);
/* What the plan has called for is done when it has returned. */
void sim_settle(struct sim *sim);
void sim_free_task(struct cst_task *task);

/* sim.c: play one history; NULL: all was as it should be. */
const char *sim_play(const struct sim_options *options, uint64_t *ret_steps);

#endif
