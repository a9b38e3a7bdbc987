/*
 * saved.h - a training as checkpoints, and going on with it.
 *
 * Main's thread calls everything here. What is saved is what the tasks of the
 * steps so far leave, and what main() has seen of them, which is less: the last
 * TRAINER_WINDOW steps are still being computed. So nobody waits.
 */
#ifndef APPS_TRAIN_SAVED_H
#define APPS_TRAIN_SAVED_H

#include "train/trainer.h"

/* What main() knows. */
struct saved_progress {
    long curve_steps; /* of the loss curve */
    double loss;      /* of this epoch so far */
    long labels;
    double seconds, epoch_seconds;
};

struct saved;

/* Checkpoints of this training, in its directory; of others it takes none. */
struct saved *saved_begin(struct trainer *t, const char *model);
void saved_end(struct saved *saved);

/* Go on from the last one; returns the step that is next, 0: there is none. */
long saved_restore(struct saved *saved, struct trainer *t);
const struct saved_progress *saved_progress(const struct saved *saved);

/* Save before that step; it is on disk when saved_wait() returns. */
void saved_make(struct saved *saved, const struct trainer *t,
                const struct saved_progress *progress, long step);
void saved_wait(struct saved *saved);

#endif
