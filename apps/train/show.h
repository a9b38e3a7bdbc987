/*
 * show.h - what a person, or another program, sees of training: a line for each
 * epoch, one that changes on a terminal, metrics as lines of JSON, marks in the
 * trace, a confusion matrix.
 *
 * Called by the main thread.
 */
#ifndef APPS_TRAIN_SHOW_H
#define APPS_TRAIN_SHOW_H

#include "train/model.h"
#include "train/trainer.h"

#include <stdio.h>

struct show {
    FILE *metrics; /* or NULL */
    const char *metrics_path;
    int epochs;
    double shown;             /* when the line changed */
    double marked;            /* share of the training that marks tell */
    struct trainer_news last; /* end of an epoch */
};

/* metrics is the file's name, or NULL; resumed: it goes on. */
void show_begin(struct show *show, const char *metrics,
                const struct model *model, const struct trainer *t,
                bool resumed);

/* For trainer.tell: the context is the struct show. */
void show_news(void *context, const struct trainer_news *news);

/* Of a test, the loss and what is known: "test 0.3512, 87.31 %". */
void show_score(const struct net_score *score, char *text, size_t size);

/* Labels down, answers across. */
void show_confusion(const long *confusion, int classes);

/* The last line of metrics. */
void show_end(struct show *show, const struct net_score *test,
              uint64_t curve_sum, uint64_t model_sum);

#endif
