/*
 * learn.h - what several algorithms need.
 *
 * Small data (centres, weights, sums) is memory from castell_alloc() that tasks
 * alone write; main() reads it after a wait. What main() writes itself it writes
 * before any task has named it.
 */
#ifndef BLOCKS_LEARN_LEARN_H
#define BLOCKS_LEARN_LEARN_H

#include "blocks/array/array.h"

/* Rows of a panel that are worked on at one time: they stay in the cache. */
enum { BLK_STRIP = 256 };

/* Zeroed doubles for tasks; and a copy of what the caller has. NULL: no memory. */
double *blk_vector(long count);
double *blk_vector_of(const double *numbers, long count);

/* Wait for them; a copy from malloc(). */
CASTELL_MUST_CHECK enum castell_status
blk_take(const double *numbers, long count, double **ret_copy);

/* Set them to 0, by a task. */
void blk_clear(double *numbers, long count);

/* An array that was made: the caller's when all went well and it is wanted
   (ret_array is not NULL), else destroyed. array may be NULL. */
void blk_hand_over(enum castell_status status, struct blocks_array *array,
                   struct blocks_array **ret_array);

/* Means of columns, as a vector for tasks. Waits. */
CASTELL_MUST_CHECK enum castell_status
blk_means(struct blocks_array *array, double **ret_means);

/*
 * The matrix of products of the columns of [X - mean, Y - mean of Y], which is
 * width * width (its upper half, row by row), by a task for each panel and a
 * reduction. `means` has those of X, then those of Y; y is NULL for none. Its
 * memory is a vector, which the caller frees; NULL when there is none.
 */
double *blk_products(struct blocks_array *x, struct blocks_array *y,
                     const double *means);

/* In bodies: the rows of both panels beside one another, less their means, in
   memory for the caller to free; NULL when there is none. */
double *blk_centred(const struct blk_panel *p, double *const *x,
                    const struct blk_panel *q, double *const *y,
                    const double *means);

/* The panel of an array that may be NULL: of no tiles then. */
struct blk_panel blk_panel_or_none(struct blocks_array *array, long row,
                                   double ***ret_tiles);

/* Whether the rows of b are in blocks as high as those of a. */
CASTELL_MUST_CHECK enum castell_status
blk_must_match(const struct blocks_array *a, const struct blocks_array *b,
               const char *what);

/* Labels are one column of whole numbers from 0; tell how many classes there are,
   the greatest label and 1. Waits. */
CASTELL_MUST_CHECK enum castell_status
blk_classes(const struct blocks_array *array, struct blocks_array *labels,
            int *ret_classes);

/* "no memory on this node", on standard error; returns 1. */
int blk_complain(void);

/* ---- LAPACK's, from OpenBLAS, which has no header of it in C --------------- */

void dsyevr_(const char *job, const char *range, const char *half,
             const int *n, double *a, const int *lda, const double *low,
             const double *high, const int *first, const int *last,
             const double *tolerance, int *found, double *values,
             double *vectors, const int *ldz, int *support, double *work,
             const int *work_size, int *iwork, const int *iwork_size,
             int *info);
void dpotrf_(const char *half, const int *n, double *a, const int *lda,
             int *info);
void dpotrs_(const char *half, const int *n, const int *columns,
             const double *a, const int *lda, double *b, const int *ldb,
             int *info);
void dgelqf_(const int *m, const int *n, double *a, const int *lda,
             double *tau, double *work, const int *work_size, int *info);
void dgeqrf_(const int *m, const int *n, double *a, const int *lda,
             double *tau, double *work, const int *work_size, int *info);
void dorgqr_(const int *m, const int *n, const int *k, double *a,
             const int *lda, const double *tau, double *work,
             const int *work_size, int *info);

/*
 * In bodies: the `count` greatest eigenvalues of the symmetric n * n matrix (its
 * upper half by rows), the greatest first, and their vectors, a row each. The
 * matrix is overwritten. Returns whether it went well.
 */
bool blk_eigen(int n, double *a, int count, double *values, double *vectors);

#endif
