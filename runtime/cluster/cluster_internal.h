/*
 * cluster_internal.h - what the files of cluster/ share.
 */
#ifndef CST_CLUSTER_CLUSTER_INTERNAL_H
#define CST_CLUSTER_CLUSTER_INTERNAL_H

#include "base/lock.h"
#include "base/map.h"
#include "base/spare.h"
#include "cluster/cluster.h"
#include "cluster/message.h"
#include "gang/gang.h"
#include "net/net.h"
#include "plan/plan.h"
#include "sched/declare.h"
#include "store/store.h"
#include "watch/watch.h"

#include <pthread.h>

/* A task that was assigned to this node. */
struct cst_visit {
    uint64_t id;
    uint32_t attempt;
    bool fired;
    bool unwanted; /* it was cancelled: nobody hears how it ended */
    bool last;     /* its failure is final */
    struct cst_store_job *job;
    struct cst_task *task;
    struct cst_lead *lead; /* it leads a gang */
};

/* Memory that main has freed, and that is not released yet. */
struct cst_freed {
    struct cst_freed *next;
    void *memory;
    size_t size;
};

/* Cores and so on that are kept here for a gang; see gang.c. */
struct cst_berth {
    struct cst_berth *next;
    struct cst_cluster *cluster;
    struct cst_task *task;
    uint64_t id;
    uint32_t attempt;
    bool told;
    bool unwanted;
    struct cst_gang_crew crew;
    uint64_t deadline_ns; /* its body must have come back by then; 0: none */
    _Atomic(bool) taken;  /* its body runs, which ends when it is over... */
    _Atomic(bool) over;   /* ... or when the crew, now known, has ended */
    _Atomic(bool) mustered;
    bool strayed; /* the crew has not, but we have; written by the body */
};

/* The content of a version of a file. */
struct cst_held {
    struct cst_content *content; /* a reference */
    char *path;                  /* the file's own */
    bool is_directory;
};

/* Contents on their way: carry.c. */
struct cst_sending;
struct cst_receiving;

/* A node of the run, as the master knows it. */
struct cst_member {
    struct cst_member *next;
    uint32_t number;
    struct cst_message_hello hello;

    /* What it has told who looks, and what the plan knew of it then: look.c.
       Guarded by members_lock. */
    struct cst_watch_picture seen; /* one node, and kinds; or all 0 */
    struct cst_plan_load load;
    uint64_t heard_ns;
    uint32_t answered; /* the last question */
};

/* Somebody outside wants a node to leave; see leave.c. */
struct cst_leave {
    _Atomic(uint32_t) asked;    /* its number, + 1; 0: it was told */
    enum castell_status status; /* what the plan said */
    char why[CST_NET_WHY_MAX];
};

/* The nodes as somebody looks at them from outside; see look.c. */
struct cst_look {
    _Atomic(uint32_t) asked;  /* questions, by who looks */
    _Atomic(uint32_t) served; /* the last that is answered */
    uint32_t begun;           /* the last that was sent */
    uint32_t missing;         /* answers to that */

    /* Guarded by members_lock. */
    uint64_t came, came_bytes, went, went_bytes; /* of this node */
    struct cst_plan_counters counters;
    struct cst_watch_picture gone; /* nodes that are, and what ended there */
};

/* Things to be told when nobody is in the way: plan calls us from its middle. */
enum cst_later {
    CST_LATER_DELETE,
    CST_LATER_ENDED,
    CST_LATER_FORGET,
    CST_LATER_GRANTED
};

struct cst_later_item {
    struct cst_task *task;
    enum cst_later what;
    enum cst_plan_end end;
    bool ignored; /* it failed, but what it wrote is there */
    bool poisoned;
};

/* What a fold needs to know of its reduction elsewhere. */
struct cst_known_reduction {
    uint64_t kind;
    uint32_t index;
    uint32_t users; /* leaves and folds that are not forgotten */
};

/* A payload that comes. */
struct cst_incoming {
    struct cst_incoming *next;
    void *base;
    uint64_t version;
    uint64_t begin_ns;
    uint64_t bytes;
    uint32_t peer;
    bool by_mpi; /* which may write there even when the peer is gone */
};

/* Messages that come in parts, from one peer. */
struct cst_parts {
    uint32_t peer;
    struct cst_parts *next;
    struct cst_writer bytes;
};

struct cst_cluster {
    struct cst_engine *engine;
    struct cst_engine_many many;
    struct cst_net *net;
    bool is_master;
    struct cst_cluster_options options;
    _Atomic(struct cst_freed *) freed; /* by any thread */

    /* The node. */
    struct cst_store *store;
    struct cst_map visits; /* by id */
    struct cst_spare visits_spare;
    struct cst_map kinds; /* struct cst_kind, by hash of the name */
    struct cst_kind fold_kind;
    struct cst_kind berth_kind;
    struct cst_berth *berths;
    const struct cst_visit *doomed; /* a lead that is to come back... */
    uint64_t doomed_ns;             /* ... by then */
    uint64_t *unsent; /* versions whose sending was over, or failed, at once */
    size_t unsent_count;
    size_t unsent_max;
    struct cst_incoming *incoming;
    struct cst_map held; /* struct cst_held, by version */
    struct cst_sending *sending;
    struct cst_receiving *receiving;
    struct cst_parts *parts;
    struct cst_writer out; /* the message that is being made */
    struct cst_writer part;

    /* The master. */
    struct cst_plan *plan;
    struct cst_writer local; /* orders to node 0: u32 size, message */
    struct cst_later_item *later;
    size_t later_count;
    size_t later_max;
    struct cst_map reductions; /* struct cst_known_reduction, by address */
    uint32_t joined;           /* workers so far */
    uint32_t lost;             /* of those, not by leaving */
    bool failed;               /* the plan was told that the run has failed */
    bool hurries;              /* a node wakes up to hear what is decided */
    uint32_t assigned;         /* the node that a task was given to last */
    uint64_t cancels;          /* of groups, that the plan was told of */
    struct cst_lock members_lock;
    struct cst_member *members;
    const struct cst_limits *come; /* nodes that may; guarded by members_lock */
    uint32_t come_open;            /* ... as well: which of them */
    struct cst_look look;
    struct cst_leave leave;
    _Atomic(struct cst_cluster_survey *) survey; /* to be filled in, or NULL */
    _Atomic(uint32_t) surveyed;                  /* so many were */

    /* The trace, or NULL; see story.c. */
    struct cst_trace *trace;
    uint64_t came; /* data from other nodes, so often */
    uint64_t came_bytes;
    uint64_t went; /* to others */
    uint64_t went_bytes;
    uint64_t asked_ns; /* when the master was asked for the time */
    uint32_t answers;  /* that it gave */

    /* The thread. */
    pthread_t thread;
    bool has_thread;
    _Atomic(bool) stop;
    _Atomic(bool) called; /* it is to poll: others do no more */
    _Atomic(uint32_t) resting;
    int alarm;                   /* timerfd: ends its rest */
    _Atomic(uint32_t) sleeper;   /* who sleeps in the net; see poll.c */
    _Atomic(bool) dozes;         /* the net was told that somebody sleeps */
    _Atomic(uint64_t) polled_ns; /* when the net was polled last */
    _Atomic(uint64_t) others_ns; /* ... by another than the thread */
    _Atomic(uint64_t) over;      /* worker: 1 when its stay is */
    bool left_well;
    char why[CST_NET_WHY_MAX];
};

/* ---- node.c: this node does what the master orders --------------------- */

CASTELL_MUST_CHECK enum castell_status
cst_node_init(struct cst_cluster *cluster);
void cst_node_release(struct cst_cluster *cluster);
/* One order; false: it was none. */
bool cst_node_order(struct cst_cluster *cluster, struct cst_reader *message);
void cst_node_guest_done(void *context, struct cst_task *task);
/* Before something here comes to be: what was ordered comes first. */
void cst_node_catch_up(struct cst_cluster *cluster);
/* What the store could not be told from within. */
void cst_node_settle(struct cst_cluster *cluster);

/* How a task that was assigned ended, to the master. */
void cst_node_report_failure(struct cst_cluster *cluster, uint64_t id,
                             uint32_t attempt, const char *how);
/* recall.c: its task has ended here. */
void cst_visit_done(struct cst_cluster *cluster, struct cst_task *task);
/* Take back a task that has not been started, if there is one; NULL if not. */
struct cst_visit *cst_node_withdraw(struct cst_cluster *cluster, uint64_t id,
                                    uint32_t attempt);
void cst_node_recall(struct cst_cluster *cluster, uint64_t id,
                     uint32_t attempt);
void cst_node_cancel(struct cst_cluster *cluster, uint64_t id,
                     uint32_t attempt);
void cst_visit_destroy(struct cst_cluster *cluster, struct cst_visit *visit);
/* ... but for its task and its job. */
void cst_visit_free(struct cst_cluster *cluster, struct cst_visit *visit);

/* ---- gang.c: tasks that several nodes run together ------------------------ */

void cst_gang_init(struct cst_cluster *cluster);
void cst_gang_release(struct cst_cluster *cluster);
/* The visit leads one; false: no memory. */
bool cst_lead_add(struct cst_visit *visit);
void cst_lead_free(struct cst_cluster *cluster, struct cst_visit *visit);
/* Its inputs are there. */
void cst_lead_fired(struct cst_cluster *cluster, struct cst_visit *visit);
/* It was to end, for a node of its gang is lost; so it will run again. */
bool cst_lead_is_stopped(const struct cst_visit *visit);
/* May it be withdrawn without asking the engine? */
bool cst_lead_waits(const struct cst_visit *visit);
bool cst_gang_order(struct cst_cluster *cluster, uint8_t what,
                    struct cst_reader *message);
/* Say which berths are taken since. */
void cst_berths_settle(struct cst_cluster *cluster);
/* Is that task one? Then it is over. */
bool cst_berth_done(struct cst_cluster *cluster, struct cst_task *task);
/* The master. */
bool cst_gang_report(struct cst_cluster *cluster, uint32_t node,
                     struct cst_reader *message);
void cst_order_berth(void *cluster_, uint32_t node, uint64_t id,
                     uint32_t attempt,
                     const struct castell_constraint *constraint);
void cst_order_unberth(void *cluster_, uint32_t node, uint64_t id,
                       uint32_t attempt);
void cst_order_muster(void *cluster_, uint32_t node,
                      const struct cst_plan_muster *muster);
void cst_order_disband(void *cluster_, uint32_t node, uint64_t id,
                       uint32_t attempt);
/* The order in cluster->out goes there. */
void cst_order_give(struct cst_cluster *cluster, uint32_t node);
const char *cst_member_name(struct cst_cluster *cluster, uint32_t number);

/* ---- master.c: what the plan wants done, and hears --------------------- */

CASTELL_MUST_CHECK enum castell_status
cst_master_init(struct cst_cluster *cluster, const struct cst_limits *limits);
void cst_master_release(struct cst_cluster *cluster);
bool cst_master_report(struct cst_cluster *cluster, uint32_t node,
                       struct cst_reader *message);
/* The same of node 0. */
void cst_master_done(struct cst_cluster *cluster, uint32_t node,
                     const struct cst_message_done *done);
void cst_master_not_come(struct cst_cluster *cluster, uint32_t node,
                         uint64_t version);
void cst_master_arrived(struct cst_cluster *cluster, uint32_t node,
                        uint64_t version, uint64_t duration_ns);
void cst_master_recalled(struct cst_cluster *cluster, uint32_t node,
                         uint64_t id, uint32_t attempt);
void cst_master_joined(struct cst_cluster *cluster, uint32_t node,
                       const struct cst_message_hello *hello);
void cst_master_gone(struct cst_cluster *cluster, uint32_t node);
/* Do what the plan has ordered of this node; false: nothing. */
bool cst_master_obey(struct cst_cluster *cluster);
/* Decide all there is to decide. */
void cst_master_step(struct cst_cluster *cluster);

/* ---- poll.c: hooks of the engine ------------------------------------------ */

void cst_poll_step(void *context);
bool cst_poll_sleep(void *context, struct cst_port *port,
                    struct cst_desk *desk);
void cst_poll_asleep(void *context);
void cst_poll_look(void *context, bool begins);

/* ---- cluster.c ------------------------------------------------------------ */

/* All that tasks wrote is home: release what can be. */
void cst_cluster_release_freed(struct cst_cluster *cluster);
/* Does a push still read what main is to be granted? */
bool cst_cluster_is_sent(const struct cst_cluster *cluster,
                         struct cst_task *wish);

/* ---- order.c: what the plan orders; struct cst_plan_ops ----------------- */

void cst_order_needs(void *cluster_, struct cst_task *task,
                     struct cst_plan_needs *ret_needs);
uint64_t cst_order_reduction(void *cluster_, struct cst_task *task,
                             uint32_t access, uint32_t *ret_leaf);
void cst_order_assign(void *cluster_,
                      const struct cst_plan_assignment *assignment);
void cst_order_push(void *cluster_, uint32_t from, uint32_t to,
                    const struct cst_plan_piece *piece);
void cst_order_drop(void *cluster_, uint32_t node, uint64_t version);
void cst_order_cut(void *cluster_, uint32_t node,
                   const struct cst_plan_piece *child, uint64_t origin);
void cst_order_root(void *cluster_, const struct cst_plan_piece *piece);
void cst_order_home(void *cluster_, const struct cst_plan_piece *piece);
void cst_order_save(void *cluster_, const struct cst_plan_piece *piece);
void cst_order_recall(void *cluster_, uint32_t node, uint64_t id,
                      uint32_t attempt);
void cst_order_cancel(void *cluster_, uint32_t node, uint64_t id,
                      uint32_t attempt);

/* ---- member.c: who is there ---------------------------------------------- */

/* Enter a node; NULL: no memory. */
struct cst_member *cst_member_new(struct cst_cluster *cluster, uint32_t number,
                                  const struct cst_message_hello *hello);
void cst_members_release(struct cst_cluster *cluster);
/* What it has cost that nodes were lost. */
void cst_members_say_losses(const struct cst_cluster *cluster);

/* ---- fold.c: the end of a reduction -------------------------------------- */

void cst_fold_init(struct cst_kind *kind);
extern const size_t cst_fold_argument_size;
/* The task's access is a leaf of that reduction of its kind; false: there is no
   such one, or the task is not said to reduce. */
bool cst_fold_leaf(struct cst_cluster *cluster, struct cst_task *task,
                   uint32_t access, const struct cst_message_assign *assign,
                   uint32_t index);
/* Tell the body of a fold what it folds; its accesses have been read. False:
   there is no such reduction. */
bool cst_fold_fill(struct cst_cluster *cluster, struct cst_visit *visit,
                   const struct cst_message_assign *assign);

/* ---- story.c: what the trace is told ------------------------------------- */

void cst_story_kind(struct cst_cluster *cluster, const struct cst_kind *kind);
void cst_story_assigned(struct cst_cluster *cluster,
                        const struct cst_plan_assignment *assignment);
/* A node says that an attempt has ended. */
void cst_story_done(struct cst_cluster *cluster, uint32_t node,
                    const struct cst_message_done *done);
void cst_story_came(struct cst_cluster *cluster,
                    const struct cst_incoming *incoming);
void cst_story_joined(struct cst_cluster *cluster, uint32_t node,
                      uint32_t cores);
void cst_story_gone(struct cst_cluster *cluster, uint32_t node,
                    enum cst_net_end how, const char *why);
void cst_story_failed(struct cst_cluster *cluster, const struct cst_task *task,
                      const char *how);
/* Ask the master for the time, now and then. */
void cst_story_step(struct cst_cluster *cluster, uint64_t now_ns);
/* The question or the answer; false: it is none. */
bool cst_story_clock(struct cst_cluster *cluster, uint32_t peer,
                     struct cst_reader *message);

/* ---- look.c: who looks at the run from outside ---------------------------- */

/* Ask all, when somebody has begun to look. */
void cst_look_step(struct cst_cluster *cluster);
/* The question or the answer; false: it is none. */
bool cst_look_message(struct cst_cluster *cluster, uint32_t peer,
                      struct cst_reader *message);
/* The node is about to be forgotten. */
void cst_look_gone(struct cst_cluster *cluster, uint32_t number,
                   enum cst_net_end how);
void cst_look_release(struct cst_cluster *cluster);

/* ---- leave.c: a node leaves, for somebody wants it to ---------------------- */

/* Tell the plan which. */
void cst_leave_step(struct cst_cluster *cluster);
void cst_order_leave(void *cluster_, uint32_t node);
/* A worker that was asked for: SIGTERM means that it has to go; tell the master;
   the master is told: true. */
void cst_leave_watch(const struct cst_cluster *cluster);
void cst_leave_ask(struct cst_cluster *cluster);
bool cst_leave_asked(struct cst_cluster *cluster, uint32_t node);

/* ---- survey.c: what there is to do, for who asks for nodes ------------------ */

void cst_survey_step(struct cst_cluster *cluster);

/* ---- file.c: versions of files --------------------------------------------- */

/* Keep what has come to be; takes content, which may be NULL: no memory. Then
   the run has failed, and false. */
bool cst_held_add(struct cst_cluster *cluster, uint64_t version,
                  struct cst_content *content, const char *path,
                  bool is_directory);
/* The version is gone here. */
void cst_held_forget(void *cluster_, uint64_t version);
void cst_held_release(struct cst_cluster *cluster);
/* Of node 0: it is what main's file holds, if it is one. */
void cst_held_root(struct cst_cluster *cluster, const struct cst_piece *piece);
/* ... main's file is to hold it. */
void cst_held_at_home(void *cluster_, const struct cst_piece *piece);
/* ... it is to be kept, for main's file will hold another. */
CASTELL_MUST_CHECK enum castell_status
cst_held_save(struct cst_cluster *cluster, uint64_t version);
/* The visit's access is a file; false: no memory. */
bool cst_visit_name_file(struct cst_visit *visit, uint32_t access,
                         const struct cst_message_access *from);
/* Its buffers are set. */
void cst_visit_files_fired(struct cst_cluster *cluster,
                           struct cst_visit *visit);
/* What its body has left is its outputs'. */
void cst_visit_files_made(struct cst_cluster *cluster, struct cst_visit *visit);

/* ---- carry.c: contents go from node to node ---------------------------------- */

/* False: the version is of no file. */
bool cst_carry_offer(struct cst_cluster *cluster, uint32_t to,
                     const struct cst_piece *piece);
/* OFFER to PIECE; false: it makes no sense. */
bool cst_carry_message(struct cst_cluster *cluster, uint32_t peer,
                       struct cst_reader *message);
void cst_carry_gone(struct cst_cluster *cluster, uint32_t peer);
void cst_carry_release(struct cst_cluster *cluster);

/* ---- link.c: the owner of the net --------------------------------------- */

struct cst_net_owner cst_cluster_owner(struct cst_cluster *cluster);
/* Send the message in cluster->out; in parts where it is long. */
void cst_cluster_send(struct cst_cluster *cluster, uint32_t to);
/* Tell the master two numbers: what they mean, message.h says. */
void cst_cluster_report(struct cst_cluster *cluster, enum cst_message what,
                        uint64_t first, uint64_t second);
/* Report the message in cluster->out to the master. */
void cst_cluster_send_payload(struct cst_cluster *cluster, uint32_t to,
                              const struct cst_rows *rows, uint64_t version);
void cst_cluster_release(struct cst_cluster *cluster);
/* A version has come, or will not. */
void cst_cluster_tell_arrived(struct cst_cluster *cluster, uint64_t version,
                              uint64_t duration_ns);
void cst_cluster_tell_not_come(struct cst_cluster *cluster, uint64_t version);
/* The store is told later that its sending is over. */
void cst_cluster_note_unsent(struct cst_cluster *cluster, uint64_t version);

/* Begin a message. */
static inline struct cst_writer *cst_begin(struct cst_cluster *cluster,
                                           enum cst_message what)
{
    cst_writer_clear(&cluster->out);
    cst_put_u8(&cluster->out, (uint8_t)what);
    return &cluster->out;
}

#endif
