/*
 * measure.h - what the times of a run come to, and what limited it.
 *
 * Layer: measure. May include base and history. One thread; what it makes does
 * not change.
 */
#ifndef CST_MEASURE_MEASURE_H
#define CST_MEASURE_MEASURE_H

#include "history/history.h"

/* Where the time of cores went while there were tasks. */
enum cst_measure_use {
    CST_USE_BODIES = 0,
    CST_USE_PROGRAM,   /* main() itself ran on a core */
    CST_USE_RUNTIME,   /* a core was free and a task ready for it */
    CST_USE_DATA,      /* tasks were there that waited for data to come */
    CST_USE_IMBALANCE, /* tasks were ready, on other nodes */
    CST_USE_PARALLEL,  /* unfinished tasks waited for others */
    CST_USE_NOTHING,   /* there was no task */
    CST_USES_COUNT,
};

/* What the end of the run waited for, from its last task back to its start. */
enum cst_measure_cause {
    CST_CAUSE_BODY = 0,
    CST_CAUSE_CORE,    /* it was ready, and waited for a core */
    CST_CAUSE_DATA,    /* its inputs came from another node */
    CST_CAUSE_RUNTIME, /* what it waited for was done, and it was not ready */
    CST_CAUSE_PROGRAM, /* main() had not submitted it */
    CST_CAUSES_COUNT,
};

struct cst_measure_kind {
    bool used;      /* by tasks of the program's */
    uint64_t count; /* of attempts */
    uint64_t total_ns;
    uint64_t median_ns;
    uint64_t p99_ns;
    uint64_t most_ns;
    uint64_t *nodes; /* attempts on each node */
};

struct cst_measure {
    const struct cst_history *history;
    uint64_t tasks;
    uint64_t kinds_used; /* by them */
    uint64_t attempts;
    uint64_t failed;
    uint64_t cancelled;
    uint64_t retried;    /* attempts after one that failed */
    uint64_t recomputed; /* done before, and once more */
    uint64_t lost_nodes;
    uint64_t cores;
    uint64_t begin_ns; /* the first task was submitted */
    uint64_t end_ns;   /* the last was complete */
    double use_ns[CST_USES_COUNT];
    uint64_t cause_ns[CST_CAUSES_COUNT];
    uint64_t critical_ns;           /* the longest chain of bodies */
    uint64_t critical_tasks;        /* in it */
    bool *critical;                 /* is each task in it? */
    double *node_busy_ns;           /* of each node */
    struct cst_measure_kind *kinds; /* and one for those without */
    uint64_t bytes_moved;
    uint64_t *bytes; /* from x nodes_count + to */
    uint64_t *moves; /* likewise */
};

CASTELL_MUST_CHECK enum castell_status
cst_measure_create(const struct cst_history *history,
                   struct cst_measure **ret_measure);
void cst_measure_destroy(struct cst_measure *measure);

/* sweep.c: fill in where the time of cores went. */
CASTELL_MUST_CHECK enum castell_status
cst_measure_sweep(struct cst_measure *measure);

/* chain.c: the critical path, and what the end waited for. */
CASTELL_MUST_CHECK enum castell_status
cst_measure_chain(struct cst_measure *measure);

/*
 * What a task waited for last, of those that came before it: the one that was
 * complete last, or NONE when it was submitted later than that.
 */
uint32_t cst_measure_waited(const struct cst_history *history, uint32_t index,
                            const struct cst_history_attempt *attempt);

/* say.c: the n-th sentence about the run; false when there is none. */
enum { CST_SENTENCE_SIZE = 512 };
bool cst_measure_sentence(const struct cst_measure *measure, int number,
                          char text[CST_SENTENCE_SIZE]);

/* "1.25 ms", "3.1 GB". */
enum { CST_SAY_SIZE = 32 };
const char *cst_say_time(double ns, char text[CST_SAY_SIZE]);
const char *cst_say_bytes(double bytes, char text[CST_SAY_SIZE]);

#endif
