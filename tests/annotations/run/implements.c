/* Several implementations of a task, one without a body of its own. */
#include <castell.h>
#include <stdio.h>

#pragma castell task inout(x[0:n])
static void twice(int n, double (*x))
{
    for (int i = 0; i < n; i++)
        x[i] *= 2;
}

#pragma castell implements(twice) constraint(cores = 1)
static int twice_by_adding(int count, double *y)
{
    for (int i = 0; i < count; i++)
        y[i] += y[i];
    return 0;
}

#ifdef CASTELL_SEQUENTIAL
#define only_body thrice
static void thrice(int n, double *x);
#else
#pragma castell task inout(x[0:n])
void thrice(int n, double *x);

#pragma castell implements(thrice)
#endif
static void only_body(int n, double *x)
{
    for (int i = 0; i < n; i++)
        x[i] *= 3;
}

int main(int argc, char **argv)
{
    double x[4] = {1, 2, 3, 4};

    castell_start(&argc, &argv);
    for (int i = 0; i < 20; i++)
        twice(4, x);
    thrice(4, x);
#pragma castell wait_on(x)
    printf("%g %g %g %g\n", x[0], x[1], x[2], x[3]);
    return castell_stop();
}
