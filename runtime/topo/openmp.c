/*
 * openmp.c - OpenMP libraries that bind threads on their own.
 *
 * libgomp binds the initial thread to one CPU when it is loaded, if the
 * environment tells it to bind; before that it has found out where its threads
 * may go, and can be asked. LLVM's library does the same when it is first used.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "topo/topo_internal.h"

#include <dlfcn.h>
#include <string.h>
#include <strings.h>

static bool is_told_to_bind(void)
{
    const char *bind = cst_parse_environment("OMP_PROC_BIND");

    if (bind)
        return strcasecmp(bind, "false") != 0;
    return cst_parse_environment("OMP_PLACES") ||
           cst_parse_environment("GOMP_CPU_AFFINITY") ||
           cst_parse_environment("KMP_AFFINITY");
}

static bool find_in(void *library, struct cst_topo_openmp *openmp)
{
    void *places_count = dlsym(library, "omp_get_num_places");
    void *cpus_count = dlsym(library, "omp_get_place_num_procs");
    void *cpus = dlsym(library, "omp_get_place_proc_ids");
    void *place = dlsym(library, "omp_get_place_num");

    if (!places_count || !cpus_count || !cpus || !place)
        return false;
    /* ISO C knows no cast from an object's pointer to a function's. */
    memcpy(&openmp->places_count, &places_count, sizeof(places_count));
    memcpy(&openmp->cpus_count, &cpus_count, sizeof(cpus_count));
    memcpy(&openmp->cpus, &cpus, sizeof(cpus));
    memcpy(&openmp->place, &place, sizeof(place));
    return true;
}

/* Among the libraries that are loaded, also those that dlopen() hid. */
static bool find(struct cst_topo_openmp *openmp)
{
    static const char *const names[] = {"libgomp.so.1", "libomp.so.5",
                                        "libomp.so", "libiomp5.so"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        void *library = dlopen(names[i], RTLD_LAZY | RTLD_NOLOAD);

        openmp->library = library;
        if (library && find_in(library, openmp))
            return true;
        if (library)
            (void)dlclose(library);
    }
    openmp->library = NULL;
    return find_in(RTLD_DEFAULT, openmp);
}

bool cst_topo_openmp_find(struct cst_topo *topo)
{
    topo->openmp_binds = is_told_to_bind() && find(&topo->openmp);
    return topo->openmp_binds;
}

void cst_topo_openmp_release(struct cst_topo *topo)
{
    if (topo->openmp_binds && topo->openmp.library)
        (void)dlclose(topo->openmp.library);
}

enum castell_status cst_topo_openmp_places(const struct cst_topo *topo,
                                           struct cst_topo_set *cpus)
{
    const struct cst_topo_openmp *openmp = &topo->openmp;
    int count = openmp->places_count();

    for (int place = 0; place < count; place++) {
        int size = openmp->cpus_count(place);
        int *numbers;

        if (size <= 0)
            continue;
        numbers = cst_zalloc((size_t)size * sizeof(*numbers));
        if (!numbers)
            return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for %d CPUs",
                            size);
        openmp->cpus(place, numbers);
        for (int i = 0; i < size; i++)
            if (numbers[i] >= 0)
                cst_topo_set_add(cpus, (unsigned)numbers[i]);
        cst_free(numbers);
    }
    return CASTELL_OK;
}

void cst_topo_openmp_meet(const struct cst_topo *topo)
{
    (void)topo->openmp.place(); /* which binds this thread, if none did */
}
