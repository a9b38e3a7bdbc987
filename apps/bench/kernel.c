#include "bench/kernel.h"

/* Values stay near b / (1 - a) = 1 however often they are multiplied. */
#define KERNEL_A 0.999755859375
#define KERNEL_B 0.000244140625

static void fill(double *x, uint32_t seed)
{
    for (int i = 0; i < KERNEL_LANES; i++)
        x[i] = 1 + (double)((seed + (uint32_t)i) % 64) / 64;
}

static double sum(const double *x)
{
    double total = 0;

    for (int i = 0; i < KERNEL_LANES; i++)
        total += x[i];
    return total;
}

static double run_portable(uint64_t iterations, uint32_t seed)
{
    double x[KERNEL_LANES];

    fill(x, seed);
    for (uint64_t n = 0; n < iterations; n++)
        for (int i = 0; i < KERNEL_LANES; i++)
            x[i] = x[i] * KERNEL_A + KERNEL_B;
    return sum(x);
}

#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>

/* Twelve vectors of four: enough to hide the latency of two units, and they
   leave registers for a and b. */
enum { VECTORS = KERNEL_LANES / 4 };

__attribute__((target("avx2,fma"))) static double run_avx2(uint64_t iterations,
                                                           uint32_t seed)
{
    double values[KERNEL_LANES];
    __m256d x[VECTORS];
    const __m256d a = _mm256_set1_pd(KERNEL_A);
    const __m256d b = _mm256_set1_pd(KERNEL_B);

    fill(values, seed);
    for (int i = 0; i < VECTORS; i++)
        x[i] = _mm256_loadu_pd(&values[4 * (size_t)i]);
    for (uint64_t n = 0; n < iterations; n++) {
#if defined(__clang__)
#pragma clang loop unroll(full)
#else
#pragma GCC unroll 12
#endif
        for (int i = 0; i < VECTORS; i++)
            x[i] = _mm256_fmadd_pd(x[i], a, b);
    }
    for (int i = 0; i < VECTORS; i++)
        _mm256_storeu_pd(&values[4 * (size_t)i], x[i]);
    return sum(values);
}

double kernel_run(uint64_t iterations, uint32_t seed)
{
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return run_avx2(iterations, seed);
    return run_portable(iterations, seed);
}

#else

double kernel_run(uint64_t iterations, uint32_t seed)
{
    return run_portable(iterations, seed);
}

#endif
