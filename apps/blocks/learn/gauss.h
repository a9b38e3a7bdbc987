/*
 * gauss.h - the components of a Gaussian mixture, and the chances of rows.
 *
 * A component, in memory of tasks, is its logarithm of weight and norm, its mean,
 * and the Cholesky factor of its covariance (by rows, lower), or the roots of its
 * variances. Moments of one are the weight, the sum and the squares; after those
 * of all comes the sum of the logarithms.
 */
#ifndef BLOCKS_LEARN_GAUSS_H
#define BLOCKS_LEARN_GAUSS_H

#include <stdbool.h>

/* What tasks are told. */
struct blk_form {
    int k, cols;
    bool diagonal;
    bool hard; /* the nearest mean takes a row: the first step */
    double rows, floor;
};

/* Numbers of a covariance, and of a component. */
long blk_squares_of(const struct blk_form *form);
long blk_component_size(const struct blk_form *form);

/* Rows less the mean of a component. */
void blk_less_mean(const struct blk_form *form, int rows, const double *x,
                   const double *component, double *z);

/* Chances of some rows with each component; returns the sum of their logarithms.
   z is as large as x. */
double blk_find_chances(const struct blk_form *form, int rows, const double *x,
                        const double *components, double *z, double *chances);

/* A factor of the covariance, in its place; minus the logarithm of the root of its
   determinant. False when it is singular. */
bool blk_factorise(const struct blk_form *form, double *covariance,
                   double *ret_log);

#endif
