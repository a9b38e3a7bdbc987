#include <castell.h>
#pragma castell task in(x[0:n]) \
                     out(y[0:n], \
                         z[0:n]) /* a comment
   over lines */ wrong(1)
void f(int n,
       const double *x, double *y);
