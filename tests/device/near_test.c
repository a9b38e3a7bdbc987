/*
 * The thread of a device runs on CPUs near it only: GPUs that are none, on a
 * machine that was made up of the first two CPUs that this process may use, each
 * with a NUMA node and a GPU of its own. A third GPU is nowhere.
 */
#include "base/built.h"
#include "castell_cuda.h"
#include "castell_device.h"
#include "harness/tap.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DEVICES = 3, TASKS = 12, ROUNDS = 200 };

static cpu_set_t whole;
static unsigned cpus[2];
static cpu_set_t sets[DEVICES]; /* of the thread that called the body */
static atomic_bool called[DEVICES];

static bool all_were_called(void)
{
    for (int i = 0; i < DEVICES; i++)
        if (!atomic_load(&called[i]))
            return false;
    return true;
}

/* It stays a moment, so that others are for other devices. */
static int look(void *const *buffers, const void *argument)
{
    const struct timespec nap = {0, 1000000};
    int device = castell_device_number();

    (void)buffers;
    (void)argument;
    if (device < 0 || device >= DEVICES)
        return 1;
    if (!atomic_load(&called[device]) &&
        sched_getaffinity(0, sizeof(sets[device]), &sets[device]) != 0)
        return 1;
    atomic_store(&called[device], true);
    for (int i = 0; i < 20 && !all_were_called(); i++)
        (void)nanosleep(&nap, NULL);
    return 0;
}

static struct castell_kind kind = {
    .name = "look", .body = look, .device = CASTELL_CUDA};

/* In words of 32 CPUs, as hwloc writes sets; only one CPU, or both. */
static void write_set(FILE *to, const char *name, unsigned first, unsigned last)
{
    unsigned words = cpus[1] / 32 + 1;

    (void)fprintf(to, " %s=\"", name);
    for (unsigned word = words; word-- > 0;) {
        unsigned bits = 0;

        for (unsigned i = first; i <= last; i++)
            if (cpus[i] / 32 == word)
                bits |= 1u << cpus[i] % 32;
        (void)fprintf(to, "0x%08x%s", bits, word > 0 ? "," : "\"");
    }
}

static void write_sets(FILE *to, unsigned first, unsigned last)
{
    unsigned nodes = (1u << first) | (1u << last);

    write_set(to, "cpuset", first, last);
    write_set(to, "complete_cpuset", first, last);
    (void)fprintf(to, " nodeset=\"0x%x\" complete_nodeset=\"0x%x\"", nodes,
                  nodes);
}

static void write_machine(FILE *to)
{
    (void)fprintf(to, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                      "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
                      "<topology version=\"2.0\">\n"
                      "<object type=\"Machine\" os_index=\"0\"");
    write_sets(to, 0, 1);
    write_set(to, "allowed_cpuset", 0, 1);
    (void)fprintf(to, " allowed_nodeset=\"0x3\" gp_index=\"1\">\n");
    for (unsigned i = 0; i < 2; i++) {
        (void)fprintf(to, "<object type=\"Package\" os_index=\"%u\"", i);
        write_sets(to, i, i);
        (void)fprintf(to,
                      " gp_index=\"%u\">\n<object type=\"NUMANode\" "
                      "os_index=\"%u\"",
                      10 + i, i);
        write_sets(to, i, i);
        (void)fprintf(to,
                      " gp_index=\"%u\" local_memory=\"1073741824\"/>\n"
                      "<object type=\"Core\" os_index=\"%u\"",
                      20 + i, i);
        write_sets(to, i, i);
        (void)fprintf(to,
                      " gp_index=\"%u\">\n<object type=\"PU\" "
                      "os_index=\"%u\"",
                      30 + i, cpus[i]);
        write_sets(to, i, i);
        (void)fprintf(to,
                      " gp_index=\"%u\"/>\n</object>\n"
                      "<object type=\"Bridge\" gp_index=\"%u\" "
                      "bridge_type=\"0-1\" depth=\"0\" "
                      "bridge_pci=\"0000:[%x-%x]\">\n"
                      "<object type=\"PCIDev\" gp_index=\"%u\" "
                      "pci_busid=\"0000:%x:00.0\" pci_type=\"0302 "
                      "[10de:2335] [10de:18be] a1\" "
                      "pci_link_speed=\"0.0\"/>\n"
                      "</object>\n</object>\n",
                      40 + i, 50 + i, 0x3a + i, 0x3a + i, 60 + i, 0x3a + i);
    }
    (void)fprintf(to, "</object>\n</topology>\n");
}

static bool find_cpus(void)
{
    unsigned count = 0;

    must(sched_getaffinity(0, sizeof(whole), &whole) == 0, "we have a CPU set");
    for (unsigned i = 0; i < CPU_SETSIZE && count < 2; i++)
        if (CPU_ISSET(i, &whole))
            cpus[count++] = i;
    return count == 2;
}

static void make_machine(char *path)
{
    int file = mkstemp(path);
    FILE *to = file >= 0 ? fdopen(file, "w") : NULL;

    must(to != NULL, "a file for the machine");
    write_machine(to);
    must(fclose(to) == 0, "it is written");
    must(setenv("HWLOC_XMLFILE", path, 1) == 0 &&
             setenv("HWLOC_THISSYSTEM", "1", 1) == 0 &&
             setenv("FAKE_CUDA_DEVICES", "3", 1) == 0 &&
             setenv("CASTELL_CORES", "2", 1) == 0 &&
             setenv("CASTELL_DEVICES", "cuda", 1) == 0,
         "an environment");
}

static bool is_only(const cpu_set_t *set, unsigned cpu)
{
    return CPU_COUNT(set) == 1 && CPU_ISSET(cpu, set);
}

/* Which device has a task is chosen by which ends it first: until each had. */
static bool look_at_all(void)
{
    const struct castell_submission task = {.kind = &kind};

    for (int round = 0; round < ROUNDS && !all_were_called(); round++) {
        for (int i = 0; i < TASKS; i++)
            must(castell_task_submit(&task, NULL) == CASTELL_OK, "a task");
        must(castell_barrier() == CASTELL_OK, "they end");
    }
    return all_were_called();
}

int main(void)
{
    char path[] = "/tmp/castell-near-XXXXXX";

    if (!CST_BUILT_HWLOC || !find_cpus()) {
        tap_skip("threads of devices", "takes hwloc and two CPUs");
        return tap_done();
    }
    make_machine(path);
    must(castell_kind_declare(&kind) == CASTELL_OK, "a kind");
    castell_start(NULL, NULL);
    (void)unlink(path);
    ok(look_at_all(), "each GPU has had tasks");
    ok(is_only(&sets[0], cpus[0]), "a GPU's thread is on the CPU near it");
    ok(is_only(&sets[1], cpus[1]), "and another's near that");
    ok(CPU_COUNT(&sets[2]) == 2, "of one that is nowhere it may be on both");
    ok(castell_stop() == 0, "it ends");
    return tap_done();
}
