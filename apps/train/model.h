/*
 * model.h - a network in a file: one line of text with its shape, then its
 * parameters as this machine stores floats.
 *
 * Called by the main thread. What goes wrong ends the program with a sentence.
 */
#ifndef APPS_TRAIN_MODEL_H
#define APPS_TRAIN_MODEL_H

#include "train/net.h"

void model_save(const char *path, const struct net *net, const float *weights);

/* A model of another shape than net is refused. */
void model_load(const char *path, const struct net *net, float *ret_weights);

#endif
