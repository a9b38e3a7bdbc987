#include <castell.h>
#pragma castell task in(x[0:n]) out(x[0:n])
void f(int n, double *x);
#pragma castell task in(x[0:n]) reduction(+: x[0:1])
void g(int n, double *x);
