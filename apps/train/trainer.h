/*
 * trainer.h - training by tasks.
 *
 * Main's thread calls everything here. A step is some tasks; main() submits up
 * to TRAINER_WINDOW steps before it looks at the loss of the first of them.
 */
#ifndef APPS_TRAIN_TRAINER_H
#define APPS_TRAIN_TRAINER_H

#include "train/model.h"
#include "train/tasks.h"

#include <stdbool.h>

enum { TRAINER_WINDOW = 8 };

/* What is asked for. */
struct training {
    int epochs, batch, shard;
    enum optimiser optimiser;
    enum schedule schedule;
    double rate, momentum, decay, warmup;
    uint64_t seed;
    const char *save; /* a directory for checkpoints, or NULL */
    int save_every;   /* steps */
    bool resume;      /* go on from the last of them */
    bool overlap;     /* in two tasks for each shard: learn_above(), _below() */
    bool gpu;         /* on devices: gpu.h */
    const struct model *model; /* of the network: for devices */
};

/* What is told of an epoch, or of the part of it that is over. */
struct trainer_news {
    int epoch;          /* from 1 */
    double share;       /* of it */
    double done;        /* share of the training that is over */
    double loss;        /* mean of a label */
    double step_loss;   /* of the last step */
    double rate;        /* of the last step */
    double seconds;     /* since the training began */
    double speed;       /* samples a second, of this epoch */
    int workers, cores; /* that computed the last steps */
    bool ends;
    struct net_score test; /* when it ends */
    const long *confusion; /* the same; NULL where there are many classes */
    int classes;
};

struct trainer {
    struct net *net;
    struct data train, test;
    struct training how;
    int shards; /* of a batch */
    int pieces; /* of the parameters */
    real *weights;
    real *first, *second;    /* what the optimiser keeps */
    real *gradient;          /* of a batch, summed up; 0 between steps; on
                                devices, of each of its shards */
    struct gpu *gpu;         /* what devices need, or NULL */
    struct learned *learned; /* of each step in the window, each shard */
    struct learned *seen;    /* main's copy of those it has waited for */
    uint8_t *bytes, *labels; /* the same, when samples are in files */
    real *kept;     /* the same: between the two tasks of a shard, or NULL */
    long kept_room; /* of each */
    int cells;               /* of a confusion matrix; 1: there is none */
    struct net_score *tested[TRAINER_WINDOW]; /* of each part, in turn */
    uint8_t *test_bytes, *test_labels;
    long *confusion[TRAINER_WINDOW];
    void (*tell)(void *context, const struct trainer_news *news);
    void *context;
    double *curve;       /* the loss of each step */
    long steps;          /* in it */
    struct saved *saved; /* NULL: nothing is */
    bool stopped;        /* it was asked to, and has saved what there is */
};

/* The data and the network are the trainer's from now on. net is
   castell_alloc()'s. */
void trainer_init(struct trainer *t, struct net *net, struct data *train,
                  struct data *test, const struct training *how);
void trainer_release(struct trainer *t);

/* Where a piece of the parameters begins: none is on both sides of the cut. */
int trainer_piece(const struct trainer *t, int piece);

/* Steps of an epoch; tasks that test. */
int trainer_steps(const struct trainer *t);
int trainer_test_parts(const struct trainer *t);

/*
 * Begin to save, and with how.resume go on from what was saved, of a model
 * described by this text. Returns the step that is next: 0 at the beginning.
 */
long trainer_resume(struct trainer *t, const char *model);

/* All epochs, from a step on; or until it is asked to stop. */
void trainer_run(struct trainer *t, long step);

/* The score on the test set; counts go to confusion, when there are few
   classes: NULL else. Both stay valid until the trainer is released. */
struct net_score trainer_test(struct trainer *t, const long **ret_confusion);

/*
 * Compare the slope of the loss of the first samples along their gradient,
 * computed by tasks, with the loss itself on both sides: the difference of
 * both, as a share.
 */
double trainer_verify(struct trainer *t);

#endif
