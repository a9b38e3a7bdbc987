/*
 * gpu.h - a network learns on devices that have memory of their own.
 *
 * These tasks have no body for cores: one training is on one kind of device,
 * whose sums are always in the same order, so its bits depend on nothing but
 * that kind. A shard leaves its gradient in memory of its own; a fixed tree of
 * tasks adds them up. main() calls the last two functions.
 */
#ifndef APPS_TRAIN_GPU_H
#define APPS_TRAIN_GPU_H

#include "train/trainer.h"

/*
 * Which kind of device: cpu, or what bodies there are for. To be called before
 * castell_start(); what this program cannot do ends it with a sentence.
 */
void gpu_choose(const char *device);

struct gpu;

/* What the shards of a trainer need besides its gradients, of t->shards. */
struct gpu *gpu_create(struct trainer *t);
void gpu_destroy(struct gpu *gpu);

/* One shard: its gradient, into place `shard` of those of the step; what it came
   to, into t->learned[row]. */
void gpu_submit_shard(struct trainer *t, struct data_part part, long row,
                      int shard);

/* Add up the gradients of so many shards, into t->gradient. */
void gpu_submit_sum(struct trainer *t, int shards);

/* Move the weights. */
void gpu_submit_move(struct trainer *t, struct rates rates);

#endif
