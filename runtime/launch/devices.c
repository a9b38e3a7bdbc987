/*
 * `castell devices`: what a program that is started here would find.
 */
#include "base/fail.h"
#include "base/parse.h"
#include "depot/depot.h"
#include "launch/launch_internal.h"
#include "topo/topo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIB_SHIFT = 20, TEXT_SIZE = 256 };

static const char devices_help[] =
    "usage: castell devices\n"
    "\n"
    "List the cores that a program which is started here would have, and the "
    "devices\n"
    "with memory of their own: kind, name, what copies of data may take of "
    "their\n"
    "memory, place on the PCI bus, and what is near that. The environment "
    "counts:\n"
    "CASTELL_DEVICES, CASTELL_DEVICE_MEMORY, CUDA_VISIBLE_DEVICES, and where "
    "the\n"
    "calling shell may run.\n";

static void print_machine(const struct cst_topo *topo)
{
    char cpus[TEXT_SIZE];

    cst_topo_cpus_text(topo, 0, topo->executors_count, cpus, sizeof(cpus));
    printf("%s: cores: %" PRIu32 ", CPUs %s, NUMA nodes: %" PRIu32
           ", memory: %" PRIu64 " MiB\n",
           topo->host, topo->cores_count, cpus, topo->numa_nodes_count,
           topo->memory >> MIB_SHIFT);
}

static void print_device(const struct cst_depot_device *device,
                         const struct cst_topo *topo)
{
    const struct cst_device_info *info = &device->info;
    char near[TEXT_SIZE];

    printf("device %" PRIu32 ": %s %s, %s, copies: %" PRIu64 " of %" PRIu64
           " MiB, bus: %s, near: %s\n",
           device->number, device->ops->name, info->version, info->name,
           device->capacity >> MIB_SHIFT, info->memory >> MIB_SHIFT,
           info->bus[0] != '\0' ? info->bus : "not told",
           cst_topo_near_text(topo, device->number, near, sizeof(near)));
}

static enum castell_status print_all(struct cst_topo *topo)
{
    struct cst_depot_options options = {
        .drivers = cst_device_drivers,
        .wanted = cst_parse_environment("CASTELL_DEVICES"),
        .topo = topo,
    };
    const char *memory = cst_parse_environment("CASTELL_DEVICE_MEMORY");
    enum castell_status status = CASTELL_OK;
    struct cst_depot *depot = NULL;

    if (memory)
        status =
            cst_parse_size("CASTELL_DEVICE_MEMORY", memory, &options.memory);
    if (status == CASTELL_OK)
        status = cst_depot_open(&options, &depot);
    if (status != CASTELL_OK)
        return status;
    print_machine(topo);
    for (uint32_t i = 0; i < cst_depot_count(depot); i++)
        print_device(cst_depot_at(depot, i), topo);
    for (size_t i = 0; cst_device_drivers[i]; i++) {
        const char *why = cst_depot_why_not(depot, cst_device_drivers[i]->kind);

        if (why)
            printf("no %s: %s\n", cst_device_drivers[i]->name, why);
    }
    cst_depot_close(depot);
    return CASTELL_OK;
}

int cst_devices_main(char **argv)
{
    struct cst_topo *topo = NULL;
    enum castell_status status;

    if (argv[1] &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        (void)fputs(devices_help, stdout);
        return EXIT_SUCCESS;
    }
    if (argv[1]) {
        cst_fail_text("castell devices takes no argument");
        return cst_say_usage("devices");
    }
    status = cst_topo_load(NULL, &topo);
    if (status == CASTELL_OK)
        status = print_all(topo);
    cst_topo_destroy(topo);
    if (status == CASTELL_OK)
        return EXIT_SUCCESS;
    cst_say("%s", castell_error_text());
    return EXIT_FAILURE;
}
