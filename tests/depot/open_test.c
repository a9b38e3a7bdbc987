/*
 * Which devices a process opens: one that two drivers find is one, of the driver
 * that is wanted first; of several processes on a node each has its part.
 */
#include "base/fail.h"
#include "depot/depot.h"
#include "device/opencl_bus.h"
#include "harness/tap.h"

#include <stdio.h>
#include <string.h>

enum { DEVICES_MAX = 8, MEMORY = 1000, ERROR = -30 };

struct driver {
    const char *buses[DEVICES_MAX];
    uint32_t count;
    uint32_t opened;
};

static struct driver first, second;

static enum castell_status discover(struct driver *driver, void **ret_driver,
                                    uint32_t *ret_count)
{
    *ret_driver = driver;
    *ret_count = driver->count;
    return CASTELL_OK;
}

static enum castell_status discover_first(void **ret_driver,
                                          uint32_t *ret_count)
{
    return discover(&first, ret_driver, ret_count);
}

static enum castell_status discover_second(void **ret_driver,
                                           uint32_t *ret_count)
{
    return discover(&second, ret_driver, ret_count);
}

static void release(void *driver)
{
    (void)driver;
}

static enum castell_status describe(void *driver, uint32_t index,
                                    struct cst_device_info *ret_info)
{
    const struct driver *from = driver;

    *ret_info = (struct cst_device_info){.memory = MEMORY, .units = index};
    (void)snprintf(ret_info->bus, sizeof(ret_info->bus), "%s",
                   from->buses[index]);
    return CASTELL_OK;
}

static enum castell_status open_device(void *driver, uint32_t index,
                                       void **ret_device)
{
    struct driver *from = driver;

    if (strcmp(from->buses[index], "broken") == 0)
        return cst_fail(CASTELL_ERR_SYSTEM, "it is broken");
    from->opened++;
    *ret_device = driver;
    return CASTELL_OK;
}

static void close_device(void *device)
{
    struct driver *from = device;

    from->opened--;
}

static const struct cst_device_ops first_ops = {.name = "cuda",
                                                .kind = CASTELL_CUDA,
                                                .discover = discover_first,
                                                .release = release,
                                                .describe = describe,
                                                .open = open_device,
                                                .close = close_device};
static const struct cst_device_ops second_ops = {.name = "opencl",
                                                 .kind = CASTELL_OPENCL,
                                                 .discover = discover_second,
                                                 .release = release,
                                                 .describe = describe,
                                                 .open = open_device,
                                                 .close = close_device};
static const struct cst_device_ops *const drivers[] = {&first_ops, &second_ops,
                                                       NULL};

/* What is opened, as "cuda 0, opencl 2"; *ret_capacity: of the last. */
static const char *open_all(const char *wanted, uint32_t part, uint32_t parts,
                            uint64_t *ret_capacity, const char *why)
{
    static char text[256];
    const struct cst_depot_options options = {
        .drivers = drivers, .wanted = wanted, .part = part, .parts = parts};
    struct cst_depot *depot = NULL;
    size_t length = 0;

    must(cst_depot_open(&options, &depot) == CASTELL_OK, "devices are opened");
    text[0] = '\0';
    for (uint32_t i = 0; i < cst_depot_count(depot); i++) {
        const struct cst_depot_device *device = cst_depot_at(depot, i);

        length += (size_t)snprintf(text + length, sizeof(text) - length,
                                   "%s%s %u", i > 0 ? ", " : "",
                                   device->ops->name, device->info.units);
        *ret_capacity = device->capacity;
    }
    for (size_t i = 0; why && drivers[i]; i++) {
        const char *said = cst_depot_why_not(depot, drivers[i]->kind);

        ok(said && strstr(said, why), "why not: %s", said ? said : "it is");
        why = NULL;
    }
    cst_depot_close(depot);
    must(first.opened == 0 && second.opened == 0, "and closed");
    return text;
}

static bool opens(const char *expected, const char *wanted, uint32_t part,
                  uint32_t parts)
{
    uint64_t capacity;
    const char *text = open_all(wanted, part, parts, &capacity, NULL);

    if (strcmp(text, expected) == 0)
        return true;
    printf("# opened are %s, not %s\n", text, expected);
    return false;
}

static void test_twice(void)
{
    uint64_t capacity;

    first = (struct driver){{"0000:3a:00.0", "0000:3b:00.0"}, 2, 0};
    second = (struct driver){
        {"0000:3b:00.0", "", "0000:3c:00.0", "0000:3a:00.0", ""}, 5, 0};
    ok(opens("cuda 0, cuda 1, opencl 1, opencl 2, opencl 4", NULL, 0, 0),
       "what two drivers find the first has");
    ok(opens("cuda 0, cuda 1, opencl 1, opencl 2, opencl 4", "cuda,opencl", 0,
             0),
       "also when both are wanted in that order");
    ok(opens("opencl 0, opencl 1, opencl 2, opencl 3, opencl 4",
             "opencl,cuda,opencl", 0, 0),
       "or the one that is wanted first");
    ok(opens("cuda 0, cuda 1", "cuda", 0, 0) &&
           opens("opencl 0, opencl 1, opencl 2, opencl 3, opencl 4", "opencl",
                 0, 0),
       "or alone");
    (void)open_all("opencl,cuda", 0, 0, &capacity,
                   "CASTELL_DEVICES=cuda,opencl is the other way");
    first = (struct driver){{"0000:3a:00.0", "0000:3a:00.0", "broken"}, 3, 0};
    second = (struct driver){{"broken", "0000:3a:00.0"}, 2, 0};
    ok(opens("cuda 0, cuda 1", NULL, 0, 0),
       "two of one driver may be parts of one accelerator");
}

static void test_parts(void)
{
    uint64_t capacity = 0;

    first =
        (struct driver){{"0000:3a:00.0", "0000:3b:00.0", "0000:3c:00.0"}, 3, 0};
    second =
        (struct driver){{"0000:3c:00.0", "0000:3b:00.0", "0000:3a:00.0"}, 3, 0};
    ok(opens("cuda 0", NULL, 0, 2) && opens("cuda 1, cuda 2", NULL, 1, 2),
       "two processes share out three devices, whatever OpenCL calls them");
    ok(opens("cuda 0", NULL, 0, 3) && opens("cuda 1", NULL, 1, 3) &&
           opens("cuda 2", NULL, 2, 3),
       "three have one each");
    ok(opens("cuda 0", NULL, 0, 5) && opens("cuda 2", NULL, 2, 5) &&
           opens("cuda 0", NULL, 3, 5) && opens("cuda 1", NULL, 4, 5),
       "five share them");
    (void)open_all(NULL, 3, 5, &capacity, NULL);
    ok(capacity == MEMORY / 10 * 9 / 2, "two have half of one's memory each");
    (void)open_all(NULL, 2, 5, &capacity, NULL);
    ok(capacity == MEMORY / 10 * 9, "and one has the third for itself");
}

/* ---- The bus, as drivers of OpenCL tell it -------------------------------- */

static uint32_t known; /* 0: nothing; 1: NVIDIA's, without a domain; 2: with;
                          3: Khronos's */

/* NOLINTBEGIN(readability-non-const-parameter): as clGetDeviceInfo() */
static int answer(struct _cl_device_id *id, uint32_t what, size_t size,
                  void *value, size_t *ret_size)
/* NOLINTEND(readability-non-const-parameter) */
{
    const uint32_t info[] = {0x10000, 0xc1, 2, 1};
    uint32_t number = 0;

    (void)id;
    (void)ret_size;
    if (what == 0x410f && known == 3 && size == sizeof(info)) {
        memcpy(value, info, size);
        return 0;
    }
    if (known == 0 || known == 3 || size != sizeof(number))
        return ERROR;
    if (what == 0x4008)
        number = 0x3b;
    else if (what == 0x4009)
        number = 5 << 3 | 1;
    else if (what == 0x400a && known == 2)
        number = 1;
    else
        return ERROR;
    memcpy(value, &number, sizeof(number));
    return 0;
}

static bool is_on(uint32_t knows, const char *expected)
{
    char bus[CST_DEVICE_BUS_SIZE] = "";

    known = knows;
    cst_opencl_find_bus(answer, NULL, bus);
    if (strcmp(bus, expected) == 0)
        return true;
    printf("# %s is not %s\n", bus, expected);
    return false;
}

int main(void)
{
    test_twice();
    test_parts();
    ok(is_on(0, ""), "no extension tells: no bus");
    ok(is_on(1, "0000:3b:05.1"), "NVIDIA's, of an older driver");
    ok(is_on(2, "0001:3b:05.1"), "NVIDIA's");
    ok(is_on(3, "10000:c1:02.1"), "that of Khronos");
    return tap_done();
}
