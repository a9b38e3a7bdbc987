/* concurrent, commutative, in_delete and delete. */
#include <castell.h>
#include <stdio.h>

#pragma castell task concurrent(*counter) in(x[0:1])
static void count(long *counter, const long *x)
{
    __atomic_fetch_add(counter, x[0], __ATOMIC_SEQ_CST);
}

#pragma castell task commutative(sum[0:2])
static void add(long *sum, long n)
{
    sum[0] += n;
    sum[1] += sum[0] - sum[0] + 1;
}

#pragma castell task in_delete(x[0:4]) out(*y)
static void last(const long *x, long *y)
{
    *y = x[0] + x[3];
}

#pragma castell task out(x[0:4])
static void first(long *x)
{
    for (int i = 0; i < 4; i++)
        x[i] = i + 5;
}

int main(int argc, char **argv)
{
    long counter = 0, sum[2] = {0}, x[4], y;

    castell_start(&argc, &argv);
    first(x);
    for (int i = 0; i < 200; i++) {
        count(&counter, x);
        add(sum, i);
    }
    last(x, &y);
    first(x);
#pragma castell delete(x[0:4])
#pragma castell wait_on(counter, sum[0:2], y)
    printf("%ld %ld %ld %ld\n", counter, sum[0], sum[1], y);
#pragma castell barrier
    return castell_stop();
}
