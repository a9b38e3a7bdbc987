#include <castell.h>
#pragma castell task inout(x[0:n])
void scale(int n, double *x, double by);
#pragma castell implements(scale) constraint(cores=2)
int scale_fast(int m, double *y, double factor)
{
    y[0] = m * factor;
    return 0;
}
#pragma castell implements(scale) device(binary) command("scale {m} {factor}")
void scale_program(int m, double *y, double factor);
void f(double *x)
{
    scale(4, x, 0.5);
}
