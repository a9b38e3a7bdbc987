/* Macros in clauses, in calls, and pragmas that macros make. */
#include <castell.h>
#include <stdio.h>

#define N           6
#define BLOCK(x)    x[0:N]
#define OUTPUT(x)   out(BLOCK(x))
#define TASK(...)   _Pragma("castell task in(a[0:N]) inout(b[0:N])")
#define WAIT(x)     DO_PRAGMA(castell wait_on(x))
#define DO_PRAGMA(x) _Pragma(#x)
#define in          wrong
#define add_to(a, b) add(a, b)
#define SET(x, to)                                                             \
    do {                                                                       \
        set(x, to);                                                            \
    } while (0)

#pragma castell task OUTPUT(x)
static void set(int *x, int to)
{
    for (int i = 0; i < N; i++)
        x[i] = to + i;
}

TASK()
static void add(const int *a, int *b)
{
    for (int i = 0; i < N; i++)
        b[i] += a[i];
}

#undef N
#define N 2
#pragma castell task inout(BLOCK(x))
static void negate(int *x)
{
    for (int i = 0; i < N; i++)
        x[i] = -x[i];
}

int main(int argc, char **argv)
{
    int a[6], b[6];

    castell_start(&argc, &argv);
    SET(a, 1);
    SET(b, 10);
    add_to(a, b);
    negate(b);
    WAIT(b[0:6])
    for (int i = 0; i < 6; i++)
        printf("%d ", b[i]);
    printf("\n");
    return castell_stop();
}
