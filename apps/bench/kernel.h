/*
 * kernel.h - the compute-bound kernel of the Task Bench programs: fused
 * multiply-adds on registers, nothing else. One source for all runtimes.
 */
#ifndef CASTELL_BENCH_KERNEL_H
#define CASTELL_BENCH_KERNEL_H

#include <stdint.h>

enum {
    KERNEL_LANES = 48,               /* values of the array */
    KERNEL_FLOPS = 2 * KERNEL_LANES, /* of one iteration */
};

/*
 * Apply x = x * a + b `iterations` times to each value of an array that seed
 * fills; return the sum, which depends on seed and iterations alone, so that a
 * check can compute it again.
 */
double kernel_run(uint64_t iterations, uint32_t seed);

#endif
