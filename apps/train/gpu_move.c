/* Sums of gradients, and steps of weights, on a device. */
#include "train/gpu_net.h"
#include "train/kernels.h"

#include <math.h>

int gpu_net_add(const struct app_device *device, int count, real *to,
                const real *from)
{
    struct app_call call = {.count = 0};

    APP_PUT(&call, count);
    APP_PUT(&call, to);
    APP_PUT(&call, from);
    return device->launch(&kernels_move, "add", count, 1, &call);
}

int gpu_net_sgd(const struct app_device *device, const struct rates *rates,
                int count, const real *g, real *w, real *v)
{
    real momentum = (real)rates->momentum;
    real pull = (real)(rates->learning * rates->scale);
    real decay = (real)(rates->learning * rates->decay);
    struct app_call call = {.count = 0};

    APP_PUT(&call, count);
    APP_PUT(&call, momentum);
    APP_PUT(&call, pull);
    APP_PUT(&call, decay);
    APP_PUT(&call, g);
    APP_PUT(&call, w);
    APP_PUT(&call, v);
    return device->launch(&kernels_move, "sgd", count, 1, &call);
}

int gpu_net_adam(const struct app_device *device, const struct rates *rates,
                 int count, const real *g, real *w, real *m, real *v)
{
    real scale = (real)rates->scale;
    real decay = (real)(rates->learning * rates->decay);
    real first = (real)(rates->learning / (1 - pow(0.9, rates->step)));
    real second = (real)(1 / (1 - pow(0.999, rates->step)));
    struct app_call call = {.count = 0};

    APP_PUT(&call, count);
    APP_PUT(&call, scale);
    APP_PUT(&call, decay);
    APP_PUT(&call, first);
    APP_PUT(&call, second);
    APP_PUT(&call, g);
    APP_PUT(&call, w);
    APP_PUT(&call, m);
    APP_PUT(&call, v);
    return device->launch(&kernels_move, "adam", count, 1, &call);
}
