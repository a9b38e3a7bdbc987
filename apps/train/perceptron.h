/*
 * perceptron.h - what a perceptron computes on a device, as bodies enqueue it.
 *
 * All numbers between layers are in `work`, which is of perceptron_work() numbers:
 * what each layer reads and gives, and behind that the derivatives by it. All pointers
 * are those that a body got. All functions return 0, or what a body returns that has
 * failed.
 */
#ifndef APPS_TRAIN_PERCEPTRON_H
#define APPS_TRAIN_PERCEPTRON_H

#include "common/kernel.h"
#include "neural/optimiser.h"

#include <stdint.h>

enum { PERCEPTRON_SIZES_MAX = 18 };

/* As bodies get it: by value, for what they read is on a device. size[0] are the
   bytes of a sample, the last one is how many classes. */
struct perceptron {
    int layers;
    int size[PERCEPTRON_SIZES_MAX];
};

long perceptron_work(const struct perceptron *net, int rows);

/* Samples on the device: which of all, and the loss of each; who computes is noted
   for main(). */
struct perceptron_samples {
    int rows;
    const uint8_t *bytes;
    const uint8_t *labels;
    const int *order;
    real *losses;
    uint32_t *who;
    uint32_t process;
    uint32_t executor;
};

int perceptron_forward(const struct app_device *device,
                       const struct perceptron *net,
                       const struct perceptron_samples *samples,
                       const real *weights, real *work);
int perceptron_backward(const struct app_device *device,
                        const struct perceptron *net, int rows,
                        const real *weights, real *work, real *gradient);

/* to += from */
int perceptron_add(const struct app_device *device, int count, real *to,
                   const real *from);

/* As optimiser_sgd() and optimiser_adam(). */
int perceptron_sgd(const struct app_device *device, const struct rates *rates,
                   int count, const real *g, real *w, real *v);
int perceptron_adam(const struct app_device *device, const struct rates *rates,
                    int count, const real *g, real *w, real *m, real *v);

#endif
