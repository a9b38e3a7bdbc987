/*
 * The devices of a node: found, told apart and opened.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "depot/depot_internal.h"
#include "topo/topo.h"

#include <stdio.h>
#include <string.h>

enum { BYTES_PER_US = 8000 }; /* what PCIe carries, until it was measured */

static bool is_word(const char *word, size_t length, const char *name)
{
    return length == strlen(name) && strncmp(word, name, length) == 0;
}

static enum castell_status check_wanted(const struct cst_depot_options *options)
{
    const char *wanted = options->wanted;

    while (wanted && *wanted) {
        size_t word = strcspn(wanted, ",");
        bool known = is_word(wanted, word, "none");

        for (size_t i = 0; options->drivers[i]; i++)
            known = known || is_word(wanted, word, options->drivers[i]->name);
        if (!known)
            return cst_fail(CASTELL_ERR_INVALID,
                            "CASTELL_DEVICES=\"%s\": write \"none\", or kinds "
                            "of devices that this Castell knows, as "
                            "\"cuda,opencl\"",
                            options->wanted);
        wanted += word + (wanted[word] == ',');
    }
    return CASTELL_OK;
}

struct opening {
    struct cst_depot *depot;
    const struct cst_depot_options *options;
    struct {
        char bus[CST_DEVICE_BUS_SIZE];
        const struct cst_device_ops *ops;
    } found[CST_DEPOT_DEVICES_MAX]; /* by drivers, in any part */
    uint32_t found_count;
};

/* Others use the device too, and the driver itself takes some. */
static uint64_t capacity_of(const struct cst_depot_device *device,
                            uint32_t sharers)
{
    uint64_t memory = device->info.memory;
    uint64_t unused;

    if (device->ops->unused &&
        device->ops->unused(device->handle, &unused) == CASTELL_OK &&
        unused < memory)
        memory = unused;
    return memory / 10 * 9 / sharers;
}

/* By another driver, before: that has it. Two of one driver may well be on one
   bus, as parts of one accelerator. */
static const struct cst_device_ops *who_has(const struct opening *opening,
                                            const struct cst_device_ops *ops,
                                            const char *bus)
{
    for (uint32_t i = 0; i < opening->found_count && bus[0] != '\0'; i++)
        if (opening->found[i].ops != ops &&
            strcmp(opening->found[i].bus, bus) == 0)
            return opening->found[i].ops;
    return NULL;
}

static void tell_found(struct opening *opening,
                       const struct cst_device_ops *ops, const char *bus)
{
    if (opening->found_count == CST_DEPOT_DEVICES_MAX)
        return;
    opening->found[opening->found_count].ops = ops;
    (void)snprintf(opening->found[opening->found_count++].bus,
                   CST_DEVICE_BUS_SIZE, "%s", bus);
}

static void say_why(struct cst_driver *driver)
{
    cst_free(driver->why);
    driver->why = cst_strdup(castell_error_text());
}

static void add_device(struct opening *opening, struct cst_driver *driver,
                       uint32_t index, uint32_t sharers)
{
    struct cst_depot *depot = opening->depot;
    struct cst_depot_slot *slot = &depot->slots[depot->count];
    struct cst_depot_device *device = &slot->device;

    if (depot->count == CST_DEPOT_DEVICES_MAX)
        return;
    memset(slot, 0, sizeof(*slot));
    if (driver->ops->describe(driver->driver, index, &device->info) !=
            CASTELL_OK ||
        driver->ops->open(driver->driver, index, &device->handle) !=
            CASTELL_OK) {
        say_why(driver);
        return;
    }
    tell_found(opening, driver->ops, device->info.bus);
    device->ops = driver->ops;
    device->number = depot->count++;
    device->capacity = opening->options->memory ? opening->options->memory
                                                : capacity_of(device, sharers);
    atomic_init(&device->bytes_per_us, BYTES_PER_US);
    slot->pool.device = device;
}

/* Those that no other driver has. */
static uint32_t list_own(const struct opening *opening,
                         struct cst_driver *driver, uint32_t count,
                         uint32_t *list)
{
    const struct cst_device_ops *other;
    struct cst_device_info info;
    uint32_t own = 0;

    for (uint32_t i = 0; i < count && own < CST_DEPOT_DEVICES_MAX; i++) {
        if (driver->ops->describe(driver->driver, i, &info) != CASTELL_OK) {
            say_why(driver);
            continue;
        }
        other = who_has(opening, driver->ops, info.bus);
        if (!other) {
            list[own++] = i;
            continue;
        }
        cst_free(driver->why);
        driver->why = cst_format("what it finds %s has; "
                                 "CASTELL_DEVICES=%s,%s is the other way",
                                 other->name, driver->ops->name, other->name);
    }
    return own;
}

/* Our part of them. */
static void add_devices(struct opening *opening, struct cst_driver *driver,
                        uint32_t count)
{
    const struct cst_depot_options *options = opening->options;
    uint32_t parts = options->parts > 0 ? options->parts : 1;
    uint32_t list[CST_DEPOT_DEVICES_MAX];
    uint32_t own = list_own(opening, driver, count, list);
    uint32_t first = 0;
    uint32_t end = 0;
    uint32_t sharers = 1;

    if (own >= parts) {
        first = options->part * own / parts;
        end = (options->part + 1) * own / parts;
    } else if (own > 0) {
        first = options->part % own;
        end = first + 1;
        sharers = (parts - 1 - first) / own + 1;
    }
    for (uint32_t i = first; i < end; i++)
        add_device(opening, driver, list[i], sharers);
    for (uint32_t i = 0; i < own; i++) {
        struct cst_device_info info;

        if ((i < first || i >= end) &&
            driver->ops->describe(driver->driver, list[i], &info) == CASTELL_OK)
            tell_found(opening, driver->ops, info.bus);
    }
}

static void add_driver(struct opening *opening,
                       const struct cst_device_ops *ops, bool wanted)
{
    struct cst_depot *depot = opening->depot;
    struct cst_driver *driver = &depot->drivers[depot->drivers_count];
    uint32_t count = 0;

    for (uint32_t i = 0; i < depot->drivers_count; i++)
        if (depot->drivers[i].ops == ops)
            return;
    depot->drivers_count++;
    driver->ops = ops;
    if (!wanted) {
        driver->why = cst_format("CASTELL_DEVICES leaves them out");
        return;
    }
    if (ops->discover(&driver->driver, &count) != CASTELL_OK) {
        driver->driver = NULL;
        say_why(driver);
        return;
    }
    if (count == 0)
        driver->why = cst_format("the driver is there and finds no device");
    add_devices(opening, driver, count);
}

/* In the order in which they are wanted; then those that are not. */
static void add_drivers(struct opening *opening)
{
    const struct cst_device_ops *const *drivers = opening->options->drivers;
    const char *wanted = opening->options->wanted;
    size_t count = 0;

    while (count < CST_DRIVERS_MAX && drivers[count])
        count++;
    for (const char *at = wanted; at && *at;) {
        size_t word = strcspn(at, ",");

        for (size_t i = 0; i < count; i++)
            if (is_word(at, word, drivers[i]->name))
                add_driver(opening, drivers[i], true);
        at += word + (at[word] == ',');
    }
    for (size_t i = 0; i < count; i++)
        add_driver(opening, drivers[i], !wanted);
}

static enum castell_status tell_where(const struct cst_depot *depot,
                                      struct cst_topo *topo)
{
    const char *buses[CST_DEPOT_DEVICES_MAX];

    for (uint32_t i = 0; i < depot->count; i++)
        buses[i] = depot->slots[i].device.info.bus;
    return cst_topo_find_devices(topo, buses, depot->count);
}

enum castell_status cst_depot_open(const struct cst_depot_options *options,
                                   struct cst_depot **ret_depot)
{
    enum castell_status status = check_wanted(options);
    struct opening opening = {.options = options};
    struct cst_depot *depot;

    if (status != CASTELL_OK)
        return status;
    depot = cst_zalloc(sizeof(*depot));
    if (!depot)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for devices");
    depot->slots = cst_zalloc(CST_DEPOT_DEVICES_MAX * sizeof(*depot->slots));
    if (!depot->slots) {
        cst_free(depot);
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for devices");
    }
    cst_lock_init(&depot->lock, CST_RANK_DEPOT, "depot");
    (void)pthread_cond_init(&depot->changed, NULL);
    opening.depot = depot;
    add_drivers(&opening);
    if (options->topo)
        status = tell_where(depot, options->topo);
    if (status == CASTELL_OK)
        *ret_depot = depot;
    else
        cst_depot_close(depot);
    return status;
}
