/*
 * expand.h - nodes that become a part of the run's own job.
 *
 * Layer: slurm, private. Pure, as tickets.h, of which it is a part.
 *
 * A batch that is `grown` is one ticket. It goes
 *   salloc --dependency=expand:X   a job Y with a node and without a step
 *   scontrol update Y NumNodes=0   the node is X's, and Y is over
 *   srun -w NODE in X              the worker, as a step that has Y's name
 * and when that step is over the node is a *spare*: it is given back, or is used
 * by the next ticket with the same options.
 *
 * Owner: the caller, as of struct cst_tickets.
 */
#ifndef CST_SLURM_EXPAND_H
#define CST_SLURM_EXPAND_H

#include "slurm/slurm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cst_batch;
struct cst_errand;
struct cst_errand_answer;
struct cst_ticket;
struct cst_tickets;

/* Can the run's job be made larger? */
enum cst_expand_state {
    CST_EXPAND_OFF = 0, /* no: each node is a job of its own */
    CST_EXPAND_SITE,    /* the site's settings are to be asked for */
    CST_EXPAND_SELF,    /* then what the job is like */
    CST_EXPAND_ON,
};

/* How far a ticket of a grown batch is. */
enum cst_part {
    CST_PART_NONE = 0,
    CST_PART_GRANTED, /* Y has a node */
    CST_PART_MERGING, /* it was asked for, and not answered */
    CST_PART_MERGED,  /* the node is ours, the worker is not started */
    CST_PART_STARTED,
    CST_PART_SEEN, /* its step was seen */
};

struct cst_spare {
    char node[CST_SLURM_NAME_SIZE];
    char *options; /* that it was asked for with; NULL: not to be used again */
};

struct cst_expand {
    enum cst_expand_state state;
    bool site_has_gres;
    bool binds; /* srun knows --cpu-bind */
    bool keeps; /* SLURM takes no node out of the job */
    bool fresh; /* `nodes` is as SLURM has it */
    uint32_t cores;
    char *nodes; /* of the job, as SLURM writes them */
    char *rest;  /* without the spares; NULL: is to be made */
    char *words; /* options of salloc, so that Y is like X */
    struct cst_spare *spares;
    size_t spares_count;
    size_t spares_capacity;
    uint64_t steps_ns; /* when to look at the steps again */
};

void cst_expand_release(struct cst_expand *expand);

/* Make the errand that comes next, if there is one. */
bool cst_expand_errand(struct cst_tickets *tickets, uint64_t now_ns,
                       struct cst_errand *ret_errand);
/* ... and otherwise when there may be one. */
uint64_t cst_expand_wake(const struct cst_tickets *tickets);

void cst_expand_answer(struct cst_tickets *tickets, uint64_t now_ns,
                       const struct cst_errand *errand,
                       const struct cst_errand_answer *answer);

/* salloc has refused; true: its batch is asked for as a job of its own. */
bool cst_expand_refused(struct cst_tickets *tickets, struct cst_batch *batch,
                        const char *text);

/* A look has seen Y: it runs; it is over. False: it is over as any other. */
void cst_expand_runs(struct cst_ticket *ticket);
bool cst_expand_over(struct cst_tickets *tickets, struct cst_ticket *ticket,
                     uint64_t now_ns, const char *word);

/* Is there no node to be given back? */
bool cst_expand_done(const struct cst_tickets *tickets);

/* ---- For each other ------------------------------------------------------ */

/* From now on each node is a job of its own; those that came stay. */
void cst_expand_stop(struct cst_tickets *tickets, const char *why);

/* The node is the run's, and its worker is to be started, or has been. */
void cst_expand_merged(struct cst_tickets *tickets, struct cst_ticket *ticket,
                       enum cst_part part, uint64_t now_ns);

/* Its worker is not there any more (bad: it never was): the node is a spare. */
void cst_expand_leave(struct cst_tickets *tickets, struct cst_ticket *ticket,
                      uint64_t now_ns, bool good);

void cst_expand_drop_spare(struct cst_expand *expand, size_t i);
void cst_expand_forget_rest(struct cst_expand *expand);

/* Until the next look at the steps. */
uint64_t cst_expand_pause(const struct cst_tickets *tickets);

#endif
