#include "topo/topo.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "base/thread.h"
#include "topo/topo_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

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

static void ask_for_little(hwloc_topology_t machine)
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
    (void)hwloc_topology_set_io_types_filter(machine,
                                             HWLOC_TYPE_FILTER_KEEP_NONE);
    (void)hwloc_topology_set_icache_types_filter(machine,
                                                 HWLOC_TYPE_FILTER_KEEP_NONE);
    (void)hwloc_topology_set_type_filter(machine, HWLOC_OBJ_MISC,
                                         HWLOC_TYPE_FILTER_KEEP_NONE);
}

static enum castell_status discover(const char *xml,
                                    hwloc_topology_t *ret_machine)
{
    hwloc_topology_t machine = NULL;

    if (init_without_plugins(&machine) != 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "hwloc does not start: %s",
                        cst_reason(errno));
    ask_for_little(machine);
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

/* Whose machine it is, and how much of it that is no CPU. */
static void describe(struct cst_topo *topo, hwloc_topology_t machine,
                     const struct cst_topo_limits *limits)
{
    hwloc_obj_t root = hwloc_get_root_obj(machine);
    const char *directory = cst_parse_environment("TMPDIR");
    struct statvfs disk;
    struct utsname system;

    topo->memory = root->total_memory;
    if (!topo->is_this_machine) {
        copy_name(topo->host, hwloc_obj_get_info_by_name(root, "HostName"));
        copy_name(topo->arch, hwloc_obj_get_info_by_name(root, "Architecture"));
        return;
    }
    if (topo->memory == 0)
        topo->memory =
            (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (limits->memory < topo->memory)
        topo->memory = limits->memory;
    if (!directory)
        directory = "/tmp";
    if (statvfs(directory, &disk) == 0)
        topo->storage = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (uname(&system) == 0) {
        copy_name(topo->host, system.nodename);
        copy_name(topo->arch, system.machine);
    }
}

/* Which CPUs: the caller's choice, or the process's, of those there are. */
static enum castell_status choose_cpus(struct cst_topo *topo,
                                       hwloc_topology_t machine,
                                       const char *wanted, hwloc_bitmap_t cpus)
{
    hwloc_const_bitmap_t allowed = hwloc_topology_get_allowed_cpuset(machine);

    if (wanted) {
        if (hwloc_bitmap_list_sscanf(cpus, wanted) != 0)
            return cst_fail(CASTELL_ERR_INVALID,
                            "\"%s\" is no list of CPUs such as 0-3,8", wanted);
        (void)hwloc_bitmap_and(cpus, cpus, allowed);
    } else if (topo->is_this_machine) {
        enum castell_status status = cst_topo_own_cpus(topo, allowed, cpus);

        if (status < 0)
            return status;
    } else if (hwloc_bitmap_copy(cpus, allowed) != 0) {
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for a CPU set");
    }
    if (hwloc_bitmap_iszero(cpus))
        return cst_fail(CASTELL_ERR_INVALID, "no CPU of %s is left to us",
                        wanted ? wanted : "the machine");
    return CASTELL_OK;
}

static enum castell_status fill(struct cst_topo *topo,
                                const struct cst_topo_options *options,
                                hwloc_topology_t machine, hwloc_bitmap_t cpus)
{
    struct cst_topo_limits limits = {UINT64_MAX, UINT64_MAX};
    enum castell_status status = CASTELL_OK;

    topo->executors_count = options->executors;
    topo->is_this_machine = hwloc_topology_is_thissystem(machine) != 0;
    if (topo->is_this_machine)
        status = cst_topo_read_limits("", &limits);
    if (status == CASTELL_OK)
        status = choose_cpus(topo, machine, options->cpus, cpus);
    if (status < 0)
        return status;
    describe(topo, machine, &limits);
    return cst_topo_place(topo, machine, cpus, limits.cpus);
}

enum castell_status cst_topo_load(const struct cst_topo_options *options,
                                  struct cst_topo **ret_topo)
{
    static const struct cst_topo_options defaults;
    struct cst_topo *topo = NULL;
    hwloc_topology_t machine = NULL;
    hwloc_bitmap_t cpus;
    enum castell_status status;

    if (!options)
        options = &defaults;
    status = discover(options->xml, &machine);
    if (status < 0)
        return status;
    cpus = hwloc_bitmap_alloc();
    topo = cst_zalloc(sizeof(*topo));
    if (cpus && topo)
        status = fill(topo, options, machine, cpus);
    else
        status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the topology");
    hwloc_bitmap_free(cpus);
    hwloc_topology_destroy(machine);
    if (status < 0) {
        cst_topo_destroy(topo);
        return status;
    }
    *ret_topo = topo;
    return CASTELL_OK;
}

void cst_topo_destroy(struct cst_topo *topo)
{
    if (!topo)
        return;
    cst_topo_openmp_release(topo);
    cst_free(topo->masks);
    cst_free(topo->executors);
    cst_free(topo);
}
