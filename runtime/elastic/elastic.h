/*
 * elastic.h - when a run asks for more nodes, and when it gives them back.
 *
 * Layer: elastic. May include base. Pure: no thread, lock, clock or I/O; knows
 * nothing of SLURM, tasks or members. All times are seconds of one clock, which
 * the owner reads; all work is in core-seconds.
 *
 *   1. What may be had    3. What is to be done
 *   2. What there is      4. The policy
 *
 * Owner: whoever calls; one thread at a time.
 *
 * The model (README.md has it in full). Work of an amount W is done by C cores;
 * a further node comes after T, costs S (it is paid for from when its job has
 * it, S before its first task) and, once idle, is kept for I, the time after
 * which keeping it has cost as much as getting it again would: I = S, which is
 * never worse than twice the best choice in hindsight (ski rental: Karlin,
 * Manasse, Rudolph and Sleator, "Competitive snoopy caching", 1988). So a node
 * that works for B costs (S + I + B) / B of its work. To bound that, one is
 * asked for only when it will work for B >= (S + I) / overhead; of n nodes with
 * c cores each, all together, B = (W - C T) / (C + n c), from which the largest
 * n follows at once. When W <= C T the work is done before a node comes, and
 * none is asked for.
 */
#ifndef CST_ELASTIC_ELASTIC_H
#define CST_ELASTIC_ELASTIC_H

#include "castell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CST_ELASTIC_CLASSES_MAX = 16,
    CST_ELASTIC_SORTS_MAX = 32,
    CST_ELASTIC_REASON_MAX = 200, /* with its end */
    CST_ELASTIC_NODES_MAX = 4096, /* of a run */
};

/* ---- 1. What may be had --------------------------------------------------- */

/*
 * A class is a sort of node that can be asked for. Sorts up to the number of
 * classes are these; further ones are of nodes that the run began with, as far
 * as they differ in what they can run.
 */
struct cst_elastic_class {
    const char *name;   /* kept */
    double cores;       /* that a node is thought to have; of usual speed */
    uint32_t nodes_max; /* at a time; 0: as many as the run may have */
    uint32_t minutes;   /* what its time limit is, but where the run ends before
                           or less is paid for; 0: as is useful */
    double arrival_s;  /* from asking until it can work, while nothing is known;
                            0: 5 */
    double start_s;    /* ... of that, what is paid for; 0: 0.5 */
    double deadline_s; /* no request waits longer; 0: 600 */
};

struct cst_elastic_options {
    const struct cst_elastic_class *classes; /* at least one, in order of
                                                preference */
    uint32_t classes_count;
    uint32_t nodes_max;   /* of the run, with those that it began with */
    double node_hours;    /* that nodes that were asked for may cost in all;
                             0: any */
    double overhead;      /* the share of its work that a node may cost beside
                             it; 0: 0.15 */
    double idle_s;        /* how long an idle node is kept; 0: what is learnt */
    uint32_t minutes_min; /* no time limit is shorter, but the last; 0: 10 */
};

/* ---- 2. What there is ------------------------------------------------------ */

/* Work that the same sorts of node can do. What runs keeps cores busy, but
   further nodes do nothing for it. */
struct cst_elastic_work {
    uint32_t sorts;   /* bit s: nodes of sort s */
    double core_s;    /* that have not begun */
    double width;     /* cores that these could use at once */
    double running_s; /* core-seconds that are left of what runs */
    double running;   /* cores on which it runs */
    double task_s;    /* how long one of its tasks takes */
    const char *what; /* a name for it, in sentences */
};

struct cst_elastic_node {
    uint32_t number; /* the run's name for it */
    uint32_t sort;
    bool extra;  /* it was asked for: it may be given back */
    bool leaves; /* it is being drained: it does nothing more */
    bool stands; /* SLURM has suspended it, or it is silent */
    double cores;
    double joined_s;
    double idle_since_s; /* negative: it works, or has work */
    double until_s;      /* its time limit; HUGE_VAL: none */
};

/* One node that was asked for and is not here. */
struct cst_elastic_request {
    uint32_t id; /* the owner's name for it */
    uint32_t class;
    bool started;       /* its job has a node: it is paid for */
    bool hopeless;      /* it will never start, as SLURM says why */
    bool cancelled;     /* that was done, and it is not over */
    double asked_s;     /* when */
    double started_s;   /* if so */
    double until_s;     /* the end of its time limit, if started */
    uint32_t minutes;   /* its time limit; 0: not known */
    const char *reason; /* why it waits; "": not known */
};

struct cst_elastic_snapshot {
    double now_s;
    double end_s; /* of the run itself; HUGE_VAL: none */
    double
        used_node_s; /* that nodes that were asked for have cost so far, those
                           that are here with it */
    uint32_t nodes_min; /* as many are always wanted */
    const struct cst_elastic_work *work;
    size_t work_count;
    const struct cst_elastic_node *nodes;
    size_t nodes_count;
    const struct cst_elastic_request *requests;
    size_t requests_count;
};

/* ---- 3. What is to be done -------------------------------------------------- */

enum cst_elastic_what {
    CST_ELASTIC_REQUEST = 1, /* `nodes` of `class`, for `minutes` */
    CST_ELASTIC_CANCEL,      /* request `id` */
    CST_ELASTIC_DRAIN,       /* node `id` */
    CST_ELASTIC_GIVE_UP,     /* no more of `class` will be asked for */
    CST_ELASTIC_SAY,         /* only the reason, to the user */
};

struct cst_elastic_action {
    enum cst_elastic_what what;
    uint32_t class;
    uint32_t nodes;
    uint32_t minutes;
    uint32_t id;
    char reason[CST_ELASTIC_REASON_MAX];
};

/* ---- 4. The policy ----------------------------------------------------------- */

struct cst_elastic;

/*
 * Fails with CASTELL_ERR_INVALID (no class, too many, a limit that makes no
 * sense) or CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_elastic_create(const struct cst_elastic_options *options,
                   struct cst_elastic **ret_elastic);
void cst_elastic_destroy(struct cst_elastic *elastic);

/*
 * What is to be done now, at most actions_max things; returns how many. Each is
 * said once: the owner does it, and the next snapshot shows that. *ret_again_s is
 * how long nothing else will come of the same snapshot but for the time.
 */
size_t cst_elastic_step(struct cst_elastic *elastic,
                        const struct cst_elastic_snapshot *snapshot,
                        struct cst_elastic_action *actions, size_t actions_max,
                        double *ret_again_s);

/* ---- What it learns ----------------------------------------------------- */

/* A node of the class of that number came: its job began waited_s after it was asked for, and it could work
   started_s after that. */
void cst_elastic_arrived(struct cst_elastic *elastic, uint32_t number,
                         double waited_s, double started_s, double cores);

/* One was refused, with this sentence: the class is given up, unless nodes of it
   have come before; then it is left alone for a while. */
void cst_elastic_refused(struct cst_elastic *elastic, uint32_t number,
                         double now_s, const char *sentence);

/* One ended, not as it was meant to, before it could work. After a few in a row
   the class is given up. */
void cst_elastic_failed(struct cst_elastic *elastic, uint32_t number,
                        double now_s, const char *sentence);

/* A node took so long from the order to leave until its job was over. */
void cst_elastic_left(struct cst_elastic *elastic, double took_s);

/* Has it been given up? Then says why, in *ret_why, if that is not NULL. */
bool cst_elastic_given_up(const struct cst_elastic *elastic, uint32_t class,
                          const char **ret_why);

/* How long a node of the class is thought to take, and to be kept idle. */
double cst_elastic_arrival_s(const struct cst_elastic *elastic, uint32_t class);
double cst_elastic_idle_s(const struct cst_elastic *elastic, uint32_t class);

#endif
