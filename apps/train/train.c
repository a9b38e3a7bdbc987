/*
 * train - a neural network learns from images or text, by tasks.
 *
 * This file has the options; trainer.c has the training, tasks.c the tasks.
 */
#include "common/app.h"
#include "common/images.h"
#include "train/gpu.h"
#include "train/model.h"
#include "train/show.h"
#include "train/trainer.h"

#include <castell.h>
#include <castell_checkpoint.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_DIRECTORY "/usr/share/common-licenses"

struct options {
    const char *net, *shape, *data, *stream, *optimiser, *schedule;
    const char *load, *model, *evaluate, *predict, *metrics, *checkpoint;
    const char *device;
    int context, samples, epochs, batch, shard, seed, verify, every, resume,
        overlap;
    double rate, momentum, decay, warmup, target;
};

static void read_options(int argc, char **argv, struct options *o)
{
    static const struct app_about about = {
        .name = "train",
        .usage = "[OPTION]...",
        .text = "Train a neural network on Fashion-MNIST, other images in IDX "
                "files, or text,\nby tasks.",
    };
    const struct app_option options[] = {
        {"net", "KIND", "mlp, cnn, or transformer (of bytes)", APP_TEXT,
         &o->net, 0, 0},
        {"shape", "LIST", "layers; mlp 256,128; cnn 16,32,128; transf. 64,4,2",
         APP_TEXT, &o->shape, 0, 0},
        {"context", "N", "bytes of text that are seen at a time", APP_WHOLE,
         &o->context, 2, 4096},
        {"data", "PATH", "directory of images; file or directory of text",
         APP_TEXT, &o->data, 0, 0},
        {"samples", "N", "learn from the first N only", APP_WHOLE, &o->samples,
         1, 1e9},
        {"stream", "DIR", "tasks read samples from files, unpacked in DIR",
         APP_TEXT, &o->stream, 0, 0},
        {"epochs", "N", "times that each sample is seen", APP_WHOLE, &o->epochs,
         0, 10000},
        {"batch", "N", "samples of a step; [256; of text 32]", APP_WHOLE,
         &o->batch, 1, 65536},
        {"shard", "N", "samples of a task; [64; of text 8]", APP_WHOLE,
         &o->shard, 1, 65536},
        {"optimiser", "NAME", "sgd or adam; [sgd; of text adam]", APP_TEXT,
         &o->optimiser, 0, 0},
        {"lr", "X", "highest learning rate; [sgd 0.1, adam 0.002]", APP_REAL,
         &o->rate, 0, 100},
        {"momentum", "X", "of sgd", APP_REAL, &o->momentum, 0, 1},
        {"decay", "X", "of the weights", APP_REAL, &o->decay, 0, 1},
        {"schedule", "NAME", "of the rate: cosine, step or constant", APP_TEXT,
         &o->schedule, 0, 0},
        {"warmup", "X", "epochs in which the rate rises", APP_REAL, &o->warmup,
         0, 10000},
        {"seed", "N", "of the first weights and the order of samples",
         APP_WHOLE, &o->seed, 0, 1e9},
        {"load", "FILE", "start from this model", APP_TEXT, &o->load, 0, 0},
        {"model", "FILE", "write the model there; '' for none", APP_TEXT,
         &o->model, 0, 0},
        {"evaluate", "FILE", "only test this model", APP_TEXT, &o->evaluate, 0,
         0},
        {"predict", "FILE", "only let this model answer", APP_TEXT, &o->predict,
         0, 0},
        {"metrics", "FILE", "write lines of JSON there", APP_TEXT, &o->metrics,
         0, 0},
        {"checkpoint", "DIR", "save all there; SIGUSR1 and SIGTERM do, and end",
         APP_TEXT, &o->checkpoint, 0, 0},
        {"every", "N", "steps between checkpoints", APP_WHOLE, &o->every, 1,
         1e9},
        {"resume", NULL, "go on from the last checkpoint, if there is one",
         APP_SWITCH, &o->resume, 0, 0},
        {"target", "PERCENT", "fail when fewer test samples are known",
         APP_REAL, &o->target, 0, 100},
        {"overlap", NULL, "gradients of upper layers first, in two tasks",
         APP_SWITCH, &o->overlap, 0, 0},
        {"device", "KIND", "learn on: cpu, cuda or opencl (train-gpu)",
         APP_TEXT, &o->device, 0, 0},
        {"verify", NULL, "check the first gradient against the loss [yes]",
         APP_SWITCH, &o->verify, 0, 0},
        {0},
    };

    app_options(argc, argv, &about, options);
}

/* Which of the names it is, from 0. */
static int choice(const char *option, const char *text, const char *a,
                  const char *b, const char *c)
{
    if (!strcmp(text, a))
        return 0;
    if (!strcmp(text, b))
        return 1;
    if (c && !strcmp(text, c))
        return 2;
    if (c)
        app_die(2, "--%s is %s, %s or %s, not '%s'", option, a, b, c, text);
    app_die(2, "--%s is %s or %s, not '%s'", option, a, b, text);
}

static bool is_text(const struct model *model)
{
    return !strcmp(model->kind, "transformer");
}

/* What the options say of the training; they lack what depends on the net. */
static struct training training_of(const struct options *o, bool text)
{
    struct training how = {
        .epochs = o->epochs,
        .batch = o->batch ? o->batch
                 : text   ? 32
                          : 256,
        .shard = o->shard ? o->shard
                 : text   ? 8
                          : 64,
        .momentum = o->momentum,
        .decay = o->decay,
        .warmup = o->warmup,
        .seed = (uint64_t)o->seed,
        .save = o->checkpoint,
        .save_every = o->every,
        .resume = o->resume != 0,
        .overlap = o->overlap != 0,
        .gpu = strcmp(o->device, "cpu") != 0,
    };
    const char *optimiser = o->optimiser ? o->optimiser : text ? "adam" : "sgd";
    bool sgd = choice("optimiser", optimiser, "sgd", "adam", NULL) == 0;
    int schedule =
        choice("schedule", o->schedule, "cosine", "step", "constant");

    how.optimiser = sgd ? OPTIMISER_SGD : OPTIMISER_ADAM;
    how.rate = o->rate > 0 ? o->rate : sgd ? 0.1 : 0.002;
    how.schedule = schedule == 0   ? SCHEDULE_COSINE
                   : schedule == 1 ? SCHEDULE_STEP
                                   : SCHEDULE_CONSTANT;
    return how;
}

/* The network that the options ask for, as far as the data do not tell it. */
static struct model model_of(const struct options *o, const char *from)
{
    static const char *const shapes[] = {"256,128", "16,32,128", "64,4,2"};
    struct model model = {.sample = 0};

    if (from) {
        model_describe(from, &model);
    } else {
        int kind = choice("net", o->net, "mlp", "cnn", "transformer");

        snprintf(model.kind, sizeof(model.kind), "%s", o->net);
        if (o->shape && strlen(o->shape) >= sizeof(model.shape))
            app_die(2, "--shape is too long");
        snprintf(model.shape, sizeof(model.shape), "%s",
                 o->shape ? o->shape : shapes[kind]);
    }
    return model;
}

/* Read the samples; what they are like completes the model, or must be what it
   was built for. */
static void read_data(const struct options *o, struct model *model,
                      struct data *train, struct data *test)
{
    bool text = is_text(model);
    const char *path = o->data ? o->data
                       : text  ? TEXT_DIRECTORY
                               : APP_IMAGES_DIRECTORY;
    /* Answers are main's own work. */
    const char *stream = o->predict ? NULL : o->stream;
    int context = model->sample ? model->sample : o->context;

    if (text) {
        data_text(path, context, o->samples, stream != NULL, train, test);
    } else {
        *train = data_images(path, "train", o->samples, stream);
        *test = data_images(path, "t10k", 0, stream);
    }
    if (test->sample != train->sample ||
        (!model->classes && test->classes > train->classes))
        app_die(2, "the test images of %s are not like those to learn from",
                path);
    if (!model->sample) {
        model->sample = train->sample;
        model->classes = train->classes;
    }
    if (model->sample != train->sample || model->classes < train->classes ||
        model->classes < test->classes)
        app_die(2,
                "the model is for %d classes and samples of %d bytes; those "
                "of %s have %d and %d",
                model->classes, model->sample, path, train->classes,
                train->sample);
}

/* ---- What to do --------------------------------------------------------- */

static uint64_t sum_of(const void *numbers, size_t size, long count)
{
    return app_checksum(numbers, size * (size_t)count);
}

static int judge(const struct net_score *score, const struct options *o)
{
    double known = 100.0 * (double)score->right / (double)score->labels;

    if (known >= o->target)
        return 0;
    printf("WRONG: %.2f %% is below the target of %.2f %%\n", known, o->target);
    return 1;
}

static int train(struct trainer *t, const struct model *model,
                 const struct options *o)
{
    static struct show show;
    struct net_score score;
    const long *confusion;
    uint64_t curve_sum, model_sum;
    char text[96];
    char what[sizeof(model->kind) + sizeof(model->shape) + 12];
    long step;

    snprintf(what, sizeof(what), "%s %s%s%s", model->kind, model->shape,
             t->gpu ? " on " : "", t->gpu ? o->device : "");
    step = trainer_resume(t, what);
    if (step > 0)
        printf("train: goes on from step %ld\n", step);
    show_begin(&show, o->metrics, model, t, step > 0);
    t->tell = show_news;
    t->context = &show;
    trainer_run(t, step);
    if (t->stopped) {
        printf("train: was asked to stop; --resume goes on\n");
        return CASTELL_EXIT_RESUME;
    }
    if (t->how.epochs > 0) {
        score = show.last.test;
        confusion = show.last.confusion;
    } else {
        score = trainer_test(t, &confusion);
    }
    #pragma castell barrier
    curve_sum = sum_of(t->curve, sizeof(*t->curve), t->steps);
    model_sum = sum_of(t->weights, sizeof(real), t->net->parameters);
    show_score(&score, text, sizeof(text));
    if (confusion)
        show_confusion(confusion, t->net->classes);
    printf("train: %.2f s, %.0f samples/s, %s, loss curve %016jx, model "
           "%016jx\n",
           show.last.seconds,
           show.last.seconds > 0
               ? (double)t->train.count * t->how.epochs / show.last.seconds
               : 0,
           text, (uintmax_t)curve_sum, (uintmax_t)model_sum);
    show_end(&show, &score, curve_sum, model_sum);
    if (*o->model)
        model_save(o->model, model, t->net, t->weights);
    return judge(&score, o);
}

static int evaluate(struct trainer *t, const struct options *o)
{
    const long *confusion;
    struct net_score score = trainer_test(t, &confusion);
    char text[96];

    show_score(&score, text, sizeof(text));
    if (confusion)
        show_confusion(confusion, t->net->classes);
    printf("evaluate: %s\n", text);
    return judge(&score, o);
}

/* Let a model of text go on from what it knows to be a beginning. */
static void write_text(const struct trainer *t, real *memory)
{
    enum { LENGTH = 500 };
    int context = t->net->sample;
    uint8_t *text = app_alloc(context + LENGTH, 1);
    uint64_t random = t->how.seed;

    memset(text, 0, (size_t)context + LENGTH);
    text[0] = '\n';
    for (int at = 1; at <= LENGTH; at++) {
        int first = at > context ? at - context : 0;
        const real *z =
            net_forward(t->net, t->weights, text + first, 1, memory);
        double most = -1;

        /* The largest of random numbers with these weights (Gumbel). */
        z += (long)(at - first - 1) * t->net->classes;
        for (int c = 0; c < t->net->classes; c++) {
            double u = app_random_real(&random);
            double chance = exp((double)z[c]) / -log(u > 0 ? u : 1e-300);

            text[at] = chance > most ? (uint8_t)c : text[at];
            most = chance > most ? chance : most;
        }
    }
    fwrite(text + 1, 1, LENGTH, stdout);
    putchar('\n');
    castell_free(text);
}

/* What the model says of the test images, one a line: its number, the label,
   the answer. A model of text writes some. */
static void predict(struct trainer *t, int most)
{
    const struct net *net = t->net;
    real *memory = app_alloc(net_memory(net), sizeof(*memory));
    int count = most > 0 && most < t->test.count ? most : t->test.count;

    if (net->labels > 1) {
        write_text(t, memory);
        count = 0;
    }
    for (int i = 0; i < count; i++) {
        const real *z = net_forward(
            net, t->weights, t->test.bytes + (long)i * net->sample, 1, memory);
        int best = 0;

        for (int c = 1; c < net->classes; c++)
            best = z[c] > z[best] ? c : best;
        printf("%d %d %d\n", i, t->test.answers[i], best);
    }
    castell_free(memory);
}

static int run(const struct options *o)
{
    const char *from = o->evaluate  ? o->evaluate
                       : o->predict ? o->predict
                                    : o->load;
    struct model model = model_of(o, from);
    struct training how = training_of(o, is_text(&model));
    struct net *net = app_alloc(1, sizeof(*net));
    struct data data, test;
    struct trainer t;
    int wrong = 0;

    if (how.gpu && (o->stream || o->overlap))
        app_die(2, "--device %s takes neither --stream nor --overlap",
                o->device);
    how.model = &model;
    read_data(o, &model, &data, &test);
    model_build(&model, net);
    trainer_init(&t, net, &data, &test, &how);
    if (from)
        model_load(from, net, t.weights);
    else
        net_start(net, how.seed, t.weights);
    if (o->predict) {
        predict(&t, o->samples);
    } else if (o->evaluate) {
        wrong = evaluate(&t, o);
    } else {
        if (o->verify)
            wrong = app_verdict("gradient: ||slope - gradient|| / "
                                "||gradient|| is",
                                trainer_verify(&t), 1e-3);
        wrong |= train(&t, &model, o);
    }
    trainer_release(&t);
    return wrong;
}

int main(int argc, char **argv)
{
    struct options o = {
        .net = "mlp",
        .context = 64,
        .epochs = 10,
        .momentum = 0.9,
        .decay = 1e-4,
        .schedule = "cosine",
        .warmup = 1,
        .seed = 1,
        .model = "model.npz",
        .verify = 1,
        .every = 500,
        .device = "cpu",
    };
    int wrong;

    read_options(argc, argv, &o);
    if (o.resume && !o.checkpoint)
        app_die(2, "--resume needs --checkpoint: the directory");
    gpu_choose(o.device);
    setenv("CASTELL_PROGRESS", "0", 0); /* show.c shows it */
    openblas_set_num_threads(1);        /* tasks are what runs in parallel */
    mallopt(M_MMAP_THRESHOLD, 1 << 28); /* scratch memory is used again */
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    castell_start(&argc, &argv);
    wrong = run(&o);
    return castell_stop() ? 1 : wrong;
}
