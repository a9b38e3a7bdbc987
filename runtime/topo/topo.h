/*
 * topo.h - what this machine has, and which part of it each executor gets.
 *
 * Layer: topo. May include base. Starts no thread. The only room that knows
 * hwloc, CPU sets and cgroups.
 *
 * Owner: none. Immutable after cst_topo_load() and, where there are devices,
 * cst_topo_find_devices(): any thread may read a struct cst_topo, and bind
 * itself.
 *
 * Words: a *CPU* is what the system schedules on (a hardware thread); a *core*
 * is a physical one and has one CPU or more. Only what the process may use is
 * counted: its CPU set as taskset, a cgroup or a batch system left it.
 */
#ifndef CST_TOPO_TOPO_H
#define CST_TOPO_TOPO_H

#include "castell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CST_TOPO_CACHE_LEVELS = 3, CST_TOPO_NAME_SIZE = 256 };

/* Where an executor is. Neighbours in number are neighbours in the machine. */
struct cst_topo_executor {
    uint32_t core;      /* 0 .. cores_count - 1, in the machine's order */
    uint32_t numa_node; /* the system's number of the nearest one */
    uint32_t cache;     /* equal where the last-level cache is shared */
};

/* Where a device is. */
struct cst_topo_near {
    bool is_known;       /* what is nearest to it, and that not all is */
    uint32_t numa_node;  /* the system's number of the nearest one */
    uint32_t cpus_count; /* of ours that are near it */
};

/* The calls of an OpenMP library that tell where its threads may go. */
struct cst_topo_openmp {
    void *library; /* so that it stays loaded; NULL: part of the program */
    int (*places_count)(void);
    int (*cpus_count)(int place);
    void (*cpus)(int place, int *ret_cpus);
    int (*place)(void);
};

struct cst_topo {
    uint32_t cores_count; /* with at least one CPU that we may use */
    uint32_t cpus_count;
    uint32_t numa_nodes_count;
    uint32_t executors_count;
    struct cst_topo_executor *executors;
    uint64_t cache_size[CST_TOPO_CACHE_LEVELS]; /* [0] is level 1 (data), of
                                                   the first core; 0: none */
    uint64_t memory;  /* of the machine, or less where a cgroup limits us */
    uint64_t storage; /* free where TMPDIR says, or in /tmp */
    char host[CST_TOPO_NAME_SIZE];
    char arch[CST_TOPO_NAME_SIZE]; /* as uname -m says */
    bool is_this_machine;          /* not a recorded one */
    bool openmp_binds; /* an OpenMP library is loaded, and the environment
                          tells it to bind its threads */
    struct cst_topo_openmp openmp; /* Private */
    /* Private: the CPU sets, each of mask_words words. */
    size_t mask_words;
    unsigned long *masks; /* one an executor, then that of the process */
    char *xml;            /* of the options */
    uint32_t devices_count;
    struct cst_topo_near *devices;
    unsigned long *device_masks; /* one a device */
};

struct cst_topo_options {
    uint32_t executors; /* 0: one a core, or fewer under a CPU quota */
    const char *xml;    /* a machine recorded by lstopo; NULL: this one */
    const char *cpus;   /* "0-3,8": only these; NULL: those of the process */
};

/*
 * Look at the machine; NULL for no options. The executors are placed so:
 *   - as many as there are cores: one on each, with all its CPUs;
 *   - more, but not more than there are CPUs: each has CPUs of its own;
 *   - fewer, or yet more: spread evenly, neighbours together, each with all
 *     CPUs of its NUMA node. Other processes may well use the cores that are
 *     left, and must not find everybody on the first ones: so the system
 *     chooses among them.
 * An OpenMP library that has bound the calling thread to one CPU is seen
 * through: the set is then what it found before.
 * Fails with CASTELL_ERR_INVALID (a bad xml or cpus, or none left),
 * CASTELL_ERR_NO_MEMORY or CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status
cst_topo_load(const struct cst_topo_options *options,
              struct cst_topo **ret_topo);

/* NULL is allowed. */
void cst_topo_destroy(struct cst_topo *topo);

/*
 * Bind the calling thread to the CPUs of `count` executors from `first` on;
 * threads that it makes inherit that. Where the system refuses, a warning says
 * so, once, and all goes on unbound. Does nothing for a recorded machine. One
 * call to the system; safe after fork(). Where openmp_binds, another warning
 * says, once, that a task of several cores will not get what it asked for.
 */
void cst_topo_bind(const struct cst_topo *topo, uint32_t first, uint32_t count);

/* Let the calling thread run on every CPU of the process again. */
void cst_topo_unbind(const struct cst_topo *topo);

/*
 * Find what is near devices on the PCI bus; once, before other threads use topo.
 * buses[i] is as the system writes it, "0000:3b:00.0"; where it is "", or
 * nothing is known of it, devices[i] says so, which is no failure. Fails with
 * CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_topo_find_devices(struct cst_topo *topo, const char *const *buses,
                      uint32_t count);

/*
 * Let the calling thread run on those CPUs of the process that are near that
 * device only; on all, where it is not known or has none of ours near it.
 * Otherwise as cst_topo_bind().
 */
void cst_topo_bind_near(const struct cst_topo *topo, uint32_t device);

/*
 * Write what is near a device, for people: "NUMA node 1, CPUs 8-15"; cut short
 * where it does not fit. Returns text.
 */
const char *cst_topo_near_text(const struct cst_topo *topo, uint32_t device,
                               char *text, size_t text_size);

/*
 * Write the CPUs of those executors ("0-3,64-67") to text, for messages; cut
 * short where they do not fit. Returns text.
 */
const char *cst_topo_cpus_text(const struct cst_topo *topo, uint32_t first,
                               uint32_t count, char *text, size_t text_size);

/*
 * A node's features are "name,name": letters, digits and _ - . + : make a name,
 * and spaces around it do not count. NULL and "" are none.
 */
bool cst_topo_has_feature(const char *features, const char *name);

/* Fails with CASTELL_ERR_INVALID, naming what is wrong. */
CASTELL_MUST_CHECK enum castell_status
cst_topo_check_features(const char *features);

#endif
