/* Arrays of blocks. */
#include <castell.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCKS = 40, SIZE = 5 };

#pragma castell task out(block[0:SIZE])
static void set(long *block, long from)
{
    for (int i = 0; i < SIZE; i++)
        block[i] = from + i;
}

#pragma castell task collection_in(blocks[first:count] : SIZE) out(*sum)
static void add(long *const *blocks, int first, int count, long *sum)
{
    *sum = 0;
    for (int b = first; b < first + count; b++) {
        for (int i = 0; i < SIZE; i++)
            *sum += blocks[b][i];
    }
}

#pragma castell task collection_inout(to[0:count] : SIZE) \
    collection_in(from[0:count] : n)
static int mix(int count, int n, long **to, const long *const from[])
{
    for (int b = 0; b < count; b++) {
        for (int i = 0; i < n; i++)
            to[b][i] += from[count - 1 - b][i];
    }
    return 0;
}

#pragma castell task collection_out(to[0:2] : SIZE)
static void clear(long *to[2])
{
    for (int i = 0; i < SIZE; i++)
        to[0][i] = to[1][i] = i;
}

int main(int argc, char **argv)
{
    long *a[BLOCKS], *b[BLOCKS], sums[4];

    castell_start(&argc, &argv);
    for (int i = 0; i < BLOCKS; i++) {
        a[i] = castell_alloc(SIZE * sizeof(long));
        b[i] = castell_alloc(SIZE * sizeof(long));
        set(a[i], i);
        set(b[i], 2 * i);
    }
    add(a, 3, 30, &sums[0]);
    mix(BLOCKS, SIZE, a, (const long *const *)b);
    mix(3, 2, a + 4, (const long *const *)b);
    mix(0, SIZE, NULL, NULL);
    add(a, 0, BLOCKS, &sums[1]);
    clear(b);
    add(b, 0, 2, &sums[2]);
    add(b, 5, 0, &sums[3]);
#pragma castell wait_on(sums)
    printf("%ld %ld %ld %ld\n", sums[0], sums[1], sums[2], sums[3]);
#pragma castell barrier
    for (int i = 0; i < BLOCKS; i++) {
        castell_free(a[i]);
        castell_free(b[i]);
    }
    return castell_stop();
}
