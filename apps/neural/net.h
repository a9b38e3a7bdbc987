/*
 * net.h - a network: layers one after another, and what they compute, without
 * tasks.
 *
 * All parameters are one array, layer by layer; gradients are arranged alike.
 * A layer reads what the one before it gave: for each sample `rows` rows of
 * `in` numbers, and gives rows of `out`. The first reads bytes. The loss is the
 * cross-entropy of the softmax of what the last one gives, a row for each label.
 *
 * Everything here may be called by any thread; nothing keeps a state. Results
 * depend on nothing but the arguments: the same bits on any number of cores.
 */
#ifndef APPS_NEURAL_NET_H
#define APPS_NEURAL_NET_H

#include "neural/real.h"

#include <stdbool.h>
#include <stdint.h>

enum { NET_LAYERS_MAX = 96, NET_CLASSES_MAX = 256 };

enum layer_kind {
    LAYER_PIXELS, /* bytes as numbers of mean 0 and variance 1, or near */
    LAYER_EMBED,  /* a vector for the byte and one for its position, added */
    LAYER_DENSE,  /* a matrix and a bias */
    LAYER_RELU,   /* max(x, 0) */
    LAYER_GELU,   /* x times a sigmoid, in place of erf: Hendrycks, Gimpel */
    LAYER_CONV,   /* 3 x 3, edges padded with 0; rows are pixels */
    LAYER_POOL,   /* the largest of 2 x 2 pixels */
    LAYER_NORM,   /* rows of mean 0 and variance 1, then scaled and shifted */
    LAYER_ATTENTION, /* from queries, keys and values to rows; causal */
    LAYER_ADD,       /* adds what an earlier layer gave */
};

struct layer {
    enum layer_kind kind;
    int rows, in, out;
    int side;  /* of the square that rows are: conv, pool */
    int heads; /* attention */
    int skip;  /* add: the earlier layer */
    int first; /* of its parameters */
    int parameters;
    int units; /* numbers that the layers before it give of a sample */
};

struct net {
    int layers;
    int parameters;
    int sample, labels; /* bytes of a sample, how many labels it has */
    int classes;
    int tile;  /* samples that are computed together */
    int units; /* numbers that its layers give of a sample */
    int cut;   /* layers from this one on have gradients first; 0: nothing is
                  gained by that */
    struct layer layer[NET_LAYERS_MAX];
};

/* Samples: `count` times net->sample bytes and net->labels labels. */
struct net_samples {
    int count;
    const uint8_t *bytes, *labels;
};

/* How a network does on some samples. */
struct net_score {
    double loss; /* summed over labels */
    long labels, right;
};

/*
 * Build a network for samples of `sample` bytes. `shape` is a list of numbers:
 *   net_mlp          sizes of the hidden layers
 *   net_cnn          channels of two convolutions, size of the hidden layer;
 *                    samples are square images
 *   net_transformer  width, heads, blocks; a label for each byte
 * Return NULL, or what is wrong with the shape: "takes ...".
 */
const char *net_mlp(struct net *net, const char *shape, int sample,
                    int classes);
const char *net_cnn(struct net *net, const char *shape, int sample,
                    int classes);
const char *net_transformer(struct net *net, const char *shape, int sample);

/* Random weights (He et al. 2015), biases of 0. */
void net_start(const struct net *net, uint64_t seed, real *ret_weights);

/* How many reals the functions below need as scratch memory. */
long net_memory(const struct net *net);

/*
 * What the last layer gives for up to net->tile samples, a row for each label:
 * in the scratch memory.
 */
const real *net_forward(const struct net *net, const real *weights,
                        const uint8_t *bytes, int count, real *memory);

/* Add the gradient of the sum of the samples' losses; returns that sum. */
double net_gradient(const struct net *net, const real *weights,
                    const struct net_samples *samples, real *memory,
                    real *gradient);

/*
 * The same in two parts, of a network with a cut. The first gives the gradient of
 * the layers from the cut on, which can be used while the second computes the
 * rest. `kept`, of net_kept() reals, is all that it needs of so many samples.
 */
long net_kept(const struct net *net, int samples);
int net_cut_parameters(const struct net *net); /* of the layers below it */
double net_gradient_above(const struct net *net, const real *weights,
                          const struct net_samples *samples, real *memory,
                          real *kept, real *gradient);
void net_gradient_below(const struct net *net, const real *weights, int samples,
                        const real *kept, real *memory, real *gradient);

/* The score; confusion[label * classes + answer] is counted up, when there. */
struct net_score net_score(const struct net *net, const real *weights,
                           const struct net_samples *samples, real *memory,
                           long *confusion);

#endif
