/*
 * bind.c - CPU sets of threads: what we were given, and giving it out.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"
#include "topo/topo_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    WORD_BITS = sizeof(unsigned long) * CHAR_BIT,
    CPUS_MAX = 1 << 14, /* of one system: sets of CPUs on the stack hold them */
    MASK_WORDS_MAX = CPUS_MAX / WORD_BITS,
};

/* ---- What we were given ---------------------------------------------- */

/*
 * The calls of an OpenMP library that tell where its threads may go. It found
 * that out when it was loaded, before it bound the main thread.
 */
struct openmp {
    int (*places_count)(void);
    int (*cpus_count)(int place);
    void (*cpus)(int place, int *ret_cpus);
};

static void *symbol(void *library, const char *name)
{
    return dlsym(library, name);
}

static bool find_openmp_in(void *library, struct openmp *ret_openmp)
{
    void *places_count = symbol(library, "omp_get_num_places");
    void *cpus_count = symbol(library, "omp_get_place_num_procs");
    void *cpus = symbol(library, "omp_get_place_proc_ids");

    if (!places_count || !cpus_count || !cpus)
        return false;
    /* ISO C knows no cast from an object's pointer to a function's. */
    memcpy(&ret_openmp->places_count, &places_count, sizeof(places_count));
    memcpy(&ret_openmp->cpus_count, &cpus_count, sizeof(cpus_count));
    memcpy(&ret_openmp->cpus, &cpus, sizeof(cpus));
    return true;
}

/* Among the libraries that are loaded, also those that dlopen() hid. */
static bool find_openmp(struct openmp *ret_openmp)
{
    static const char *const names[] = {"libgomp.so.1", "libomp.so.5",
                                        "libomp.so", "libiomp5.so"};

    if (find_openmp_in(RTLD_DEFAULT, ret_openmp))
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        void *library = dlopen(names[i], RTLD_LAZY | RTLD_NOLOAD);
        bool found = library && find_openmp_in(library, ret_openmp);

        if (library)
            (void)dlclose(library); /* only our count of it */
        if (found)
            return true;
    }
    return false;
}

static bool openmp_is_told_to_bind(void)
{
    const char *bind = cst_parse_environment("OMP_PROC_BIND");

    if (bind)
        return strcasecmp(bind, "false") != 0;
    return cst_parse_environment("OMP_PLACES") ||
           cst_parse_environment("GOMP_CPU_AFFINITY") ||
           cst_parse_environment("KMP_AFFINITY");
}

static enum castell_status add_openmp_places(const struct openmp *openmp,
                                             hwloc_bitmap_t cpus)
{
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
                (void)hwloc_bitmap_set(cpus, (unsigned)numbers[i]);
        cst_free(numbers);
    }
    return CASTELL_OK;
}

enum castell_status cst_topo_own_cpus(hwloc_const_bitmap_t allowed,
                                      hwloc_bitmap_t cpus,
                                      bool *ret_openmp_binds)
{
    unsigned long mask[MASK_WORDS_MAX] = {0};
    enum castell_status status = CASTELL_OK;
    struct openmp openmp;

    *ret_openmp_binds = false;
    hwloc_bitmap_zero(cpus);
    if (sched_getaffinity(0, sizeof(mask), (cpu_set_t *)(void *)mask) != 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot read our CPU set: %s",
                        cst_reason(errno));
    for (unsigned i = 0; i < CPUS_MAX; i++)
        if (mask[i / WORD_BITS] >> i % WORD_BITS & 1)
            (void)hwloc_bitmap_set(cpus, i);
    if (!hwloc_bitmap_isincluded(allowed, cpus) && openmp_is_told_to_bind() &&
        find_openmp(&openmp)) {
        *ret_openmp_binds = true;
        status = add_openmp_places(&openmp, cpus);
    }
    (void)hwloc_bitmap_and(cpus, cpus, allowed);
    return status;
}

/* ---- Giving it out --------------------------------------------------- */

static void set_mask(const struct cst_topo *topo, const unsigned long *mask)
{
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    const cpu_set_t *set = (const cpu_set_t *)(const void *)mask;

    if (!topo->is_this_machine)
        return;
    if (sched_setaffinity(0, topo->mask_words * sizeof(*mask), set) != 0 &&
        !atomic_flag_test_and_set(&warned))
        (void)fprintf(stderr,
                      "castell: warning: threads stay unbound: the system "
                      "refuses to bind them: %s\n",
                      cst_reason(errno));
}

static const unsigned long *mask_of(const struct cst_topo *topo,
                                    uint32_t executor)
{
    return topo->masks + executor * topo->mask_words;
}

static void unite(const struct cst_topo *topo, uint32_t first, uint32_t count,
                  unsigned long *mask)
{
    memset(mask, 0, topo->mask_words * sizeof(*mask));
    for (uint32_t i = first; i < first + count; i++)
        for (size_t word = 0; word < topo->mask_words; word++)
            mask[word] |= mask_of(topo, i)[word];
}

void cst_topo_bind(const struct cst_topo *topo, uint32_t first, uint32_t count)
{
    unsigned long mask[MASK_WORDS_MAX];

    CST_ASSERT(count > 0 && first < topo->executors_count &&
               count <= topo->executors_count - first);
    if (count == 1) {
        set_mask(topo, mask_of(topo, first));
        return;
    }
    unite(topo, first, count, mask);
    set_mask(topo, mask);
}

void cst_topo_unbind(const struct cst_topo *topo)
{
    set_mask(topo, mask_of(topo, topo->executors_count));
}

static bool mask_has(const struct cst_topo *topo, const unsigned long *mask,
                     size_t cpu)
{
    return cpu < topo->mask_words * WORD_BITS &&
           (mask[cpu / WORD_BITS] >> cpu % WORD_BITS & 1);
}

const char *cst_topo_cpus_text(const struct cst_topo *topo, uint32_t first,
                               uint32_t count, char *text, size_t text_size)
{
    unsigned long mask[MASK_WORDS_MAX];
    size_t length = 0;

    CST_ASSERT(text_size > 0);
    text[0] = '\0';
    unite(topo, first, count, mask);
    for (size_t cpu = 0; cpu < topo->mask_words * WORD_BITS; cpu++) {
        size_t last = cpu;
        int written;

        if (!mask_has(topo, mask, cpu))
            continue;
        while (mask_has(topo, mask, last + 1))
            last++;
        written = snprintf(text + length, text_size - length,
                           last > cpu ? "%s%zu-%zu" : "%s%zu",
                           length > 0 ? "," : "", cpu, last);
        if (written < 0 || (size_t)written >= text_size - length)
            break;
        length += (size_t)written;
        cpu = last;
    }
    return text;
}
