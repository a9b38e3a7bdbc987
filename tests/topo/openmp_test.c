/*
 * An OpenMP library that binds the initial thread when it is loaded, as libgomp
 * does when OMP_PROC_BIND is set, does not make the machine smaller; a CPU set
 * of ours does, in spite of it. Each case runs in a fresh process, for the
 * library reads the environment once.
 */
#include "harness/tap.h"
#include "topo/topo.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77 };

static int cpus_now(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : -1;
}

struct outcome {
    int cpus;
    bool binds;
};

/* In the child: load libgomp, then the machine. */
static int look(const char *visibility, const struct outcome *expected)
{
    int mode = strcmp(visibility, "local") == 0 ? RTLD_LOCAL : RTLD_GLOBAL;
    void *library = dlopen("libgomp.so.1", RTLD_NOW | mode);
    struct cst_topo *topo = NULL;
    bool right;

    if (!library)
        return SKIPPED;
    printf("# %d CPU(s) after libgomp\n", cpus_now());
    if (cst_topo_load(NULL, &topo) != CASTELL_OK)
        return EXIT_FAILURE;
    printf("# %u found, openmp_binds %d\n", topo->cpus_count,
           topo->openmp_binds);
    right = topo->cpus_count == (uint32_t)expected->cpus &&
            topo->openmp_binds == expected->binds;
    cst_topo_unbind(topo);
    right = right && cpus_now() == expected->cpus;
    cst_topo_destroy(topo);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

typedef void parallel(void (*body)(void *), void *data, unsigned threads,
                      unsigned flags);

static void no_body(void *data)
{
    (void)data;
}

static bool same_set(const cpu_set_t *expected)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof(set), &set) == 0 &&
           CPU_EQUAL(&set, expected);
}

/* As an executor: bind to the last one's core, and enter a parallel region. */
static void *bind_and_enter(void *argument)
{
    const struct cst_topo *topo = argument;
    void *library = dlopen("libgomp.so.1", RTLD_NOW);
    void *symbol = library ? dlsym(library, "GOMP_parallel") : NULL;
    cpu_set_t bound;
    parallel *enter;
    bool stays;

    if (!symbol)
        return NULL;
    memcpy(&enter, &symbol, sizeof(symbol));
    cst_topo_bind(topo, topo->executors_count - 1, 1);
    CPU_ZERO(&bound);
    (void)sched_getaffinity(0, sizeof(bound), &bound);
    enter(no_body, NULL, 1, 0);
    stays = same_set(&bound);
    printf("# %d CPU(s) bound to, %s\n", CPU_COUNT(&bound),
           stays ? "kept" : "left");
    return stays ? argument : NULL;
}

/* In the child: does a thread that is bound stay so in a parallel region? */
static int enter(void)
{
    struct cst_topo *topo = NULL;
    void *library = dlopen("libgomp.so.1", RTLD_NOW);
    void *result = NULL;
    pthread_t thread;

    if (!library)
        return SKIPPED;
    if (cst_topo_load(NULL, &topo) != CASTELL_OK ||
        pthread_create(&thread, NULL, bind_and_enter, topo) != 0)
        return EXIT_FAILURE;
    (void)pthread_join(thread, &result);
    cst_topo_destroy(topo);
    return result ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void narrow_to(size_t cpu)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    (void)sched_setaffinity(0, sizeof(one), &one);
}

/* Run this program as a child with NAME=VALUE; return its exit status. */
static int run(const char *variable, const char *value, const char *visibility,
               struct outcome expected)
{
    char cpus[16];
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)snprintf(cpus, sizeof(cpus), "%d", expected.cpus);
        if (expected.cpus == 1 && strcmp(variable, "GOMP_CPU_AFFINITY") != 0)
            narrow_to((size_t)sched_getcpu());
        (void)setenv(variable, value, 1); /* NOLINT(concurrency-mt-unsafe) */
        (void)execl("/proc/self/exe", "openmp.t", visibility, cpus,
                    expected.binds ? "binds" : "", (char *)NULL);
        _exit(EXIT_FAILURE);
    }
    must(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status),
         "%s=%s: a child ran", variable, value);
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    struct outcome all = {cpus_now(), false};
    struct outcome all_bound = {all.cpus, true};
    struct outcome one = {1, false};
    struct outcome one_bound = {1, true};
    char here[16];

    if (argc > 3 && strcmp(argv[1], "enter") == 0)
        return enter();
    if (argc > 3) {
        struct outcome expected = {(int)strtol(argv[2], NULL, 10), *argv[3]};

        return look(argv[1], &expected);
    }
    if (run("OMP_PROC_BIND", "false", "global", all) == SKIPPED) {
        tap_skip("OpenMP's binding", "no libgomp");
        return tap_done();
    }
    ok(run("OMP_PROC_BIND", "false", "global", all) == 0, "nothing is bound");
    ok(run("OMP_PROC_BIND", "false", "global", one) == 0,
       "where we have one CPU we find one");
    if (all.cpus == 1) {
        tap_skip("OpenMP's binding", "one CPU");
        return tap_done();
    }
    ok(run("OMP_PROC_BIND", "true", "global", one_bound) == 0,
       "also when OpenMP binds");
    ok(run("OMP_PROC_BIND", "true", "global", all_bound) == 0,
       "OMP_PROC_BIND does not narrow us");
    ok(run("OMP_PROC_BIND", "close", "local", all_bound) == 0,
       "nor when the library's names are hidden");
    ok(run("OMP_PLACES", "cores", "global", all_bound) == 0,
       "nor does OMP_PLACES");
    ok(run("OMP_PROC_BIND", "true", "enter", all) == 0,
       "an executor stays on its core when it enters a parallel region");
    (void)snprintf(here, sizeof(here), "%d", sched_getcpu());
    ok(run("GOMP_CPU_AFFINITY", here, "global", one_bound) == 0,
       "CPUs that the user chose for OpenMP are ours too");
    return tap_done();
}
