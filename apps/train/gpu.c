/* The tasks of a network on devices, their bodies, and who submits them. */
#include "train/gpu.h"

#include "common/app.h"
#include "train/gpu_net.h"

#include <castell.h>
#include <castell_device.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One shard. What bodies read is on a device: how to build the network goes by
   value, and what the clauses need of it. */
struct shard {
    struct model model;
    int parameters, sample, labels;
    struct data_part part;
    long room; /* for numbers between layers */
};

struct gpu {
    int *order;        /* of each shard in the window: which samples */
    real *losses;      /* the same: of each label */
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
    in(bytes[0:(long)shard.part.total*shard.sample]) \
    in(labels[0:(long)shard.part.total*shard.labels]) \
    in(order[0:shard.part.count]) \
    out(work[0:shard.room], gradient[0:shard.parameters]) \
    out(losses[0:shard.part.count*shard.labels], who[0:2])
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

#pragma castell task in(g[0:count]) inout(w[0:count], m[0:count], v[0:count])
int adam_on_device(struct rates rates, int count, const real *g, real *w,
                   real *m, real *v);

/* ---- Bodies -------------------------------------------------------------- */

static uint32_t process_here(void)
{
    char host[256] = "";

    gethostname(host, sizeof(host) - 1);
    return (uint32_t)app_checksum(host, strlen(host)) * 65599 +
           (uint32_t)getpid();
}

static int learn_by(const struct app_device *device, const struct shard *shard,
                    const struct gpu_net *buffers,
                    const struct gpu_losses *losses, real *gradient)
{
    const struct gpu_losses to = {losses->losses, losses->who, process_here(),
                                  castell_executor()};
    struct gpu_net at = *buffers;
    struct net *net = malloc(sizeof(*net));
    int failed;

    if (!net) {
        (void)fprintf(stderr, "no memory for a network\n");
        return 1;
    }
    model_build(&shard->model, net);
    at.device = device;
    at.net = net;
    at.count = shard->part.count;
    failed = gpu_net_forward(&at, &to) || gpu_net_backward(&at, gradient);
    free(net);
    return failed;
}

#pragma castell implements(learn_on_device) device(opencl) \
    constraint(gpus=1) async
static int learn_opencl(struct shard shard, const real *weights,
                        const uint8_t *bytes, const uint8_t *labels,
                        const int *order, real *work, real *gradient,
                        real *losses, uint32_t *who)
{
    return learn_by(&app_device_opencl, &shard,
                    &(struct gpu_net){.bytes = bytes,
                                      .labels = labels,
                                      .order = order,
                                      .weights = weights,
                                      .work = work},
                    &(struct gpu_losses){losses, who, 0, 0}, gradient);
}

#pragma castell implements(learn_on_device) device(cuda) \
    constraint(gpus=1) async
static int learn_cuda(struct shard shard, const real *weights,
                        const uint8_t *bytes, const uint8_t *labels,
                        const int *order, real *work, real *gradient,
                        real *losses, uint32_t *who)
{
    return learn_by(&app_device_cuda, &shard,
                    &(struct gpu_net){.bytes = bytes,
                                      .labels = labels,
                                      .order = order,
                                      .weights = weights,
                                      .work = work},
                    &(struct gpu_losses){losses, who, 0, 0}, gradient);
}

#pragma castell implements(add_on_device) device(opencl) constraint(gpus=1) \
    async
static int add_opencl(int count, real *to, const real *from)
{
    return gpu_net_add(&app_device_opencl, count, to, from);
}

#pragma castell implements(add_on_device) device(cuda) constraint(gpus=1) async
static int add_cuda(int count, real *to, const real *from)
{
    return gpu_net_add(&app_device_cuda, count, to, from);
}

#pragma castell implements(move_on_device) device(opencl) constraint(gpus=1) \
    async
static int move_opencl(struct rates rates, int count, const real *g, real *w,
                       real *v)
{
    return gpu_net_sgd(&app_device_opencl, &rates, count, g, w, v);
}

#pragma castell implements(move_on_device) device(cuda) constraint(gpus=1) async
static int move_cuda(struct rates rates, int count, const real *g, real *w,
                     real *v)
{
    return gpu_net_sgd(&app_device_cuda, &rates, count, g, w, v);
}

#pragma castell implements(adam_on_device) device(opencl) constraint(gpus=1) \
    async
static int adam_opencl(struct rates rates, int count, const real *g, real *w,
                       real *m, real *v)
{
    return gpu_net_adam(&app_device_opencl, &rates, count, g, w, m, v);
}

#pragma castell implements(adam_on_device) device(cuda) constraint(gpus=1) async
static int adam_cuda(struct rates rates, int count, const real *g, real *w,
                     real *m, real *v)
{
    return gpu_net_adam(&app_device_cuda, &rates, count, g, w, m, v);
}

/* ---- Submitting --------------------------------------------------------- */

void gpu_submit_shard(struct trainer *t, struct data_part part, long row,
                      int shard)
{
    struct gpu *gpu = t->gpu;
    const struct shard work = {
        *t->how.model,  t->net->parameters, t->net->sample,
        t->net->labels, part,               gpu->work_size};
    int *order = gpu->order + row * t->how.shard;
    real *losses = gpu->losses + row * t->how.shard * t->net->labels;
    uint32_t *who = gpu->who + 2 * row;

    choose_order(part, order);
    learn_on_device(work, t->weights, t->train.bytes, t->train.answers, order,
                    gpu->work + shard * gpu->work_size,
                    t->gradient + (long)shard * t->net->parameters, losses,
                    who);
    sum_losses(part.count * t->net->labels, losses, who, &t->learned[row]);
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
    if (t->how.optimiser == OPTIMISER_SGD)
        move_on_device(rates, t->net->parameters, t->gradient, t->weights,
                       t->first);
    else
        adam_on_device(rates, t->net->parameters, t->gradient, t->weights,
                       t->first, t->second);
}

/* ---- Its life ----------------------------------------------------------- */

void gpu_choose(const char *device)
{
    if (strcmp(device, "cpu") && strcmp(device, "opencl") &&
        strcmp(device, "cuda"))
        app_die(2, "--device is cpu, cuda or opencl, not '%s'", device);
    setenv("CASTELL_DEVICES", strcmp(device, "cpu") ? device : "none", 1);
}

struct gpu *gpu_create(struct trainer *t)
{
    struct gpu *gpu = app_alloc(1, sizeof(*gpu));
    long rows = (long)TRAINER_WINDOW * t->shards;

    *gpu = (struct gpu){.work_size = gpu_net_work(t->net, t->how.shard)};
    gpu->order = app_alloc(rows * t->how.shard, sizeof(int));
    gpu->losses =
        app_alloc(rows * t->how.shard * t->net->labels, sizeof(real));
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
