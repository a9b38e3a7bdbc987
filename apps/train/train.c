/*
 * train - a multi-layer perceptron learns to tell clothes apart, by tasks.
 *
 * Each step takes a batch of images. It is cut in shards; one task computes the
 * gradient of one shard. Then one task for each piece of the weights adds up
 * what the shards say of that piece and moves it (stochastic gradient descent
 * with momentum). The next step's gradients wait for all pieces, and nothing
 * else waits for anything.
 *
 * Shards and pieces are of fixed sizes, and sums are formed in a fixed order,
 * so the loss and the model are the same bits on any number of cores.
 */
#include "common/app.h"
#include "common/images.h"
#include "train/model.h"
#include "train/net.h"

#include <castell.h>
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 32768 }; /* weights that one task moves */

struct range {
    int first, count;
};

/* How far a step goes. */
struct rates {
    float learning;
    float momentum;
    float decay; /* towards 0, of each weight */
};

/* ---- Tasks -------------------------------------------------------------- */

/* The gradient of the images that order[part] names; their losses are added to
   *loss. */
#pragma castell task in(weights[0:net.parameters]) \
    in(pixels[0:images*net.size[0]], labels[0:images]) \
    in(order[part.first:part.count]) \
    out(gradient[0:net.parameters], work[0:part.count*net.work_size]) \
    reduction(+: loss[0:1])
static void compute_gradient(struct net net, struct range part,
                             const float *weights, int images,
                             const uint8_t *pixels, const uint8_t *labels,
                             const int *order, float *gradient, float *work,
                             double *loss)
{
    struct net_data data = {images, pixels, labels};

    *loss += net_gradient(&net, weights, &data, order + part.first, part.count,
                          work, gradient);
}

/* Add up the shards' gradients, first to last, and move one piece of the
   weights. */
#pragma castell task in(gradients[0:shards][part.first:part.count]) \
    inout(weights[part.first:part.count], velocity[part.first:part.count])
static void move(int parameters, int shards, struct range part,
                 struct rates rates, float (*gradients)[parameters],
                 float *weights, float *velocity)
{
    float *w = weights + part.first;
    float *v = velocity + part.first;

    cblas_sscal(part.count, rates.momentum, v, 1);
    cblas_saxpy(part.count, -rates.learning * rates.decay, w, 1, v, 1);
    for (int s = 0; s < shards; s++)
        cblas_saxpy(part.count, -rates.learning, gradients[s] + part.first, 1,
                    v, 1);
    cblas_saxpy(part.count, 1, v, 1, w, 1);
}

/* The images of this part that the network knows are added to *correct. */
#pragma castell task in(weights[0:net.parameters]) \
    in(pixels[part.first*net.size[0]:part.count*net.size[0]]) \
    in(labels[part.first:part.count]) \
    out(work[0:part.count*net.work_size]) reduction(+: correct[0:1])
static void evaluate(struct net net, struct range part, const float *weights,
                     const uint8_t *pixels, const uint8_t *labels, float *work,
                     long *correct)
{
    struct net_data data = {part.first + part.count, pixels, labels};

    *correct += net_correct(&net, weights, &data, part.first, part.count, work);
}

/* ---- Training ----------------------------------------------------------- */

struct trainer {
    struct net net;
    struct app_images train, test;
    int batch, shard; /* images of a step, of a task */
    int shards;       /* of a batch */
    struct rates rates;
    float *weights, *velocity;
    float *gradients; /* a row for each shard */
    float *work;      /* scratch memory, the same */
    int *order;       /* in which this epoch takes the images */
    uint64_t random;
    double *loss; /* summed over an epoch */
    long *correct;
};

static float *work_of(const struct trainer *t, int shard)
{
    return t->work + (long)shard * t->shard * t->net.work_size;
}

/* The gradients of a batch, order[first .. first + count), a row for each
   shard. Returns how many those are. */
static int submit_gradients(struct trainer *t, int first, int count)
{
    int shards = 0;

    for (int done = 0; done < count; done += t->shard) {
        int left = count - done;
        struct range part = {first + done, left < t->shard ? left : t->shard};

        compute_gradient(t->net, part, t->weights, t->train.count,
                         t->train.data, t->train.labels, t->order,
                         t->gradients + (long)shards * t->net.parameters,
                         work_of(t, shards), t->loss);
        shards++;
    }
    return shards;
}

static void submit_step(struct trainer *t, int first, int count,
                        double learning)
{
    int parameters = t->net.parameters;
    int shards = submit_gradients(t, first, count);
    struct rates rates = t->rates;

    rates.learning = (float)(learning / count);
    rates.decay *= (float)count;
    for (int from = 0; from < parameters; from += PIECE) {
        int left = parameters - from;
        struct range part = {from, left < PIECE ? left : PIECE};

        move(parameters, shards, part, rates,
             (float(*)[parameters])t->gradients, t->weights, t->velocity);
    }
}

static void submit_test(struct trainer *t)
{
    for (int first = 0; first < t->test.count; first += t->shard) {
        int left = t->test.count - first;
        struct range part = {first, left < t->shard ? left : t->shard};

        evaluate(t->net, part, t->weights, t->test.data, t->test.labels,
                 work_of(t, first / t->shard % t->shards), t->correct);
    }
}

/* Put the images in another order (Fisher and Yates). */
static void shuffle(struct trainer *t)
{
    for (int i = t->train.count - 1; i > 0; i--) {
        int j = (int)(app_random(&t->random) % (uint64_t)(i + 1));
        int image = t->order[i];

        t->order[i] = t->order[j];
        t->order[j] = image;
    }
}

/* Returns the mean loss. progress, of all training, goes from 0 to 1; the
   learning rate falls with it along a cosine. */
static double run_epoch(struct trainer *t, double progress, double share)
{
    int count = t->train.count;

    *t->loss = 0;
    *t->correct = 0;
    shuffle(t);
    for (int first = 0; first < count; first += t->batch) {
        int left = count - first;
        double now = progress + share * first / count;

        submit_step(t, first, left < t->batch ? left : t->batch,
                    (double)t->rates.learning * 0.5 * (1 + cos(M_PI * now)));
    }
    submit_test(t);
    #pragma castell wait_on(t->loss[0:1], t->correct[0:1])
    return *t->loss / count;
}

/* ---- The check ---------------------------------------------------------- */

/* Compare the gradient of a few images by tasks with that by plain loops in
   double precision. */
static int verify(struct trainer *t)
{
    int parameters = t->net.parameters;
    struct net_data data = {t->train.count, t->train.data, t->train.labels};
    double *ours = app_alloc(parameters, sizeof(*ours));
    double *plain = app_alloc(parameters, sizeof(*plain));
    int images = t->batch < 128 ? t->batch : 128;
    double error;
    int shards;

    images = images < t->train.count ? images : t->train.count;
    shards = submit_gradients(t, 0, images);
    #pragma castell barrier
    memset(ours, 0, sizeof(*ours) * (size_t)parameters);
    memset(plain, 0, sizeof(*plain) * (size_t)parameters);
    for (int s = 0; s < shards; s++) {
        for (int i = 0; i < parameters; i++)
            ours[i] += (double)t->gradients[(long)s * parameters + i];
    }
    for (int i = 0; i < images; i++)
        net_plain_gradient(&t->net, t->weights, &data, t->order[i], plain);
    error = app_difference(ours, plain, parameters);
    castell_free(ours);
    castell_free(plain);
    return app_verdict("gradient: ||tasks - plain|| / ||plain|| is", error,
                       1e-5);
}

/* ---- The program -------------------------------------------------------- */

struct options {
    int epochs, batch, shard, seed, images;
    double rate, momentum, decay, target;
    const char *hidden, *data, *save, *load;
    int verify;
};

static void read_options(int argc, char **argv, struct options *o)
{
    static const struct app_about about = {
        .name = "train",
        .usage = "[OPTION]...",
        .text = "Train a multi-layer perceptron on Fashion-MNIST, or on other "
                "images in\nIDX files, by tasks.",
    };
    const struct app_option options[] = {
        {"data", "DIR", "where the images are", APP_TEXT, &o->data, 0, 0},
        {"images", "N", "train on the first N images only", APP_WHOLE,
         &o->images, 1, 1e7},
        {"epochs", "N", "times that each image is seen", APP_WHOLE, &o->epochs,
         0, 10000},
        {"hidden", "LIST", "sizes of the hidden layers", APP_TEXT, &o->hidden,
         0, 0},
        {"batch", "N", "images of a step", APP_WHOLE, &o->batch, 1, 65536},
        {"shard", "N", "images of a task", APP_WHOLE, &o->shard, 1, 65536},
        {"lr", "X", "learning rate at the start", APP_REAL, &o->rate, 0, 100},
        {"momentum", "X", "of the steps", APP_REAL, &o->momentum, 0, 1},
        {"decay", "X", "of the weights", APP_REAL, &o->decay, 0, 1},
        {"seed", "N", "of the first weights and the order of images", APP_WHOLE,
         &o->seed, 0, 1e9},
        {"load", "FILE", "start from this model", APP_TEXT, &o->load, 0, 0},
        {"save", "FILE", "write the model there; '' for none", APP_TEXT,
         &o->save, 0, 0},
        {"target", "PERCENT", "fail when fewer test images are known", APP_REAL,
         &o->target, 0, 100},
        {"verify", NULL, "check the first gradient against plain loops [yes]",
         APP_SWITCH, &o->verify, 0, 0},
        {0},
    };

    app_options(argc, argv, &about, options);
}

static struct trainer trainer_create(const struct options *o)
{
    struct trainer t = {
        .train = app_images_read(o->data, "train", o->images),
        .test = app_images_read(o->data, "t10k", 0),
        .batch = o->batch,
        .shard = o->shard < o->batch ? o->shard : o->batch,
        .rates = {(float)o->rate, (float)o->momentum, (float)o->decay},
        .random = (uint64_t)o->seed,
    };
    int classes = t.train.classes;

    if (t.test.pixels != t.train.pixels || t.test.classes > classes)
        app_die(2, "the test images of %s are not like those to learn from",
                o->data);
    if (!net_shape(t.train.pixels, o->hidden, classes, &t.net))
        app_die(2, "--hidden takes sizes of layers, like 256,128, not '%s'",
                o->hidden);
    t.shards = (t.batch + t.shard - 1) / t.shard;
    t.weights = app_alloc(t.net.parameters, sizeof(float));
    t.velocity = app_alloc(t.net.parameters, sizeof(float));
    t.gradients = app_alloc((long)t.shards * t.net.parameters, sizeof(float));
    t.work =
        app_alloc((long)t.shards * t.shard * t.net.work_size, sizeof(float));
    t.order = app_alloc(t.train.count, sizeof(*t.order));
    t.loss = app_alloc(1, sizeof(*t.loss));
    t.correct = app_alloc(1, sizeof(*t.correct));

    memset(t.velocity, 0, sizeof(float) * (size_t)t.net.parameters);
    for (int i = 0; i < t.train.count; i++)
        t.order[i] = i;
    if (o->load)
        model_load(o->load, &t.net, t.weights);
    else
        net_start(&t.net, app_random(&t.random), t.weights);
    return t;
}

static void trainer_destroy(struct trainer *t)
{
    app_images_free(&t->train);
    app_images_free(&t->test);
    castell_free(t->weights);
    castell_free(t->velocity);
    castell_free(t->gradients);
    castell_free(t->work);
    castell_free(t->order);
    castell_free(t->loss);
    castell_free(t->correct);
}

/* One line for each epoch; on a terminal, one line that changes. */
static void report(const struct trainer *t, int epoch, int epochs, double loss,
                   double seconds)
{
    double speed = (double)t->train.count * epoch / seconds;

    app_begin_line();
    printf("epoch %*d/%d  loss %.4f  test %.2f %%  %.0f images/s  "
           "%.0f s left%s",
           epochs > 9 ? 2 : 1, epoch, epochs, loss,
           100.0 * (double)*t->correct / t->test.count, speed,
           seconds / epoch * (epochs - epoch),
           epoch < epochs && isatty(STDOUT_FILENO) ? "" : "\n");
    fflush(stdout);
}

/* Returns the percentage of test images that the network knows at the end. */
static double train(struct trainer *t, int epochs)
{
    double *curve = app_alloc(epochs, sizeof(*curve));
    double start = app_now();
    double seconds, known;

    for (int e = 0; e < epochs; e++) {
        curve[e] = run_epoch(t, (double)e / epochs, 1.0 / epochs);
        report(t, e + 1, epochs, curve[e], app_now() - start);
    }
    seconds = app_now() - start;
    if (epochs == 0) {
        *t->correct = 0;
        submit_test(t);
    }
    #pragma castell barrier
    known = 100.0 * (double)*t->correct / t->test.count;
    printf("train cores=%u: %.2f s, %.0f images/s, test %.2f %%, loss curve "
           "%016jx, model %016jx\n",
           castell_executors_count(), seconds,
           epochs ? (double)t->train.count * epochs / seconds : 0, known,
           (uintmax_t)app_checksum(curve, sizeof(*curve) * (size_t)epochs),
           (uintmax_t)app_checksum(t->weights,
                                   sizeof(float) * (size_t)t->net.parameters));
    castell_free(curve);
    return known;
}

int main(int argc, char **argv)
{
    struct options o = {
        .epochs = 12,
        .batch = 256,
        .shard = 64,
        .rate = 0.1,
        .momentum = 0.9,
        .decay = 1e-4,
        .seed = 1,
        .hidden = "256,128",
        .data = APP_IMAGES_DIRECTORY,
        .save = "fashion.model",
        .verify = 1,
    };
    struct trainer t;
    double known;
    int wrong = 0;

    read_options(argc, argv, &o);
    setenv("CASTELL_PROGRESS", "0", 0); /* report() shows it */
    castell_start(&argc, &argv);
    t = trainer_create(&o);
    if (o.verify)
        wrong = verify(&t);
    known = train(&t, o.epochs);
    if (*o.save)
        model_save(o.save, &t.net, t.weights);
    if (known < o.target) {
        printf("WRONG: %.2f %% is below the target of %.2f %%\n", known,
               o.target);
        wrong = 1;
    }
    trainer_destroy(&t);
    return castell_stop() || wrong;
}
