/*
 * threads.h - how many threads OpenMP and OpenBLAS use inside of a body, and
 * on which cores.
 *
 * Layer: device. May include base.
 *
 * Both are found in the running program, if it has them: libcastell is linked
 * with neither. libgomp and libomp keep the number for each thread that opens
 * parallel regions. OpenBLAS built for OpenMP follows them. OpenBLAS built on
 * pthreads (Debian's default) has one number and one set of threads for the
 * whole process: see cst_threads_process_wide().
 */
#ifndef CST_DEVICE_THREADS_H
#define CST_DEVICE_THREADS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Look for the libraries and forget what is known of their numbers. Once, at
 * start, before other threads call what is below; again when a library may
 * have been loaded since. No function here fails: what is missing is left out.
 */
void cst_threads_init(void);

/*
 * From now on, what OpenMP and OpenBLAS do in the calling thread uses `count`
 * threads, at least 1, which may run where the calling thread may. Costs next
 * to nothing when neither has changed since this thread's last call: pass
 * `cores_changed` when the calling thread's CPU set has.
 */
void cst_threads_use(uint32_t count, bool cores_changed);

/*
 * Is the number that cst_threads_use() sets one for the whole process? Then
 * bodies that call OpenBLAS with different numbers of cores must not run at
 * the same time.
 */
bool cst_threads_process_wide(void);

/* What a body gets now in the calling thread; 0: the library is not there. */
struct cst_threads_counts {
    uint32_t openmp;
    uint32_t openblas;
};

void cst_threads_counts(struct cst_threads_counts *ret_counts);

#endif
