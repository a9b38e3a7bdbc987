/* What a network computes, and derivatives. */
#include "neural/net.h"

#include "neural/layers.h"

long net_memory(const struct net *net)
{
    long scratch = 0;

    for (int l = 0; l < net->layers; l++) {
        long layer = layer_scratch(&net->layer[l]);

        scratch = layer > scratch ? layer : scratch;
    }
    return 2L * net->tile * net->units + scratch;
}

/* In the scratch memory: what the layers gave, derivatives by that, and room
   for one layer's own. */
static real *gave(const struct net *net, real *memory, int l)
{
    return memory + (long)net->tile * net->layer[l].units;
}

static real *by(const struct net *net, real *memory, int l)
{
    return memory + (long)net->tile * (net->units + net->layer[l].units);
}

/* Some samples of a tile. */
struct at_work {
    const real *weights;
    const uint8_t *bytes, *labels;
    int count;
};

static void add(real *to, const real *from, long count)
{
    #pragma omp simd
    for (long i = 0; i < count; i++)
        to[i] += from[i];
}

static struct layer_work work_of(const struct net *net, int l,
                                 const real *weights, int count, real *memory)
{
    return (struct layer_work){
        .layer = &net->layer[l],
        .weights = weights + net->layer[l].first,
        .count = count,
        .scratch = memory + 2L * net->tile * net->units,
    };
}

static void forward(const struct net *net, const real *weights,
                    const uint8_t *bytes, int count, real *memory)
{
    for (int l = 0; l < net->layers; l++) {
        const struct layer *layer = &net->layer[l];
        struct layer_work work = work_of(net, l, weights, count, memory);

        work.bytes = bytes;
        layer_forward(&work, l ? gave(net, memory, l - 1) : NULL,
                      gave(net, memory, l));
        if (layer->kind == LAYER_ADD)
            add(gave(net, memory, l), gave(net, memory, layer->skip),
                (long)count * layer_gives(layer));
    }
}

/* What layers from l + 1 up to `end` - 1 add to what layer l gave. */
static void add_skips(const struct net *net, int l, int end, int count,
                      real *memory)
{
    for (int a = l + 1; a < end; a++) {
        if (net->layer[a].kind == LAYER_ADD && net->layer[a].skip == l)
            add(by(net, memory, l), by(net, memory, a),
                (long)count * layer_gives(&net->layer[l]));
    }
}

/* From layer `end` - 1 down to `begin`, from the derivatives by what the upper
   one gave. The gradient is of these layers. */
static void backward(const struct net *net, int begin, int end,
                     const struct at_work *at, real *memory, real *gradient)
{
    bool reads_bytes = net->layer[0].kind == LAYER_PIXELS;

    for (int l = end - 1; l >= begin; l--) {
        struct layer_work work =
            work_of(net, l, at->weights, at->count, memory);

        work.bytes = at->bytes;
        add_skips(net, l, end, at->count, memory);
        layer_backward(
            &work, l ? gave(net, memory, l - 1) : NULL, gave(net, memory, l),
            by(net, memory, l),
            l == 0 || (l == 1 && reads_bytes) ? NULL : by(net, memory, l - 1),
            gradient + net->layer[l].first - net->layer[begin].first);
    }
}

/* The largest of a row's numbers, the first of equal ones. */
static int answer_of(const real *z, int classes)
{
    int best = 0;

    for (int c = 1; c < classes; c++)
        best = z[c] > z[best] ? c : best;
    return best;
}

/* The loss of a row; its derivatives go to dz, when there. */
static double row_loss(const real *z, int classes, int label, real *dz)
{
    real e[NET_CLASSES_MAX];
    real most = z[0];
    real sum = 0;

    #pragma omp simd reduction(max : most)
    for (int c = 1; c < classes; c++)
        most = z[c] > most ? z[c] : most;
    #pragma omp simd
    for (int c = 0; c < classes; c++)
        e[c] = real_exp(z[c] - most);
    #pragma omp simd reduction(+ : sum)
    for (int c = 0; c < classes; c++)
        sum += e[c];
    if (dz) {
        real share = 1 / sum;

        #pragma omp simd
        for (int c = 0; c < classes; c++)
            dz[c] = e[c] * share;
        dz[label] -= 1;
    }
    return (double)(most - z[label]) + log((double)sum);
}

const real *net_forward(const struct net *net, const real *weights,
                        const uint8_t *bytes, int count, real *memory)
{
    forward(net, weights, bytes, count, memory);
    return gave(net, memory, net->layers - 1);
}

/* The tile from sample `first` on. */
static struct at_work tile_of(const struct net *net, const real *weights,
                              const struct net_samples *samples, int first)
{
    int left = samples->count - first;

    return (struct at_work){
        .weights = weights,
        .bytes = samples->bytes + (long)first * net->sample,
        .labels = samples->labels + (long)first * net->labels,
        .count = left < net->tile ? left : net->tile,
    };
}

/* The loss of a tile, and its derivatives by what the last layer gave. */
static double tile_loss(const struct net *net, const struct at_work *at,
                        real *memory)
{
    int last = net->layers - 1;
    double loss = 0;

    forward(net, at->weights, at->bytes, at->count, memory);
    for (long row = 0; row < (long)at->count * net->labels; row++)
        loss += row_loss(gave(net, memory, last) + row * net->classes,
                         net->classes, at->labels[row],
                         by(net, memory, last) + row * net->classes);
    return loss;
}

double net_gradient(const struct net *net, const real *weights,
                    const struct net_samples *samples, real *memory,
                    real *gradient)
{
    double loss = 0;

    for (int first = 0; first < samples->count; first += net->tile) {
        struct at_work at = tile_of(net, weights, samples, first);

        loss += tile_loss(net, &at, memory);
        backward(net, 0, net->layers, &at, memory, gradient);
    }
    return loss;
}

/* ---- In two parts --------------------------------------------------------- */

/*
 * What is kept: the gradient, of layers below the cut, of all tiles but the last,
 * where there are more; and of that one what these layers gave, the derivatives
 * by what the upper one of them gave, and the samples.
 */
struct kept {
    int count;                  /* samples of that tile */
    long carried;               /* numbers of a gradient, at the beginning */
    long gave, by, bytes, all; /* where they begin; the end */
};

static struct kept kept_of(const struct net *net, int samples)
{
    struct kept kept = {.count =
                            samples - (samples - 1) / net->tile * net->tile};
    long count = kept.count;

    kept.carried = samples > net->tile ? net_cut_parameters(net) : 0;
    kept.gave = kept.carried;
    kept.by = kept.gave + count * net->layer[net->cut].units;
    kept.bytes = kept.by + count * layer_gives(&net->layer[net->cut - 1]);
    kept.all =
        kept.bytes + (count * net->sample + (long)sizeof(real) - 1) /
                         (long)sizeof(real);
    return kept;
}

long net_kept(const struct net *net, int samples)
{
    return net->cut > 0 ? kept_of(net, samples).all : 0;
}

int net_cut_parameters(const struct net *net)
{
    return net->layer[net->cut].first;
}

static size_t layer_bytes(const struct net *net, int l, int count)
{
    return sizeof(real) * (size_t)count * (size_t)layer_gives(&net->layer[l]);
}

static void keep(const struct net *net, const struct kept *to,
                 const struct at_work *at, real *memory, real *kept)
{
    size_t bytes = (size_t)at->count * (size_t)net->sample;

    for (int l = 0; l < net->cut; l++)
        memcpy(kept + to->gave + (long)at->count * net->layer[l].units,
               gave(net, memory, l), layer_bytes(net, l, at->count));
    memcpy(kept + to->by, by(net, memory, net->cut - 1),
           layer_bytes(net, net->cut - 1, at->count));
    kept[to->all - 1] = 0; /* the end of it may be beyond the samples */
    memcpy(kept + to->bytes, at->bytes, bytes);
}

double net_gradient_above(const struct net *net, const real *weights,
                          const struct net_samples *samples, real *memory,
                          real *kept, real *gradient)
{
    struct kept to = kept_of(net, samples->count);
    double loss = 0;

    memset(kept, 0, sizeof(*kept) * (size_t)to.carried);
    for (int first = 0; first < samples->count; first += net->tile) {
        struct at_work at = tile_of(net, weights, samples, first);

        loss += tile_loss(net, &at, memory);
        backward(net, net->cut, net->layers, &at, memory, gradient);
        add_skips(net, net->cut - 1, net->layers, at.count, memory);
        if (first + net->tile >= samples->count)
            keep(net, &to, &at, memory, kept);
        else
            backward(net, 0, net->cut, &at, memory, kept);
    }
    return loss;
}

void net_gradient_below(const struct net *net, const real *weights, int samples,
                        const real *kept, real *memory, real *gradient)
{
    struct kept from = kept_of(net, samples);
    struct at_work at = {
        .weights = weights,
        .bytes = (const uint8_t *)(kept + from.bytes),
        .count = from.count,
    };

    for (int l = 0; l < net->cut; l++)
        memcpy(gave(net, memory, l),
               kept + from.gave + (long)at.count * net->layer[l].units,
               layer_bytes(net, l, at.count));
    memcpy(by(net, memory, net->cut - 1), kept + from.by,
           layer_bytes(net, net->cut - 1, at.count));
    add(gradient, kept, from.carried);
    backward(net, 0, net->cut, &at, memory, gradient);
}

struct net_score net_score(const struct net *net, const real *weights,
                           const struct net_samples *samples, real *memory,
                           long *confusion)
{
    struct net_score score = {0};

    for (int first = 0; first < samples->count; first += net->tile) {
        int left = samples->count - first;
        int count = left < net->tile ? left : net->tile;
        const uint8_t *labels = samples->labels + (long)first * net->labels;
        const real *z = net_forward(net, weights,
                                    samples->bytes + (long)first * net->sample,
                                    count, memory);

        for (long row = 0; row < (long)count * net->labels; row++) {
            int answer = answer_of(z + row * net->classes, net->classes);

            score.loss += row_loss(z + row * net->classes, net->classes,
                                   labels[row], NULL);
            score.labels++;
            score.right += answer == labels[row];
            if (confusion)
                confusion[(long)labels[row] * net->classes + answer]++;
        }
    }
    return score;
}
