/*
 * net.h - a multi-layer perceptron: its numbers, without tasks.
 *
 * All weights and biases are one array of floats, layer by layer: a matrix of
 * inputs x outputs, row-major, then the biases. Gradients are arranged alike.
 * Hidden units are rectified linear; the loss is softmax cross-entropy.
 *
 * Everything here is called by any thread; nothing keeps a state. Results
 * depend on nothing but the arguments, so they are the same bits on any number
 * of cores.
 */
#ifndef APPS_TRAIN_NET_H
#define APPS_TRAIN_NET_H

#include <stdbool.h>
#include <stdint.h>

enum { NET_LAYERS_MAX = 8 };

struct net {
    int layers;                   /* of weights */
    int size[NET_LAYERS_MAX + 1]; /* of inputs, of hidden layers, of outputs */
    int parameters;               /* weights and biases in all */
    int work_size;                /* floats of scratch memory for one image */
};

/* The labelled images of one set. */
struct net_data {
    int count;
    const uint8_t *pixels; /* count rows of net.size[0] */
    const uint8_t *labels;
};

/*
 * Make the shape: inputs, hidden layers as in "256,128", outputs. Returns false
 * when `hidden` is no such list, or the network too large to count in an int.
 */
bool net_shape(int inputs, const char *hidden, int outputs,
               struct net *ret_net);

/* Random weights (He et al. 2015), biases of 0. */
void net_start(const struct net *net, uint64_t seed, float *ret_weights);

/*
 * The sum of the gradients of the images order[0 .. count), and of their
 * losses. work has room for count * net->work_size floats.
 */
double net_gradient(const struct net *net, const float *weights,
                    const struct net_data *data, const int *order, int count,
                    float *work, float *ret_gradient);

/* How many of the images first .. first + count the network knows. work as
   above. */
long net_correct(const struct net *net, const float *weights,
                 const struct net_data *data, int first, int count,
                 float *work);

/* The gradient of one image by plain loops in double precision, added to
   gradient: slow, and too simple to be wrong. */
void net_plain_gradient(const struct net *net, const float *weights,
                        const struct net_data *data, int image,
                        double *gradient);

#endif
