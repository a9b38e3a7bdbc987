/*
 * OpenBLAS in bodies, in both variants that Debian has: a body uses as many
 * threads as it was told, on the cores of its executor; bodies of 1 and of
 * several threads, and children that are forked meanwhile, neither hang nor
 * get wrong results. Each check runs in a process of its own, which loads the
 * variant.
 */
#include "body/child.h"
#include "body/threads.h"
#include "body/used.h"
#include "harness/tap.h"

#include <dlfcn.h>
#include <glob.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, RUN_MS = 1500 };

typedef void gemm(int order, int trans_a, int trans_b, int m, int n, int k,
                  double alpha, const double *a, int lda, const double *b,
                  int ldb, double beta, double *c, int ldc);

static gemm *dgemm;
static bool own_threads;
static atomic_bool over;
static atomic_int wrong;

static void load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    void *symbol = library ? dlsym(library, "cblas_dgemm") : NULL;

    if (!symbol)
        tap_bail("an OpenBLAS that cannot be loaded");
    memcpy(&dgemm, &symbol, sizeof(symbol));
    own_threads = strstr(path, "pthread") != NULL;
}

static void multiply(const double *a, double *c, int n)
{
    dgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, n, n, n, 1, a, n, a, n, 0, c,
          n);
}

/* A product of constant matrices; returns whether it is right. */
static bool multiply_checked(double *a, double *c, int n, double value)
{
    for (int i = 0; i < n * n; i++)
        a[i] = value;
    memset(c, 0, (size_t)n * (size_t)n * sizeof(*c));
    multiply(a, c, n);
    for (int i = 0; i < n * n; i++) {
        if (c[i] < value * value * n || c[i] > value * value * n)
            return false;
    }
    return true;
}

static double *matrix(int n)
{
    double *memory = calloc((size_t)n * (size_t)n, sizeof(double));

    if (!memory)
        tap_bail("no memory");
    return memory;
}

/* How many threads a large product uses now. */
static int threads_used(cpu_set_t *ret_cpus)
{
    enum { N = 700 };
    static struct used before;
    double *a = matrix(N), *c = matrix(N);
    int used;

    multiply(a, c, N); /* its threads exist now, and */
    (void)nanosleep(&(struct timespec){0, 100000000}, NULL); /* they sleep */
    used_now(&before);
    multiply(a, c, N);
    multiply(a, c, N);
    used = used_since(&before, ret_cpus);
    free(a);
    free(c);
    return used;
}

static void bind_to(size_t first, size_t count)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    for (size_t i = first; i < first + count; i++)
        CPU_SET(i, &cpus);
    (void)sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* ---- the checks ---- */

static bool uses_as_told(void)
{
    static const uint32_t counts[] = {2, 1, 2, 3, 1};
    cpu_set_t cpus;
    bool right;

    cst_threads_init();
    right = threads_used(&cpus) == 1;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        int used;

        cst_threads_use(counts[i], false);
        used = threads_used(&cpus);
        if (used != (int)counts[i])
            printf("# told %u threads, uses %d\n", counts[i], used);
        right = right && used == (int)counts[i];
    }
    cst_threads_release();
    return right;
}

static bool is_bound(void)
{
    cpu_set_t cpus, all;
    bool right = true;

    (void)sched_getaffinity(0, sizeof(all), &all);
    cst_threads_init();
    for (size_t i = 0; i < 2; i++) {
        bind_to(i, 1);
        cst_threads_use(2, true);
        right = right && threads_used(&cpus) == 2 && CPU_COUNT(&cpus) == 1 &&
                CPU_ISSET(i, &cpus);
        cst_threads_use(1, false);
    }
    (void)sched_setaffinity(0, sizeof(all), &all);
    cst_threads_use(2, true);
    right = right && threads_used(&cpus) == 2 && CPU_EQUAL(&cpus, &all);
    cst_threads_use(1, false);
    cst_threads_release();
    return right;
}

static bool mixes(void)
{
    bool right;

    cst_threads_init();
    right = cst_threads_may_mix(1, 1) && cst_threads_may_mix(3, 3) &&
            !cst_threads_may_mix(2, 3) &&
            cst_threads_may_mix(1, 2) == !own_threads &&
            cst_threads_may_mix(2, 1) == !own_threads;
    cst_threads_release();
    return right;
}

/* A thread that runs bodies of so many threads each. */
static void *run_bodies(void *argument)
{
    const uint32_t *count = argument;
    int n = *count > 1 ? 200 : 130;
    double *a = matrix(n), *c = matrix(n);

    while (!atomic_load(&over)) {
        cst_threads_use(*count, false);
        if (!multiply_checked(a, c, n, *count + 1))
            atomic_fetch_add(&wrong, 1);
        cst_threads_use(1, false);
    }
    free(a);
    free(c);
    return NULL;
}

static int body_in_child(void *const *buffers, const void *argument)
{
    const int n = 200;
    double *a = matrix(n), *c = matrix(n);
    cpu_set_t cpus;

    (void)buffers;
    if (!multiply_checked(a, c, n, 2))
        return 1;
    return argument && threads_used(&cpus) != *(const int *)argument ? 2 : 0;
}

static void *run_children(void *argument)
{
    struct cst_child_request request = {.body = body_in_child,
                                        .label = "multiply"};
    atomic_int *count = argument;

    for (uint32_t i = 0; !atomic_load(&over); i++) {
        struct cst_child_result result;

        request.cores = 1 + i % 2;
        cst_child_run(&request, &result);
        if (result.outcome != CST_CHILD_RETURNED || result.number != 0)
            atomic_fetch_add(&wrong, 1);
        atomic_fetch_add(count, 1);
    }
    return NULL;
}

static bool survives_forks(void)
{
    enum { BODIES = 3, CHILDREN_MIN = 10 };
    uint32_t counts[BODIES] = {1, 1, 2};
    struct timespec pause = {RUN_MS / 1000, RUN_MS % 1000 * 1000000L};
    pthread_t threads[BODIES + 1];
    atomic_int children = 0;

    cst_threads_init();
    for (int i = 0; i < BODIES && !cst_threads_may_mix(1, 2); i++)
        counts[i] = 2;
    for (int i = 0; i < BODIES; i++)
        (void)pthread_create(&threads[i], NULL, run_bodies, &counts[i]);
    (void)pthread_create(&threads[BODIES], NULL, run_children, &children);
    do
        (void)nanosleep(&pause, NULL);
    while (atomic_load(&children) < CHILDREN_MIN);
    atomic_store(&over, true);
    for (int i = 0; i <= BODIES; i++)
        (void)pthread_join(threads[i], NULL);
    cst_threads_release();
    if (atomic_load(&wrong) > 0)
        printf("# %d children, %d wrong\n", atomic_load(&children),
               atomic_load(&wrong));
    return atomic_load(&wrong) == 0;
}

static bool works_in_child(void)
{
    bool right = true;

    cst_threads_init();
    for (int count = 1; count <= 2; count++) {
        struct cst_child_request request = {.body = body_in_child,
                                            .argument = &count,
                                            .cores = (uint32_t)count,
                                            .label = "multiply"};
        struct cst_child_result result;

        cst_child_run(&request, &result);
        right =
            right && result.outcome == CST_CHILD_RETURNED && result.number == 0;
    }
    cst_threads_release();
    return right;
}

/* ---- one process a check ---- */

struct check {
    bool (*passes)(void);
    const char *name;
};

static const struct check checks[] = {
    {uses_as_told, "a body uses as many threads as told"},
    {is_bound, "on the cores of its executor"},
    {mixes, "which numbers may mix is known"},
    {works_in_child, "and in a child process as well"},
    {survives_forks, "bodies of 1 and 2 threads, and forks, do no harm"},
};

static bool run_check(const struct check *check, const char *library)
{
    int status = 0;
    pid_t child;

    (void)fflush(stdout);
    child = fork();
    if (child == 0) {
        (void)alarm(120);
        load(library);
        status = check->passes() ? 0 : 1;
        (void)fflush(stdout);
        _exit(status);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(void)
{
    glob_t found = {0};

#if defined(__SANITIZE_THREAD__)
    tap_skip("OpenBLAS", "it is not built for the thread sanitizer");
    return tap_done();
#endif
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2 ||
        glob("/usr/lib/*/openblas-*/libopenblas.so.0", 0, NULL, &found) != 0)
        tap_skip("OpenBLAS", "it is not here, or only one core is");
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];

        for (size_t j = 0; j < sizeof(checks) / sizeof(checks[0]); j++)
            ok(run_check(&checks[j], path), "%s: %s", strstr(path, "openblas-"),
               checks[j].name);
    }
    globfree(&found);
    return tap_done();
}
