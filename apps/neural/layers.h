/*
 * layers.h - each kind of layer: what it computes, and derivatives.
 *
 * x is what the layer reads of `count` samples, y what it gives. Backwards, dy
 * are the derivatives of the loss by y; dx those by x, overwritten, or NULL when
 * nobody wants them; gradient those by the layer's parameters, to which they
 * are added. Everything may be called by any thread.
 */
#ifndef APPS_NEURAL_LAYERS_H
#define APPS_NEURAL_LAYERS_H

#include "neural/net.h"

/* A layer at work on some samples. */
struct layer_work {
    const struct layer *layer;
    const real *weights;  /* the layer's */
    const uint8_t *bytes; /* in place of x, of the first layer */
    int count;
    real *scratch; /* layer_scratch() of it */
};

/* How many numbers a layer reads and gives of each sample. */
int layer_reads(const struct layer *layer);
int layer_gives(const struct layer *layer);

/* Numbers of scratch memory for any count. */
long layer_scratch(const struct layer *layer);

void layer_forward(const struct layer_work *work, const real *x, real *y);
void layer_backward(const struct layer_work *work, const real *x, const real *y,
                    const real *dy, real *dx, real *gradient);

/* Those that are files of their own. */
long conv_scratch(const struct layer *layer);
void conv_forward(const struct layer_work *work, const real *x, real *y);
void conv_backward(const struct layer_work *work, const real *x, const real *dy,
                   real *dx, real *gradient);
void pool_forward(const struct layer_work *work, const real *x, real *y);
void pool_backward(const struct layer_work *work, const real *x, const real *y,
                   const real *dy, real *dx);
void norm_forward(const struct layer_work *work, const real *x, real *y);
void norm_backward(const struct layer_work *work, const real *x, const real *dy,
                   real *dx, real *gradient);
long attention_scratch(const struct layer *layer);
void attention_forward(const struct layer_work *work, const real *x, real *y);
void attention_backward(const struct layer_work *work, const real *x,
                        const real *dy, real *dx);

#endif
