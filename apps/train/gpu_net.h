/*
 * gpu_net.h - what a network computes on a device, as bodies enqueue it.
 *
 * All pointers are those that a body got. What layers give, the derivatives by that
 * and room for one layer's own are in `work`. All functions return 0, or what a body
 * returns that has failed.
 */
#ifndef APPS_TRAIN_GPU_NET_H
#define APPS_TRAIN_GPU_NET_H

#include "common/kernel.h"
#include "neural/net.h"
#include "neural/optimiser.h"

/* A network at work on some samples, of which `order` says which of all they are. */
struct gpu_net {
    const struct app_device *device;
    const struct net *net;
    int count;
    const uint8_t *bytes;
    const uint8_t *labels;
    const int *order;
    const real *weights;
    real *work; /* gpu_net_work() numbers */
};

long gpu_net_work(const struct net *net, int count);

/* The loss of each label, and who computes: noted for main(). */
struct gpu_losses {
    real *losses;
    uint32_t *who;
    uint32_t process;
    uint32_t executor;
};

int gpu_net_forward(const struct gpu_net *at, const struct gpu_losses *to);

/* The gradient of the sum of these losses; all of it is overwritten. */
int gpu_net_backward(const struct gpu_net *at, real *gradient);

/* to += from */
int gpu_net_add(const struct app_device *device, int count, real *to,
                const real *from);

/* As optimiser_sgd() and optimiser_adam(). */
int gpu_net_sgd(const struct app_device *device, const struct rates *rates,
                int count, const real *g, real *w, real *v);
int gpu_net_adam(const struct app_device *device, const struct rates *rates,
                 int count, const real *g, real *w, real *m, real *v);

#endif
