#include "train/net.h"

#include "common/app.h"

#include <castell.h>
#include <cblas.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool net_shape(int inputs, const char *hidden, int outputs, struct net *ret_net)
{
    struct net net = {.layers = 0, .size = {inputs}};
    long parameters = 0;
    long work = inputs;
    int widest = inputs;
    bool more = true;

    while (more) {
        char *end;
        long size = strtol(hidden, &end, 10);

        more = *end == ',';
        if (end == hidden || (*end && !more) || size < 1 || size > 65536 ||
            net.layers + 2 > NET_LAYERS_MAX)
            return false;
        net.size[++net.layers] = (int)size;
        hidden = end + 1;
    }
    net.size[++net.layers] = outputs;
    for (int l = 1; l <= net.layers; l++) {
        parameters += (net.size[l - 1] + 1L) * net.size[l];
        work += net.size[l];
        widest = net.size[l] > widest ? net.size[l] : widest;
    }
    if (parameters > INT_MAX / 8)
        return false;
    net.parameters = (int)parameters;
    net.work_size = (int)work + widest;
    *ret_net = net;
    return true;
}

void net_start(const struct net *net, uint64_t seed, float *ret_weights)
{
    uint64_t state = seed;
    float *w = ret_weights;

    for (int l = 1; l <= net->layers; l++) {
        long count = (long)net->size[l - 1] * net->size[l];
        double scale = sqrt(6.0 / net->size[l - 1]);

        for (long i = 0; i < count; i++)
            *w++ = (float)((2 * app_random_real(&state) - 1) * scale);
        for (int i = 0; i < net->size[l]; i++)
            *w++ = 0;
    }
}

/* ---- Many images at a time, on BLAS ------------------------------------- */

/* Where things are in the scratch memory of `count` images: the units of each
   layer, one row an image, and room for one more layer. */
struct work {
    float *units[NET_LAYERS_MAX + 1];
    float *spare;
};

static struct work work_of(const struct net *net, int count, float *memory)
{
    struct work work;

    for (int l = 0; l <= net->layers; l++) {
        work.units[l] = memory;
        memory += (long)count * net->size[l];
    }
    work.spare = memory;
    return work;
}

/* A pixel as a number of mean 0 and variance 1, or near that. */
static float input(uint8_t pixel)
{
    return ((float)pixel - 73) / 90;
}

static void gather(const struct net *net, const struct net_data *data,
                   int image, float *into)
{
    int pixels = net->size[0];
    const uint8_t *from = data->pixels + (long)image * pixels;

    for (int i = 0; i < pixels; i++)
        into[i] = input(from[i]);
}

/* From the inputs in work->units[0] to what the output layer says. */
static void forward(const struct net *net, const float *weights, int count,
                    const struct work *work)
{
    const float *w = weights;

    for (int l = 1; l <= net->layers; l++) {
        int inputs = net->size[l - 1];
        int outputs = net->size[l];
        const float *bias = w + (long)inputs * outputs;
        float *z = work->units[l];

        for (int i = 0; i < count; i++)
            memcpy(z + (long)i * outputs, bias, sizeof(*z) * (size_t)outputs);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, count, outputs,
                    inputs, 1, work->units[l - 1], inputs, w, outputs, 1, z,
                    outputs);
        for (long i = 0; l < net->layers && i < (long)count * outputs; i++)
            z[i] = z[i] > 0 ? z[i] : 0;
        w = bias + outputs;
    }
}

/* z becomes the derivative of the loss by z; returns the loss. */
static double softmax_loss(float *z, int count, int label)
{
    float most = z[0];
    float sum = 0;
    double loss;

    for (int i = 1; i < count; i++)
        most = z[i] > most ? z[i] : most;
    loss = (double)(most - z[label]);
    for (int i = 0; i < count; i++) {
        z[i] = expf(z[i] - most);
        sum += z[i];
    }
    for (int i = 0; i < count; i++)
        z[i] /= sum;
    z[label] -= 1;
    return loss + log((double)fmaxf(sum, 1)); /* the largest gave 1 */
}

/* From the derivatives by the last layer's units to those by all weights. */
static void backward(const struct net *net, const float *weights, int count,
                     const struct work *work, float *gradient)
{
    const float *w = weights + net->parameters;
    float *g = gradient + net->parameters;

    for (int l = net->layers; l >= 1; l--) {
        int inputs = net->size[l - 1];
        int outputs = net->size[l];
        float *z = work->units[l - 1];
        const float *dz = work->units[l];

        w -= (inputs + 1L) * outputs;
        g -= outputs;
        memset(g, 0, sizeof(*g) * (size_t)outputs);
        for (int i = 0; i < count; i++)
            cblas_saxpy(outputs, 1, dz + (long)i * outputs, 1, g, 1);
        g -= (long)inputs * outputs;
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, inputs, outputs,
                    count, 1, z, inputs, dz, outputs, 0, g, outputs);
        if (l == 1)
            break;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count, inputs,
                    outputs, 1, dz, outputs, w, outputs, 0, work->spare,
                    inputs);
        for (long i = 0; i < (long)count * inputs; i++)
            z[i] = z[i] > 0 ? work->spare[i] : 0;
    }
}

double net_gradient(const struct net *net, const float *weights,
                    const struct net_data *data, const int *order, int count,
                    float *work, float *ret_gradient)
{
    struct work places = work_of(net, count, work);
    int outputs = net->size[net->layers];
    double loss = 0;

    for (int i = 0; i < count; i++)
        gather(net, data, order[i], places.units[0] + (long)i * net->size[0]);
    forward(net, weights, count, &places);
    for (int i = 0; i < count; i++)
        loss += softmax_loss(places.units[net->layers] + (long)i * outputs,
                             outputs, data->labels[order[i]]);
    backward(net, weights, count, &places, ret_gradient);
    return loss;
}

long net_correct(const struct net *net, const float *weights,
                 const struct net_data *data, int first, int count, float *work)
{
    struct work places = work_of(net, count, work);
    int outputs = net->size[net->layers];
    long correct = 0;

    for (int i = 0; i < count; i++)
        gather(net, data, first + i, places.units[0] + (long)i * net->size[0]);
    forward(net, weights, count, &places);
    for (int i = 0; i < count; i++) {
        const float *z = places.units[net->layers] + (long)i * outputs;
        int best = 0;

        for (int c = 1; c < outputs; c++)
            best = z[c] > z[best] ? c : best;
        correct += best == data->labels[first + i];
    }
    return correct;
}

/* ---- One image, by plain loops ------------------------------------------ */

/* units[l] is the l-th layer's part of units; also makes the memory. */
static double *plain_layers(const struct net *net,
                            double *units[NET_LAYERS_MAX + 1])
{
    double *memory = app_alloc(net->work_size, sizeof(*memory));

    units[0] = memory;
    for (int l = 1; l <= net->layers; l++)
        units[l] = units[l - 1] + net->size[l - 1];
    return memory;
}

static void plain_forward(const struct net *net, const float *weights,
                          double *const *units)
{
    for (int l = 1; l <= net->layers; l++) {
        int inputs = net->size[l - 1];
        int outputs = net->size[l];

        for (int o = 0; o < outputs; o++) {
            double z = (double)weights[(long)inputs * outputs + o];

            for (int i = 0; i < inputs; i++)
                z += units[l - 1][i] * (double)weights[(long)i * outputs + o];
            units[l][o] = z > 0 || l == net->layers ? z : 0;
        }
        weights += (inputs + 1L) * outputs;
    }
}

/* Of one layer: adds to gradient; z, the units before it, become
   derivatives. */
static void plain_layer_backward(int inputs, int outputs, const float *weights,
                                 const double *dz, double *z, double *gradient)
{
    for (int o = 0; o < outputs; o++)
        gradient[(long)inputs * outputs + o] += dz[o];
    for (int i = 0; i < inputs; i++) {
        double sum = 0;

        for (int o = 0; o < outputs; o++) {
            gradient[(long)i * outputs + o] += z[i] * dz[o];
            sum += (double)weights[(long)i * outputs + o] * dz[o];
        }
        z[i] = z[i] > 0 ? sum : 0;
    }
}

void net_plain_gradient(const struct net *net, const float *weights,
                        const struct net_data *data, int image,
                        double *gradient)
{
    int outputs = net->size[net->layers];
    double *units[NET_LAYERS_MAX + 1] = {NULL};
    double *memory = plain_layers(net, units);
    double *z = units[net->layers];
    double sum = 0;

    for (int i = 0; i < net->size[0]; i++)
        units[0][i] =
            (double)input(data->pixels[(long)image * net->size[0] + i]);
    plain_forward(net, weights, units);
    for (int o = 0; o < outputs; o++)
        sum += exp(z[o]);
    for (int o = 0; o < outputs; o++)
        z[o] = exp(z[o]) / sum - (o == data->labels[image]);

    weights += net->parameters;
    gradient += net->parameters;
    for (int l = net->layers; l >= 1; l--) {
        long count = (net->size[l - 1] + 1L) * net->size[l];

        weights -= count;
        gradient -= count;
        plain_layer_backward(net->size[l - 1], net->size[l], weights, units[l],
                             units[l - 1], gradient);
    }
    castell_free(memory);
}
