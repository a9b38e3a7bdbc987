/*
 * Kernels from sources, on GPUs that are none, with a compiler that makes them for
 * the host: they compute, once they are built they are kept, and what cannot be
 * built or started is told in words.
 */
#include "castell_cuda.h"
#include "device/fake_cuda.h"
#include "harness/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 37, HEIGHT = 21, DEPTH = 3, COUNT = WIDTH * HEIGHT * DEPTH };

static const char source[] =
    "extern \"C\" __global__ void add(int n, int by, int *x)\n"
    "{\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    if (i < n) x[i] += by;\n"
    "}\n"
    "extern \"C\" __global__ void high(int n, int by, int *x)\n"
    "{\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    int j = blockIdx.y * blockDim.y + threadIdx.y;\n"
    "    if (i == 0 && j < 600000 && n > 0) x[j % 7] += by;\n"
    "}\n"
    "extern \"C\" __global__ void places(int width, int height, int depth, "
    "int *x)\n"
    "{\n"
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
    "    int j = blockIdx.y * blockDim.y + threadIdx.y;\n"
    "    int k = blockIdx.z * blockDim.z + threadIdx.z;\n"
    "    if (i < width && j < height && k < depth)\n"
    "        x[(k * height + j) * width + i] += i + 100 * j + 10000 * k;\n"
    "}\n";

/* What a body is to start, and how that ended. */
struct order {
    const char *source;
    const char *name;
    struct castell_cuda_range range;
    int by;
    enum castell_status *status;
    char *words;
};

enum { WORDS_SIZE = 1024 };

static int launch(void *const *buffers, const void *argument)
{
    static const int width = WIDTH, height = HEIGHT, depth = DEPTH,
                     count = COUNT;
    const struct order *order = argument;
    int by = order->by;
    const void *const adds[] = {&count, &by, &buffers[0]};
    const void *const places[] = {&width, &height, &depth, &buffers[0]};

    *order->status =
        castell_cuda_launch(order->source, order->name, &order->range,
                            strcmp(order->name, "places") ? adds : places);
    (void)snprintf(order->words, WORDS_SIZE, "%s", castell_error_text());
    by = -1000; /* what was enqueued has its own */
    return *order->status < 0;
}

static struct castell_kind kind = {.name = "launch",
                                   .body = launch,
                                   .device = CASTELL_CUDA,
                                   .flags = CASTELL_ASYNC};

static enum castell_status last_status;
static char last_words[WORDS_SIZE];

/* NOLINTBEGIN(readability-non-const-parameter): the task writes there */
static void submit(const char *text, const char *name,
                   struct castell_cuda_range range, int by, int *x)
{
    const struct castell_access access = {
        .base = x, .size = COUNT * sizeof(*x), .mode = CASTELL_INOUT};
    const struct order order = {text, name,         range,
                                by,   &last_status, last_words};
    const struct castell_submission task = {.kind = &kind,
                                            .accesses = &access,
                                            .accesses_count = 1,
                                            .argument = &order,
                                            .argument_size = sizeof(order)};

    must(castell_task_submit(&task, NULL) == CASTELL_OK, "a task");
}
/* NOLINTEND(readability-non-const-parameter) */

static const struct castell_cuda_range line = {.dimensions = 1,
                                               .global = {COUNT}};

static void start(void)
{
    must(castell_start_with(NULL) == CASTELL_OK, "it starts");
}

static void stop(bool is_good)
{
    ok((castell_stop() == 0) == is_good, "it ends %s",
       is_good ? "well" : "with what has failed");
    ok(fake_cuda_left() == 0 && fake_cuda_depth() == 0, "nothing is left: %d",
       fake_cuda_left());
}

/* ---- What it computes ------------------------------------------------------ */

static void test_results(void)
{
    static int x[COUNT];
    int wrong = 0;

    memset(x, 0, sizeof(x));
    start();
    for (int i = 1; i <= 10; i++)
        submit(source, "add", line, i, x);
    submit(source, "places",
           (struct castell_cuda_range){3, {WIDTH, HEIGHT, DEPTH}, {0}, 0}, 0,
           x);
    submit(
        source, "places",
        (struct castell_cuda_range){3, {WIDTH, HEIGHT, DEPTH}, {5, 4, 2}, 64},
        0, x);
    must(castell_barrier() == CASTELL_OK, "they end: %s", last_words);
    for (int i = 0; i < COUNT; i++)
        wrong += x[i] != 55 + 2 * (i % WIDTH + 100 * (i / WIDTH % HEIGHT) +
                                   10000 * (i / WIDTH / HEIGHT));
    ok(wrong == 0, "results are right, those of %d are not", wrong);
    stop(true);
}

/* More rows than CUDA takes blocks: it has 65535 of them in that direction. */
static void test_high(void)
{
    static int x[COUNT];
    int sum = 0;

    start();
    submit(source, "high",
           (struct castell_cuda_range){.dimensions = 2, .global = {2, 600000}},
           1, x);
    must(castell_barrier() == CASTELL_OK, "they end: %s", last_words);
    for (int i = 0; i < 7; i++)
        sum += x[i];
    ok(sum == 600000, "each of many rows has run once: %d", sum);
    stop(true);
}

static void test_kept(void)
{
    static char copy[sizeof(source)];
    static int x[COUNT];
    int before = fake_nvrtc_compiled();

    memcpy(copy, source, sizeof(source));
    memset(x, 0, sizeof(x));
    start();
    submit(source, "add", line, 1, x);
    submit(copy, "add", line, 2, x);
    must(castell_barrier() == CASTELL_OK, "they end: %s", last_words);
    ok(x[COUNT - 1] == 3 && fake_nvrtc_compiled() == before,
       "a later run finds on disk what one before has built");
    stop(true);
    must(setenv("FAKE_NVRTC_OLD", "1", 1) == 0 &&
             setenv("CASTELL_CACHE", "/dev/null/none", 1) == 0,
         "an environment");
    start();
    submit(source, "add", line, 4, x);
    must(castell_barrier() == CASTELL_OK, "they end: %s", last_words);
    ok(x[COUNT - 1] == 7 && fake_nvrtc_compiled() > before,
       "a compiler older than the GPU, and no disk to keep it on");
    stop(true);
    must(unsetenv("FAKE_NVRTC_OLD") == 0, "an environment");
}

/* ---- What it refuses --------------------------------------------------------- */

static void refused(const char *what, const char *text, const char *name,
                    struct castell_cuda_range range, enum castell_status status,
                    const char *words)
{
    static int x[COUNT];
    enum castell_status ended;

    last_status = CASTELL_OK;
    start();
    submit(text, name, range, 1, x);
    ended = castell_barrier();
    ok(ended != CASTELL_OK && last_status == status &&
           strstr(last_words, words),
       "%s: %s", what, last_words);
    stop(false);
}

static void test_refusals(void)
{
    refused("no C++", "extern \"C\" __global__ void add(int n) { foo(n); }",
            "add", line, CASTELL_ERR_INVALID, "foo");
    refused("no such kernel", source, "divide", line, CASTELL_ERR_INVALID,
            "no kernel divide; is it extern");
    refused("no direction", source, "add", (struct castell_cuda_range){0},
            CASTELL_ERR_INVALID, "one to three directions");
    refused("no threads", source, "add",
            (struct castell_cuda_range){.dimensions = 2, .global = {8}},
            CASTELL_ERR_INVALID, "at least one thread");
    refused("a block that is too large", source, "add",
            (struct castell_cuda_range){1, {COUNT}, {4096}, 0},
            CASTELL_ERR_INVALID, "add");
    fake_cuda_fail("cuModuleLoadData", 218, 0, 99);
    refused("code that the driver does not take", source, "add", line,
            CASTELL_ERR_INVALID, "a program of kernels");
    fake_cuda_fail("cuLaunchKernel", 701, 0, 99);
    refused("resources that it has not", source, "add", line,
            CASTELL_ERR_SYSTEM, "add");
    fake_cuda_fail(NULL, 0, 0, 0);
    ok(!castell_cuda_kernel(source, "add") &&
           strstr(castell_error_text(), "no body of device(cuda)"),
       "outside of a body: %s", castell_error_text());
}

int main(void)
{
    char directory[] = "/tmp/castell-kernels.XXXXXX";
    char command[128];

    must(mkdtemp(directory) != NULL &&
             setenv("FAKE_NVRTC", directory, 1) == 0 &&
             setenv("CASTELL_CACHE", directory, 1) == 0 &&
             setenv("CASTELL_DEVICES", "cuda", 1) == 0 &&
             castell_kind_declare(&kind) == CASTELL_OK,
         "an environment");
    test_results();
    test_high();
    test_kept();
    test_refusals();
    (void)snprintf(command, sizeof(command), "rm -rf %s", directory);
    /* NOLINTNEXTLINE(cert-env33-c): the command is the test's own */
    ok(system(command) == 0, "it can be removed");
    return tap_done();
}
