#include <castell.h>
#pragma castell task in(x[0:n]) outt(y[0:n]) reads
void f(int n, const double *x, double *y);
