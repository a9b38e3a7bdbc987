#include "train/tasks.h"

#include "common/app.h"

#include <castell.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Scratch memory for the network, and `more` bytes after it. Not from
   aligned_alloc(): that of glibc 2.36 would leave holes behind that it does not
   use again. */
static real *scratch_for(const struct net *net, long more)
{
    size_t size = (size_t)net_memory(net) * sizeof(real) + (size_t)more;
    real *memory = malloc(size);

    if (!memory)
        fprintf(stderr, "train: no memory for %zu bytes\n", size);
    return memory;
}

static uint32_t process_here(void)
{
    char host[256] = "";

    gethostname(host, sizeof(host) - 1);
    return (uint32_t)app_checksum(host, strlen(host)) * 65599 +
           (uint32_t)getpid();
}

/* The samples of a part, one after another. */
static void choose(const struct net *net, const struct data_part *part,
                   const uint8_t *bytes, const uint8_t *labels, uint8_t *into)
{
    uint8_t *chosen = into + (long)part->count * net->sample;

    for (int i = 0; i < part->count; i++) {
        long at = data_nth(part, i);

        memcpy(into + (long)i * net->sample, bytes + at * net->sample,
               (size_t)net->sample);
        memcpy(chosen + (long)i * net->labels, labels + at * net->labels,
               (size_t)net->labels);
    }
}

/* All at once, or the layers above the cut when there is room to keep what the
   others need. */
static int compute(const struct net *net, const struct data_part *part,
                   const real *weights, struct net_samples samples, real *kept,
                   real *gradient, struct learned *learned)
{
    long chosen = (long)part->count * (net->sample + net->labels);
    real *memory = scratch_for(net, chosen);

    if (!memory)
        return 1;
    if (part->key || part->first) {
        uint8_t *into = (uint8_t *)(memory + net_memory(net));

        choose(net, part, samples.bytes, samples.labels, into);
        samples.bytes = into;
        samples.labels = into + (long)part->count * net->sample;
    }
    learned->loss = kept ? net_gradient_above(net, weights, &samples, memory,
                                              kept, gradient)
                         : net_gradient(net, weights, &samples, memory,
                                        gradient);
    learned->process = process_here();
    learned->executor = castell_executor();
    free(memory);
    return 0;
}

int learn(const struct net *net, struct data_part part, const real *weights,
          const uint8_t *bytes, const uint8_t *labels, real *gradient,
          struct learned *learned)
{
    struct net_samples samples = {part.count, bytes, labels};

    return compute(net, &part, weights, samples, NULL, gradient, learned);
}

int learn_above(const struct net *net, struct data_part part,
                const real *weights, const uint8_t *bytes,
                const uint8_t *labels, long count, real *kept, real *gradient,
                struct learned *learned)
{
    struct net_samples samples = {part.count, bytes, labels};

    (void)count;
    return compute(net, &part, weights, samples, kept, gradient, learned);
}

int learn_below(const struct net *net, int samples, const real *weights,
                long count, const real *kept, real *gradient)
{
    real *memory = scratch_for(net, 0);

    (void)count;
    if (!memory)
        return 1;
    net_gradient_below(net, weights, samples, kept, memory, gradient);
    free(memory);
    return 0;
}

int learn_fetched(const struct net *net, struct data_part part,
                  const real *weights, const uint8_t *bytes,
                  const uint8_t *labels, real *gradient,
                  struct learned *learned)
{
    struct net_samples samples = {part.count, bytes, labels};

    return compute(net, &part, weights, samples, NULL, gradient, learned);
}

int fetch(const char *bytes_path, const char *labels_path,
                 struct data_place where, struct data_part part,
                 uint8_t *bytes, uint8_t *labels)
{
    if (data_read(bytes_path, where.bytes_at, where.sample, &part, bytes))
        return 1;
    return data_read(labels_path, where.labels_at, where.labels, &part, labels);
}

void move_sgd(struct rates rates, int count, real *g, real *w,
                     real *v)
{
    optimiser_sgd(&rates, count, g, w, v);
    memset(g, 0, sizeof(*g) * (size_t)count);
}

void move_adam(struct rates rates, int count, real *g, real *w, real *m,
                      real *v)
{
    optimiser_adam(&rates, count, g, w, m, v);
    memset(g, 0, sizeof(*g) * (size_t)count);
}

int test(const struct net *net, int count, const real *weights,
                const uint8_t *bytes, const uint8_t *labels, int cells,
                struct net_score *score, long *confusion)
{
    struct net_samples samples = {count, bytes, labels};
    real *memory = scratch_for(net, 0);

    if (!memory)
        return 1;
    *score = net_score(net, weights, &samples, memory,
                       cells > 1 ? confusion : NULL);
    free(memory);
    return 0;
}

