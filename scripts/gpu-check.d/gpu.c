/*
 * What scripts/gpu-check runs on a machine with a GPU, one thing at a time:
 *
 *   gpu devices           how many devices CUDA has for us, and their names
 *   gpu test              results of chains of tasks on GPUs and cores
 *   gpu gemm N TILE       C = C + A B in tiles, from main memory and back
 *   gpu plain-gemm N      one cublasDgemm on resident data
 *   gpu cholesky N TILE   A = L L' in tiles
 *   gpu plain-cholesky N  one cusolverDnDpotrf on resident data
 *   gpu empty TASKS       time of a task whose kernel does nothing
 *   gpu async TASKS       the same where bodies only enqueue
 *
 * Each checks what it has computed, and prints one number last: "NAME VALUE".
 */
#include "gpu.h"

#include <castell_cuda.h>
#include <cublas_v2.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES_MAX = 32, CHAINS = 64, LENGTH = 12, VECTOR = 1 << 16 };

/* ---- Bodies ---------------------------------------------------------- */

static const double one = 1, minus_one = -1;

static int gemm_body(void *const *buffers, const void *argument)
{
    int nb = *(const int *)argument;

    return cublasDgemm(castell_cublas(), CUBLAS_OP_N, CUBLAS_OP_N, nb, nb, nb,
                       &one, buffers[0], nb, buffers[1], nb, &one, buffers[2],
                       nb) != CUBLAS_STATUS_SUCCESS;
}

static int update_body(void *const *buffers, const void *argument)
{
    int nb = *(const int *)argument;

    return cublasDgemm(castell_cublas(), CUBLAS_OP_N, CUBLAS_OP_T, nb, nb, nb,
                       &minus_one, buffers[0], nb, buffers[1], nb, &one,
                       buffers[2], nb) != CUBLAS_STATUS_SUCCESS;
}

static int syrk_body(void *const *buffers, const void *argument)
{
    int nb = *(const int *)argument;

    return cublasDsyrk(castell_cublas(), CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_N,
                       nb, nb, &minus_one, buffers[0], nb, &one, buffers[1],
                       nb) != CUBLAS_STATUS_SUCCESS;
}

static int trsm_body(void *const *buffers, const void *argument)
{
    int nb = *(const int *)argument;

    return cublasDtrsm(castell_cublas(), CUBLAS_SIDE_RIGHT,
                       CUBLAS_FILL_MODE_LOWER, CUBLAS_OP_T,
                       CUBLAS_DIAG_NON_UNIT, nb, nb, &one, buffers[0], nb,
                       buffers[1], nb) != CUBLAS_STATUS_SUCCESS;
}

static struct gpu_work works[DEVICES_MAX];

static int potrf_body(void *const *buffers, const void *argument)
{
    int device = castell_device_number();

    return gpu_potrf(castell_cusolver(), buffers[0], *(const int *)argument,
                     &works[device % DEVICES_MAX]);
}

static int count_body(void *const *buffers, const void *argument)
{
    (void)argument;
    return gpu_count(castell_cuda_stream(), buffers[0], VECTOR);
}

/* The same, by a kernel that is compiled now. */
static int launch_body(void *const *buffers, const void *argument)
{
    static const char source[] =
        "extern \"C\" __global__ void count(int n, double *x)\n"
        "{\n"
        "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) x[i] += 1;\n"
        "}\n";
    static const struct castell_cuda_range range = {.dimensions = 1,
                                                    .global = {VECTOR}};
    const int n = VECTOR;
    const void *const arguments[] = {&n, &buffers[0]};

    (void)argument;
    return castell_cuda_launch(source, "count", &range, arguments) < 0;
}

static int count_on_cpu(void *const *buffers, const void *argument)
{
    double *x = buffers[0];

    (void)argument;
    for (int i = 0; i < VECTOR; i++)
        x[i] += 1;
    return 0;
}

static int nothing_body(void *const *buffers, const void *argument)
{
    (void)argument;
    return gpu_nothing(castell_cuda_stream(), buffers[0]);
}

#define KIND(a_name, a_body, a_flags)                                          \
    {                                                                          \
        .name = a_name, .body = a_body, .device = CASTELL_CUDA,                \
        .flags = a_flags                                                       \
    }

static struct castell_kind gemm = KIND("gemm", gemm_body, CASTELL_ASYNC);
static struct castell_kind update = KIND("update", update_body, CASTELL_ASYNC);
static struct castell_kind syrk = KIND("syrk", syrk_body, CASTELL_ASYNC);
static struct castell_kind trsm = KIND("trsm", trsm_body, CASTELL_ASYNC);
static struct castell_kind factor = KIND("potrf", potrf_body, 0);
static struct castell_kind count = KIND("count", count_body, 0);
static struct castell_kind count_async =
    KIND("count_async", count_body, CASTELL_ASYNC);
static struct castell_kind launch = KIND("launch", launch_body, CASTELL_ASYNC);
static struct castell_kind empty = KIND("empty", nothing_body, 0);
static struct castell_kind empty_async =
    KIND("empty_async", nothing_body, CASTELL_ASYNC);
static struct castell_kind on_cpu = {.name = "on_cpu", .body = count_on_cpu};

static void start(void)
{
    static struct castell_kind *const kinds[] = {
        &gemm,        &update, &syrk,  &trsm,        &factor, &count,
        &count_async, &launch, &empty, &empty_async, &on_cpu};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        MUST(castell_kind_declare(kinds[i]) == CASTELL_OK);
    castell_start(NULL, NULL);
}

/* ---- Submitting ------------------------------------------------------- */

/* The last of the tiles is written, the others are read. */
static void submit(struct castell_kind *kind, double *const *tiles,
                   size_t tiles_count, size_t size, int nb, int priority)
{
    struct castell_access accesses[3];
    const struct castell_submission task = {
        .kind = kind,
        .accesses = accesses,
        .accesses_count = tiles_count,
        .argument = &nb,
        .argument_size = sizeof(nb),
        .priority = priority,
    };

    for (size_t i = 0; i < tiles_count; i++)
        accesses[i] = (struct castell_access){
            .base = tiles[i],
            .size = size,
            .mode = i + 1 == tiles_count ? CASTELL_INOUT : CASTELL_IN};
    MUST(castell_task_submit(&task, NULL) == CASTELL_OK);
}

/* ---- Matrices in tiles ------------------------------------------------ */

struct matrix {
    int count; /* tiles in a row */
    int nb;
    double *memory; /* tile by tile, each by columns */
};

static double *tile(const struct matrix *matrix, int i, int j)
{
    size_t nb = (size_t)matrix->nb;

    return matrix->memory +
           ((size_t)j * (size_t)matrix->count + (size_t)i) * nb * nb;
}

static double noise(unsigned long long i)
{
    i = (i ^ (i >> 31)) * 0x9e3779b97f4a7c15ull;
    i = (i ^ (i >> 29)) * 0xbf58476d1ce4e5b9ull;
    return (double)(i >> 11) / 9007199254740992.0 - 0.5;
}

/* Symmetric, and positive where `diagonal` is large. */
static struct matrix make(int n, int nb, unsigned long long seed,
                          double diagonal, bool is_own)
{
    struct matrix matrix = {.count = n / nb, .nb = nb};
    size_t size = (size_t)n * (size_t)n * sizeof(double);

    MUST(nb > 0 && n % nb == 0);
    matrix.memory = is_own ? malloc(size) : castell_alloc(size);
    MUST(matrix.memory);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++) {
            unsigned long long low = (unsigned)(i < j ? i : j);
            unsigned long long high = (unsigned)(i < j ? j : i);

            tile(&matrix, i / nb,
                 j / nb)[(size_t)(j % nb) * (size_t)nb + (size_t)(i % nb)] =
                noise(seed + low * 1000003 + high) + (i == j ? diagonal : 0);
        }
    return matrix;
}

enum part { PART_ALL, PART_LOWER, PART_UPPER };

/* y = M x, or of the lower triangle alone, or of that transposed. */
static void apply(const struct matrix *matrix, enum part part, const double *x,
                  double *y)
{
    int nb = matrix->nb;
    int n = matrix->count * nb;

    memset(y, 0, (size_t)n * sizeof(*y));
    for (int j = 0; j < n; j++)
        for (int i = part == PART_ALL ? 0 : j; i < n; i++) {
            double value =
                tile(matrix, i / nb,
                     j / nb)[(size_t)(j % nb) * (size_t)nb + (size_t)(i % nb)];

            if (part == PART_UPPER)
                y[j] += value * x[i];
            else
                y[i] += value * x[j];
        }
}

static double *vector(int n)
{
    double *x = malloc((size_t)n * sizeof(*x));

    MUST(x);
    for (int i = 0; i < n; i++)
        x[i] = noise((unsigned long long)i * 7 + 3);
    return x;
}

static double distance(const double *a, const double *b, int n)
{
    double most = 0;
    double largest = 1;

    for (int i = 0; i < n; i++) {
        most = fmax(most, fabs(a[i] - b[i]));
        largest = fmax(largest, fabs(a[i]));
    }
    return most / largest;
}

/* ---- What is measured -------------------------------------------------- */

static void submit_gemm(const struct matrix *a, const struct matrix *b,
                        const struct matrix *c)
{
    size_t size = (size_t)c->nb * (size_t)c->nb * sizeof(double);

    for (int j = 0; j < c->count; j++)
        for (int i = 0; i < c->count; i++)
            for (int k = 0; k < c->count; k++)
                submit(&gemm,
                       (double *const[]){tile(a, i, k), tile(b, k, j),
                                         tile(c, i, j)},
                       3, size, c->nb, 0);
}

/* C += A B, so many times; the last one counts. In memory of castell_alloc(), or
   of malloc(), which is never pinned. */
static void run_gemm(int n, int nb, int rounds, bool is_own)
{
    struct matrix a = make(n, nb, 1, 0, is_own);
    struct matrix b = make(n, nb, 2, 0, is_own);
    struct matrix c = make(n, nb, 3, 0, is_own);
    double *x = vector(n), *wanted = vector(n), *bx = vector(n),
           *got = vector(n);
    double began, took = 0;

    apply(&b, PART_ALL, x, bx);
    apply(&a, PART_ALL, bx, wanted);
    apply(&c, PART_ALL, x, got);
    for (int i = 0; i < n; i++)
        wanted[i] = wanted[i] * rounds + got[i];
    for (int i = 0; i < rounds; i++) {
        began = gpu_now();
        submit_gemm(&a, &b, &c);
        MUST(castell_barrier() == CASTELL_OK);
        took = gpu_now() - began;
    }
    apply(&c, PART_ALL, x, got);
    MUST(distance(wanted, got, n) < 1e-9);
    printf("gemm %.1f\n", 2.0 * n * n * n / took * 1e-9);
    free(x), free(wanted), free(bx), free(got);
    if (is_own)
        free(a.memory), free(b.memory), free(c.memory);
    else
        castell_free(a.memory), castell_free(b.memory), castell_free(c.memory);
}

static void submit_cholesky(const struct matrix *a, size_t size)
{
    int nb = a->nb, count = a->count;

    for (int k = 0; k < count; k++) {
        submit(&factor, (double *const[]){tile(a, k, k)}, 1, size, nb, 3);
        for (int i = k + 1; i < count; i++)
            submit(&trsm, (double *const[]){tile(a, k, k), tile(a, i, k)}, 2,
                   size, nb, 2);
        for (int i = k + 1; i < count; i++) {
            submit(&syrk, (double *const[]){tile(a, i, k), tile(a, i, i)}, 2,
                   size, nb, 1);
            for (int j = k + 1; j < i; j++)
                submit(&update,
                       (double *const[]){tile(a, i, k), tile(a, j, k),
                                         tile(a, i, j)},
                       3, size, nb, 0);
        }
    }
}

static void run_cholesky(int n, int nb)
{
    struct matrix a = make(n, nb, 5, n, false);
    double *x = vector(n), *wanted = vector(n), *lx = vector(n),
           *got = vector(n);
    double began, took;

    apply(&a, PART_ALL, x, wanted);
    began = gpu_now();
    submit_cholesky(&a, (size_t)nb * (size_t)nb * sizeof(double));
    MUST(castell_barrier() == CASTELL_OK);
    took = gpu_now() - began;
    apply(&a, PART_UPPER, x, lx);
    apply(&a, PART_LOWER, lx, got);
    MUST(distance(wanted, got, n) < 1e-9);
    printf("cholesky %.1f\n", 1.0 / 3 * n * n * n / took * 1e-9);
    free(x), free(wanted), free(lx), free(got);
    castell_free(a.memory);
}

static void run_tasks(struct castell_kind *kind, int tasks)
{
    enum { BUFFERS = 16, SIZE = 4096, WARM = 1000 };
    double *buffers[BUFFERS];
    double began = 0;

    for (int i = 0; i < BUFFERS; i++)
        MUST((buffers[i] = castell_alloc(SIZE)));
    for (int i = 0; i < WARM + tasks; i++) {
        if (i == WARM) {
            MUST(castell_barrier() == CASTELL_OK);
            began = gpu_now();
        }
        submit(kind, &buffers[i % BUFFERS], 1, SIZE, 0, 0);
    }
    MUST(castell_barrier() == CASTELL_OK);
    printf("%s %.3f\n", kind->name, (gpu_now() - began) / tasks * 1e6);
    for (int i = 0; i < BUFFERS; i++)
        castell_free(buffers[i]);
}

static void run_test(void)
{
    static struct castell_kind *const kinds[] = {&count, &count_async, &launch,
                                                 &on_cpu};
    size_t size = VECTOR * sizeof(double);
    double *chains[CHAINS];
    int wrong = 0;

    for (int i = 0; i < CHAINS; i++) {
        MUST((chains[i] = castell_alloc(size)));
        memset(chains[i], 0, size);
    }
    for (int step = 0; step < LENGTH; step++)
        for (int i = 0; i < CHAINS; i++)
            submit(kinds[(i + step) % 4], &chains[i], 1, size, 0, 0);
    for (int i = 0; i < CHAINS; i++) {
        struct castell_access access = {.base = chains[i], .size = size};

        MUST(castell_wait_on(&access, 1) == CASTELL_OK);
        for (int j = 0; j < VECTOR; j++)
            wrong += fabs(chains[i][j] - LENGTH) > 0;
        castell_free(chains[i]);
    }
    MUST(wrong == 0);
    printf("test 1\n");
}

/* ---- The program -------------------------------------------------------- */

static int run_devices(void)
{
    struct cudaDeviceProp about;
    int devices = 0;

    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0)
        return 1;
    for (int i = 0; i < devices; i++)
        if (cudaGetDeviceProperties(&about, i) == cudaSuccess)
            printf("device %s, %.0f GiB, compute capability %d.%d\n",
                   about.name, (double)about.totalGlobalMem / (1 << 30),
                   about.major, about.minor);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int n = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    int nb = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
    int rounds = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 1;

    if (strcmp(what, "devices") == 0)
        return run_devices();
    if (strcmp(what, "plain-gemm") == 0 && n > 0)
        return gpu_plain_gemm(n), 0;
    if (strcmp(what, "plain-cholesky") == 0 && n > 0)
        return gpu_plain_cholesky(n), 0;
    start();
    if (strcmp(what, "gemm") == 0 && n > 0)
        run_gemm(n, nb, rounds, argc > 5);
    else if (strcmp(what, "cholesky") == 0 && n > 0)
        run_cholesky(n, nb);
    else if (strcmp(what, "empty") == 0 && n > 0)
        run_tasks(&empty, n);
    else if (strcmp(what, "async") == 0 && n > 0)
        run_tasks(&empty_async, n);
    else if (strcmp(what, "test") == 0)
        run_test();
    else
        (void)fprintf(stderr, "gpu: what? see the head of gpu.c\n");
    return castell_stop();
}
