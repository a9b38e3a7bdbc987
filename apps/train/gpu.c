#include "train/gpu.h"

#include "common/app.h"
#include "train/kernels.h"

#include <castell.h>
#include <castell_opencl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SIZES_MAX = 18, ARGUMENTS_MAX = 12 };

/* A perceptron, as bodies get it: by value, for what they read is on a device.
   size[0] are the bytes of a sample, the last one is how many classes. */
struct perceptron {
    int layers;
    int size[SIZES_MAX];
};

/* One shard. */
struct shard {
    struct perceptron net;
    struct data_part part;
    int parameters;
    long room; /* for numbers between layers */
};

struct gpu {
    struct perceptron net;
    int *order;        /* of each shard in the window: which samples */
    real *losses;      /* the same: of each sample */
    uint32_t *who;     /* the same: process and executor */
    real *work;        /* of each shard of a step */
    long work_size;    /* of each */
};

/* ---- Tasks -------------------------------------------------------------- */

#pragma castell task out(order[0:part.count])
static void choose_order(struct data_part part, int *order)
{
    for (int i = 0; i < part.count; i++)
        order[i] = data_nth(&part, i);
}

#pragma castell task distributed \
    in(weights[0:shard.parameters]) \
    in(bytes[0:(long)shard.part.total*shard.net.size[0]]) \
    in(labels[0:shard.part.total], order[0:shard.part.count]) \
    out(work[0:shard.room], gradient[0:shard.parameters]) \
    out(losses[0:shard.part.count], who[0:2])
int learn_on_device(struct shard shard, const real *weights,
                    const uint8_t *bytes, const uint8_t *labels,
                    const int *order, real *work, real *gradient, real *losses,
                    uint32_t *who);

#pragma castell task in(losses[0:count], who[0:2]) out(*learned)
static void sum_losses(int count, const real *losses, const uint32_t *who,
                       struct learned *learned)
{
    *learned = (struct learned){.process = who[0], .executor = who[1]};
    for (int i = 0; i < count; i++)
        learned->loss += (double)losses[i];
}

#pragma castell task inout(to[0:count]) in(from[0:count])
int add_on_device(int count, real *to, const real *from);

#pragma castell task in(g[0:count]) inout(w[0:count], v[0:count])
int move_on_device(struct rates rates, int count, const real *g, real *w,
                   real *v);

/* ---- Bodies: OpenCL ----------------------------------------------------- */

struct call {
    struct castell_opencl_argument arguments[ARGUMENTS_MAX];
    uint32_t count;
};

static void put(struct call *call, const void *value, size_t size)
{
    call->arguments[call->count++] =
        (struct castell_opencl_argument){size, value};
}

#define PUT(call, variable) put(call, &(variable), sizeof(variable))

static int launch(const char *source, const char *name, int width, int height,
                  const struct call *call)
{
    const struct castell_opencl_range range = {
        2, {(size_t)width, (size_t)height}, {0}};

    if (castell_opencl_launch(source, name, &range, call->arguments,
                              call->count) >= 0)
        return 0;
    fprintf(stderr, "train: %s: %s\n", name, castell_error_text());
    return 1;
}

static uint32_t process_here(void)
{
    char host[256] = "";

    gethostname(host, sizeof(host) - 1);
    return (uint32_t)app_checksum(host, strlen(host)) * 65599 +
           (uint32_t)getpid();
}

/* Where a layer's numbers are in `work`, and its parameters among all. */
struct place {
    long x, y, dx, dy;
    long first;
};

static struct place place_of(const struct perceptron *net, int rows, int layer)
{
    struct place place = {0};
    long all = 0;

    for (int i = 0; i <= net->layers; i++)
        all += (long)rows * net->size[i];
    for (int i = 0; i < layer; i++) {
        place.x += (long)rows * net->size[i];
        place.first += ((long)net->size[i] + 1) * net->size[i + 1];
    }
    place.y = place.x + (long)rows * net->size[layer];
    place.dx = all + place.x;
    place.dy = all + place.y;
    return place;
}

static int forward(const struct perceptron *net, int rows, const real *weights,
                   real *work)
{
    int failed = 0;

    for (int i = 0; i < net->layers; i++) {
        struct place at = place_of(net, rows, i);
        int in = net->size[i];
        int out = net->size[i + 1];
        int relu = i < net->layers - 1;
        struct call call = {.count = 0};

        PUT(&call, rows);
        PUT(&call, in);
        PUT(&call, out);
        PUT(&call, relu);
        PUT(&call, weights);
        PUT(&call, at.first);
        PUT(&call, work);
        PUT(&call, at.x);
        PUT(&call, at.y);
        failed |= launch(kernels_forward, "dense", out, rows, &call);
    }
    return failed;
}

static int backward(const struct perceptron *net, int rows, const real *weights,
                    real *work, real *gradient)
{
    int failed = 0;

    for (int i = net->layers - 1; i >= 0; i--) {
        struct place at = place_of(net, rows, i);
        int in = net->size[i];
        int out = net->size[i + 1];
        struct call by_weights = {.count = 0};
        struct call by_input = {.count = 0};

        PUT(&by_weights, rows);
        PUT(&by_weights, in);
        PUT(&by_weights, out);
        PUT(&by_weights, work);
        PUT(&by_weights, at.x);
        PUT(&by_weights, at.dy);
        PUT(&by_weights, gradient);
        PUT(&by_weights, at.first);
        failed |= launch(kernels_backward, "by_weights", out, in + 1,
                         &by_weights);
        if (i == 0)
            break;
        PUT(&by_input, rows);
        PUT(&by_input, in);
        PUT(&by_input, out);
        PUT(&by_input, weights);
        PUT(&by_input, at.first);
        PUT(&by_input, work);
        PUT(&by_input, at.x);
        PUT(&by_input, at.dy);
        PUT(&by_input, at.dx);
        failed |= launch(kernels_backward, "by_input", in, rows, &by_input);
    }
    return failed;
}

#pragma castell implements(learn_on_device) device(opencl) \
    constraint(gpus=1) async
static int learn_opencl(struct shard shard, const real *weights,
                        const uint8_t *bytes, const uint8_t *labels,
                        const int *order, real *work, real *gradient,
                        real *losses, uint32_t *who)
{
    const struct perceptron net = shard.net;
    int rows = shard.part.count;
    struct place last = place_of(&net, rows, net.layers - 1);
    uint32_t process = process_here();
    uint32_t executor = castell_executor();
    struct call pixels = {.count = 0};
    struct call loss = {.count = 0};

    PUT(&pixels, rows);
    PUT(&pixels, net.size[0]);
    PUT(&pixels, bytes);
    PUT(&pixels, order);
    PUT(&pixels, work);
    PUT(&loss, rows);
    PUT(&loss, net.size[net.layers]);
    PUT(&loss, labels);
    PUT(&loss, order);
    PUT(&loss, process);
    PUT(&loss, executor);
    PUT(&loss, work);
    PUT(&loss, last.y);
    PUT(&loss, last.dy);
    PUT(&loss, losses);
    PUT(&loss, who);
    return launch(kernels_forward, "pixels", net.size[0], rows,
                  &pixels) ||
           forward(&net, rows, weights, work) ||
           launch(kernels_loss, "loss", rows, 1, &loss) ||
           backward(&net, rows, weights, work, gradient);
}

#pragma castell implements(add_on_device) device(opencl) constraint(gpus=1) \
    async
static int add_opencl(int count, real *to, const real *from)
{
    struct call call = {.count = 0};

    PUT(&call, count);
    PUT(&call, to);
    PUT(&call, from);
    return launch(kernels_move, "add", count, 1, &call);
}

#pragma castell implements(move_on_device) device(opencl) constraint(gpus=1) \
    async
static int move_opencl(struct rates rates, int count, const real *g, real *w,
                       real *v)
{
    real momentum = (real)rates.momentum;
    real pull = (real)(rates.learning * rates.scale);
    real decay = (real)(rates.learning * rates.decay);
    struct call call = {.count = 0};

    PUT(&call, count);
    PUT(&call, momentum);
    PUT(&call, pull);
    PUT(&call, decay);
    PUT(&call, g);
    PUT(&call, w);
    PUT(&call, v);
    return launch(kernels_move, "sgd", count, 1, &call);
}

/* ---- Submitting --------------------------------------------------------- */

void gpu_submit_shard(struct trainer *t, struct data_part part, long row,
                      int shard)
{
    struct gpu *gpu = t->gpu;
    const struct shard work = {gpu->net, part, t->net->parameters,
                               gpu->work_size};
    int *order = gpu->order + row * t->how.shard;
    real *losses = gpu->losses + row * t->how.shard;
    uint32_t *who = gpu->who + 2 * row;

    choose_order(part, order);
    learn_on_device(work, t->weights, t->train.bytes, t->train.answers, order,
                    gpu->work + shard * gpu->work_size,
                    t->gradient + (long)shard * t->net->parameters, losses,
                    who);
    sum_losses(part.count, losses, who, &t->learned[row]);
}

void gpu_submit_sum(struct trainer *t, int shards)
{
    long parameters = t->net->parameters;

    for (int apart = 1; apart < shards; apart *= 2) {
        for (int i = 0; i + apart < shards; i += 2 * apart)
            add_on_device((int)parameters, t->gradient + i * parameters,
                          t->gradient + (i + apart) * parameters);
    }
}

void gpu_submit_move(struct trainer *t, struct rates rates)
{
    move_on_device(rates, t->net->parameters, t->gradient, t->weights,
                   t->first);
}

/* ---- Its life ----------------------------------------------------------- */

void gpu_choose(const char *device)
{
    if (strcmp(device, "cpu") && strcmp(device, "opencl"))
        app_die(2, "--device is cpu or opencl, not '%s'", device);
    setenv("CASTELL_DEVICES", strcmp(device, "cpu") ? device : "none", 1);
}

struct gpu *gpu_create(struct trainer *t)
{
    struct gpu *gpu = app_alloc(1, sizeof(*gpu));
    long rows = (long)TRAINER_WINDOW * t->shards;
    long numbers = t->net->sample;

    *gpu = (struct gpu){.net.size[0] = t->net->sample};
    for (int i = 0; i < t->net->layers; i++) {
        if (t->net->layer[i].kind != LAYER_DENSE)
            continue;
        gpu->net.size[++gpu->net.layers] = t->net->layer[i].out;
        numbers += t->net->layer[i].out;
    }
    gpu->work_size = 2 * numbers * t->how.shard;
    gpu->order = app_alloc(rows * t->how.shard, sizeof(int));
    gpu->losses = app_alloc(rows * t->how.shard, sizeof(real));
    gpu->who = app_alloc(2 * rows, sizeof(uint32_t));
    gpu->work = app_alloc(t->shards * gpu->work_size, sizeof(real));
    return gpu;
}

void gpu_destroy(struct gpu *gpu)
{
    if (!gpu)
        return;
    castell_free(gpu->order);
    castell_free(gpu->losses);
    castell_free(gpu->who);
    castell_free(gpu->work);
    castell_free(gpu);
}
