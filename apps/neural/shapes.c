/* Networks of some shape, and what they begin with. */
#include "neural/net.h"

#include "common/app.h"
#include "neural/layers.h"

#include <limits.h>
#include <stdlib.h>

/* Reals that the samples of a tile may take; parameters that are worth to be
   summed up by themselves. */
enum { TILE_SIZE = 1 << 20, TILE_STEP = 16, CUT_SIZE = 65536 };

/* The numbers in a list like "256,128". Returns how many, or 0 when it is none
   of 1 to most numbers from 1 to 65536. */
static int read_list(const char *text, int most, int *ret_numbers)
{
    int count = 0;

    while (count < most) {
        char *end;
        long number = strtol(text, &end, 10);

        if (end == text || number < 1 || number > 65536)
            return 0;
        ret_numbers[count++] = (int)number;
        if (!*end)
            return count;
        if (*end != ',')
            return 0;
        text = end + 1;
    }
    return 0;
}

/* Append a layer; too many make net->layers negative. */
static void append(struct net *net, struct layer layer)
{
    long parameters = 0;

    if (net->layers < 0 || net->layers >= NET_LAYERS_MAX) {
        net->layers = -1;
        return;
    }
    if (layer.kind == LAYER_DENSE)
        parameters = (layer.in + 1L) * layer.out;
    else if (layer.kind == LAYER_CONV)
        parameters = (9L * layer.in + 1) * layer.out;
    else if (layer.kind == LAYER_EMBED)
        parameters = (256L + layer.rows) * layer.out;
    else if (layer.kind == LAYER_NORM)
        parameters = 2L * layer.in;
    if (parameters > INT_MAX / 16 - net->parameters ||
        (long)layer.rows * layer.in > INT_MAX / 4 / NET_LAYERS_MAX ||
        (long)layer.rows * layer.out > INT_MAX / 4 / NET_LAYERS_MAX) {
        net->layers = -1;
        return;
    }
    layer.first = net->parameters;
    layer.units = net->units;
    net->units += layer_gives(&layer);
    layer.parameters = (int)parameters;
    net->parameters += layer.parameters;
    net->layer[net->layers++] = layer;
}

static void append_dense(struct net *net, int rows, int in, int out)
{
    append(net, (struct layer){
                    .kind = LAYER_DENSE, .rows = rows, .in = in, .out = out});
}

/* A layer that gives as much as it reads. */
static void append_same(struct net *net, enum layer_kind kind, int rows,
                        int width)
{
    append(net, (struct layer){
                    .kind = kind, .rows = rows, .in = width, .out = width});
}

/* May layers from `cut` on have gradients first? They must not need, nor be
   needed by, any other below than the one next to them. */
static bool may_cut(const struct net *net, int cut)
{
    for (int l = cut; l < net->layers; l++) {
        if (net->layer[l].kind == LAYER_ADD && net->layer[l].skip < cut - 1)
            return false;
    }
    return net->layer[cut].first > 0 &&
           net->parameters - net->layer[cut].first >= CUT_SIZE;
}

static const char *finish(struct net *net)
{
    long tile;

    if (net->layers < 0)
        return "takes smaller numbers than these";
    tile = TILE_SIZE / (1 + 2L * net->units);
    if (tile > TILE_STEP)
        tile -= tile % TILE_STEP;
    net->tile = tile > 0 ? (int)tile : 1;
    net->cut = net->layers - 1;
    while (net->cut > 0 && !may_cut(net, net->cut))
        net->cut--;
    return NULL;
}

const char *net_mlp(struct net *net, const char *shape, int sample, int classes)
{
    int sizes[16];
    int count = read_list(shape, 16, sizes);
    int width = sample;

    *net = (struct net){.sample = sample, .labels = 1, .classes = classes};
    if (!count)
        return "takes sizes of hidden layers, like 256,128";
    append_same(net, LAYER_PIXELS, 1, sample);
    for (int i = 0; i < count; i++) {
        append_dense(net, 1, width, sizes[i]);
        append_same(net, LAYER_RELU, 1, sizes[i]);
        width = sizes[i];
    }
    append_dense(net, 1, width, classes);
    return finish(net);
}

const char *net_cnn(struct net *net, const char *shape, int sample, int classes)
{
    int sizes[3];
    int channels = 1;
    int side = 1;

    while (side * side < sample)
        side++;
    *net = (struct net){.sample = sample, .labels = 1, .classes = classes};
    if (read_list(shape, 3, sizes) != 3)
        return "takes channels of two convolutions and the size of a hidden "
               "layer, like 16,32,128";
    if (side * side != sample || side < 4)
        return "is of a network for square images of 4 x 4 pixels or more, "
               "which these are not";
    append_same(net, LAYER_PIXELS, 1, sample);
    for (int i = 0; i < 2; i++) {
        append(net, (struct layer){.kind = LAYER_CONV,
                                   .rows = side * side,
                                   .in = channels,
                                   .out = sizes[i],
                                   .side = side});
        channels = sizes[i];
        append(net, (struct layer){.kind = LAYER_POOL,
                                   .rows = side * side,
                                   .in = channels,
                                   .out = channels,
                                   .side = side});
        side /= 2;
        append_same(net, LAYER_RELU, 1, side * side * channels);
    }
    append_dense(net, 1, side * side * channels, sizes[2]);
    append_same(net, LAYER_RELU, 1, sizes[2]);
    append_dense(net, 1, sizes[2], classes);
    return finish(net);
}

/* What ends at the layer before the next one is added to what `skip` gave. */
static int append_add(struct net *net, int skip, int size)
{
    append(net, (struct layer){.kind = LAYER_ADD,
                               .rows = 1,
                               .in = size,
                               .out = size,
                               .skip = skip});
    return net->layers - 1;
}

const char *net_transformer(struct net *net, const char *shape, int sample)
{
    int sizes[3];
    int width, last;

    *net = (struct net){.sample = sample, .labels = sample, .classes = 256};
    if (read_list(shape, 3, sizes) != 3)
        return "takes width, heads and blocks, like 64,4,2";
    width = sizes[0];
    if (width % sizes[1])
        return "takes a width that is a multiple of the heads";
    append(net,
           (struct layer){
               .kind = LAYER_EMBED, .rows = sample, .in = 1, .out = width});
    last = 0;
    for (int block = 0; block < sizes[2] && net->layers > 0; block++) {
        append_same(net, LAYER_NORM, sample, width);
        append_dense(net, sample, width, 3 * width);
        append(net, (struct layer){.kind = LAYER_ATTENTION,
                                   .rows = sample,
                                   .in = 3 * width,
                                   .out = width,
                                   .heads = sizes[1]});
        append_dense(net, sample, width, width);
        last = append_add(net, last, sample * width);
        append_same(net, LAYER_NORM, sample, width);
        append_dense(net, sample, width, 4 * width);
        append_same(net, LAYER_GELU, 1, sample * 4 * width);
        append_dense(net, sample, 4 * width, width);
        last = append_add(net, last, sample * width);
    }
    append_same(net, LAYER_NORM, sample, width);
    append_dense(net, sample, width, 256);
    return finish(net);
}

void net_start(const struct net *net, uint64_t seed, real *ret_weights)
{
    uint64_t state = seed;

    memset(ret_weights, 0, sizeof(*ret_weights) * (size_t)net->parameters);
    for (int l = 0; l < net->layers; l++) {
        const struct layer *layer = &net->layer[l];
        real *w = ret_weights + layer->first;
        bool by_relu = layer->kind == LAYER_CONV || layer->rows == 1;
        long random = 0;
        double scale = 0.1;

        if (layer->kind == LAYER_EMBED)
            random = layer->parameters;
        if (layer->kind == LAYER_DENSE || layer->kind == LAYER_CONV) {
            random = layer->parameters - layer->out;
            scale = sqrt((by_relu ? 6 : 3) / ((double)random / layer->out));
        }
        for (long i = 0; i < random; i++)
            w[i] = (real)((2 * app_random_real(&state) - 1) * scale);
        for (int i = 0; layer->kind == LAYER_NORM && i < layer->in; i++)
            w[i] = 1;
    }
}
