#include <castell.h>
#pragma castell task in(x[0:])
void a(int n, double *x);
#pragma castell task in(x[])
void b(int n, double *x);
#pragma castell task in(x[0:n:2])
void c(int n, double *x);
#pragma castell task in(x[0:n)
void d(int n, double *x);
#pragma castell task in([0:n])
void e(int n, double *x);
#pragma castell task in(x[0:n].y)
void f(int n, double *x);
#pragma castell task in(x:n)
void g(int n, double *x);
#pragma castell task in()
void h(int n, double *x);
#pragma castell task in(x[0:n],)
void i(int n, double *x);
#pragma castell task in x[0:n]
void j(int n, double *x);
#pragma castell task in(x[0:n]))
void l(int n, double *x);
