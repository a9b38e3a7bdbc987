/*
 * grow_internal.h - the parts of grow for each other.
 *
 * Layer: grow, private.
 */
#ifndef CST_GROW_GROW_INTERNAL_H
#define CST_GROW_GROW_INTERNAL_H

#include "elastic/elastic.h"
#include "elastic/spec.h"
#include "grow/grow.h"
#include "slurm/slurm.h"
#include "trace/trace.h"
#include "watch/watch.h"

#include <stdatomic.h>

/* What becomes of a node that was asked for. */
enum cst_ticket_state {
    CST_TICKET_WAITS = 0,
    CST_TICKET_STARTED, /* its job has a node */
    CST_TICKET_HERE,    /* its worker has joined */
    CST_TICKET_GONE,    /* ... and left, but its job is not over */
};

struct cst_ticket {
    uint32_t id;
    uint32_t class;
    enum cst_ticket_state state;
    bool hopeless;
    bool cancelled;
    bool suspended;
    bool drains;
    bool seen; /* in this survey */
    uint32_t node;
    uint32_t cores;
    uint32_t minutes;
    double asked_s;
    double started_s; /* negative: not yet */
    double joined_s;
    double until_s;
    double idle_since_s; /* negative: it works */
    double drained_s;    /* when it was told to leave; or has left */
    char reason[CST_SLURM_TEXT_SIZE]; /* that SLURM says */
    char why[CST_ELASTIC_REASON_MAX]; /* it was asked for */
    char job[CST_SLURM_NAME_SIZE];
};

enum { CST_TEXTS_SIZE = 1400 };

struct cst_sorts {
    struct cst_sorts *before;
    struct cst_limits limits[CST_ELASTIC_CLASSES_MAX];
    bool learnt[CST_ELASTIC_CLASSES_MAX]; /* a node of it has come */
    char texts[CST_TEXTS_SIZE];           /* of the one learnt last */
};

/* Owner: its thread; `wanted` and `stop`: any. */
struct cst_grow {
    struct cst_cluster *cluster;
    struct cst_engine *engine;
    struct cst_port *port;
    const struct cst_limits *limits;
    struct cst_slurm *slurm;
    struct cst_trace *trace; /* or NULL */
    struct cst_elastic *policy;
    pthread_t thread;
    int bell; /* an eventfd: look at wanted and stop */
    _Atomic(bool) stop;
    _Atomic(uint32_t) wanted;
    uint32_t nodes_min;
    uint32_t nodes_max;
    double node_hours;
    bool expands; /* nodes become a part of the run's job, where they can */
    uint32_t classes_count;
    uint32_t open; /* bit c: class c was not given up */
    struct cst_elastic_spec specs[CST_ELASTIC_CLASSES_MAX];
    struct cst_elastic_class classes[CST_ELASTIC_CLASSES_MAX];
    /* What nodes of each class are like. The cluster reads them, so that what is
       learnt of a class is a new one; the old ones stay until the end. */
    struct cst_sorts *sorts;

    struct cst_ticket *tickets; /* those that are not over */
    size_t tickets_count;
    double over_s; /* what the others have cost */
    double now_s;
    double start_s;
    double end_s; /* of the run; HUGE_VAL */
    bool told_end;
    double unmeasured_since_s; /* negative: no such work */

    struct cst_cluster_survey survey;
    struct cst_elastic_work works[CST_PLAN_WORKS_MAX];
    struct cst_elastic_node *nodes;
    struct cst_elastic_request *requests;

    /* What others may see; written by the thread after each change. */
    struct cst_lock lock;
    struct cst_watch_request *shown; /* Guarded by: lock; their ages: when they
                                        were asked for */
    size_t shown_count;              /* ... this too */
    size_t shown_max;                /* Owner: the thread */
};

/* ---- settings.c -------------------------------------------------------------- */

/* What the environment says; nodes_max is 0: the run does not grow. */
CASTELL_MUST_CHECK enum castell_status cst_grow_settings(struct cst_grow *grow);

/* A node of a class has come: what it can give all of the class can. */
void cst_grow_learn(struct cst_grow *grow, uint32_t class, uint32_t node);

/* ---- book.c: tickets ---------------------------------------------------------- */

struct cst_ticket *cst_ticket_find(struct cst_grow *grow, uint32_t id);
/* False: no memory. */
bool cst_ticket_add(struct cst_grow *grow, uint32_t id,
                    const struct cst_elastic_action *action);
/* What SLURM says. */
void cst_book_hear(struct cst_grow *grow, const struct cst_slurm_event *event);
/* What the survey shows. */
void cst_book_see(struct cst_grow *grow);
/* What all tickets have cost so far. */
double cst_book_cost_s(const struct cst_grow *grow);

/* ---- show.c: who is told -------------------------------------------------------- */

/* Say in the trace what has become of a ticket; why may be NULL. */
void cst_grow_tell(const struct cst_grow *grow, const struct cst_ticket *ticket,
                   enum cst_trace_request_state state, const char *why);
/* Let others see the tickets as they are. */
void cst_grow_show(struct cst_grow *grow);
/* A sentence to the user, and to the trace. */
void cst_grow_say(const struct cst_grow *grow, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The run ends: what is still asked for is cancelled. */
void cst_grow_tell_end(const struct cst_grow *grow);

/* ---- turn.c ------------------------------------------------------------------- */

/* Ask the policy, and do what it says; returns after how long to look again. */
double cst_grow_turn(struct cst_grow *grow);

#endif
