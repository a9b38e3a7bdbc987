/*
 * The devices of a run, as main() and the bodies on cores see them.
 */
#include "api/api.h"
#include "base/built.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>

enum { PARTS_MAX = 4096 };

bool cst_api_is_built(enum castell_device device)
{
    return device == CASTELL_CPU || device == CASTELL_BINARY ||
           device == CASTELL_CONTAINER ||
           (CST_BUILT_MPI && device == CASTELL_MPI) ||
           cst_device_has_memory(device);
}

/* What the node has, as constraints ask for it. */
static enum castell_status tell_limits(struct cst_run *run)
{
    struct cst_limits *limits = &run->limits;
    uint32_t count = cst_depot_count(run->depot);
    uint32_t counts[CASTELL_CONTAINER + 1] = {0};

    for (uint32_t i = 0; i < count; i++) {
        const struct cst_depot_device *device = cst_depot_at(run->depot, i);
        char *features =
            cst_format("%s%s%s,%s-%s", run->features ? run->features : "",
                       run->features ? "," : "", device->ops->name,
                       device->ops->name, device->info.version);

        if (!features)
            return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory to start");
        cst_free(run->features);
        run->features = features;
        limits->features = features;
        if (limits->gpus < ++counts[device->ops->kind])
            limits->gpus = counts[device->ops->kind];
        limits->devices |= 1u << device->ops->kind;
        if (limits->gpu_memory < device->capacity)
            limits->gpu_memory = device->capacity;
    }
    return CASTELL_OK;
}

/* Of several processes on one node, which is this? `castell process` says. */
static enum castell_status read_part(struct cst_depot_options *options)
{
    const char *text = cst_parse_environment("CASTELL_DEVICE_PART");
    unsigned long part;
    unsigned long parts = 0;
    char *end;

    if (!text)
        return CASTELL_OK;
    part = strtoul(text, &end, 10);
    if (*end == '/' && end > text)
        parts = strtoul(end + 1, &end, 10);
    if (*end != '\0' || part >= parts || parts > PARTS_MAX)
        return cst_fail(
            CASTELL_ERR_INVALID,
            "CASTELL_DEVICE_PART=\"%s\": write \"0/2\" for the first "
            "of two processes of a node",
            text);
    options->part = (uint32_t)part;
    options->parts = (uint32_t)parts;
    return CASTELL_OK;
}

enum castell_status cst_api_devices_begin(struct cst_run *run)
{
    struct cst_depot_options options = {
        .drivers = cst_device_drivers,
        .wanted = cst_parse_environment("CASTELL_DEVICES"),
        .topo = run->topo,
    };
    const char *memory = cst_parse_environment("CASTELL_DEVICE_MEMORY");
    enum castell_status status = CASTELL_OK;

    /* To look for them takes as long as many a program runs. */
    if (!cst_kinds_want_devices() && !options.wanted)
        return CASTELL_OK;
    if (memory)
        status =
            cst_parse_size("CASTELL_DEVICE_MEMORY", memory, &options.memory);
    if (status == CASTELL_OK)
        status = read_part(&options);
    if (status == CASTELL_OK)
        status = cst_depot_open(&options, &run->depot);
    return status == CASTELL_OK ? tell_limits(run) : status;
}

enum { WORDS_SIZE = 512 };

/* Which devices there are bodies for, and, of each, why there is none here. */
static void say_devices(const struct cst_kind *kind, char names[WORDS_SIZE],
                        char reasons[WORDS_SIZE])
{
    uint32_t choices = atomic_load(&kind->choices_count);
    uint32_t said = 0;
    size_t names_used = 0;
    size_t used = 0;

    for (uint32_t i = 0; i < choices; i++) {
        enum castell_device device = kind->choices[i].device;
        const char *name = device == CASTELL_CUDA ? "CUDA" : "OpenCL";
        const char *why = cst_depot_why_not(cst_run()->depot, device);

        if (!cst_device_has_memory(device) || said >> device & 1)
            continue;
        names_used +=
            (size_t)snprintf(names + names_used, WORDS_SIZE - names_used,
                             "%s%s", said ? " or " : "", name);
        if (used < WORDS_SIZE)
            used += (size_t)snprintf(
                reasons + used, WORDS_SIZE - used, "%s%s%s%s", said ? "; " : "",
                choices > 1 ? name : "", choices > 1 ? ": " : "",
                why ? why : "there is none");
        said |= UINT32_C(1) << device;
    }
}

static enum castell_status refuse_device(const struct cst_kind *kind,
                                         const char *where)
{
    const struct cst_run *run = cst_run();
    enum castell_device device = kind->choices[0].device;
    char names[WORDS_SIZE] = "";
    char reasons[WORDS_SIZE] = "";
    const char *why = reasons;

    if (run->depot && !(kind->flags & CASTELL_ISOLATED) &&
        run->limits.devices >> device & 1)
        return cst_constraint_check(&run->limits, &kind->choices[0].constraint,
                                    kind->label, where);
    if (run->depot)
        say_devices(kind, names, reasons);
    else
        why =
            "devices are looked for when castell_start() knows of a task that "
            "wants one: declare it before";
    if (run->depot && kind->flags & CASTELL_ISOLATED)
        why = "it is isolated or has a timeout, which devices cannot give";
    return cst_fail(CASTELL_ERR_UNSATISFIABLE,
                    "task %s%s%s%s needs a device of %s; the nearest node, %s, "
                    "has none for it: %s",
                    kind->label, where ? " (" : "", where ? where : "",
                    where ? ")" : "",
                    names[0]                 ? names
                    : device == CASTELL_CUDA ? "CUDA"
                                             : "OpenCL",
                    run->limits.name, why);
}

/* Private copies, and what several write at one time, are in main memory: that
   takes a body for cores. */
static enum castell_status check_modes(const struct cst_kind *kind,
                                       const struct castell_submission *from)
{
    uint32_t choices = atomic_load(&kind->choices_count);

    for (uint32_t i = 0; i < choices; i++)
        if (!cst_device_has_memory(kind->choices[i].device) &&
            (kind->choices[i].possible || cst_run()->cluster))
            return CASTELL_OK;
    for (size_t i = 0; i < from->accesses_count; i++)
        if (from->accesses[i].mode == CASTELL_REDUCTION ||
            from->accesses[i].mode == CASTELL_CONCURRENT)
            return cst_fail(
                CASTELL_ERR_INVALID,
                "task %s%s%s%s has a %s access, number %zu, which "
                "devices cannot give, and no implementation for "
                "CPUs",
                kind->label, from->where ? " (" : "",
                from->where ? from->where : "", from->where ? ")" : "",
                from->accesses[i].mode == CASTELL_REDUCTION ? "reduction"
                                                            : "concurrent",
                i);
    return CASTELL_OK;
}

/* Can some node of the run? */
static enum castell_status
check_somewhere(const struct cst_kind *kind,
                const struct castell_submission *from)
{
    struct cst_cluster *cluster = cst_run()->cluster;
    uint32_t choices = atomic_load(&kind->choices_count);
    enum castell_status status = CASTELL_ERR_UNSATISFIABLE;

    if (kind->choices[0].device == CASTELL_MPI)
        return cst_cluster_check_gang(
            cluster,
            from->constraint ? from->constraint : &kind->choices[0].constraint,
            kind->label, from->where);
    for (uint32_t i = 0; i < choices && status != CASTELL_OK; i++)
        status = cst_cluster_check(
            cluster, kind->choices[i].device,
            from->constraint ? from->constraint : &kind->choices[i].constraint,
            kind->label, from->where);
    return status;
}

static enum castell_status check_here(const struct cst_kind *kind,
                                      const struct castell_submission *from)
{
    const struct cst_limits *limits = &cst_run()->limits;
    uint32_t choices = atomic_load(&kind->choices_count);

    if (from->constraint) {
        enum castell_status status = cst_constraint_check(
            limits, from->constraint, kind->label, from->where);

        if (status != CASTELL_OK)
            return status;
    }
    for (uint32_t i = 0; i < choices; i++) {
        const struct cst_choice *choice = &kind->choices[i];

        if (choice->possible && choice->constraint.nodes <= 1)
            return CASTELL_OK;
        if (from->constraint && !cst_device_has_memory(choice->device))
            return CASTELL_OK;
    }
    if (cst_device_has_memory(kind->choices[0].device))
        return refuse_device(kind, from->where);
    return cst_constraint_check(limits, &kind->choices[0].constraint,
                                kind->label, from->where);
}

enum castell_status
cst_api_check_possible(const struct cst_kind *kind,
                       const struct castell_submission *from)
{
    enum castell_status status = cst_run()->cluster && !cst_self()->task
                                     ? check_somewhere(kind, from)
                                     : check_here(kind, from);

    return status == CASTELL_OK ? check_modes(kind, from) : status;
}

/* False: it is in no device. */
static bool region_of(const struct castell_access *access,
                      struct cst_region *ret_region)
{
    *ret_region =
        (struct cst_region){(uintptr_t)access->base, access->size,
                            access->rows ? access->rows : 1, access->pitch};
    cst_region_normalise(ret_region);
    return !access->is_file && !access->is_directory && access->size > 0;
}

static enum castell_status to_main(const struct castell_access *regions,
                                   size_t regions_count)
{
    struct cst_depot *depot = cst_run()->depot;
    enum castell_status status = CASTELL_OK;

    if (!depot || cst_depot_is_empty(depot))
        return CASTELL_OK;
    if (!regions)
        return cst_depot_all_to_main(depot);
    for (size_t i = 0; i < regions_count && status == CASTELL_OK; i++) {
        struct cst_region region = {(uintptr_t)regions[i].base, regions[i].size,
                                    regions[i].rows ? regions[i].rows : 1,
                                    regions[i].pitch};

        if (regions[i].is_file || regions[i].is_directory)
            continue;
        cst_region_normalise(&region);
        status = cst_depot_to_main(depot, &region, true, true);
    }
    return status;
}

enum castell_status cst_api_to_main(const struct castell_access *regions,
                                    size_t regions_count)
{
    enum castell_status status = to_main(regions, regions_count);

    if (status == CASTELL_ERR_TASK_FAILED)
        atomic_store(&cst_run()->lost, true);
    return status;
}

void cst_api_forget(const struct castell_access *regions, size_t regions_count)
{
    struct cst_depot *depot = cst_run()->depot;

    for (size_t i = 0; depot && i < regions_count; i++) {
        struct cst_region region;

        if (region_of(&regions[i], &region))
            cst_depot_forget(depot, &region);
    }
}
