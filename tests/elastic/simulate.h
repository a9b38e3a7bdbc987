/*
 * simulate.h - a day of bursty work on a cluster with a queue, in virtual time.
 *
 * A burst is a number of tasks of one core each that come at once. Nodes are
 * asked for, wait in the queue for a random time, start, join, work, and end:
 * some never start, some are refused, some start and never join, some die. A
 * policy says when to ask and what to give back; four are compared.
 */
#ifndef CST_TEST_ELASTIC_SIMULATE_H
#define CST_TEST_ELASTIC_SIMULATE_H

#include "elastic/elastic.h"

#include <stdbool.h>
#include <stdint.h>

enum simulate_policy {
    SIMULATE_OURS = 0,
    SIMULATE_FIXED,  /* nodes_min all the time */
    SIMULATE_COMPSS, /* as published: looks every 2 s, one node at a time, the
                        time to create one is taken for 30 s at least */
};

/* Each time is drawn around the one that is given. */
struct simulate_day {
    uint64_t seed;
    enum simulate_policy policy;
    double hours;       /* in which bursts come */
    double patience_s;  /* what is not done so long after that never is */
    double gap_s;       /* between bursts, the mean */
    double burst_s;     /* node-seconds of a burst, the median */
    double task_s;      /* of a task, the median over bursts */
    double queue_s;     /* the median */
    double queue_sigma; /* 0: always the median */
    double boot_s;      /* from when a job starts until its worker has joined */
    double trouble;     /* the share of requests that come to a bad end */
    double gpu_share;   /* of bursts that only nodes of class 1 can run */
    uint32_t classes_count;
    uint32_t class_max; /* of class 1; 0: any */
    uint32_t cores;     /* of each node */
    uint32_t nodes_min;
    uint32_t nodes_max;
    double node_hours; /* 0: any */
    double end_s;      /* the time limit of the run; 0: none */
};

struct simulate_result {
    double work_s;  /* node-seconds of tasks that have run */
    double paid_s;  /* node-seconds of all nodes */
    double extra_s; /* ... of those that were asked for */
    double base_s;  /* ... of the others */
    double burst_s; /* from the coming of a burst to its end, the mean */
    double end_s;   /* of the last task */
    uint32_t bursts;
    uint32_t tasks;
    uint32_t undone; /* tasks */
    double still_s;  /* how long none of those that were not done has been */
    uint32_t asked;  /* nodes */
    uint32_t joined;
    uint32_t cancelled;
    uint32_t given_up;  /* classes */
    const char *broken; /* an invariant that did not hold, or NULL */
};

struct simulate_result simulate(const struct simulate_day *day);

#endif
