/*
 * Rules of placing: executors follow the machine's order whatever the system's
 * numbers are; none shares a CPU while there are enough; only CPUs that the
 * process may use are used. On recorded machines, then on this one.
 */
#include "base/built.h"
#include "base/memory.h"
#include "base/parse.h"
#include "harness/tap.h"
#include "topo/topo.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define MIB 1048576ull
#define GIB 1073741824ull

enum { TEXT_SIZE = 512 };

static struct cst_topo *load(const char *machine, const char *cpus,
                             uint32_t executors)
{
    struct cst_topo_options options = {.cpus = cpus, .executors = executors};
    const char *source = cst_parse_environment("srcdir");
    struct cst_topo *topo = NULL;
    char path[TEXT_SIZE];

    (void)snprintf(path, sizeof(path), "%s/tests/golden/topo/%s.xml",
                   source ? source : ".", machine);
    options.xml = path;
    must(cst_topo_load(&options, &topo) == CASTELL_OK, "%s loads: %s", machine,
         castell_error_text());
    return topo;
}

static bool has_cpus(const struct cst_topo *topo, uint32_t first,
                     uint32_t count, const char *expected)
{
    char text[TEXT_SIZE];

    cst_topo_cpus_text(topo, first, count, text, sizeof(text));
    if (strcmp(text, expected) == 0)
        return true;
    printf("# executors %u+%u have CPUs %s, not %s\n", first, count, text,
           expected);
    return false;
}

static void test_one_a_core(void)
{
    struct cst_topo *topo = load("smt64", NULL, 0);

    ok(topo->cores_count == 64 && topo->cpus_count == 128 &&
           topo->executors_count == 64 && topo->numa_nodes_count == 2,
       "64 cores of 2 CPUs, an executor each");
    ok(topo->memory == 512 * GIB && topo->cache_size[0] == 32 << 10 &&
           topo->cache_size[1] == MIB && topo->cache_size[2] == 32 * MIB,
       "memory and caches have their sizes");
    ok(has_cpus(topo, 0, 1, "0,64") && has_cpus(topo, 63, 1, "63,127"),
       "an executor has both CPUs of its core");
    ok(has_cpus(topo, 8, 4, "8-11,72-75"), "four have those of four cores");
    ok(has_cpus(topo, 0, 64, "0-127"), "all have all");
    ok(topo->executors[7].cache == topo->executors[0].cache &&
           topo->executors[8].cache != topo->executors[0].cache,
       "eight neighbours share a cache");
    ok(topo->executors[31].numa_node == 0 && topo->executors[32].numa_node == 1,
       "and half of all a NUMA node");
    ok(!topo->is_this_machine && !topo->openmp_binds, "it is not this machine");
    cst_topo_destroy(topo);
}

static void test_order(void)
{
    struct cst_topo *topo = load("interleaved8", NULL, 0);

    ok(has_cpus(topo, 0, 4, "0,2,4,6") && has_cpus(topo, 4, 4, "1,3,5,7"),
       "neighbours are of one socket though its CPUs have even numbers");
    ok(topo->executors[3].cache == topo->executors[0].cache &&
           topo->executors[4].cache != topo->executors[3].cache,
       "and share its cache");
    cst_topo_destroy(topo);
}

static void test_part_of_a_machine(void)
{
    struct cst_topo *topo = load("smt64", "4-6,70,96,200", 0);

    ok(topo->cores_count == 4 && topo->cpus_count == 5 &&
           topo->executors_count == 4 && topo->numa_nodes_count == 2,
       "three cores, one of them with both CPUs, and half a core far away");
    ok(has_cpus(topo, 1, 1, "5") && has_cpus(topo, 2, 1, "6,70") &&
           has_cpus(topo, 3, 1, "96"),
       "only the CPUs that were allowed are used");
    ok(topo->executors[3].core == 3 && topo->executors[3].numa_node == 1,
       "cores are numbered among ours, NUMA nodes by the system");
    cst_topo_destroy(topo);
}

static void test_more_than_cores(void)
{
    struct cst_topo *topo = load("smt64", "0-3,64-67", 8);

    ok(has_cpus(topo, 0, 1, "0") && has_cpus(topo, 1, 1, "64") &&
           has_cpus(topo, 7, 1, "67"),
       "as many as CPUs: one each, the two of a core to neighbours");
    ok(topo->executors[1].core == 0 && topo->executors[2].core == 1,
       "and two of them are on each core");
    cst_topo_destroy(topo);

    topo = load("smt64", "0-3,64-67", 6);
    ok(has_cpus(topo, 0, 1, "0") && has_cpus(topo, 1, 1, "64") &&
           has_cpus(topo, 2, 1, "1,65") && has_cpus(topo, 0, 6, "0-3,64-67"),
       "fewer than CPUs: they share none and leave none");
    cst_topo_destroy(topo);

    topo = load("interleaved8", NULL, 24);
    ok(topo->executors_count == 24 && has_cpus(topo, 0, 1, "0,2,4,6") &&
           has_cpus(topo, 23, 1, "1,3,5,7"),
       "more than CPUs: each may use its NUMA node");
    ok(topo->executors[2].core == 0 && topo->executors[3].core == 1,
       "and three are on each core");
    cst_topo_destroy(topo);
}

static void test_fewer_than_cores(void)
{
    struct cst_topo *topo = load("arm80", NULL, 8);

    ok(topo->cores_count == 80 && topo->numa_nodes_count == 4 &&
           topo->executors_count == 8,
       "80 cores, 8 executors");
    ok(topo->executors[0].numa_node == 0 && topo->executors[1].numa_node == 0 &&
           topo->executors[2].numa_node == 1 &&
           topo->executors[7].numa_node == 3,
       "they are spread over the NUMA nodes, neighbours together");
    ok(has_cpus(topo, 2, 2, "20-39"), "and may use all of them");
    ok(strcmp(topo->host, "arm1") == 0 && strcmp(topo->arch, "aarch64") == 0,
       "a recorded machine says its name and architecture");
    cst_topo_destroy(topo);
}

static void test_nothing_known(void)
{
    struct cst_topo *topo = load("flat3", NULL, 0);

    ok(topo->cores_count == 3 && topo->executors_count == 3 &&
           has_cpus(topo, 1, 1, "1") && topo->cache_size[2] == 0,
       "where nothing is known of cores each CPU is one");
    ok(strcmp(topo->arch, "unknown") == 0, "nor of the architecture");
    cst_topo_destroy(topo);
}

static bool is_near(const struct cst_topo *topo, uint32_t device,
                    const char *expected)
{
    char text[TEXT_SIZE];

    cst_topo_near_text(topo, device, text, sizeof(text));
    if (strcmp(text, expected) == 0)
        return true;
    printf("# near device %u is %s, not %s\n", device, text, expected);
    return false;
}

static void test_devices(void)
{
    static const char *const buses[] = {
        "0000:3a:00.0", "0000:3b:00.0", "0000:3c:00.0", "0000:3d:00.0", "",
        "a GPU"};
    struct cst_topo *topo = load("gpu8", NULL, 0);
    enum castell_status status = cst_topo_find_devices(topo, buses, 6);

    ok(status == CASTELL_OK && topo->devices_count == 6, "devices are found");
    ok(is_near(topo, 0, "NUMA node 0, CPUs 0,2,4,6") &&
           is_near(topo, 1, "NUMA node 1, CPUs 1,3,5,7"),
       "near each is the socket on whose bus it is");
    ok(!topo->devices[2].is_known && !topo->devices[3].is_known &&
           !topo->devices[4].is_known && !topo->devices[5].is_known &&
           is_near(topo, 2, "no NUMA node that is known"),
       "one that hangs on the machine, and what is no device, are not known");
    cst_topo_destroy(topo);

    topo = load("gpu8", "0-2", 0);
    status = cst_topo_find_devices(topo, buses, 2);
    ok(status == CASTELL_OK && is_near(topo, 0, "NUMA node 0, CPUs 0,2") &&
           is_near(topo, 1, "NUMA node 1, CPUs 1"),
       "only what is ours is near");
    cst_topo_destroy(topo);

    topo = load("gpu8", "4,6", 0);
    status = cst_topo_find_devices(topo, buses, 2);
    ok(status == CASTELL_OK && topo->devices[0].cpus_count == 2 &&
           topo->devices[1].cpus_count == 0 &&
           is_near(topo, 1, "NUMA node 1, where no CPU is ours"),
       "or nothing is");
    cst_topo_destroy(topo);
}

static void test_refused(void)
{
    struct cst_topo *topo = NULL;
    struct cst_topo_options nowhere = {.xml = "/nonexistent.xml"};
    struct cst_topo_options list = {.cpus = "two"};
    struct cst_topo_options none = {.cpus = "4000"};

    ok(cst_topo_load(&nowhere, &topo) == CASTELL_ERR_INVALID &&
           strstr(castell_error_text(), "/nonexistent.xml"),
       "no such file: %s", castell_error_text());
    ok(cst_topo_load(&list, &topo) == CASTELL_ERR_INVALID &&
           strstr(castell_error_text(), "two"),
       "no list: %s", castell_error_text());
    ok(cst_topo_load(&none, &topo) == CASTELL_ERR_INVALID &&
           strstr(castell_error_text(), "4000"),
       "no such CPU: %s", castell_error_text());
    ok(topo == NULL, "a failing call leaves its ret_ arguments alone");
    cst_topo_destroy(NULL);
}

static bool thread_has(const cpu_set_t *expected)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof(set), &set) == 0 &&
           CPU_EQUAL(&set, expected);
}

static void test_this_machine(void)
{
    struct cst_topo *topo = NULL;
    struct utsname system;
    cpu_set_t whole;
    cpu_set_t set;
    cpu_set_t bound;

    must(sched_getaffinity(0, sizeof(whole), &whole) == 0, "we have a CPU set");
    must(cst_topo_load(NULL, &topo) == CASTELL_OK, "this machine loads");
    ok(topo->is_this_machine && topo->cpus_count == (uint32_t)CPU_COUNT(&whole),
       "it has the CPUs of our set");
    ok(uname(&system) == 0 && strcmp(topo->arch, system.machine) == 0 &&
           strcmp(topo->host, system.nodename) == 0,
       "its name and architecture are those of uname");
    ok(topo->memory > 16 * MIB && topo->storage > 0, "it has memory and disk");

    CPU_ZERO(&set);
    for (uint32_t i = 0; i < topo->executors_count; i++) {
        cst_topo_bind(topo, i, 1);
        (void)sched_getaffinity(0, sizeof(bound), &bound);
        CPU_OR(&set, &set, &bound);
    }
    ok(CPU_EQUAL(&set, &whole), "its executors together have all of its CPUs");
    ok(topo->executors_count == 1 || CPU_COUNT(&bound) < CPU_COUNT(&whole),
       "and one of them has fewer");
    cst_topo_bind(topo, 0, topo->executors_count);
    ok(thread_has(&whole), "a thread may be bound to several");
    cst_topo_bind(topo, 0, 1);
    cst_topo_unbind(topo);
    ok(thread_has(&whole), "and unbound again");
    cst_topo_destroy(topo);
}

/* As under `taskset -c N`. */
static void test_narrow_set(void)
{
    struct cst_topo *topo = NULL;
    cpu_set_t whole;
    cpu_set_t one;
    size_t cpu = 0;

    must(sched_getaffinity(0, sizeof(whole), &whole) == 0, "we have a CPU set");
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &whole))
            cpu = i;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    must(sched_setaffinity(0, sizeof(one), &one) == 0, "it can be narrowed");
    must(cst_topo_load(NULL, &topo) == CASTELL_OK, "this machine loads");
    ok(topo->cpus_count == 1 && topo->cores_count == 1 &&
           topo->executors_count == 1,
       "a narrow set makes a small machine");
    cst_topo_unbind(topo);
    ok(thread_has(&one), "and it is not left");
    cst_topo_destroy(topo);
    (void)sched_setaffinity(0, sizeof(whole), &whole);
}

static void test_no_memory(void)
{
    struct cst_topo_options options = {.executors = 3};
    bool failed = true;
    int n;

    for (n = 1; n < 1000 && failed; n++) {
        struct cst_topo *topo = NULL;
        enum castell_status status;

        cst_alloc_fail_after((uint64_t)n);
        status = cst_topo_load(&options, &topo);
        failed = !cst_alloc_fail_pending();
        cst_alloc_fail_after(0);
        cst_topo_destroy(topo);
        if (failed && (status != CASTELL_ERR_NO_MEMORY || topo))
            break;
    }
    ok(!failed && n > 3, "each of %d allocations may fail", n - 2);
}

static void test_features(void)
{
    ok(cst_topo_has_feature("bigmem,ib", "ib") &&
           cst_topo_has_feature(" bigmem , ib", "bigmem"),
       "a feature of the list is found");
    ok(!cst_topo_has_feature("bigmem,ib", "big") &&
           !cst_topo_has_feature("bigmem,ib", "i") &&
           !cst_topo_has_feature("bigmem,ib", "bigmem,ib"),
       "a part of one, or two, are not");
    ok(!cst_topo_has_feature(NULL, "ib") && !cst_topo_has_feature("", "") &&
           !cst_topo_has_feature("a,,b", ""),
       "nor is anything where nothing is said");
    ok(cst_topo_check_features(NULL) == CASTELL_OK &&
           cst_topo_check_features("") == CASTELL_OK &&
           cst_topo_check_features("a, gcc-12.2, x_1:b+c") == CASTELL_OK,
       "good lists are taken");
    ok(cst_topo_check_features("a,,b") == CASTELL_ERR_INVALID,
       "an empty name is not: %s", castell_error_text());
    ok(cst_topo_check_features("a,") == CASTELL_ERR_INVALID, "nor at the end");
    ok(cst_topo_check_features("a,b c") == CASTELL_ERR_INVALID &&
           strstr(castell_error_text(), "\"b c\""),
       "nor one with a space: %s", castell_error_text());
}

/* Machines that lstopo recorded, which only hwloc can read. */
static void test_recorded(void)
{
    test_one_a_core();
    test_order();
    test_part_of_a_machine();
    test_more_than_cores();
    test_fewer_than_cores();
    test_nothing_known();
    test_devices();
    test_refused();
}

int main(void)
{
    if (CST_BUILT_HWLOC)
        test_recorded();
    else
        tap_skip("recorded machines", "built without hwloc");
    test_this_machine();
    test_narrow_set();
    test_no_memory();
    test_features();
    return tap_done();
}
