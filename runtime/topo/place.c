/*
 * place.c - which CPUs each executor gets.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "topo/topo_internal.h"

#include <limits.h>

enum { WORD_BITS = sizeof(unsigned long) * CHAR_BIT };

/* A CPU that we may use, in the machine's order. */
struct cpu {
    unsigned number; /* the system's */
    uint32_t core;
    hwloc_obj_t object;
};

struct placing {
    struct cst_topo *topo;
    hwloc_topology_t machine;
    hwloc_const_bitmap_t allowed;
    struct cpu *cpus;       /* topo->cpus_count */
    uint32_t *cpus_of_core; /* topo->cores_count + 1: index of its first CPU */
};

static hwloc_obj_t ancestor(const struct placing *placing,
                            hwloc_obj_type_t type, hwloc_obj_t object)
{
    return hwloc_get_ancestor_obj_by_type(placing->machine, type, object);
}

/*
 * hwloc numbers the CPUs depth first, so those that follow one another share
 * as much as there is to share, whatever the system calls them. Where nothing
 * is known of cores each CPU is one.
 */
static void list_cpus(struct placing *placing)
{
    struct cst_topo *topo = placing->topo;
    hwloc_obj_t core = NULL;
    hwloc_obj_t cpu = NULL;
    uint32_t count = 0;
    uint32_t cores = 0;

    while ((cpu = hwloc_get_next_obj_by_type(placing->machine, HWLOC_OBJ_PU,
                                             cpu))) {
        hwloc_obj_t its_core = ancestor(placing, HWLOC_OBJ_CORE, cpu);

        if (!hwloc_bitmap_isset(placing->allowed, cpu->os_index))
            continue;
        if (!its_core || its_core != core)
            placing->cpus_of_core[cores++] = count;
        core = its_core;
        placing->cpus[count++] = (struct cpu){cpu->os_index, cores - 1, cpu};
    }
    placing->cpus_of_core[cores] = count;
    topo->cores_count = cores;
    topo->cpus_count = count;
}

static unsigned long *mask_of(const struct cst_topo *topo, uint32_t executor)
{
    return topo->masks + executor * topo->mask_words;
}

static void mask_add(unsigned long *mask, unsigned cpu)
{
    mask[cpu / WORD_BITS] |= 1ul << cpu % WORD_BITS;
}

static hwloc_obj_t numa_node_of(const struct placing *placing,
                                const struct cpu *cpu)
{
    int number = hwloc_bitmap_first(cpu->object->nodeset);

    return number < 0 ? NULL
                      : hwloc_get_numanode_obj_by_os_index(placing->machine,
                                                           (unsigned)number);
}

static uint32_t cache_of(const struct placing *placing, const struct cpu *cpu)
{
    static const hwloc_obj_type_t shared[] = {
        HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_PACKAGE};

    for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
        hwloc_obj_t object = ancestor(placing, shared[i], cpu->object);

        if (object)
            return object->logical_index;
    }
    return 0;
}

/* All our CPUs that are as near to that memory as this one. */
static void add_numa_node(const struct placing *placing, const struct cpu *cpu,
                          unsigned long *mask)
{
    hwloc_obj_t node = numa_node_of(placing, cpu);

    for (uint32_t i = 0; i < placing->topo->cpus_count; i++)
        if (!node || hwloc_bitmap_isset(node->cpuset, placing->cpus[i].number))
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
    const struct cpu *cpu;
    hwloc_obj_t node;

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
    node = numa_node_of(placing, cpu);
    ret_where->core = cpu->core;
    ret_where->numa_node = node ? node->os_index : 0;
    ret_where->cache = cache_of(placing, cpu);
}

static void measure_caches(const struct placing *placing)
{
    static const hwloc_obj_type_t level[CST_TOPO_CACHE_LEVELS] = {
        HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE};

    for (int i = 0; i < CST_TOPO_CACHE_LEVELS; i++) {
        hwloc_obj_t cache =
            ancestor(placing, level[i], placing->cpus[0].object);

        placing->topo->cache_size[i] = cache ? cache->attr->cache.size : 0;
    }
}

static void count_numa_nodes(const struct placing *placing)
{
    struct cst_topo *topo = placing->topo;
    hwloc_obj_t node = NULL;

    topo->numa_nodes_count = 0;
    while ((node = hwloc_get_next_obj_by_type(placing->machine,
                                              HWLOC_OBJ_NUMANODE, node))) {
        for (uint32_t i = 0; i < topo->cpus_count; i++) {
            if (numa_node_of(placing, &placing->cpus[i]) == node) {
                topo->numa_nodes_count++;
                break;
            }
        }
    }
}

static enum castell_status place_all(struct placing *placing, uint64_t cpus_max)
{
    struct cst_topo *topo = placing->topo;
    int last = hwloc_bitmap_last(placing->allowed);

    list_cpus(placing);
    CST_ASSERT(topo->cpus_count > 0);
    count_numa_nodes(placing);
    measure_caches(placing);
    if (topo->executors_count == 0)
        topo->executors_count = cpus_max < topo->cores_count
                                    ? (uint32_t)cpus_max
                                    : topo->cores_count;

    topo->executors =
        cst_zalloc(topo->executors_count * sizeof(*topo->executors));
    topo->mask_words = (size_t)last / WORD_BITS + 1;
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
                                   hwloc_topology_t machine,
                                   hwloc_const_bitmap_t cpus, uint64_t cpus_max)
{
    struct placing placing = {
        .topo = topo, .machine = machine, .allowed = cpus};
    int count = hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_PU);
    enum castell_status status;

    CST_ASSERT(count > 0);
    placing.cpus = cst_zalloc((size_t)count * sizeof(*placing.cpus));
    placing.cpus_of_core =
        cst_zalloc(((size_t)count + 1) * sizeof(*placing.cpus_of_core));
    if (placing.cpus && placing.cpus_of_core)
        status = place_all(&placing, cpus_max);
    else
        status =
            cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for %d CPUs", count);
    cst_free(placing.cpus_of_core);
    cst_free(placing.cpus);
    return status;
}
