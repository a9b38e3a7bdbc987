/* Tasks that submit tasks and wait for them. */
#include <castell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HALVES(f, n, x)                                                        \
    f((n) / 2, (x));                                                           \
    f((n) - (n) / 2, (x) + (n) / 2)

static void merge(int n, int *x)
{
    int *copy = malloc((size_t)n * sizeof(int));
    int i = 0, j = n / 2;

    if (!copy)
        abort();
    memcpy(copy, x, (size_t)n * sizeof(int));
    for (int k = 0; k < n; k++) {
        if (i < n / 2 && (j == n || copy[i] <= copy[j]))
            x[k] = copy[i++];
        else
            x[k] = copy[j++];
    }
    free(copy);
}

#pragma castell task inout(x[0:n]) final(n <= 64) if (n > 8) label("sort")
static void sort(int n, int *x)
{
    if (n < 2)
        return;
    HALVES(sort, n, x);
#pragma castell barrier
    merge(n, x);
}

#pragma castell task out(*result)
static void fibonacci(int n, long *result)
{
    long a, b;

    if (n < 2) {
        *result = n;
        return;
    }
    fibonacci(n - 1, &a);
    fibonacci(n - 2, &b);
#pragma castell wait_on(a, b)
    *result = a + b;
}

int main(int argc, char **argv)
{
    enum { N = 1000 };
    static int x[N];
    long f;
    unsigned seed = 1;

    castell_start(&argc, &argv);
    for (int i = 0; i < N; i++) {
        seed = seed * 1103515245u + 12345u;
        x[i] = (int)(seed >> 16 & 0x7fff);
    }
    sort(N, x);
    fibonacci(12, &f);
#pragma castell wait_on(x, f)
    for (int i = 1; i < N; i++) {
        if (x[i - 1] > x[i])
            printf("not sorted at %d\n", i);
    }
    printf("%d %d %d %ld\n", x[0], x[N / 2], x[N - 1], f);
    return castell_stop();
}
