#include <castell.h>
#pragma castell task in(n[0:1], x[0:n])
void f(int n, const double *x);
