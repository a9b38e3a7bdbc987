#include <castell.h>
#pragma castell task in(x[0:n]) out(z[0:n])
void f(int n, const double *x, double *y);
#pragma castell task in(x[0:m])
void g(int n, const double *x);
