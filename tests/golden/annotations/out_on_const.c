#include <castell.h>
typedef const double input;
#pragma castell task out(x[0:n]) inout(y[0:n])
void f(int n, const double *x, input *y);
