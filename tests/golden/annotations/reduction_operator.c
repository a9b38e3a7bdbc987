#include <castell.h>
struct pair { int a, b; };
void merge(struct pair *into, const struct pair *from, unsigned long count);
void other(struct pair *into, struct pair *from, unsigned long count);
#pragma castell task reduction(&: x[0:n])
void a(int n, double *x);
#pragma castell task reduction(+: x[0:n])
void b(int n, struct pair *x);
#pragma castell task reduction(-: x[0:n])
void c(int n, int *x);
#pragma castell task reduction(merge: x[0:n])
void d(int n, struct pair *x);
#pragma castell task reduction(other: x[0:n])
void e(int n, struct pair *x);
#pragma castell task reduction(nobody: x[0:n])
void f(int n, struct pair *x);
#pragma castell task reduction(x[0:n])
void g(int n, int *x);
#pragma castell task reduction(max: x[0:n])
void h(int n, _Complex double *x);
