/*
 * model.h - a network in a file that numpy.load() reads: an uncompressed .npz.
 *
 * It is a ZIP archive of arrays in NumPy's .npy format (version 1.0, C order,
 * little endian): first `network`, bytes, a line of text that says what the
 * network is, as "mlp 256,128 784 10": its kind, its shape, the bytes of a
 * sample, the classes; then for each layer with parameters, by its number,
 * `04_dense_weights` (in x out) and `04_dense_bias` (out), float32; a
 * convolution's weights are 9 in x out, an embedding's are `_bytes` (256 x
 * width) and `_positions`, a normalisation's `_scale` and `_shift`.
 *
 * Called by the main thread. What goes wrong ends the program with a sentence.
 */
#ifndef APPS_TRAIN_MODEL_H
#define APPS_TRAIN_MODEL_H

#include "neural/net.h"

enum { MODEL_SHAPE_SIZE = 256 };

/* How a network is built. */
struct model {
    char kind[16]; /* "mlp", "cnn", "transformer" */
    char shape[MODEL_SHAPE_SIZE];
    int sample, classes;
};

/* Build it; ends the program when the shape is none. */
void model_build(const struct model *model, struct net *ret_net);

void model_save(const char *path, const struct model *model,
                const struct net *net, const float *weights);

/* What the file says of its network; then its weights, net->parameters. */
void model_describe(const char *path, struct model *ret_model);
void model_load(const char *path, const struct net *net, float *ret_weights);

#endif
