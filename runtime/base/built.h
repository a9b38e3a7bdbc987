/*
 * built.h - what this build has and what configure was told to leave out.
 *
 * Layer: base. Constants only: macros, since compilers know that the code that
 * such a one leaves out is meant to be left out.
 */
#ifndef CST_BASE_BUILT_H
#define CST_BASE_BUILT_H

#ifdef CST_WITHOUT_MPI
#define CST_BUILT_MPI 0 /* messages over MPI, bodies of device(mpi) */
#else
#define CST_BUILT_MPI 1
#endif
#ifdef CST_WITHOUT_HWLOC
#define CST_BUILT_HWLOC 0 /* caches, recorded machines */
#else
#define CST_BUILT_HWLOC 1
#endif
#ifdef CST_WITHOUT_SODIUM
#define CST_BUILT_SODIUM 0 /* several processes, checkpoints */
#else
#define CST_BUILT_SODIUM 1
#endif

#endif
