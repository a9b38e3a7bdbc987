#include "train/perceptron.h"

#include "train/kernels.h"

#include <math.h>

/* Where a layer's numbers are in `work`, and its parameters among all: weights,
   then the bias. */
struct place {
    long x, y, dx, dy;
    long first, bias;
};

static struct place place_of(const struct perceptron *net, int rows, int layer)
{
    struct place place = {.dx = perceptron_work(net, rows) / 2};

    for (int i = 0; i < layer; i++) {
        place.x += (long)rows * net->size[i];
        place.first += ((long)net->size[i] + 1) * net->size[i + 1];
    }
    place.y = place.x + (long)rows * net->size[layer];
    place.dy = place.dx + place.y;
    place.dx += place.x;
    place.bias = place.first + (long)net->size[layer] * net->size[layer + 1];
    return place;
}

long perceptron_work(const struct perceptron *net, int rows)
{
    long all = 0;

    for (int i = 0; i <= net->layers; i++)
        all += (long)rows * net->size[i];
    return 2 * all;
}

/* ---- Forward ------------------------------------------------------------- */

static int dense(const struct app_device *device, const struct perceptron *net,
                 int rows, int layer, const real *weights, real *work)
{
    struct place at = place_of(net, rows, layer);
    int in = net->size[layer];
    int out = net->size[layer + 1];
    int relu = layer < net->layers - 1;
    int adds = device->multiply == NULL;
    struct app_call call = {.count = 0};

    /* By rows, which is the transposed product by columns. */
    if (device->multiply &&
        device->multiply(&(struct app_product){.m = out, .n = rows, .k = in},
                         weights + at.first, work + at.x, work + at.y))
        return 1;
    APP_PUT(&call, rows);
    APP_PUT(&call, in);
    APP_PUT(&call, out);
    APP_PUT(&call, relu);
    APP_PUT(&call, adds);
    APP_PUT(&call, weights);
    APP_PUT(&call, at.first);
    APP_PUT(&call, work);
    APP_PUT(&call, at.x);
    APP_PUT(&call, at.y);
    return device->launch(&kernels_forward, "dense", out, rows, &call);
}

static int loss(const struct app_device *device, const struct perceptron *net,
                const struct perceptron_samples *samples, real *work)
{
    struct place last = place_of(net, samples->rows, net->layers - 1);
    struct app_call call = {.count = 0};

    APP_PUT(&call, samples->rows);
    APP_PUT(&call, net->size[net->layers]);
    APP_PUT(&call, samples->labels);
    APP_PUT(&call, samples->order);
    APP_PUT(&call, samples->process);
    APP_PUT(&call, samples->executor);
    APP_PUT(&call, work);
    APP_PUT(&call, last.y);
    APP_PUT(&call, last.dy);
    APP_PUT(&call, samples->losses);
    APP_PUT(&call, samples->who);
    return device->launch(&kernels_loss, "loss", samples->rows, 1, &call);
}

int perceptron_forward(const struct app_device *device,
                       const struct perceptron *net,
                       const struct perceptron_samples *samples,
                       const real *weights, real *work)
{
    struct app_call pixels = {.count = 0};

    APP_PUT(&pixels, samples->rows);
    APP_PUT(&pixels, net->size[0]);
    APP_PUT(&pixels, samples->bytes);
    APP_PUT(&pixels, samples->order);
    APP_PUT(&pixels, work);
    if (device->launch(&kernels_forward, "pixels", net->size[0], samples->rows,
                       &pixels))
        return 1;
    for (int i = 0; i < net->layers; i++)
        if (dense(device, net, samples->rows, i, weights, work))
            return 1;
    return loss(device, net, samples, work);
}

/* ---- Backward ------------------------------------------------------------ */

static int by_weights(const struct app_device *device,
                      const struct perceptron *net, int rows, int layer,
                      real *work, real *gradient)
{
    struct place at = place_of(net, rows, layer);
    int in = net->size[layer];
    int out = net->size[layer + 1];
    int first = device->multiply ? in : 0; /* what is left to the kernel */
    struct app_call call = {.count = 0};

    if (device->multiply &&
        device->multiply(
            &(struct app_product){.m = out, .n = in, .k = rows, .b_turned = 1},
            work + at.dy, work + at.x, gradient + at.first))
        return 1;
    APP_PUT(&call, rows);
    APP_PUT(&call, in);
    APP_PUT(&call, out);
    APP_PUT(&call, first);
    APP_PUT(&call, work);
    APP_PUT(&call, at.x);
    APP_PUT(&call, at.dy);
    APP_PUT(&call, gradient);
    APP_PUT(&call, at.first);
    return device->launch(&kernels_backward, "by_weights", out, in + 1 - first,
                          &call);
}

static int by_input(const struct app_device *device,
                    const struct perceptron *net, int rows, int layer,
                    const real *weights, real *work)
{
    struct place at = place_of(net, rows, layer);
    int in = net->size[layer];
    int out = net->size[layer + 1];
    int adds = device->multiply == NULL;
    struct app_call call = {.count = 0};

    if (device->multiply &&
        device->multiply(
            &(struct app_product){.m = in, .n = rows, .k = out, .a_turned = 1},
            weights + at.first, work + at.dy, work + at.dx))
        return 1;
    APP_PUT(&call, rows);
    APP_PUT(&call, in);
    APP_PUT(&call, out);
    APP_PUT(&call, adds);
    APP_PUT(&call, weights);
    APP_PUT(&call, at.first);
    APP_PUT(&call, work);
    APP_PUT(&call, at.x);
    APP_PUT(&call, at.dy);
    APP_PUT(&call, at.dx);
    return device->launch(&kernels_backward, "by_input", in, rows, &call);
}

int perceptron_backward(const struct app_device *device,
                        const struct perceptron *net, int rows,
                        const real *weights, real *work, real *gradient)
{
    for (int i = net->layers - 1; i >= 0; i--) {
        if (by_weights(device, net, rows, i, work, gradient))
            return 1;
        if (i > 0 && by_input(device, net, rows, i, weights, work))
            return 1;
    }
    return 0;
}

/* ---- Sums and steps -------------------------------------------------------- */

int perceptron_add(const struct app_device *device, int count, real *to,
                   const real *from)
{
    struct app_call call = {.count = 0};

    APP_PUT(&call, count);
    APP_PUT(&call, to);
    APP_PUT(&call, from);
    return device->launch(&kernels_move, "add", count, 1, &call);
}

int perceptron_sgd(const struct app_device *device, const struct rates *rates,
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

int perceptron_adam(const struct app_device *device, const struct rates *rates,
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
