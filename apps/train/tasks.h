/*
 * tasks.h - the tasks of training.
 *
 * A body sees its arguments and nothing else, so it runs in any thread of any
 * node. Those that return an int return non-zero when they failed.
 */
#ifndef APPS_TRAIN_TASKS_H
#define APPS_TRAIN_TASKS_H

#include "neural/net.h"
#include "neural/optimiser.h"
#include "train/data.h"

#include <castell.h>

/* What one shard came to, and who computed it. */
struct learned {
    double loss;
    uint32_t process, executor;
};

/* The gradient of the loss of a part of the samples is added to that of others,
   in a fixed tree. Those of one step take as long as one another: by turns. */
#pragma castell task distributed in(*net, weights[0:net->parameters]) \
    in(bytes[0:(long)part.total*net->sample]) \
    in(labels[0:(long)part.total*net->labels]) \
    out(*learned) reduction(+: gradient[0:net->parameters])
int learn(const struct net *net, struct data_part part, const real *weights,
          const uint8_t *bytes, const uint8_t *labels, real *gradient,
          struct learned *learned);

/* The same in two tasks, of a network with a cut: while the second one computes
   the gradient of the lower layers, that of the others is summed up. */
#pragma castell task distributed in(*net, weights[0:net->parameters]) \
    in(bytes[0:(long)part.total*net->sample]) \
    in(labels[0:(long)part.total*net->labels]) \
    out(*learned, kept[0:count]) \
    reduction(+: gradient[0:net->parameters-net->layer[net->cut].first])
int learn_above(const struct net *net, struct data_part part,
                const real *weights, const uint8_t *bytes,
                const uint8_t *labels, long count, real *kept, real *gradient,
                struct learned *learned);

#pragma castell task in(*net, weights[0:net->parameters]) \
    in_delete(kept[0:count]) \
    reduction(+: gradient[0:net->layer[net->cut].first])
int learn_below(const struct net *net, int samples, const real *weights,
                long count, const real *kept, real *gradient);

/* The same of samples that a task has read: where those are. */
#pragma castell task in(*net, weights[0:net->parameters]) \
    in(bytes[0:(long)part.total*net->sample]) \
    in(labels[0:(long)part.total*net->labels]) \
    out(*learned) reduction(+: gradient[0:net->parameters])
int learn_fetched(const struct net *net, struct data_part part,
                  const real *weights,
                  const uint8_t *bytes, const uint8_t *labels, real *gradient,
                  struct learned *learned);

/* A part of the samples, from files; by turns. */
#pragma castell task distributed file_in(bytes_path) file_in(labels_path) \
    out(bytes[0:(long)part.count*where.sample]) \
    out(labels[0:(long)part.count*where.labels])
int fetch(const char *bytes_path, const char *labels_path,
          struct data_place where, struct data_part part, uint8_t *bytes,
          uint8_t *labels);

/* A piece of the weights moves; its gradient is 0 then. */
#pragma castell task inout(g[0:count], w[0:count], v[0:count])
void move_sgd(struct rates rates, int count, real *g, real *w, real *v);

#pragma castell task inout(g[0:count], w[0:count], m[0:count], v[0:count])
void move_adam(struct rates rates, int count, real *g, real *w, real *m,
               real *v);

/* How the network does on some samples; answers are counted in confusion, of
   one cell when nobody wants them. */
#pragma castell task in(*net, weights[0:net->parameters]) \
    in(bytes[0:(long)count*net->sample], labels[0:(long)count*net->labels]) \
    out(*score) reduction(+: confusion[0:cells])
int test(const struct net *net, int count, const real *weights,
         const uint8_t *bytes, const uint8_t *labels, int cells,
         struct net_score *score, long *confusion);

#endif
