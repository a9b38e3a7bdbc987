/*
 * tickets.h - every ticket of a run, what is known of it, and what to ask next.
 *
 * Layer: slurm, private. Pure: it runs no command and reads no clock. The
 * helper asks it for an *errand*, runs that one command, and tells what came of
 * it; so a test can be SLURM.
 *
 * Tickets that were asked for together are a *batch*: one sbatch, and a name
 * that no other job has. A batch is
 *   QUEUED   sbatch has not been called
 *   SENT     it has, and what it said is not known: it may have submitted
 *   KNOWN    there is a job, or was
 *   GHOST    was given up without an answer
 * and a ticket of a KNOWN batch is where SLURM says that it is. A ticket is over
 * once ENDED or REFUSED was told; a batch goes with the last of its tickets. But
 * one that was given up because SLURM did not tell of it is watched as long as
 * the run goes on, and a job that turns up all the same is cancelled.
 *
 * Owner: the caller.
 */
#ifndef CST_SLURM_TICKETS_H
#define CST_SLURM_TICKETS_H

#include "slurm/answer.h"
#include "slurm/expand.h"
#include "slurm/slurm.h"
#include "slurm/words.h"

#include <stdbool.h>
#include <stdint.h>

enum cst_batch_state {
    CST_BATCH_QUEUED = 0,
    CST_BATCH_SENT,
    CST_BATCH_KNOWN,
    CST_BATCH_GHOST,
};

struct cst_batch {
    enum cst_batch_state state;
    uint32_t first;
    uint32_t count;
    uint32_t minutes;
    uint32_t left;     /* tickets that are not over */
    uint64_t since_ns; /* of the state */
    uint32_t looks;    /* good ones that saw no job of it, since then */
    bool watched;      /* a ticket of it was given up unseen */
    bool piece;        /* of an array that was refused as a whole */
    bool adopted;      /* another helper may have asked for it */
    bool grown;        /* its node becomes a part of the run's own job */
    bool merged;       /* ... has become that: its job is over */
    char *options;
};

struct cst_ticket {
    uint32_t id;
    uint32_t first;            /* of its batch */
    enum cst_slurm_state told; /* 0: nothing */
    enum cst_answer_state is;  /* as last seen */
    bool cancel;               /* is to be cancelled */
    bool asked;                /* by our owner, not by us */
    bool over;
    bool haunts;        /* over, and its job was seen since */
    bool seen;          /* in the look that is being read */
    uint32_t missing;   /* good looks in a row that did not see it */
    enum cst_part part; /* of a grown batch */
    uint64_t part_ns;
    uint64_t since_ns;
    uint64_t cancelled_ns;         /* when scancel was last called; 0: never */
    uint64_t end_ns;               /* of its time limit; UINT64_MAX: unknown */
    char job[CST_SLURM_NAME_SIZE]; /* or step, to be cancelled; "": none */
    char nodes[CST_SLURM_NAME_SIZE];
    char reason[CST_SLURM_NAME_SIZE];
};

enum cst_errand_kind {
    CST_ERRAND_NONE = 0,
    CST_ERRAND_SUBMIT,
    CST_ERRAND_LOOK,
    CST_ERRAND_CANCEL,
    CST_ERRAND_OWN,
    /* Of grown batches: */
    CST_ERRAND_SITE,
    CST_ERRAND_SELF,
    CST_ERRAND_MERGE,
    CST_ERRAND_START,
    CST_ERRAND_STEPS,
    CST_ERRAND_NAMES,
    CST_ERRAND_SHRINK,
};

/* A command, and what it is for. */
struct cst_errand {
    enum cst_errand_kind kind;
    uint32_t first; /* SUBMIT, MERGE, START: the batch */
    struct cst_list command;
    char *input; /* for its standard input, or NULL */
};

/* What came of it. Texts have an end, and are cut when they are too long. */
struct cst_errand_answer {
    bool timed_out;
    int status; /* as of a shell; 127: there is no such command */
    const char *output;
    const char *errors;
};

/* Owner: the caller. */
struct cst_tickets_options {
    const char *run_dir;
    const char *run;     /* a word that no other run has */
    const char *own_job; /* NULL: none */
    uint32_t user;
    uint64_t look_ns;
    bool expand; /* make the run's own job larger, where that can be done */
    void (*tell)(void *owner, const struct cst_slurm_event *event);
    void *owner;
};

struct cst_tickets {
    struct cst_tickets_options options;
    struct cst_batch *batches;
    size_t batches_count;
    size_t batches_capacity;
    struct cst_ticket *tickets;
    size_t tickets_count;
    size_t tickets_capacity;
    bool closed;       /* all is to be cancelled */
    bool silent;       /* SLURM does not answer */
    uint64_t look_ns;  /* when to look again */
    uint64_t own_ns;   /* when to look at our own job again */
    uint64_t probe_ns; /* while silent: when to try again */
    uint64_t own_end_ns;
    struct cst_expand expand;
};

void cst_tickets_init(struct cst_tickets *tickets,
                      const struct cst_tickets_options *options);
void cst_tickets_release(struct cst_tickets *tickets);

/* Ask for a batch (or, where nodes become a part of the run's job, for so many of
   one ticket each), cancel a ticket; both are done by errands to come. */
CASTELL_MUST_CHECK enum castell_status
cst_tickets_add(struct cst_tickets *tickets, uint32_t first, uint32_t count,
                uint32_t minutes, const char *options);
void cst_tickets_cancel(struct cst_tickets *tickets, uint32_t id);

/* A batch that somebody else has asked for, or wanted to: it is found by its
   name, or ENDED is told. */
CASTELL_MUST_CHECK enum castell_status
cst_tickets_adopt(struct cst_tickets *tickets, uint32_t first, uint32_t count,
                  uint64_t now_ns);

/* Has the command said all that is waited for, though it goes on? */
bool cst_tickets_is_enough(const struct cst_errand *errand, const char *errors);

/* The run is over: all tickets are cancelled, no more are asked for. */
void cst_tickets_close(struct cst_tickets *tickets);

/* Is nothing left that could run, as far as can be known? */
bool cst_tickets_done(const struct cst_tickets *tickets);

/*
 * What to do now; kind CST_ERRAND_NONE when it is nothing, and *ret_wake_ns
 * says when it may be something. One errand at a time: each is answered before
 * the next is asked for, and released.
 */
void cst_tickets_errand(struct cst_tickets *tickets, uint64_t now_ns,
                        struct cst_errand *ret_errand, uint64_t *ret_wake_ns);
void cst_errand_release(struct cst_errand *errand);

void cst_tickets_answer(struct cst_tickets *tickets, uint64_t now_ns,
                        const struct cst_errand *errand,
                        const struct cst_errand_answer *answer);

/* ---- For each other ------------------------------------------------------ */

struct cst_ticket *cst_tickets_find(struct cst_tickets *tickets, uint32_t id);

struct cst_batch *cst_tickets_batch(struct cst_tickets *tickets,
                                    uint32_t first);

/* Memory for so many more. */
bool cst_tickets_make_room(struct cst_tickets *tickets, size_t batches,
                           size_t more_tickets);

/* Tell of a ticket; after ENDED and REFUSED it is over. Of all: OWN. */
void cst_tickets_tell(struct cst_tickets *tickets, struct cst_ticket *ticket,
                      enum cst_slurm_state state, uint64_t now_ns,
                      const char *text);
void cst_tickets_tell_all(struct cst_tickets *tickets,
                          enum cst_slurm_state state, uint32_t seconds_left,
                          const char *text);

/* Tell REFUSED (or ENDED, where it was adopted) of each ticket that is not
   over. */
void cst_tickets_refuse(struct cst_tickets *tickets,
                        const struct cst_batch *batch, uint64_t now_ns,
                        const char *text);

/* Forget batches of which nothing can come any more, and their tickets. */
void cst_tickets_sweep(struct cst_tickets *tickets);

/* "castell-RUN-FIRST"; of a grown batch "castell-RUN-part-FIRST" */
void cst_tickets_name(const struct cst_tickets *tickets,
                      const struct cst_batch *batch, char *ret_name,
                      size_t size);

/* The batch of that name, or NULL. What was adopted may be of either sort. */
struct cst_batch *cst_tickets_find_named(struct cst_tickets *tickets,
                                         const char *name);

/* An answer that is none. */
bool cst_tickets_is_silence(const struct cst_errand_answer *answer);
void cst_tickets_be_silent(struct cst_tickets *tickets, uint64_t now_ns,
                           const struct cst_errand_answer *answer);

/* A text in quotes, as one word of a shell; NULL: no memory. */
char *cst_errand_quote(const char *text);

/*
 * The features that every node has which SLURM could give: "a,b" of "a&b". Where
 * it may choose ("a|b") the node itself must know. NULL: none, or no memory.
 */
char *cst_errand_features(const char *options);

#endif
