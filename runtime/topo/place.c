/*
 * place.c - which CPUs each executor gets.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "topo/topo_internal.h"

enum { WORD_BITS = CST_TOPO_WORD_BITS };

struct placing {
    struct cst_topo *topo;
    const struct cst_topo_cpu *cpus; /* topo->cpus_count */
    uint32_t *cpus_of_core; /* topo->cores_count + 1: index of its first CPU */
};

static void list_cores(struct placing *placing)
{
    struct cst_topo *topo = placing->topo;
    uint32_t cores = 0;

    for (uint32_t i = 0; i < topo->cpus_count; i++)
        if (i == 0 || placing->cpus[i].core != placing->cpus[i - 1].core)
            placing->cpus_of_core[cores++] = i;
    placing->cpus_of_core[cores] = topo->cpus_count;
    topo->cores_count = cores;
}

static unsigned long *mask_of(const struct cst_topo *topo, uint32_t executor)
{
    return topo->masks + executor * topo->mask_words;
}

static void mask_add(unsigned long *mask, unsigned cpu)
{
    mask[cpu / WORD_BITS] |= 1ul << cpu % WORD_BITS;
}

/* All our CPUs that are as near to that memory as this one. */
static void add_numa_node(const struct placing *placing,
                          const struct cst_topo_cpu *cpu, unsigned long *mask)
{
    for (uint32_t i = 0; i < placing->topo->cpus_count; i++)
        if (placing->cpus[i].numa_node == cpu->numa_node)
            mask_add(mask, placing->cpus[i].number);
}

/* The rule is in topo.h, at cst_topo_load(). */
static void place_executor(const struct placing *placing, uint32_t executor,
                           struct cst_topo_executor *ret_where)
{
    const struct cst_topo *topo = placing->topo;
    uint64_t executors = topo->executors_count;
    uint32_t core =
        (uint32_t)(executor * (uint64_t)topo->cores_count / executors);
    uint32_t first = placing->cpus_of_core[core];
    uint32_t end = first + 1;
    const struct cst_topo_cpu *cpu;

    if (executors == topo->cores_count) {
        end = placing->cpus_of_core[core + 1];
    } else if (executors > topo->cores_count && executors <= topo->cpus_count) {
        first = (uint32_t)(executor * (uint64_t)topo->cpus_count / executors);
        end =
            (uint32_t)((executor + (uint64_t)1) * topo->cpus_count / executors);
    } else {
        add_numa_node(placing, &placing->cpus[first], mask_of(topo, executor));
    }
    for (uint32_t i = first; i < end; i++)
        mask_add(mask_of(topo, executor), placing->cpus[i].number);

    cpu = &placing->cpus[first];
    ret_where->core = cpu->core;
    ret_where->numa_node = cpu->numa_node;
    ret_where->cache = cpu->cache;
}

static void count_numa_nodes(const struct placing *placing)
{
    struct cst_topo *topo = placing->topo;

    topo->numa_nodes_count = 0;
    for (uint32_t i = 0; i < topo->cpus_count; i++) {
        uint32_t before = 0;

        while (before < i &&
               placing->cpus[before].numa_node != placing->cpus[i].numa_node)
            before++;
        topo->numa_nodes_count += before == i;
    }
}

static unsigned last_number(const struct placing *placing)
{
    unsigned last = 0;

    for (uint32_t i = 0; i < placing->topo->cpus_count; i++)
        if (placing->cpus[i].number > last)
            last = placing->cpus[i].number;
    return last;
}

static enum castell_status place_all(struct placing *placing, uint64_t cpus_max)
{
    struct cst_topo *topo = placing->topo;

    list_cores(placing);
    count_numa_nodes(placing);
    if (topo->executors_count == 0)
        topo->executors_count = cpus_max < topo->cores_count
                                    ? (uint32_t)cpus_max
                                    : topo->cores_count;

    topo->executors =
        cst_zalloc(topo->executors_count * sizeof(*topo->executors));
    topo->mask_words = last_number(placing) / WORD_BITS + (size_t)1;
    topo->masks =
        cst_zalloc(((topo->executors_count + (size_t)1) * topo->mask_words) *
                   sizeof(*topo->masks));
    if (!topo->executors || !topo->masks)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for %u executors",
                        topo->executors_count);
    for (uint32_t i = 0; i < topo->executors_count; i++)
        place_executor(placing, i, &topo->executors[i]);
    for (uint32_t i = 0; i < topo->cpus_count; i++)
        mask_add(mask_of(topo, topo->executors_count), placing->cpus[i].number);
    return CASTELL_OK;
}

enum castell_status cst_topo_place(struct cst_topo *topo,
                                   const struct cst_topo_cpus *cpus,
                                   uint64_t cpus_max)
{
    struct placing placing = {.topo = topo, .cpus = cpus->list};
    enum castell_status status;

    CST_ASSERT(cpus->count > 0);
    topo->cpus_count = cpus->count;
    placing.cpus_of_core =
        cst_zalloc(((size_t)cpus->count + 1) * sizeof(*placing.cpus_of_core));
    if (placing.cpus_of_core)
        status = place_all(&placing, cpus_max);
    else
        status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for %u CPUs",
                          cpus->count);
    cst_free(placing.cpus_of_core);
    return status;
}
