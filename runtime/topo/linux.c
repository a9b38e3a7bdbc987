/*
 * linux.c - the machine as /sys shows it, for builds without hwloc: CPUs, their
 * cores and NUMA nodes. What cannot be read is one: one core a CPU, one node.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "topo/topo_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    NUMA_NODES_MAX = 1024,
    WORDS = sizeof(struct cst_topo_set) / sizeof(unsigned long),
};

struct look {
    struct cst_topo_cpus cpus;
    struct cst_topo_set left; /* wanted, and not yet in that list */
    struct cst_topo_set node;
    struct cst_topo_set core;
};

/* The number at *at, which goes on behind it. */
static bool read_number(const char **at, unsigned long *ret_number)
{
    char *end;

    if (**at < '0' || **at > '9')
        return false;
    *ret_number = strtoul(*at, &end, 10);
    *at = end;
    return true;
}

/* A list like "0-3,8"; the end of the text, or of the line, ends it. */
static bool read_list(const char *text, struct cst_topo_set *set)
{
    unsigned long first;
    unsigned long last;

    for (;;) {
        if (!read_number(&text, &first))
            return false;
        last = first;
        if (*text == '-') {
            text++;
            if (!read_number(&text, &last) || last < first)
                return false;
        }
        for (; first <= last && first < CST_TOPO_CPUS_MAX; first++)
            cst_topo_set_add(set, (unsigned)first);
        if (*text != ',')
            return *text == '\0' || *text == '\n';
        text++;
    }
}

/* Add the list that a file under /sys is; false where there is none. */
static bool read_file(const char *path, struct cst_topo_set *set)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    bool good = file && getline(&line, &size, file) > 0 && read_list(line, set);

    if (file)
        (void)fclose(file);
    free(line);
    return good;
}

/* Add the CPUs of one core, or one alone, as far as they are wanted. */
static void add_core(struct look *look, unsigned cpu, uint32_t node)
{
    struct cst_topo_cpus *cpus = &look->cpus;
    uint32_t core = cpus->count > 0 ? cpus->list[cpus->count - 1].core + 1 : 0;
    char path[128];

    (void)snprintf(path, sizeof(path),
                   "/sys/devices/system/cpu/cpu%u/topology/"
                   "thread_siblings_list",
                   cpu);
    look->core = (struct cst_topo_set){0};
    (void)read_file(path, &look->core);
    cst_topo_set_add(&look->core, cpu);
    for (unsigned i = cpu; i < CST_TOPO_CPUS_MAX; i++) {
        if (!cst_topo_set_has(&look->core, i) ||
            !cst_topo_set_has(&look->left, i))
            continue;
        look->left.words[i / CST_TOPO_WORD_BITS] &=
            ~(1ul << i % CST_TOPO_WORD_BITS);
        cpus->list[cpus->count++] = (struct cst_topo_cpu){
            .number = i, .core = core, .numa_node = node, .cache = node};
    }
}

static void add_all(struct look *look, const struct cst_topo_set *of,
                    uint32_t node)
{
    for (unsigned i = 0; i < CST_TOPO_CPUS_MAX; i++)
        if (cst_topo_set_has(&look->left, i) &&
            (!of || cst_topo_set_has(of, i)))
            add_core(look, i, node);
}

static void add_nodes(struct look *look)
{
    char path[64];

    for (unsigned i = 0; i < NUMA_NODES_MAX; i++) {
        (void)snprintf(path, sizeof(path),
                       "/sys/devices/system/node/node%u/cpulist", i);
        look->node = (struct cst_topo_set){0};
        if (read_file(path, &look->node))
            add_all(look, &look->node, i);
    }
    add_all(look, NULL, 0);
}

static uint32_t count(const struct cst_topo_set *set)
{
    uint32_t cpus = 0;

    for (size_t i = 0; i < WORDS; i++)
        cpus += (uint32_t)__builtin_popcountl(set->words[i]);
    return cpus;
}

static enum castell_status choose_cpus(struct cst_topo *topo,
                                       const char *wanted, struct look *look)
{
    enum castell_status status = CASTELL_OK;

    if (!wanted)
        status = cst_topo_own_cpus(topo, &look->left);
    else if (!read_list(wanted, &look->left))
        status = cst_topo_no_list(wanted);
    else if (read_file("/sys/devices/system/cpu/online", &look->node))
        for (size_t i = 0; i < WORDS; i++)
            look->left.words[i] &= look->node.words[i];
    return status == CASTELL_OK && count(&look->left) == 0
               ? cst_topo_no_cpus(wanted)
               : status;
}

static enum castell_status look_at(struct cst_topo *topo,
                                   const struct cst_topo_options *options,
                                   struct look *look)
{
    enum castell_status status = choose_cpus(topo, options->cpus, look);

    if (status < 0)
        return status;
    look->cpus.list = cst_zalloc(count(&look->left) * sizeof(*look->cpus.list));
    if (!look->cpus.list)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for %u CPUs",
                        count(&look->left));
    add_nodes(look);
    return CASTELL_OK;
}

enum castell_status cst_topo_discover(struct cst_topo *topo,
                                      const struct cst_topo_options *options,
                                      struct cst_topo_cpus *ret_cpus)
{
    enum castell_status status;
    struct look *look;

    if (options->xml)
        return cst_fail(CASTELL_ERR_INVALID,
                        "%s cannot be read: castell was built without hwloc",
                        options->xml);
    look = cst_zalloc(sizeof(*look));
    if (!look)
        return cst_fail(CASTELL_ERR_NO_MEMORY, "no memory for the topology");
    topo->is_this_machine = true;
    status = look_at(topo, options, look);
    if (status == CASTELL_OK)
        *ret_cpus = look->cpus;
    cst_free(look);
    return status;
}

/* What is no name of a device there, as "", is no file either. */
void cst_topo_look_around(const struct cst_topo *topo, const char *const *buses,
                          uint32_t count, struct cst_topo_around *arounds)
{
    struct cst_topo_set node;
    char path[128];

    (void)topo;
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof(path),
                       "/sys/bus/pci/devices/%.32s/numa_node", buses[i]);
        node = (struct cst_topo_set){0};
        if (!read_file(path, &node)) /* -1, where that is not known */
            continue;
        for (unsigned n = CST_TOPO_CPUS_MAX; n > 0; n--)
            if (cst_topo_set_has(&node, n - 1))
                arounds[i].numa_node = n - 1;
        (void)snprintf(path, sizeof(path),
                       "/sys/bus/pci/devices/%.32s/local_cpulist", buses[i]);
        arounds[i].is_known = read_file(path, &arounds[i].cpus);
    }
}
