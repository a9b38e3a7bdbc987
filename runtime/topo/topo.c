#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"
#include "topo/topo_internal.h"

#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

static void copy_name(char *into, const char *name)
{
    (void)snprintf(into, CST_TOPO_NAME_SIZE, "%s", name);
}

/* Whose machine it is, and how much of it that is no CPU. */
static void describe(struct cst_topo *topo,
                     const struct cst_topo_limits *limits)
{
    const char *directory = cst_parse_environment("TMPDIR");
    struct statvfs disk;
    struct utsname system;

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

static enum castell_status fill(struct cst_topo *topo,
                                const struct cst_topo_options *options)
{
    struct cst_topo_limits limits = {UINT64_MAX, UINT64_MAX};
    struct cst_topo_cpus cpus = {0};
    enum castell_status status = cst_topo_discover(topo, options, &cpus);

    if (status == CASTELL_OK && topo->is_this_machine)
        status = cst_topo_read_limits("", &limits);
    if (status == CASTELL_OK) {
        if (topo->is_this_machine)
            describe(topo, &limits);
        status = cst_topo_place(topo, &cpus, limits.cpus);
    }
    cst_free(cpus.list);
    return status;
}

enum castell_status cst_topo_load(const struct cst_topo_options *options,
                                  struct cst_topo **ret_topo)
{
    static const struct cst_topo_options defaults;
    struct cst_topo *topo = cst_zalloc(sizeof(*topo));
    enum castell_status status;

    if (!options)
        options = &defaults;
    if (!topo)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the topology");
    topo->executors_count = options->executors;
    topo->xml = options->xml ? cst_strdup(options->xml) : NULL;
    if (options->xml && !topo->xml)
        status = cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the topology");
    else
        status = fill(topo, options);
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
    cst_free(topo->devices);
    cst_free(topo->device_masks);
    cst_free(topo->xml);
    cst_free(topo->masks);
    cst_free(topo->executors);
    cst_free(topo);
}
