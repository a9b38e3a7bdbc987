/*
 * pca.h - principal components of the rows of an array.
 *
 * What blocks.h says of calls, errors and bits holds here. A model is plain
 * memory of the caller's process, to be released.
 */
#ifndef CASTELL_BLOCKS_PCA_H
#define CASTELL_BLOCKS_PCA_H

#include "blocks.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum blocks_pca_method {
    /* The covariance matrix, cols * cols numbers, by a task for each row of
       blocks, and LAPACK's dsyevr. Exact; up to some thousand columns. */
    BLOCKS_PCA_COVARIANCE = 0,
    /* The randomized singular value decomposition of the centred rows (Halko,
       Martinsson and Tropp, 2011: subspace iteration, here on the covariance,
       which is never made; then Rayleigh and Ritz). For a few components of
       many columns; cols * (components + oversampling) numbers at one place. */
    BLOCKS_PCA_RANDOMIZED = 1,
};

struct blocks_pca_options {
    int components; /* 0: as many as there are columns */
    enum blocks_pca_method method;
    int oversampling; /* randomized: directions beside those wanted; 10 */
    int passes;       /* randomized: over all rows; 7 */
    uint64_t seed;    /* randomized: of the first directions */
};

struct blocks_pca {
    int components;
    long cols, rows;
    double *means;     /* of the columns */
    double *axes;      /* components * cols: unit vectors, the one of the greatest
                          variance first; the number of each that is greatest in
                          size is positive */
    double *variances; /* along them, by rows - 1; a singular value of the centred
                          rows is the root of (rows - 1) * its variance */
    double variance;   /* of all columns together */
};

/* Fails with CASTELL_ERR_INVALID (more components than columns, fewer than two
   rows, 32768 columns or more) or CASTELL_ERR_NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
blocks_pca(struct blocks_array *array,
           const struct blocks_pca_options *options,
           struct blocks_pca *ret_model);
void blocks_pca_release(struct blocks_pca *model);

/* The rows, less the means, in the directions of the axes: rows * components.
   Fails with CASTELL_ERR_INVALID (other columns) or CASTELL_ERR_NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
blocks_pca_project(const struct blocks_pca *model, struct blocks_array *array,
                   struct blocks_array **ret_array);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
