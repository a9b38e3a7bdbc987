/*
 * linear.h - linear and logistic regression.
 *
 * What blocks.h says of calls, errors and bits holds here. A model is plain
 * memory of the caller's process, to be released. Targets and labels have as many
 * rows as the array, in blocks as high as its blocks.
 */
#ifndef CASTELL_BLOCKS_LINEAR_H
#define CASTELL_BLOCKS_LINEAR_H

#include "blocks.h"

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What both give: y is about weights * x + intercept, for each target or class. */
struct blocks_linear {
    int targets;        /* columns of the targets, or classes */
    long cols;
    double *weights;    /* targets * cols, row by row */
    double *intercepts; /* targets */
    /* Logistic: */
    double loss;        /* what was minimised, by the number of rows */
    int iterations;
    bool converged;
};

void blocks_linear_release(struct blocks_linear *model);

/* ---- Linear regression ---------------------------------------------------- */

enum blocks_linear_method {
    /* Normal equations of the centred columns and Cholesky: one pass; loses twice
       as many digits as the columns are dependent. */
    BLOCKS_LINEAR_NORMAL = 0,
    /* QR of each row of blocks, two by two in a tree (TSQR: Demmel and others,
       2012). */
    BLOCKS_LINEAR_QR = 1,
};

struct blocks_linear_options {
    enum blocks_linear_method method;
    double ridge;      /* added: ridge * the sum of squared weights; 0 */
    bool no_intercept; /* intercepts are 0 */
};

/*
 * Least squares. Fails with CASTELL_ERR_INVALID (sizes that do not fit; columns
 * that depend on one another, as when there are fewer rows, without a ridge) or
 * CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_linear(struct blocks_array *array, struct blocks_array *targets,
              const struct blocks_linear_options *options,
              struct blocks_linear *ret_model);

/* rows * targets. Fails with CASTELL_ERR_INVALID (other columns), NO_MEMORY. */
CASTELL_MUST_CHECK enum castell_status
blocks_linear_predict(const struct blocks_linear *model,
                      struct blocks_array *array,
                      struct blocks_array **ret_targets);

/* ---- Logistic regression -------------------------------------------------- */

struct blocks_logistic_options {
    double ridge;     /* ridge / 2 * the sum of squared weights (not intercepts) is
                         added to the sum of the rows' losses; 1. Below 0: none */
    int iterations;   /* at most; 100 */
    double tolerance; /* stop when no part of the gradient of the sum, by the
                         number of rows, is larger; 1e-4 */
    bool no_intercept;
};

/*
 * Multinomial: the chance of class c is proportional to exp(weights of c * x +
 * its intercept). Minimised by L-BFGS (Liu and Nocedal, 1989; 10 pairs), each step
 * one pass or a few over the rows. Labels are one column of whole numbers from 0.
 * Columns should be of about one size (`blocks scale`). It is no error when the
 * iterations are over first: see converged. Fails with CASTELL_ERR_INVALID (labels
 * that are none, one class only) or CASTELL_ERR_NO_MEMORY.
 */
CASTELL_MUST_CHECK enum castell_status
blocks_logistic(struct blocks_array *array, struct blocks_array *labels,
                const struct blocks_logistic_options *options,
                struct blocks_linear *ret_model);

/* The chance of each class: rows * classes; or, when the other pointer is not
   NULL, the likeliest class: a column. Either may be NULL. */
CASTELL_MUST_CHECK enum castell_status
blocks_logistic_predict(const struct blocks_linear *model,
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
