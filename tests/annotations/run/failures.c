/* expected: 3 1 0 7 | 2 cancelled, 2 failed */
#include <castell.h>
#include <stdio.h>

/* Fails until its third attempt; each starts from the same data. */
#pragma castell task inout(*x) on_failure(retry(3), fail)
static int stubborn(int *x)
{
    *x += 1;
    if (castell_task_attempt() < 3) {
        *x = 100;
        return 1;
    }
    *x += 2;
    return 0;
}

#pragma castell task inout(*x) on_failure(ignore)
static int hopeless(int *x)
{
    *x += 1;
    return 1;
}

#pragma castell task out(*x) on_failure(cancel_successors)
static int lost(int *x)
{
    *x = 5;
    return 1;
}

#pragma castell task in(*x) out(*y)
static void reader(const int *x, int *y)
{
    *y = *x;
}

#pragma castell task out(*x)
static void overwrite(int *x)
{
    *x = 7;
}

int main(int argc, char **argv)
{
    int a = 0, b = 0, c = 0, d = 0, e = 0;
    struct castell_counters counters;

    castell_start(&argc, &argv);
    stubborn(&a);
    hopeless(&b);
    lost(&c);
    reader(&c, &d);
    reader(&d, &e);
    overwrite(&c);
    castell_must(castell_barrier(), "failures.c");
    castell_counters(&counters);
    printf("%d %d %d %d | %d cancelled, %d failed\n", a, b, e, c,
           (int)counters.cancelled, (int)counters.failed);
    return castell_stop();
}
