#include <castell.h>
#pragma castell task in(x[0:n])
void f(int n, const double *x, double (*g)(double));
