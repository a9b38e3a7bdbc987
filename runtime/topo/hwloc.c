/*
 * hwloc.c - the machine as hwloc finds it, or lstopo recorded it.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"
#include "topo/topo_internal.h"

#include <errno.h>
#include <hwloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Is the calling thread the only one? That directory has one for each. */
static bool is_alone(void)
{
    struct stat threads;

    return stat("/proc/self/task", &threads) == 0 && threads.st_nlink == 3;
}

/*
 * hwloc maps its plugins, and with them the libraries of X11, OpenCL and CUDA,
 * though we ask for nothing that they find: 3 of 4 ms. The only switch is in
 * the environment, which may not be touched once there are other threads.
 */
static int init_without_plugins(hwloc_topology_t *ret_machine)
{
    static const char plugins[] = "HWLOC_PLUGINS_PATH";
    bool hide = !cst_parse_environment(plugins) && is_alone();
    int result;

    /* NOLINTBEGIN(concurrency-mt-unsafe): there is one thread */
    if (hide && setenv(plugins, "/nonexistent", 1) != 0)
        hide = false;
    result = hwloc_topology_init(ret_machine);
    if (hide)
        (void)unsetenv(plugins);
    /* NOLINTEND(concurrency-mt-unsafe) */
    return result;
}

static void ask_for_little(hwloc_topology_t machine,
                           enum hwloc_type_filter_e devices)
{
    unsigned long flags = 0;

#if HWLOC_API_VERSION >= 0x00020500
    /* Else its x86 backend visits each CPU in turn, by binding us to it. */
    flags |= HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING;
#endif
#if HWLOC_API_VERSION >= 0x00020800
    flags |= HWLOC_TOPOLOGY_FLAG_NO_DISTANCES |
             HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS | HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS;
#endif
    (void)hwloc_topology_set_flags(machine, flags);
    (void)hwloc_topology_set_type_filter(machine, HWLOC_OBJ_PCI_DEVICE,
                                         devices);
    (void)hwloc_topology_set_type_filter(machine, HWLOC_OBJ_BRIDGE,
                                         HWLOC_TYPE_FILTER_KEEP_NONE);
    (void)hwloc_topology_set_type_filter(machine, HWLOC_OBJ_OS_DEVICE,
                                         HWLOC_TYPE_FILTER_KEEP_NONE);
    (void)hwloc_topology_set_icache_types_filter(machine,
                                                 HWLOC_TYPE_FILTER_KEEP_NONE);
    (void)hwloc_topology_set_type_filter(machine, HWLOC_OBJ_MISC,
                                         HWLOC_TYPE_FILTER_KEEP_NONE);
}

static enum castell_status load(const char *xml,
                                enum hwloc_type_filter_e devices,
                                hwloc_topology_t *ret_machine)
{
    hwloc_topology_t machine = NULL;

    if (init_without_plugins(&machine) != 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "hwloc does not start: %s",
                        cst_reason(errno));
    ask_for_little(machine, devices);
    if (xml && hwloc_topology_set_xml(machine, xml) != 0) {
        hwloc_topology_destroy(machine);
        return cst_fail(CASTELL_ERR_INVALID, "%s is no machine of hwloc's: %s",
                        xml, cst_reason(errno));
    }
    if (hwloc_topology_load(machine) != 0) {
        hwloc_topology_destroy(machine);
        return cst_fail(xml ? CASTELL_ERR_INVALID : CASTELL_ERR_SYSTEM,
                        "hwloc cannot read %s: %s", xml ? xml : "this machine",
                        cst_reason(errno));
    }
    *ret_machine = machine;
    return CASTELL_OK;
}

static void copy_name(char *into, const char *name)
{
    (void)snprintf(into, CST_TOPO_NAME_SIZE, "%s", name ? name : "unknown");
}

static void describe(struct cst_topo *topo, hwloc_topology_t machine)
{
    hwloc_obj_t root = hwloc_get_root_obj(machine);

    topo->memory = root->total_memory;
    if (!topo->is_this_machine) {
        copy_name(topo->host, hwloc_obj_get_info_by_name(root, "HostName"));
        copy_name(topo->arch, hwloc_obj_get_info_by_name(root, "Architecture"));
    }
}

/* Which CPUs: the caller's choice, or the process's, of those there are. */
static enum castell_status choose_cpus(struct cst_topo *topo,
                                       hwloc_topology_t machine,
                                       const char *wanted, hwloc_bitmap_t cpus)
{
    hwloc_const_bitmap_t allowed = hwloc_topology_get_allowed_cpuset(machine);
    enum castell_status status = CASTELL_OK;
    struct cst_topo_set own;

    if (wanted) {
        if (hwloc_bitmap_list_sscanf(cpus, wanted) != 0)
            return cst_topo_no_list(wanted);
        (void)hwloc_bitmap_and(cpus, cpus, allowed);
    } else if (topo->is_this_machine) {
        status = cst_topo_own_cpus(topo, &own);
        if (status < 0)
            return status;
        for (unsigned i = 0; i < CST_TOPO_CPUS_MAX; i++)
            if (cst_topo_set_has(&own, i))
                (void)hwloc_bitmap_set(cpus, i);
        (void)hwloc_bitmap_and(cpus, cpus, allowed);
    } else if (hwloc_bitmap_copy(cpus, allowed) != 0) {
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a CPU set");
    }
    return hwloc_bitmap_iszero(cpus) ? cst_topo_no_cpus(wanted) : CASTELL_OK;
}

static uint32_t numa_node_of(hwloc_topology_t machine, hwloc_obj_t cpu)
{
    int number = hwloc_bitmap_first(cpu->nodeset);

    if (number < 0 ||
        !hwloc_get_numanode_obj_by_os_index(machine, (unsigned)number))
        return 0;
    return (uint32_t)number;
}

static uint32_t cache_of(hwloc_topology_t machine, hwloc_obj_t cpu)
{
    static const hwloc_obj_type_t shared[] = {
        HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_PACKAGE};

    for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
        hwloc_obj_t object =
            hwloc_get_ancestor_obj_by_type(machine, shared[i], cpu);

        if (object)
            return object->logical_index;
    }
    return 0;
}

static void measure_caches(struct cst_topo *topo, hwloc_topology_t machine,
                           hwloc_obj_t cpu)
{
    static const hwloc_obj_type_t level[CST_TOPO_CACHE_LEVELS] = {
        HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE};

    for (int i = 0; i < CST_TOPO_CACHE_LEVELS; i++) {
        hwloc_obj_t cache =
            hwloc_get_ancestor_obj_by_type(machine, level[i], cpu);

        topo->cache_size[i] = cache ? cache->attr->cache.size : 0;
    }
}

/*
 * hwloc numbers the CPUs depth first, so those that follow one another share
 * as much as there is to share, whatever the system calls them. Where nothing
 * is known of cores each CPU is one.
 */
static enum castell_status list_cpus(struct cst_topo *topo,
                                     hwloc_topology_t machine,
                                     hwloc_const_bitmap_t allowed,
                                     struct cst_topo_cpus *ret_cpus)
{
    int count = hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_PU);
    struct cst_topo_cpus cpus = {0};
    hwloc_obj_t core = NULL;
    hwloc_obj_t cpu = NULL;
    uint32_t cores = 0;

    CST_ASSERT(count > 0);
    cpus.list = cst_zalloc((size_t)count * sizeof(*cpus.list));
    if (!cpus.list)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for %d CPUs", count);
    while ((cpu = hwloc_get_next_obj_by_type(machine, HWLOC_OBJ_PU, cpu))) {
        hwloc_obj_t its_core =
            hwloc_get_ancestor_obj_by_type(machine, HWLOC_OBJ_CORE, cpu);

        if (!hwloc_bitmap_isset(allowed, cpu->os_index))
            continue;
        if (cpus.count == 0)
            measure_caches(topo, machine, cpu);
        if (!its_core || its_core != core)
            cores++;
        core = its_core;
        cpus.list[cpus.count++] = (struct cst_topo_cpu){
            .number = cpu->os_index,
            .core = cores - 1,
            .numa_node = numa_node_of(machine, cpu),
            .cache = cache_of(machine, cpu),
        };
    }
    *ret_cpus = cpus;
    return CASTELL_OK;
}

enum castell_status cst_topo_discover(struct cst_topo *topo,
                                      const struct cst_topo_options *options,
                                      struct cst_topo_cpus *ret_cpus)
{
    hwloc_topology_t machine = NULL;
    enum castell_status status =
        load(options->xml, HWLOC_TYPE_FILTER_KEEP_NONE, &machine);
    hwloc_bitmap_t cpus;

    if (status < 0)
        return status;
    topo->is_this_machine = hwloc_topology_is_thissystem(machine) != 0;
    describe(topo, machine);
    cpus = hwloc_bitmap_alloc();
    if (cpus)
        status = choose_cpus(topo, machine, options->cpus, cpus);
    else
        status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the topology");
    if (status == CASTELL_OK)
        status = list_cpus(topo, machine, cpus, ret_cpus);
    hwloc_bitmap_free(cpus);
    hwloc_topology_destroy(machine);
    return status;
}

/* A device that hangs on the whole machine says nothing of where it is, unless
   that is one NUMA node. */
static void look_around(hwloc_topology_t machine, const char *bus,
                        struct cst_topo_around *ret_around)
{
    hwloc_obj_t device = hwloc_get_pcidev_by_busidstring(machine, bus);
    hwloc_obj_t place =
        device ? hwloc_get_non_io_ancestor_obj(machine, device) : NULL;

    if (!place || hwloc_bitmap_weight(place->nodeset) != 1)
        return;
    ret_around->is_known = true;
    ret_around->numa_node = (uint32_t)hwloc_bitmap_first(place->nodeset);
    for (unsigned i = 0; i < CST_TOPO_CPUS_MAX; i++)
        if (hwloc_bitmap_isset(place->cpuset, i))
            cst_topo_set_add(&ret_around->cpus, i);
}

/* What else is on the bus takes hwloc some time to find, so it is asked again
   where there are devices only. */
void cst_topo_look_around(const struct cst_topo *topo, const char *const *buses,
                          uint32_t count, struct cst_topo_around *arounds)
{
    hwloc_topology_t machine = NULL;

    if (load(topo->xml, HWLOC_TYPE_FILTER_KEEP_IMPORTANT, &machine) < 0)
        return;
    for (uint32_t i = 0; i < count; i++)
        if (buses[i][0] != '\0')
            look_around(machine, buses[i], &arounds[i]);
    hwloc_topology_destroy(machine);
}
