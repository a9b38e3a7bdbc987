#include "body/threads.h"

#include "base/fail.h"
#include "base/lock.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>

typedef void set_number(int number);
typedef int get_number(void);
typedef int set_affinity(int thread, size_t size, cpu_set_t *cpus);
typedef void *take_buffer(int position);
typedef void give_buffer(void *buffer);
typedef void open_region(void (*run)(void *), void *argument, unsigned threads,
                         unsigned flags);

enum {
    OPENMP_MAX = 2,      /* runtimes of OpenMP in one program */
    CPUS_MAX = 8192,     /* more than any Linux has */
    BUILT_ON_OPENMP = 2, /* what openblas_get_parallel() says */
};

/* A runtime of OpenMP. */
struct openmp {
    set_number *set;
    get_number *get;
    int number_before;     /* of the thread that called cst_threads_init() */
    open_region *parallel; /* NULL: its threads cannot be bound */
};

/* OpenBLAS. */
struct openblas {
    set_number *set; /* NULL: there is none */
    get_number *get;
    set_affinity *bind;     /* NULL: it has none */
    const int *has_threads; /* are there any now? NULL: not known */
    take_buffer *take;      /* of memory to work in; on OpenMP, or NULL */
    give_buffer *give;
    bool own_threads;
    int number_before;
};

/* Where threads may run. */
struct cpus {
    unsigned long bits[CPUS_MAX / (8 * sizeof(unsigned long))];
    size_t size; /* of what is used of bits */
};

/* Immutable after cst_threads_init(). */
static struct openmp openmps[OPENMP_MAX];
static int openmps_count;
static struct openblas openblas;

/* Only where there is OpenBLAS. The lock is held across fork(), and guards the
   rest. */
static struct cst_lock gate;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static uint32_t wide_running;  /* threads that use more than 1 now */
static uint32_t forks_waiting; /* they go first, else they might never */

/* What this thread last asked for; 0: nothing so far. */
static _Thread_local uint32_t known;

/* ISO C has no cast from what dlsym() gives to a function: copy the bits. */
static void find(void *library, const char *name, void *ret_pointer)
{
    void *symbol = dlsym(library, name);

    memcpy(ret_pointer, &symbol, sizeof(symbol));
}

static void openmp_add(void *library)
{
    struct openmp found;

    find(library, "omp_set_num_threads", &found.set);
    find(library, "omp_get_max_threads", &found.get);
    find(library, "GOMP_parallel", &found.parallel);
    if (!found.set || !found.get || openmps_count == OPENMP_MAX)
        return;
    for (int i = 0; i < openmps_count; i++) {
        if (openmps[i].set == found.set)
            return;
    }
    found.number_before = found.get();
    openmps[openmps_count++] = found;
}

static void openmp_find(void)
{
    static const char *const names[] = {"libgomp.so.1", "libomp.so.5",
                                        "libomp.so", "libiomp5.so"};

    openmps_count = 0;
    openmp_add(RTLD_DEFAULT);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        void *library = dlopen(names[i], RTLD_LAZY | RTLD_NOLOAD);

        if (!library)
            continue;
        openmp_add(library);
        (void)dlclose(library); /* the program keeps it */
    }
}

static void openblas_find(void)
{
    struct openblas found = {0};
    get_number *parallel;

    find(RTLD_DEFAULT, "openblas_set_num_threads", &found.set);
    find(RTLD_DEFAULT, "openblas_get_num_threads", &found.get);
    find(RTLD_DEFAULT, "openblas_get_parallel", &parallel);
    find(RTLD_DEFAULT, "openblas_setaffinity", &found.bind);
    find(RTLD_DEFAULT, "blas_server_avail", &found.has_threads);
    find(RTLD_DEFAULT, "blas_memory_alloc", &found.take);
    find(RTLD_DEFAULT, "blas_memory_free", &found.give);
    if (!found.set || !found.get || !parallel || parallel() == 0)
        found = (struct openblas){0};
    else
        found.own_threads = parallel() != BUILT_ON_OPENMP;
    openblas = found;
}

void cst_threads_init(void)
{
    cst_threads_release();
    openmp_find();
    openblas_find();
    if (openblas.set)
        cst_lock_init(&gate, CST_RANK_THREADS, "threads");
    if (openblas.own_threads) {
        openblas.number_before = openblas.get();
        openblas.set(1);
    }
    known = 0;
    cst_threads_use(1, false);
}

void cst_threads_release(void)
{
    cst_threads_use(1, false);
    for (int i = 0; i < openmps_count; i++)
        openmps[i].set(openmps[i].number_before);
    openmps_count = 0;
    known = 0;
    if (!openblas.set)
        return;
    CST_ASSERT(wide_running == 0 && forks_waiting == 0);
    if (openblas.own_threads)
        openblas.set(openblas.number_before);
    cst_lock_release(&gate);
    openblas = (struct openblas){0};
}

/* ---- binding ---- */

static bool cpus_of_caller(struct cpus *ret_cpus)
{
    /* The kernel wants room for all it may ever have. */
    ret_cpus->size = sizeof(ret_cpus->bits);
    return sched_getaffinity(0, ret_cpus->size,
                             (cpu_set_t *)(void *)ret_cpus->bits) == 0;
}

/* Runs in each thread of a parallel region. */
static void bind_caller(void *argument)
{
    const struct cpus *cpus = argument;

    (void)sched_setaffinity(0, cpus->size,
                            (const cpu_set_t *)(const void *)cpus->bits);
}

static void openmp_bind(uint32_t count)
{
    struct cpus cpus;

    if (openmps_count == 0 || !cpus_of_caller(&cpus))
        return;
    for (int i = 0; i < openmps_count; i++) {
        if (openmps[i].parallel)
            openmps[i].parallel(bind_caller, &cpus, count, 0);
    }
}

/* With the gate. Threads that OpenBLAS has yet to make inherit the CPU set of
   the body that calls it. */
static void openblas_bind(uint32_t count)
{
    struct cpus cpus;

    if (!openblas.bind || !openblas.has_threads || !*openblas.has_threads ||
        !cpus_of_caller(&cpus))
        return;
    for (int i = 0; i < (int)count; i++)
        (void)openblas.bind(i, cpus.size, (cpu_set_t *)(void *)cpus.bits);
}

/* ---- bodies of several threads, and fork() ---- */

static void gate_wait(void)
{
    (void)pthread_cond_wait(&gate_changed, &gate.mutex);
}

/* With the gate. */
static void wide_begin(uint32_t count, bool bind)
{
    wide_running++;
    if (!openblas.own_threads)
        return;
    openblas.set((int)count);
    if (bind)
        openblas_bind(count);
}

/* With the gate. */
static void wide_end(void)
{
    if (--wide_running > 0)
        return; /* the others have the same number, see cst_threads_may_mix() */
    if (openblas.own_threads)
        openblas.set(1);
    (void)pthread_cond_broadcast(&gate_changed);
}

static void openblas_use(uint32_t count, bool bind)
{
    cst_lock_take(&gate);
    if (known > 1)
        wide_end();
    while (count > 1 && forks_waiting > 0)
        gate_wait();
    if (count > 1)
        wide_begin(count, bind);
    cst_lock_drop(&gate);
}

void cst_threads_use(uint32_t count, bool cores_changed)
{
    bool wide = count > 1;

    if (known == count && !(wide && cores_changed))
        return;
    if (openblas.set && (wide || known > 1))
        openblas_use(count, cores_changed);
    if (known != count) {
        for (int i = 0; i < openmps_count; i++)
            openmps[i].set((int)count);
    }
    if (wide && cores_changed)
        openmp_bind(count);
    known = count;
}

bool cst_threads_may_mix(uint32_t count, uint32_t other)
{
    if (count == other || !openblas.set)
        return true;
    return !openblas.own_threads && (count == 1 || other == 1);
}

/*
 * Would fork() do harm? Before it OpenBLAS ends its own threads, which hangs
 * when they are at work; it looks whether it has any. On OpenMP it frees the
 * buffers of its parallel regions, of which somebody else may then get one.
 */
static bool fork_harms(void)
{
    if (openblas.own_threads && openblas.has_threads)
        return wide_running > 0 && *openblas.has_threads;
    return wide_running > 0;
}

void cst_threads_fork_begin(void) CST_UNCHECKED
{
    if (!openblas.set)
        return;
    cst_lock_take(&gate);
    if (known > 1)
        wide_end();
    forks_waiting++;
    while (fork_harms())
        gate_wait();
    forks_waiting--;
}

void cst_threads_fork_end(bool in_child) CST_UNCHECKED
{
    if (!openblas.set)
        return;
    if (in_child) {
        /* The other bodies are not here, nor who waits for them. */
        wide_running = 0;
        forks_waiting = 0;
        known = 0;
        (void)pthread_cond_init(&gate_changed, NULL);
        if (openblas.own_threads && openblas.get() != 1)
            openblas.set(1);
    } else {
        if (known > 1)
            wide_begin(known, false);
        (void)pthread_cond_broadcast(&gate_changed);
    }
    cst_lock_drop(&gate);
}

void cst_threads_child_try(void)
{
    enum { BUFFERS = 4 }; /* that one body may use at one time */
    void *buffers[BUFFERS];

    if (!openblas.set || openblas.own_threads || !openblas.take ||
        !openblas.give)
        return;
    for (int i = 0; i < BUFFERS; i++)
        buffers[i] = openblas.take(0);
    for (int i = 0; i < BUFFERS; i++)
        openblas.give(buffers[i]);
}
