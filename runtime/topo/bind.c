/*
 * bind.c - CPU sets of threads: what we were given, and giving it out.
 */
#include "base/fail.h"
#include "base/thread.h"
#include "topo/topo_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    WORD_BITS = CST_TOPO_WORD_BITS,
    MASK_WORDS_MAX = CST_TOPO_CPUS_MAX / WORD_BITS,
};

/* ---- What we were given ---------------------------------------------- */

bool cst_topo_set_has(const struct cst_topo_set *set, unsigned cpu)
{
    return cpu < CST_TOPO_CPUS_MAX &&
           (set->words[cpu / WORD_BITS] >> cpu % WORD_BITS & 1);
}

void cst_topo_set_add(struct cst_topo_set *set, unsigned cpu)
{
    if (cpu < CST_TOPO_CPUS_MAX)
        set->words[cpu / WORD_BITS] |= 1ul << cpu % WORD_BITS;
}

enum castell_status cst_topo_own_cpus(struct cst_topo *topo,
                                      struct cst_topo_set *ret_cpus)
{
    *ret_cpus = (struct cst_topo_set){0};
    if (sched_getaffinity(0, sizeof(ret_cpus->words),
                          (cpu_set_t *)(void *)ret_cpus->words) != 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "cannot read our CPU set: %s",
                        cst_reason(errno));
    return cst_topo_openmp_find(topo) ? cst_topo_openmp_places(topo, ret_cpus)
                                      : CASTELL_OK;
}

enum castell_status cst_topo_no_list(const char *wanted)
{
    return cst_fail(CASTELL_ERR_INVALID,
                    "\"%s\" is no list of CPUs such as 0-3,8", wanted);
}

enum castell_status cst_topo_no_cpus(const char *wanted)
{
    return cst_fail(CASTELL_ERR_INVALID, "no CPU of %s is left to us",
                    wanted ? wanted : "the machine");
}

/* ---- Giving it out --------------------------------------------------- */

void cst_topo_set_mask(const struct cst_topo *topo, const unsigned long *mask)
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

/*
 * An OpenMP library that binds threads binds each once to its first place, when
 * the thread meets it first: let that be before, not after. Its teams it binds
 * in any case.
 */
static void meet_openmp(const struct cst_topo *topo, uint32_t count)
{
    static _Thread_local bool met;
    static atomic_flag warned = ATOMIC_FLAG_INIT;

    if (!met)
        cst_topo_openmp_meet(topo);
    met = true;
    if (count > 1 && !atomic_flag_test_and_set(&warned))
        (void)fprintf(stderr,
                      "castell: warning: OpenMP in a task of several cores "
                      "leaves its cores, since the environment tells it to "
                      "bind threads: unset OMP_PROC_BIND, OMP_PLACES and "
                      "GOMP_CPU_AFFINITY\n");
}

/* One executor, on all that the process may use: nothing is ever changed. */
static bool is_moot(const struct cst_topo *topo)
{
    return topo->executors_count == 1 && !topo->openmp_binds &&
           memcmp(mask_of(topo, 0), mask_of(topo, 1),
                  topo->mask_words * sizeof(*topo->masks)) == 0;
}

void cst_topo_bind(const struct cst_topo *topo, uint32_t first, uint32_t count)
{
    unsigned long mask[MASK_WORDS_MAX];

    CST_ASSERT(count > 0 && first < topo->executors_count &&
               count <= topo->executors_count - first);
    if (is_moot(topo))
        return;
    if (__builtin_expect(topo->openmp_binds, 0))
        meet_openmp(topo, count);
    if (count == 1) {
        cst_topo_set_mask(topo, mask_of(topo, first));
        return;
    }
    unite(topo, first, count, mask);
    cst_topo_set_mask(topo, mask);
}

void cst_topo_unbind(const struct cst_topo *topo)
{
    if (!is_moot(topo))
        cst_topo_set_mask(topo, mask_of(topo, topo->executors_count));
}

static bool mask_has(const struct cst_topo *topo, const unsigned long *mask,
                     size_t cpu)
{
    return cpu < topo->mask_words * WORD_BITS &&
           (mask[cpu / WORD_BITS] >> cpu % WORD_BITS & 1);
}

const char *cst_topo_mask_text(const struct cst_topo *topo,
                               const unsigned long *mask, char *text,
                               size_t text_size)
{
    size_t start = strlen(text);
    size_t length = start;

    for (size_t cpu = 0; cpu < topo->mask_words * WORD_BITS; cpu++) {
        size_t last = cpu;
        int written;

        if (!mask_has(topo, mask, cpu))
            continue;
        while (mask_has(topo, mask, last + 1))
            last++;
        written = snprintf(text + length, text_size - length,
                           last > cpu ? "%s%zu-%zu" : "%s%zu",
                           length > start ? "," : "", cpu, last);
        if (written < 0 || (size_t)written >= text_size - length)
            break;
        length += (size_t)written;
        cpu = last;
    }
    return text;
}

const char *cst_topo_cpus_text(const struct cst_topo *topo, uint32_t first,
                               uint32_t count, char *text, size_t text_size)
{
    unsigned long mask[MASK_WORDS_MAX];

    CST_ASSERT(text_size > 0);
    text[0] = '\0';
    unite(topo, first, count, mask);
    return cst_topo_mask_text(topo, mask, text, text_size);
}
