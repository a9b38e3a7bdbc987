#include <castell.h>
#pragma castell task file_in(x) dir_out(n)
void f(const double *x, int n);
