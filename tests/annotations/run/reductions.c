/* Every operator, on every kind of number. */
#include <castell.h>
#include <complex.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { N = 3, TASKS = 50 };

struct range {
    int low, high;
};

static void widen(struct range *into, const struct range *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!from) {
            into[i] = (struct range){INT_MAX, INT_MIN};
            continue;
        }
        if (from[i].low < into[i].low)
            into[i].low = from[i].low;
        if (from[i].high > into[i].high)
            into[i].high = from[i].high;
    }
}

#pragma castell task reduction(+ : a[0:N]) reduction(* : b[0:N])               \
    reduction(min : c[0:N]) reduction(max : d[0:N])
static void numbers(int t, int a[N], uint64_t *b, short *c, int8_t *d)
{
    for (int i = 0; i < N; i++) {
        a[i] += t * i;
        if (t < 20)
            b[i] *= (uint64_t)(t + i + 1);
        if (200 - t < c[i])
            c[i] = (short)(200 - t);
        if (t - 30 > d[i])
            d[i] = (int8_t)(t - 30);
    }
}

#pragma castell task reduction(& : a[0:N]) reduction(| : b[0:N])               \
    reduction(^ : c[0:N]) reduction(&& : d[0:N]) reduction(|| : e[0:N])
static void bits(int t, unsigned char *a, long *b, unsigned *c, bool *d, int *e)
{
    for (int i = 0; i < N; i++) {
        a[i] &= (unsigned char)~(t & 5);
        b[i] |= 1L << (t % 40);
        c[i] ^= (unsigned)(t * 977);
        d[i] = d[i] && t != i * 1000;
        e[i] = e[i] || t == 7 * i;
    }
}

#pragma castell task reduction(min : a[0:N], m[1:1][1:2])                      \
    reduction(max : b[0:N]) reduction(+ : z[0:N])
static void floating(int t, float *a, double m[][4], long double *b,
                     double complex *z)
{
    for (int i = 0; i < N; i++) {
        if ((float)(t - 25) * (float)(i + 1) < a[i])
            a[i] = (float)(t - 25) * (float)(i + 1);
        if ((t % 17) * 1.5L > b[i])
            b[i] = (t % 17) * 1.5L;
        z[i] += t + I * i;
    }
    if (t < m[1][1])
        m[1][1] = t;
    if (-t < m[1][2])
        m[1][2] = -t;
}

#pragma castell task reduction(widen : r[0:N])
static void ranges(int t, struct range *r)
{
    struct range one[N];

    for (int i = 0; i < N; i++)
        one[i] = (struct range){t * (i - 1), t * (i - 1)};
    widen(r, one, N);
}

int main(int argc, char **argv)
{
    int a[N] = {1, 2, 3}, e[N] = {0};
    uint64_t b[N] = {1, 3, 5};
    short c[N] = {500, 160, 500};
    int8_t d[N] = {-128, 0, 100};
    unsigned char f[N] = {255, 254, 15};
    long g[N] = {0};
    unsigned h[N] = {1, 2, 3};
    bool k[N] = {true, true, false};
    float l[N] = {0, -1000, 3};
    double m[2][4] = {{9, 9, 9, 9}, {9, 9, 9, 9}};
    long double n[N] = {0, 30, 1};
    double complex z[N] = {0};
    struct range r[N] = {{0, 0}, {1, 1}, {-7, 3}};

    castell_start(&argc, &argv);
    for (int t = 0; t < TASKS; t++) {
        numbers(t, a, b, c, d);
        bits(t, f, g, h, k, e);
        floating(t, l, m, n, z);
        ranges(t, r);
    }
#pragma castell barrier
    for (int i = 0; i < N; i++) {
        printf("%d %ju %d %d\n", a[i], (uintmax_t)b[i], c[i], d[i]);
        printf("%d %ld %u %d %d\n", f[i], g[i], h[i], k[i], e[i]);
        printf("%g %Lg %g %g\n", (double)l[i], n[i], creal(z[i]), cimag(z[i]));
        printf("%d %d\n", r[i].low, r[i].high);
    }
    printf("%g %g %g %g\n", m[1][0], m[1][1], m[1][2], m[1][3]);
    return castell_stop();
}
