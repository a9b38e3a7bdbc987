/*
 * optimiser.h - how weights move, and how far: SGD with momentum and Adam, on
 * any piece of the parameters, and schedules of the learning rate.
 *
 * Everything may be called by any thread.
 */
#ifndef APPS_NEURAL_OPTIMISER_H
#define APPS_NEURAL_OPTIMISER_H

#include "neural/real.h"

enum optimiser { OPTIMISER_SGD, OPTIMISER_ADAM };
enum schedule { SCHEDULE_CONSTANT, SCHEDULE_COSINE, SCHEDULE_STEP };

/* How far one step goes. */
struct rates {
    double learning;
    double scale;    /* of the gradient: 1 / the labels that it sums over */
    double momentum; /* SGD */
    double decay;    /* towards 0, of each weight */
    int step;        /* the number of this step, from 1: Adam */
};

/*
 * v = momentum v - learning (scale g + decay w); w += v
 */
void optimiser_sgd(const struct rates *rates, int count, const real *g, real *w,
                   real *v);

/* Kingma and Ba (2015) with Loshchilov and Hutter's decay (2019); beta are 0.9
   and 0.999. */
void optimiser_adam(const struct rates *rates, int count, const real *g,
                    real *w, real *m, real *v);

/*
 * The learning rate, as a share of the highest, when `epoch` (with a fraction)
 * of `epochs` are over. It rises over the first `warmup` epochs; then it stays,
 * falls along a cosine, or falls to a tenth after 3/5 and 4/5 of the epochs.
 */
double schedule_share(enum schedule schedule, double epoch, double epochs,
                      double warmup);

#endif
