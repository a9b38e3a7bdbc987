#include <castell.h>
#pragma castell task in(x[0:n])
void f(int n, const double *x);
#pragma castell implements(f)
void g(int n, const float *x);
#pragma castell implements(f)
void h(int n, const double *x, int m);
#pragma castell implements(f) in(x[0:n]) priority(2)
void i(int n, const double *x);
#pragma castell implements(f) constraint(cores=n)
void j(int n, const double *x);
#pragma castell task implements(f)
void k(int n);
