/*
 * A program for tests of whole runs that are stopped and go on:
 *
 *   steps COUNT DIRECTORY [NAP_MS]
 *
 * makes so many steps on some vectors, each from its neighbours, saves every
 * few of them in the directory, and goes on from what is there. It prints where
 * it begins and, at the end, a number that depends on every step. Asked to stop,
 * it saves, says "stopped", and returns CASTELL_EXIT_RESUME.
 */
#include <castell.h>
#include <castell_checkpoint.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    VECTORS = 6,
    SIZE = 2048,
    EVERY = 5,
    NAME_SIZE = 32,
    NS_PER_MS = 1000000
};

struct vectors {
    double now[2][VECTORS][SIZE];
};

struct order {
    int64_t step;
    int64_t nap_ms;
};

static int mix_body(void *const *buffers, const void *argument)
{
    double *middle = buffers[0];
    const double *left = buffers[1], *right = buffers[2];
    struct timespec time = {0};
    struct order order;

    memcpy(&order, argument, sizeof(order));
    for (int i = 0; i < SIZE; i++)
        middle[i] = sqrt(middle[i] * 0.7 + left[i] / 3 + right[SIZE - 1 - i]) +
                    1.0 / (double)(order.step + i + 1);
    time.tv_nsec = order.nap_ms * NS_PER_MS;
    (void)nanosleep(&time, NULL);
    return 0;
}

static struct castell_kind mix_kind = {.name = "steps:mix", .body = mix_body};

static struct castell_access vector_of(const double *vector,
                                       enum castell_mode mode)
{
    return (struct castell_access){
        .base = vector, .size = SIZE * sizeof(double), .mode = mode};
}

static void make_step(struct vectors *vectors, struct order order)
{
    double(*now)[SIZE] = vectors->now[order.step % 2];
    double(*before)[SIZE] = vectors->now[(order.step + 1) % 2];

    for (int i = 0; i < VECTORS; i++) {
        const struct castell_access accesses[] = {
            vector_of(now[i], CASTELL_INOUT),
            vector_of(before[(i + VECTORS - 1) % VECTORS], CASTELL_IN),
            vector_of(before[(i + 1) % VECTORS], CASTELL_IN)};
        const struct castell_submission submission = {.kind = &mix_kind,
                                                      .accesses = accesses,
                                                      .accesses_count = 3,
                                                      .argument = &order,
                                                      .argument_size =
                                                          sizeof(order)};

        castell_must(castell_task_submit(&submission, NULL), NULL);
    }
}

static struct castell_checkpoint *begin(struct vectors *vectors,
                                        const char *directory)
{
    struct castell_checkpoint *saved = NULL;

    castell_must(castell_checkpoint_create(directory, &saved), NULL);
    for (int i = 0; i < 2 * VECTORS; i++) {
        double *vector = vectors->now[i / VECTORS][i % VECTORS];
        const struct castell_access access = vector_of(vector, CASTELL_IN);
        char name[NAME_SIZE];

        for (int j = 0; j < SIZE; j++)
            vector[j] = i + 1.0 / (j + 1);
        (void)snprintf(name, sizeof(name), "vector %d", i);
        castell_must(
            castell_checkpoint_add(saved, name, &access, sizeof(double)), NULL);
    }
    return saved;
}

/* FNV-1a over all bits. */
static uint64_t sum_of(const struct vectors *vectors)
{
    uint64_t sum = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < sizeof(*vectors); i++)
        sum = (sum ^ ((const unsigned char *)vectors)[i]) *
              UINT64_C(1099511628211);
    return sum;
}

int main(int argc, char **argv)
{
    static struct vectors vectors;
    struct castell_checkpoint *saved;
    uint64_t step = 0;
    uint64_t steps;
    int64_t nap_ms;
    bool stop;

    if (argc < 3)
        return 2;
    steps = strtoull(argv[1], NULL, 10);
    nap_ms = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
    castell_must(castell_kind_declare(&mix_kind), NULL);
    castell_start(&argc, &argv);
    saved = begin(&vectors, argv[2]);
    castell_must(castell_checkpoint_restore(saved, &step), NULL);
    printf("from %" PRIu64 "\n", step);
    (void)fflush(stdout);
    while (step < steps && !castell_stop_requested()) {
        make_step(&vectors, (struct order){(int64_t)step, nap_ms});
        step++;
        if (step % EVERY == 0) {
            castell_must(castell_checkpoint_save(saved, step), NULL);
            castell_must(castell_checkpoint_wait(saved), NULL);
        }
    }
    stop = step < steps;
    if (stop) {
        castell_must(castell_checkpoint_save(saved, step), NULL);
        castell_must(castell_checkpoint_wait(saved), NULL);
        printf("stopped at %" PRIu64 "\n", step);
    } else {
        castell_must(castell_barrier(), NULL);
        printf("result %016" PRIx64 "\n", sum_of(&vectors));
    }
    castell_checkpoint_destroy(saved);
    return castell_stop() ? 1 : stop ? CASTELL_EXIT_RESUME : 0;
}
