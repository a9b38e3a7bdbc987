#include <castell.h>
#pragma castell barrier
void f(int n, double *x)
{
    if (n)
#pragma castell barrier
        n++;
#pragma castell wait_on(x)
#pragma castell wait_on(n[0:1])
#pragma castell wait_on(y[0:n])
#pragma castell wait_on(x[0:n][0:n])
#pragma castell group(g)
    n++;
    n = n +
#pragma castell barrier
        1;
#pragma castell barrier(n)
#pragma castell wait_group
#pragma castell wait_on(n) here
}
