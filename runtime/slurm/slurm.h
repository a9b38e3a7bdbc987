/*
 * slurm.h - ask SLURM for more nodes while a run goes on, and give them back.
 *
 * Layer: slurm. May include base and wire. Knows nothing of tasks, members or
 * policy: who wants a node says so, and hears what becomes of it.
 *
 * SLURM's commands block for seconds when its controller is busy or away, so
 * none is called here: a helper process (`castell helper`) calls them, with a
 * time-out for each. It outlives the master, sees it end, and then cancels all
 * that is left: no job of a run stays behind. Nothing here waits for it but
 * cst_slurm_create() (for a process to start, milliseconds) and
 * cst_slurm_destroy() (for the last jobs to be cancelled, with a bound).
 *
 * A *ticket* is one node that was asked for: one job of SLURM, or one element
 * of a job array; or, with `expand`, a node that is added to the run's own job. Its number, from 1 up, is never used again in a run; the
 * worker that the job starts finds it in the environment (CST_SLURM_TICKET).
 *
 * Owner: one thread; the functions that need no struct cst_slurm, any thread.
 */
#ifndef CST_SLURM_SLURM_H
#define CST_SLURM_SLURM_H

#include "castell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In a worker's environment: the number of the ticket that it came by. */
#define CST_SLURM_TICKET "CASTELL_TICKET"

/* In the run's directory: a program that starts one more worker. Its arguments
   are the number of the ticket, and the features ("a,b", or "") that the options
   promise of the node. */
#define CST_SLURM_WORKER "worker"

/* There too, with the ticket's number behind it: what such a worker prints. */
#define CST_SLURM_OUTPUT "output."
#define CST_SLURM_ERRORS "errors."

enum {
    CST_SLURM_OWN = 0, /* the ticket that stands for the run's own job */
    CST_SLURM_NODES_MAX = 1000, /* in one request: arrays are limited to that */
    CST_SLURM_OPTIONS_MAX = 2000, /* bytes of the options for sbatch */
    CST_SLURM_NAME_SIZE = 128,
    CST_SLURM_TEXT_SIZE = 400,
};

#define CST_SLURM_UNLIMITED UINT32_MAX /* of seconds that are left */

struct cst_slurm;

struct cst_slurm_options {
    const char *run_dir; /* which the nodes of the cluster see too */
    const char *castell; /* path of the program that has `helper` */
    uint32_t command_ms; /* when a command is given up; 0: 20 s */
    uint32_t look_ms;    /* the shortest time between two looks; 0: 500 */
    bool expand; /* nodes become a part of the job that we are in, where SLURM
                    does that; else each is a job of its own */
};

/*
 * What becomes of a ticket. PENDING may come again and again, as the reason
 * changes; after ENDED or REFUSED nothing more is said of that ticket.
 */
enum cst_slurm_state {
    CST_SLURM_PENDING = 1, /* in the queue; text: SLURM's reason */
    CST_SLURM_RUNNING,     /* its job has a node, so the worker may come */
    CST_SLURM_SUSPENDED,   /* stopped by SLURM: it is silent, not dead */
    CST_SLURM_RESUMED,
    CST_SLURM_REQUEUED, /* by somebody; it is cancelled, ENDED follows */
    CST_SLURM_ENDED,    /* had a job; text: why that is over */
    CST_SLURM_REFUSED,  /* never had one; text: what SLURM said */
    /* Of ticket CST_SLURM_OWN only: */
    CST_SLURM_OWN_JOB,   /* how long the run's own job may go on */
    CST_SLURM_SILENT,    /* SLURM does not answer; text: what it says */
    CST_SLURM_ANSWERS,   /* again */
    CST_SLURM_JOBS_ONLY, /* our job is not made larger; text: a sentence */
    CST_SLURM_KEEPS,     /* ... or not smaller again; text: a sentence */
    CST_SLURM_HELPED,    /* the helper was killed, and another one started */
};

struct cst_slurm_event {
    uint32_t id; /* the ticket */
    enum cst_slurm_state state;
    bool hopeless;         /* PENDING for a reason that does not go away */
    bool cancelled;        /* ENDED: as cst_slurm_cancel() asked for it */
    uint32_t seconds_left; /* RUNNING, RESUMED, OWN_JOB: of the time limit; it
                              comes again when that has been changed */
    char job[CST_SLURM_NAME_SIZE];   /* SLURM's number of it, "13" or "13_2" */
    char nodes[CST_SLURM_NAME_SIZE]; /* the node's name, where it has one */
    char text[CST_SLURM_TEXT_SIZE];  /* one line, without an end */
};

/*
 * Start the helper. The environment that it gets is the caller's, without what
 * SLURM and MPI have put there.
 * Fails with CASTELL_ERR_INVALID (no sbatch in PATH, no way to start a worker
 * in the run's directory) or CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status
cst_slurm_create(const struct cst_slurm_options *options,
                 struct cst_slurm **ret_slurm);

/*
 * Cancel all jobs of the run that are left, wait for that a few seconds at
 * most (the helper goes on without us), and free. NULL is allowed.
 */
void cst_slurm_destroy(struct cst_slurm *slurm);

/* A descriptor that is readable when cst_slurm_next() has something; another one
   when that has been called. */
int cst_slurm_fd(const struct cst_slurm *slurm);

/*
 * Ask for `nodes` nodes, each with the time limit `minutes` (0: as the options
 * or the partition have it). The tickets are *ret_id, *ret_id + 1, and so on;
 * each lives and ends by itself. `sbatch_options` are those of a shell: words,
 * quoted where they must be; "" is allowed.
 * Fails with CASTELL_ERR_INVALID (as cst_slurm_check_options() does, or 0 or
 * too many nodes) or CASTELL_ERR_SYSTEM (the helper is gone).
 */
CASTELL_MUST_CHECK enum castell_status
cst_slurm_request(struct cst_slurm *slurm, const char *sbatch_options,
                  uint32_t nodes, uint32_t minutes, uint32_t *ret_id);

/* Cancel a ticket, whatever it has come to; ENDED or REFUSED follows. */
void cst_slurm_cancel(struct cst_slurm *slurm, uint32_t id);

/*
 * The next event; false when there is none now. When the helper is gone (it
 * was killed), another one is started, and finds the jobs by their names; what
 * the first was told and had not done yet is over (ENDED). When that happens too
 * often every ticket that was left gets ENDED or REFUSED, once: then no more
 * nodes come, and those that are here stay.
 */
bool cst_slurm_next(struct cst_slurm *slurm, struct cst_slurm_event *ret_event);

/* ---- Without a helper ---------------------------------------------------- */

/*
 * Can these be options of sbatch for such a ticket? Not those that say how many
 * nodes, what is run, or under which name: these are ours.
 * Fails with CASTELL_ERR_INVALID.
 */
CASTELL_MUST_CHECK enum castell_status
cst_slurm_check_options(const char *sbatch_options);

/*
 * ... and of a node that becomes a part of the run's own job? Fails as the one
 * above, and for what SLURM is known to refuse: GPUs, --exclusive, another
 * partition.
 */
CASTELL_MUST_CHECK enum castell_status
cst_slurm_check_expansion(const char *sbatch_options);

/* The helper's main(): `castell helper`. argv[0] is "helper". */
int cst_slurm_helper_main(char **argv);

/* Names of the states, "PENDING" and so on. */
const char *cst_slurm_state_name(enum cst_slurm_state state);

#endif
