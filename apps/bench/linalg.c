#include "bench/linalg.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIZE_MAX_OF_MATRIX = 100000 };

/* A number in [0, 1) out of two, the same for (i, j) and (j, i). */
static double scatter(size_t i, size_t j)
{
    uint64_t low = i < j ? i : j;
    uint64_t high = i < j ? j : i;
    uint64_t x = (high << 32) + low;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return (double)((x ^ (x >> 31)) >> 11) / 9007199254740992.0;
}

double linalg_element(size_t n, size_t i, size_t j)
{
    return scatter(i, j) + (i == j ? (double)n : 0);
}

bool linalg_is_factor(size_t n,
                      double (*lower)(void *state, size_t i, size_t j),
                      void *state)
{
    double *product = calloc(n, sizeof(double)); /* L' x, with all x 1 */
    double worst = 0;

    if (!product)
        return false;
    for (size_t j = 0; j < n; j++)
        for (size_t i = j; i < n; i++)
            product[j] += lower(state, i, j);
    for (size_t i = 0; i < n; i++) {
        double error = 0;

        for (size_t j = 0; j <= i; j++)
            error += lower(state, i, j) * product[j];
        for (size_t j = 0; j < n; j++)
            error -= linalg_element(n, i, j);
        worst = fmax(worst, fabs(error));
    }
    free(product);
    return worst < 1e-9 * (double)n;
}

size_t linalg_size(const char *text)
{
    char *end = NULL;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' ||
        value > SIZE_MAX_OF_MATRIX)
        return 0;
    return value;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

void linalg_report(const char *name, double flops, uint64_t *times_ns,
                   size_t count)
{
    qsort(times_ns, count, sizeof(*times_ns), compare);
    times_ns += count / 2;
    printf("%s %.3f Gflop/s\n", name, flops / (double)*times_ns);
}
