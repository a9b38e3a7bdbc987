/*
 * topo_internal.h - what the files of topo share.
 */
#ifndef CST_TOPO_TOPO_INTERNAL_H
#define CST_TOPO_TOPO_INTERNAL_H

#include "castell.h"
#include "topo/topo.h"

#include <hwloc.h>

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
 * The CPUs that the process was started with, as far as the topology allows
 * them. Sets topo->openmp_binds. Fails with CASTELL_ERR_NO_MEMORY or
 * CASTELL_ERR_SYSTEM.
 */
CASTELL_MUST_CHECK enum castell_status
cst_topo_own_cpus(struct cst_topo *topo, hwloc_const_bitmap_t allowed,
                  hwloc_bitmap_t cpus);

/*
 * Is an OpenMP library loaded, and told by the environment to bind threads?
 * Sets topo->openmp_binds and topo->openmp.
 */
bool cst_topo_openmp_find(struct cst_topo *topo);
void cst_topo_openmp_release(struct cst_topo *topo);

/* Add the CPUs of its places. Fails with CASTELL_ERR_NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
cst_topo_openmp_places(const struct cst_topo *topo, hwloc_bitmap_t cpus);

/* Let it bind the calling thread, which it does once. */
void cst_topo_openmp_meet(const struct cst_topo *topo);

/*
 * Place topo->executors_count executors on the CPUs, and set the counts of
 * cores, CPUs and NUMA nodes. executors_count 0 becomes the smaller of the
 * cores and cpus_max. Fails with CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status cst_topo_place(struct cst_topo *topo,
                                                      hwloc_topology_t machine,
                                                      hwloc_const_bitmap_t cpus,
                                                      uint64_t cpus_max);

#endif
