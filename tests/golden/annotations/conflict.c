#include <castell.h>
#pragma castell task in(x[0:n])
void f(int n, double *x);
#pragma castell task inout(x[0:n])
void f(int n, double *x)
{
    x[0] = n;
}
