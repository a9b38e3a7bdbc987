/*
 * cluster_internal.h - what the files of cluster/ share.
 */
#ifndef CST_CLUSTER_CLUSTER_INTERNAL_H
#define CST_CLUSTER_CLUSTER_INTERNAL_H

#include "base/lock.h"
#include "base/map.h"
#include "cluster/cluster.h"
#include "cluster/message.h"
#include "net/net.h"
#include "plan/plan.h"
#include "sched/declare.h"
#include "store/store.h"

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
    struct cst_path *paths;
    struct cst_lead *lead; /* it leads a gang */
};

/* Memory that main has freed, and that is not released yet. */
struct cst_freed {
    struct cst_freed *next;
    void *memory;
    size_t size;
};

/* Cores and so on that are kept here for a gang; see gang.c. */
struct cst_berth;

/* The name of a file that a task's access is. */
struct cst_path {
    struct cst_path *next;
    uint32_t access;
    char text[];
};

/* A node of the run, as the master knows it. */
struct cst_member {
    struct cst_member *next;
    uint32_t number;
    struct cst_message_hello hello;
};

/* Things to be told when nobody is in the way: plan calls us from its middle. */
enum cst_later { CST_LATER_ENDED, CST_LATER_FORGET, CST_LATER_GRANTED };

struct cst_later_item {
    struct cst_task *task;
    enum cst_later what;
    enum cst_plan_end end;
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
    struct cst_map kinds;  /* struct cst_kind, by hash of the name */
    struct cst_kind fold_kind;
    struct cst_kind berth_kind;
    struct cst_berth *berths;
    uint64_t *unsent; /* versions whose sending was over, or failed, at once */
    size_t unsent_count;
    size_t unsent_max;
    struct cst_incoming *incoming;
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
    bool failed;               /* the plan was told that the run has failed */
    uint64_t cancels;          /* of groups, that the plan was told of */
    struct cst_lock members_lock;
    struct cst_member *members;

    /* The trace, or NULL; see story.c. */
    struct cst_trace *trace;
    uint64_t asked_ns; /* when the master was asked for the time */
    uint32_t answers;  /* that it gave */

    /* The thread. */
    pthread_t thread;
    bool has_thread;
    _Atomic(bool) stop;
    _Atomic(bool) called; /* it is to poll: others do no more */
    _Atomic(uint32_t) resting;
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
/* recall.c: take back a task that has not been started, if there is one; NULL
   if not. */
struct cst_visit *cst_node_withdraw(struct cst_cluster *cluster, uint64_t id,
                                    uint32_t attempt);
void cst_node_recall(struct cst_cluster *cluster, uint64_t id,
                     uint32_t attempt);
void cst_node_cancel(struct cst_cluster *cluster, uint64_t id,
                     uint32_t attempt);
void cst_visit_destroy(struct cst_cluster *cluster, struct cst_visit *visit);

/* ---- gang.c: tasks that several nodes run together ------------------------ */

void cst_gang_init(struct cst_cluster *cluster);
void cst_gang_release(struct cst_cluster *cluster);
/* The visit leads one; false: no memory. */
bool cst_lead_add(struct cst_visit *visit);
void cst_lead_free(struct cst_visit *visit);
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
void cst_order_muster(void *cluster_, uint32_t node, uint64_t id,
                      uint32_t attempt, const uint32_t *others,
                      uint32_t others_count);
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

/* ---- cluster.c ------------------------------------------------------------ */

/* All that tasks wrote is home: release what can be. */
void cst_cluster_release_freed(struct cst_cluster *cluster);

/* ---- order.c: what the plan orders; struct cst_plan_ops ----------------- */

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

/* ---- path.c: accesses that are files -------------------------------------- */

/* Keep the name; false: no memory. */
bool cst_path_add(struct cst_visit *visit, uint32_t access,
                  const struct cst_message_access *from);
void cst_paths_free(struct cst_visit *visit);
/* Give the names to the body, when its buffers are set. */
void cst_paths_apply(struct cst_visit *visit);

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

/* Begin a message. */
static inline struct cst_writer *cst_begin(struct cst_cluster *cluster,
                                           enum cst_message what)
{
    cst_writer_clear(&cluster->out);
    cst_put_u8(&cluster->out, (uint8_t)what);
    return &cluster->out;
}

#endif
