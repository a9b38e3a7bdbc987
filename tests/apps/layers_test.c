/*
 * Every kind of layer: the derivatives that it computes are those that its
 * outputs have, in double precision; so are those of whole networks. And the
 * optimisers and schedules do what their formulas say.
 */
#include "common/app.h"
#include "harness/tap.h"
#include "neural/layers.h"
#include "neural/optimiser.h"

#include <stdlib.h>

enum { COUNT = 3 };

static double *numbers(long count, uint64_t seed)
{
    double *values = calloc((size_t)count + 1, sizeof(*values));

    if (!values)
        tap_bail("no memory");
    for (long i = 0; i < count; i++)
        values[i] = 2 * app_random_real(&seed) - 1;
    return values;
}

/* ---- One layer ------------------------------------------------------------- */

struct bench {
    struct layer_work work;
    long reads, gives; /* in all */
    double *weights, *x, *y;
    double *dy; /* the loss is the sum of y times this */
};

static double loss_of(const struct bench *bench)
{
    double loss = 0;

    layer_forward(&bench->work, bench->x, bench->y);
    for (long i = 0; i < bench->gives; i++)
        loss += bench->y[i] * bench->dy[i];
    return loss;
}

/* The largest difference of derivatives from those that differences give. */
static double worst_of(const struct bench *bench, double *values,
                       const double *derivatives, long count)
{
    double worst = 0;

    for (long i = 0; i < count; i++) {
        const double step = 1e-5;
        double kept = values[i];
        double above, slope;

        values[i] = kept + step;
        above = loss_of(bench);
        values[i] = kept - step;
        slope = (above - loss_of(bench)) / (2 * step);
        values[i] = kept;
        worst = fmax(worst,
                     fabs(slope - derivatives[i]) / (1 + fabs(derivatives[i])));
    }
    return worst;
}

static void check_layer(const char *name, struct layer layer)
{
    static uint8_t bytes[4096];
    uint64_t seed = 7;
    struct bench bench = {
        .reads = (long)COUNT * layer_reads(&layer),
        .gives = (long)COUNT * layer_gives(&layer),
    };
    bool from_bytes = layer.kind == LAYER_EMBED || layer.kind == LAYER_PIXELS;
    double *gradient = numbers(layer.parameters, 1);
    double *before = numbers(layer.parameters, 1);
    double *dx = numbers(bench.reads, 2);
    double worst;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)app_random(&seed);
    bench.weights = numbers(layer.parameters, 3);
    bench.x = numbers(bench.reads, 4);
    bench.y = numbers(bench.gives, 5);
    bench.dy = numbers(bench.gives, 6);
    bench.work = (struct layer_work){
        .layer = &layer,
        .weights = bench.weights,
        .bytes = bytes,
        .count = COUNT,
        .scratch = numbers(layer_scratch(&layer), 8),
    };
    layer_forward(&bench.work, bench.x, bench.y);
    layer_backward(&bench.work, bench.x, bench.y, bench.dy,
                   from_bytes ? NULL : dx, gradient);
    if (!from_bytes) {
        worst = worst_of(&bench, bench.x, dx, bench.reads);
        ok(worst < 1e-7, "%s: derivatives by what it reads, %.2g", name, worst);
    }
    for (int i = 0; i < layer.parameters; i++)
        gradient[i] -= before[i];
    worst = worst_of(&bench, bench.weights, gradient, layer.parameters);
    if (layer.parameters > 0)
        ok(worst < 1e-7, "%s: derivatives by parameters are added, %.2g", name,
           worst);
    free(gradient);
    free(before);
    free(dx);
    free(bench.weights);
    free(bench.x);
    free(bench.y);
    free(bench.dy);
    free(bench.work.scratch);
}

static void test_layers(void)
{
    check_layer("dense", (struct layer){.kind = LAYER_DENSE,
                                        .rows = 2,
                                        .in = 5,
                                        .out = 3,
                                        .parameters = 18});
    check_layer("relu", (struct layer){
                            .kind = LAYER_RELU, .rows = 2, .in = 9, .out = 9});
    check_layer("gelu", (struct layer){
                            .kind = LAYER_GELU, .rows = 2, .in = 9, .out = 9});
    check_layer("convolution", (struct layer){.kind = LAYER_CONV,
                                              .rows = 25,
                                              .in = 2,
                                              .out = 3,
                                              .side = 5,
                                              .parameters = 57});
    for (int side = 4; side < 6; side++)
        check_layer(side % 2 ? "pool, odd" : "pool",
                    (struct layer){.kind = LAYER_POOL,
                                   .rows = side * side,
                                   .in = 3,
                                   .out = 3,
                                   .side = side});
    check_layer("normalisation", (struct layer){.kind = LAYER_NORM,
                                                .rows = 4,
                                                .in = 6,
                                                .out = 6,
                                                .parameters = 12});
    check_layer("attention", (struct layer){.kind = LAYER_ATTENTION,
                                            .rows = 5,
                                            .in = 12,
                                            .out = 4,
                                            .heads = 2});
    check_layer("embedding", (struct layer){.kind = LAYER_EMBED,
                                            .rows = 4,
                                            .in = 1,
                                            .out = 3,
                                            .parameters = 780});
}

/* A row of attention does not see later ones. */
static void test_causal(void)
{
    struct layer layer = {
        .kind = LAYER_ATTENTION, .rows = 6, .in = 12, .out = 4, .heads = 2};
    double *x = numbers(layer_reads(&layer), 1);
    double *y = numbers(layer_gives(&layer), 1);
    double *z = numbers(layer_gives(&layer), 1);
    struct layer_work work = {
        .layer = &layer,
        .count = 1,
        .scratch = numbers(layer_scratch(&layer), 1),
    };

    layer_forward(&work, x, y);
    for (int i = 3 * layer.in; i < layer_reads(&layer); i++)
        x[i] += 1 + i % 5;
    layer_forward(&work, x, z);
    ok(!memcmp(y, z, sizeof(*y) * 3 * (size_t)layer.out),
       "attention does not see what comes later");
    ok(memcmp(y, z, sizeof(*y) * (size_t)layer_gives(&layer)) != 0,
       "and sees what is there");
    free(x);
    free(y);
    free(z);
    free(work.scratch);
}

/* ---- Networks --------------------------------------------------------------- */

/* Of the parameters every third, as there are many. */
static double worst_in(const struct net *net, double *weights,
                       const struct net_samples *samples, double *memory)
{
    double *gradient = numbers(net->parameters, 1);
    double worst = 0;

    memset(gradient, 0, sizeof(*gradient) * (size_t)net->parameters);
    net_gradient(net, weights, samples, memory, gradient);
    for (int i = 0; i < net->parameters; i += 3) {
        const double step = 1e-5;
        double kept = weights[i];
        double above, slope;

        weights[i] = kept + step;
        above = net_score(net, weights, samples, memory, NULL).loss;
        weights[i] = kept - step;
        slope = (above - net_score(net, weights, samples, memory, NULL).loss) /
                (2 * step);
        weights[i] = kept;
        worst =
            fmax(worst, fabs(slope - gradient[i]) / (1 + fabs(gradient[i])));
    }
    free(gradient);
    return worst;
}

static void check_net(const char *name, const struct net *built)
{
    static struct net net; /* large */
    uint8_t bytes[COUNT * 64];
    uint8_t labels[COUNT * 64];
    struct net_samples samples = {COUNT, bytes, labels};
    double *weights = numbers(built->parameters, 1);
    double *shaken = numbers(built->parameters, 2);
    double *memory;
    uint64_t seed = 5;
    double worst;

    net = *built;
    net.tile = 2; /* so that there is a tile that is not full */
    memory = numbers(net_memory(&net), 3);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)app_random(&seed);
        labels[i] = (uint8_t)(app_random(&seed) % (uint64_t)net.classes);
    }
    net_start(&net, 9, weights);
    for (int i = 0; i < net.parameters; i++)
        weights[i] += 0.05 * shaken[i];
    worst = worst_in(&net, weights, &samples, memory);
    ok(worst < 1e-5, "%s: the gradient is the loss's, %.2g", name, worst);
    free(weights);
    free(shaken);
    free(memory);
}

static void test_nets(void)
{
    static struct net net;

    must(!net_mlp(&net, "11,7", 49, 5), "built");
    check_net("perceptron", &net);
    must(!net_cnn(&net, "3,4,6", 49, 5), "built");
    check_net("convolutions", &net);
    must(!net_transformer(&net, "8,2,2", 6), "built");
    check_net("transformer", &net);
    ok(net_mlp(&net, "11,", 49, 5) && net_mlp(&net, "0", 49, 5) &&
           net_mlp(&net, "", 49, 5) && net_mlp(&net, "65536,65536", 49, 5),
       "sizes that are none are refused");
    ok(net_cnn(&net, "3,4", 49, 5) && net_cnn(&net, "3,4,6", 50, 5),
       "so are too few, and images that are not square");
    ok(net_transformer(&net, "9,2,1", 8) && net_transformer(&net, "8,2,99", 8),
       "and a width that heads do not divide, and too many blocks");
}

/* ---- Steps ------------------------------------------------------------------- */

static void test_optimisers(void)
{
    struct rates rates = {.learning = 0.1,
                          .scale = 0.5,
                          .momentum = 0.9,
                          .decay = 0.01,
                          .step = 1};
    double g = 4;
    double w = 1;
    double m = 0;
    double v = 2;

    optimiser_sgd(&rates, 1, &g, &w, &v);
    ok(fabs(v - (0.9 * 2 - 0.1 * 0.5 * 4 - 0.1 * 0.01 * 1)) < 1e-15 &&
           fabs(w - (1 + v)) < 1e-15,
       "SGD moves by its velocity");
    w = 1;
    v = 0;
    optimiser_adam(&rates, 1, &g, &w, &m, &v);
    ok(fabs(w - (1 - 0.1 - 0.1 * 0.01)) < 1e-8,
       "the first step of Adam is as long as the rate");
    rates.step = 2;
    rates.decay = 0;
    g = -4;
    w = 1;
    optimiser_adam(&rates, 1, &g, &w, &m, &v);
    ok(fabs(w - (1 - 0.1 * ((0.09 * 2 - 0.1 * 2) / 0.19) / 2)) < 1e-8,
       "the second goes on from the first's moments");
}

static void test_schedules(void)
{
    ok(fabs(schedule_share(SCHEDULE_CONSTANT, 1, 10, 2) - 0.5) < 1e-15 &&
           fabs(schedule_share(SCHEDULE_CONSTANT, 9, 10, 2) - 1) < 1e-15,
       "the rate rises, and stays");
    ok(fabs(schedule_share(SCHEDULE_COSINE, 6, 10, 2) - 0.5) < 1e-15 &&
           schedule_share(SCHEDULE_COSINE, 10, 10, 2) < 1e-15,
       "falls along a cosine");
    ok(fabs(schedule_share(SCHEDULE_STEP, 5.9, 10, 0) - 1) < 1e-15 &&
           fabs(schedule_share(SCHEDULE_STEP, 6.1, 10, 0) - 0.1) < 1e-15 &&
           fabs(schedule_share(SCHEDULE_STEP, 8.1, 10, 0) - 0.01) < 1e-15,
       "or in steps");
}

int main(void)
{
    openblas_set_num_threads(1);
    test_layers();
    test_causal();
    test_nets();
    test_optimisers();
    test_schedules();
    return tap_done();
}
