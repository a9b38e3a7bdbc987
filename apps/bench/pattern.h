/*
 * pattern.h - who reads whom in the Task Bench patterns.
 *
 * A graph has `steps` rows of `width` tasks. The task at (step, column) reads
 * what some columns wrote in step - 1; which, is the pattern. It repeats after
 * `period` steps, so that all of it is computed once, ahead.
 *
 * The patterns are those of Slaughter et al., "Task Bench: A Parameterized
 * Benchmark for Evaluating Parallel Runtime Performance" (SC20):
 *
 *   trivial         none
 *   stencil_1d      column and its two neighbours
 *   nearest         the `radix` columns around it, its own included
 *   fft             column, column - 2^d, column + 2^d, with d going through
 *                   0 .. log2(width) - 1 from step to step
 *   random_nearest  as nearest, but each other column only with probability
 *                   1/4, drawn anew in each of three steps that repeat
 */
#ifndef CASTELL_BENCH_PATTERN_H
#define CASTELL_BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERN_INPUTS_MAX = 7, PATTERN_WIDTH_MAX = 1 << 16 };

enum pattern_type {
    PATTERN_TRIVIAL,
    PATTERN_STENCIL_1D,
    PATTERN_NEAREST,
    PATTERN_FFT,
    PATTERN_RANDOM_NEAREST,
};

struct pattern_inputs {
    uint32_t count;
    uint32_t columns[PATTERN_INPUTS_MAX]; /* ascending */
};

struct pattern {
    enum pattern_type type;
    uint32_t width;
    uint32_t radix;
    uint32_t period;
    struct pattern_inputs *table; /* [period][width] */
};

/* Fails (false) for a name that is none. */
bool pattern_type_of(const char *name, enum pattern_type *ret_type);

/*
 * Compute the table. Fails (false) when width is 0 or above the maximum, radix
 * above PATTERN_INPUTS_MAX, or memory short.
 */
bool pattern_init(struct pattern *pattern, enum pattern_type type,
                  uint32_t width, uint32_t radix);
void pattern_release(struct pattern *pattern);

/* What the task at (step, column) reads of step - 1; step is above 0. */
static inline const struct pattern_inputs *
pattern_inputs(const struct pattern *pattern, uint32_t step, uint32_t column)
{
    return &pattern->table[(size_t)(step % pattern->period) * pattern->width +
                           column];
}

#endif
