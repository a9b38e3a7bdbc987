/*
 * linalg.h - the matrix that the programs of linear algebra factorise, its
 * check, and the form of the output: lines "name value unit" as in bench.h.
 */
#ifndef CASTELL_BENCH_LINALG_H
#define CASTELL_BENCH_LINALG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Element (i, j) of a symmetric positive definite matrix of order n. */
double linalg_element(size_t n, size_t i, size_t j);

/*
 * Whether L, of which lower(state, i, j) gives the elements with j <= i, is the
 * Cholesky factor of that matrix A: compares L (L' x) with A x for one x.
 */
bool linalg_is_factor(size_t n,
                      double (*lower)(void *state, size_t i, size_t j),
                      void *state);

/* Read a size from 1 to 100,000; 0 when it is none. */
size_t linalg_size(const char *text);

/* Print "NAME X Gflop/s" with the median of the times. */
void linalg_report(const char *name, double flops, uint64_t *times_ns,
                   size_t count);

#endif
