#include <castell.h>
#pragma castell task in(a[0:n][0:n])
void f(int n, double **a);
#pragma castell task in(v[0:n])
void g(int n, const void *v);
struct later;
#pragma castell task in(s[0:1])
void h(const struct later *s);
