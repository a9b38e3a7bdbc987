/*
 * real.h - the numbers that networks compute with: floats. With TRAIN_DOUBLE,
 * doubles: for a test that looks closely at derivatives.
 */
#ifndef APPS_NEURAL_REAL_H
#define APPS_NEURAL_REAL_H

#include <cblas.h>
#include <math.h>
#include <string.h>

#ifdef TRAIN_DOUBLE

typedef double real;
#define real_gemm cblas_dgemm
#define real_sqrt sqrt
#define real_exp  exp

#else

typedef float real;
#define real_gemm cblas_sgemm
#define real_sqrt sqrtf

/*
 * e to the x, to 2e-7: x = n log 2 + r, and e to the r by its series. A loop
 * with it becomes vector instructions, and the result does not depend on the C
 * library's version.
 */
static inline float real_exp(float x)
{
    const float shift = 12582912; /* 1.5 * 2^23: adding it rounds */
    float n, r, e;
    int bits;
    float power;

    x = x < -87 ? -87 : x;
    x = x > 88 ? 88 : x;
    n = (x * 1.44269504f + shift) - shift;
    r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    e = 1.0f / 5040;
    e = e * r + 1.0f / 720;
    e = e * r + 1.0f / 120;
    e = e * r + 1.0f / 24;
    e = e * r + 1.0f / 6;
    e = e * r + 0.5f;
    e = e * r + 1;
    e = e * r + 1;
    bits = (int)((unsigned)((int)n + 127) << 23);
    memcpy(&power, &bits, sizeof(power));
    return e * power;
}

#endif

#endif
