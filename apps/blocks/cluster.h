/*
 * cluster.h - clusters of the rows of an array: k-means, Gaussian mixtures.
 *
 * What blocks.h says of calls, errors and bits holds here. A model is plain
 * memory of the caller's process, to be released; arrays that come out are
 * destroyed by the caller, as all.
 */
#ifndef CASTELL_BLOCKS_CLUSTER_H
#define CASTELL_BLOCKS_CLUSTER_H

#include "blocks.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- k-means ------------------------------------------------------------- */

/* What is 0 or NULL is the default. */
struct blocks_kmeans_options {
    int clusters;        /* needed: 1 up to the number of rows */
    int iterations;      /* at most so many times centres move; 300 */
    double tolerance;    /* stop when the sum of the squared ways that centres
                            moved is at most that times the mean of the columns'
                            variances; 1e-4. Below 0: when none moves */
    uint64_t seed;       /* of the first centres */
    const double *start; /* or the first centres: clusters * cols, row by row */
};

struct blocks_kmeans {
    int clusters;
    long cols;
    double *centres; /* clusters * cols, row by row */
    double spread;   /* the sum of squared distances to the nearest centres */
    int iterations;  /* that were made */
    bool converged;
};

/*
 * Lloyd's algorithm (1982): rows go to the nearest centre, centres to the mean of
 * their rows. A centre without rows goes to the row that is farthest from its own,
 * which loses it. The first centres are chosen by k-means++ (Arthur and
 * Vassilvitskii, 2007), each with a chance that grows with the squared distance
 * from those before. Distances are products of matrices, a
 * block of rows at a time; sums go through the runtime's reductions. Fails with
 * CASTELL_ERR_INVALID (more clusters than rows) or CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_kmeans(struct blocks_array *array,
              const struct blocks_kmeans_options *options,
              struct blocks_kmeans *ret_model);
void blocks_kmeans_release(struct blocks_kmeans *model);

/* The number of the nearest centre of each row, from 0: a column. Of equally near
   ones the first. Fails with CASTELL_ERR_INVALID (other columns), NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
blocks_kmeans_assign(const struct blocks_kmeans *model,
                     struct blocks_array *array,
                     struct blocks_array **ret_labels);

/* ---- Gaussian mixtures ---------------------------------------------------- */

enum blocks_covariance {
    BLOCKS_FULL = 0,     /* a matrix for each component */
    BLOCKS_DIAGONAL = 1, /* a variance for each column and component */
};

struct blocks_mixture_options {
    int components; /* needed */
    enum blocks_covariance covariance;
    int iterations;      /* at most; 100 */
    double tolerance;    /* stop when the mean logarithm of the rows' likelihood
                            changes by less; 1e-3 */
    double floor;        /* is added to variances; 1e-6 */
    uint64_t seed;       /* of the k-means that begins */
    const double *start; /* or centres, components * cols, to begin with */
};

struct blocks_mixture {
    int components;
    long cols;
    enum blocks_covariance covariance;
    double *weights;     /* components; their sum is 1 */
    double *means;       /* components * cols */
    double *covariances; /* components * cols * cols, or components * cols */
    double likelihood;   /* the mean logarithm, before the last step */
    int iterations;
    bool converged;
};

/*
 * Expectation and maximisation (Dempster, Laird and Rubin, 1977). It begins with
 * each row in the component of the nearest centre. A task for each row of blocks
 * computes chances from Cholesky factors and adds its rows to the moments, which
 * are a reduction. Fails with CASTELL_ERR_INVALID (more components than rows, a
 * covariance that is singular in spite of the floor) or CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_mixture(struct blocks_array *array,
               const struct blocks_mixture_options *options,
               struct blocks_mixture *ret_model);
void blocks_mixture_release(struct blocks_mixture *model);

/* The chance of each component: rows * components, and the likeliest one: a
   column. Either pointer may be NULL. */
CASTELL_MUST_CHECK enum castell_status
blocks_mixture_predict(const struct blocks_mixture *model,
                       struct blocks_array *array,
                       struct blocks_array **ret_chances,
                       struct blocks_array **ret_labels);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
