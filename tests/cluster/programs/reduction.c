/*
 * Large reductions: several at a time, one in rows, one of a piece of what
 * another has made; prints a checksum, the same wherever the parts are combined.
 *
 *     reduction
 */
#include <castell.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BIG = 300001, SMALL = 100, ROWS = 40, LD = 3000, LEAVES = 7 };

#pragma castell task reduction(+: big[0:n], small[0:SMALL]) \
    reduction(max: top[0:n])
static void share(int leaf, int n, float *big, double *small, float *top)
{
    for (int i = 0; i < n; i++) {
        float x = 1.0f / (float)(1 + (i * 7 + leaf * 31) % 1009);

        big[i] += x;
        top[i] = x > top[i] ? x : top[i];
        small[i % SMALL] += 1.0 / (1 + i + leaf);
    }
}

#pragma castell task reduction(+ : rows [0:ROWS] [0:n])
static void in_rows(int leaf, int n, float (*rows)[LD])
{
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < n; j++)
            rows[i][j] += 1.0f / (float)(1 + (i + j) % (leaf + 3));
}

/* Across the parts that a sum may have been combined in. */
#pragma castell task inout(some [0:n])
static void twice(int n, float *some)
{
    for (int i = 0; i < n; i++)
        some[i] *= 2;
}

static uint64_t checksum(uint64_t sum, const void *from, size_t size)
{
    const unsigned char *bytes = from;

    for (size_t i = 0; i < size; i++)
        sum = (sum ^ bytes[i]) * UINT64_C(1099511628211);
    return sum;
}

int main(int argc, char **argv)
{
    float *big = calloc(BIG, sizeof(*big));
    float *top = calloc(BIG, sizeof(*top));
    float(*rows)[LD] = calloc(ROWS, sizeof(*rows));
    double small[SMALL] = {0};
    uint64_t sum = UINT64_C(14695981039346656037);

    castell_start(&argc, &argv);
    if (!big || !top || !rows)
        return 1;
    for (int round = 0; round < 3; round++) {
        for (int leaf = 0; leaf < LEAVES; leaf++) {
            share(leaf, BIG, big, small, top);
            in_rows(leaf, LD - 100, rows);
        }
        twice(BIG / 2, big + BIG / 3);
    }
#pragma castell barrier
    sum = checksum(sum, big, BIG * sizeof(*big));
    sum = checksum(sum, top, BIG * sizeof(*top));
    sum = checksum(sum, rows, ROWS * sizeof(*rows));
    sum = checksum(sum, small, sizeof(small));
    if (castell_stop())
        return 1;
    printf("%016jx\n", (uintmax_t)sum);
    free(big);
    free(top);
    free(rows);
    return 0;
}
