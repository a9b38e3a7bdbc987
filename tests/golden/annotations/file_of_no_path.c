#include <castell.h>
#pragma castell task file_in(x) file_out(n)
void f(const double *x, int n);
