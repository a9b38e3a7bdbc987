#include "device/threads.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

typedef void set_threads(int count);
typedef int get_number(void);

enum {
    OPENMP_MAX = 2,      /* runtimes of OpenMP in one program */
    OPENBLAS_OPENMP = 2, /* what openblas_get_parallel() says of OpenMP */
};

/* One runtime of OpenMP. */
struct openmp {
    set_threads *set;
    get_number *max_threads;
};

/* Immutable after cst_threads_init(). */
static struct openmp openmps[OPENMP_MAX];
static int openmps_count;
static set_threads *openblas_set;
static get_number *openblas_get;
static bool openblas_own_threads;
static _Atomic(unsigned) generation; /* of what was found */

/* What this thread last asked for. */
static _Thread_local unsigned known_generation;
static _Thread_local uint32_t known_count;

/* ISO C has no cast from what dlsym() gives to a function: copy the bits. */
static void find(void *library, const char *name, void *ret_function)
{
    void *symbol = dlsym(library, name);

    memcpy(ret_function, &symbol, sizeof(symbol));
}

static void openmp_add(void *library)
{
    struct openmp found;

    find(library, "omp_set_num_threads", &found.set);
    find(library, "omp_get_max_threads", &found.max_threads);
    if (!found.set || !found.max_threads || openmps_count == OPENMP_MAX)
        return;
    for (int i = 0; i < openmps_count; i++) {
        if (openmps[i].set == found.set)
            return;
    }
    openmps[openmps_count++] = found;
}

void cst_threads_init(void)
{
    static const char *const openmp_names[] = {"libgomp.so.1", "libomp.so.5",
                                               "libomp.so", "libiomp5.so"};
    get_number *parallel;

    openmps_count = 0;
    openmp_add(RTLD_DEFAULT);
    for (size_t i = 0; i < sizeof(openmp_names) / sizeof(openmp_names[0]);
         i++) {
        void *library = dlopen(openmp_names[i], RTLD_LAZY | RTLD_NOLOAD);

        if (!library)
            continue;
        openmp_add(library);
        (void)dlclose(library); /* somebody else keeps it */
    }
    find(RTLD_DEFAULT, "openblas_set_num_threads", &openblas_set);
    find(RTLD_DEFAULT, "openblas_get_num_threads", &openblas_get);
    find(RTLD_DEFAULT, "openblas_get_parallel", &parallel);
    openblas_own_threads = openblas_set && openblas_get && parallel &&
                           parallel() != 0 && parallel() != OPENBLAS_OPENMP;
    atomic_fetch_add(&generation, 1);
}

bool cst_threads_process_wide(void)
{
    return openblas_own_threads;
}

void cst_threads_use(uint32_t count, bool cores_changed)
{
    unsigned now = atomic_load_explicit(&generation, memory_order_relaxed);

    (void)cores_changed;
    if (openblas_own_threads && openblas_get() != (int)count)
        openblas_set((int)count);
    if (known_count == count && known_generation == now)
        return;
    for (int i = 0; i < openmps_count; i++)
        openmps[i].set((int)count);
    known_count = count;
    known_generation = now;
}

void cst_threads_counts(struct cst_threads_counts *ret_counts)
{
    *ret_counts = (struct cst_threads_counts){0};
    if (openmps_count > 0)
        ret_counts->openmp = (uint32_t)openmps[0].max_threads();
    if (openblas_get)
        ret_counts->openblas = (uint32_t)openblas_get();
}
