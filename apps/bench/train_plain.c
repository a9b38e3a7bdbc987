/*
 * train_plain.c - the training of apps/train by plain loops, no tasks: the same
 * layers, one step after another, OpenBLAS with threads of its own.
 *
 *     train_plain mlp|cnn SHAPE SAMPLES EPOCHS BATCH [THREADS]
 */
#include "common/app.h"
#include "common/images.h"
#include "neural/net.h"
#include "neural/optimiser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct plain {
    struct net net;
    struct app_images train, test;
    int batch;
    float *weights, *velocity, *gradient, *memory;
    uint8_t *bytes, *labels; /* of a batch */
    int *order;
    uint64_t random;
};

static void shuffle(struct plain *p)
{
    for (int i = p->train.count - 1; i > 0; i--) {
        int j = (int)(app_random(&p->random) % (uint64_t)(i + 1));
        int sample = p->order[i];

        p->order[i] = p->order[j];
        p->order[j] = sample;
    }
}

static double step(struct plain *p, int first, int count)
{
    struct net_samples samples = {count, p->bytes, p->labels};
    struct rates rates = {
        .learning = 0.02,
        .scale = 1.0 / count,
        .momentum = 0.9,
        .decay = 1e-4,
    };
    double loss;

    for (int i = 0; i < count; i++) {
        long at = p->order[first + i];

        memcpy(p->bytes + (long)i * p->net.sample,
               p->train.data + at * p->net.sample, (size_t)p->net.sample);
        p->labels[i] = p->train.labels[at];
    }
    memset(p->gradient, 0, sizeof(*p->gradient) * (size_t)p->net.parameters);
    loss = net_gradient(&p->net, p->weights, &samples, p->memory, p->gradient);
    optimiser_sgd(&rates, p->net.parameters, p->gradient, p->weights,
                  p->velocity);
    return loss;
}

/* Returns the share of the test images that it knows. */
static double epoch(struct plain *p)
{
    struct net_samples test = {p->test.count, p->test.data, p->test.labels};
    struct net_score score;

    shuffle(p);
    for (int first = 0; first < p->train.count; first += p->batch) {
        int left = p->train.count - first;

        step(p, first, left < p->batch ? left : p->batch);
    }
    score = net_score(&p->net, p->weights, &test, p->memory, NULL);
    return (double)score.right / (double)score.labels;
}

static int whole(const char *text)
{
    long number = strtol(text, NULL, 10);

    if (number < 1 || number > 10000000)
        app_die(2, "'%s' is no sensible number", text);
    return (int)number;
}

static void prepare(struct plain *p, const char *kind, const char *shape)
{
    const char *wrong;
    int parameters;

    p->test = app_images_read(APP_IMAGES_DIRECTORY, "t10k", 0);
    wrong = !strcmp(kind, "cnn")
                ? net_cnn(&p->net, shape, p->train.pixels, p->train.classes)
                : net_mlp(&p->net, shape, p->train.pixels, p->train.classes);
    if (wrong)
        app_die(2, "the shape %s", wrong);
    parameters = p->net.parameters;
    p->weights = app_alloc(parameters, sizeof(float));
    p->velocity = app_alloc(parameters, sizeof(float));
    p->gradient = app_alloc(parameters, sizeof(float));
    p->memory = app_alloc(net_memory(&p->net), sizeof(float));
    p->bytes = app_alloc((long)p->batch * p->net.sample, 1);
    p->labels = app_alloc(p->batch, 1);
    p->order = app_alloc(p->train.count, sizeof(*p->order));
    memset(p->velocity, 0, sizeof(float) * (size_t)parameters);
    for (int i = 0; i < p->train.count; i++)
        p->order[i] = i;
    net_start(&p->net, 1, p->weights);
}

int main(int argc, char **argv)
{
    struct plain *p = app_alloc(1, sizeof(*p));
    double known = 0;
    double began;
    int epochs;

    if (argc < 6 || argc > 7) {
        fprintf(stderr, "usage: train_plain mlp|cnn SHAPE SAMPLES EPOCHS BATCH "
                        "[THREADS]\n");
        return 2;
    }
    memset(p, 0, sizeof(*p));
    p->random = 1;
    p->train = app_images_read(APP_IMAGES_DIRECTORY, "train", whole(argv[3]));
    epochs = whole(argv[4]);
    p->batch = whole(argv[5]);
    prepare(p, argv[1], argv[2]);
    openblas_set_num_threads(argc > 6 ? whole(argv[6]) : 2);
    epoch(p);
    began = app_now();
    for (int e = 0; e < epochs; e++)
        known = epoch(p);
    printf("speed %.1f samples/s\n",
           (double)p->train.count * epochs / (app_now() - began));
    printf("known %.2f %%\n", 100 * known);
    return 0;
}
