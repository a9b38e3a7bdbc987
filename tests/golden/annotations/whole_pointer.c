#include <castell.h>
#pragma castell task in(x)
void f(double *x);
#pragma castell task in(a)
void g(double a[16]);
