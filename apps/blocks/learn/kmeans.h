/*
 * kmeans.h - what the files of k-means share.
 */
#ifndef BLOCKS_LEARN_KMEANS_H
#define BLOCKS_LEARN_KMEANS_H

#include "blocks/array/array.h"

static inline double blk_squared_distance(long count, const double *x,
                                          const double *y)
{
    double sum = 0;

    #pragma omp simd reduction(+: sum)
    for (long i = 0; i < count; i++)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sum;
}

/* Choose k rows as the first centres: k * cols numbers for tasks. Waits. */
CASTELL_MUST_CHECK enum castell_status
blk_kmeans_start(struct blocks_array *array, int k, uint64_t seed,
                 double *centres);

#endif
