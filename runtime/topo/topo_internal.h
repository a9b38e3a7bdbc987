/*
 * topo_internal.h - what the files of topo share.
 */
#ifndef CST_TOPO_TOPO_INTERNAL_H
#define CST_TOPO_TOPO_INTERNAL_H

#include "castell.h"
#include "topo/topo.h"

#include <limits.h>

enum {
    CST_TOPO_WORD_BITS = sizeof(unsigned long) * CHAR_BIT,
    CST_TOPO_CPUS_MAX = 1 << 14, /* of one system */
};

/* Some of its CPUs; small enough for the stack. */
struct cst_topo_set {
    unsigned long words[CST_TOPO_CPUS_MAX / CST_TOPO_WORD_BITS];
};

/* A CPU that we may use. */
struct cst_topo_cpu {
    unsigned number;    /* the system's */
    uint32_t core;      /* from 0, and CPUs of one core follow one another */
    uint32_t numa_node; /* the system's number of the nearest one */
    uint32_t cache;     /* equal where the last-level cache is shared */
};

/* Those that we may use, in the machine's order. */
struct cst_topo_cpus {
    struct cst_topo_cpu *list;
    uint32_t count;
};

/* What the cgroups of a process allow it; UINT64_MAX: no limit. */
struct cst_topo_limits {
    uint64_t memory;
    uint64_t cpus; /* whole CPUs' worth of time, rounded up */
};

/*
 * Read the limits of the process whose /proc/self/cgroup and mountinfo lie
 * under root ("" for the real ones), versions 1 and 2, those of every cgroup
 * above its own included. What cannot be read is no limit. Fails with
 * CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_topo_read_limits(const char *root, struct cst_topo_limits *ret_limits);

/*
 * Look at the machine, by hwloc or, where this was built without, by what Linux
 * shows of it: its CPUs that the caller or else the process wants, and in topo
 * whether it is this one, its memory (0: not known), its caches and, where it
 * is not this one, its names. The list is the caller's, to cst_free(). Fails
 * as cst_topo_load().
 */
CASTELL_MUST_CHECK enum castell_status
cst_topo_discover(struct cst_topo *topo, const struct cst_topo_options *options,
                  struct cst_topo_cpus *ret_cpus);

/* What is near a device, whether it is ours or not. */
struct cst_topo_around {
    bool is_known;
    uint32_t numa_node;
    struct cst_topo_set cpus;
};

/*
 * The same two ways: what is near each device on the PCI bus; is_known is false
 * at first, and stays so where the machine does not say. Looks only, so it has
 * no failure.
 */
void cst_topo_look_around(const struct cst_topo *topo, const char *const *buses,
                          uint32_t count, struct cst_topo_around *arounds);

/* Bind the calling thread to a mask of topo's, as cst_topo_bind() does. */
void cst_topo_set_mask(const struct cst_topo *topo, const unsigned long *mask);

/* Write a mask of topo's as "0-3,8" behind what is in text; returns text. */
const char *cst_topo_mask_text(const struct cst_topo *topo,
                               const unsigned long *mask, char *text,
                               size_t text_size);

/*
 * The CPUs that the process was started with. Sets topo->openmp_binds. Fails
 * with CASTELL_ERR_NO_MEMORY or CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status
cst_topo_own_cpus(struct cst_topo *topo, struct cst_topo_set *ret_cpus);

bool cst_topo_set_has(const struct cst_topo_set *set, unsigned cpu);
void cst_topo_set_add(struct cst_topo_set *set, unsigned cpu);

/* Fail for a list of CPUs that is none, and where none of them is left. */
enum castell_status cst_topo_no_list(const char *wanted);
enum castell_status cst_topo_no_cpus(const char *wanted);

/*
 * Is an OpenMP library loaded, and told by the environment to bind threads?
 * Sets topo->openmp_binds and topo->openmp.
 */
bool cst_topo_openmp_find(struct cst_topo *topo);
void cst_topo_openmp_release(struct cst_topo *topo);

/* Add the CPUs of its places. Fails with CASTELL_ERR_NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
cst_topo_openmp_places(const struct cst_topo *topo, struct cst_topo_set *cpus);

/* Let it bind the calling thread, which it does once. */
void cst_topo_openmp_meet(const struct cst_topo *topo);

/*
 * Place topo->executors_count executors on the CPUs, and set the counts of
 * cores, CPUs and NUMA nodes. executors_count 0 becomes the smaller of the
 * cores and cpus_max. Fails with CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
cst_topo_place(struct cst_topo *topo, const struct cst_topo_cpus *cpus,
               uint64_t cpus_max);

#endif
