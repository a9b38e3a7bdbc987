/*
 * blas.h - OpenBLAS beside tasks: to compare with what it does alone.
 *
 * Tasks need none of this: the runtime gives OpenBLAS in a body as many threads
 * as the task has cores.
 */
#ifndef APPS_COMMON_BLAS_H
#define APPS_COMMON_BLAS_H

/* Give calls of OpenBLAS outside of tasks that many threads; main thread only,
   when no task is unfinished. */
void app_blas_begin(int threads);

/* Back to one; then wait until OpenBLAS' own threads, which go on looking for
   work for a while, have fallen asleep. */
void app_blas_end(void);

#endif
