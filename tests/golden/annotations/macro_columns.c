#include <castell.h>
#define COUNT 4
#define SECTION(x, n) x[0:n]
#define UNKNOWN z[0:COUNT]
#pragma castell task in(SECTION(x, COUNT)) out(UNKNOWN) inout(SECTION(n, 1))
void f(int n, const double *x);
#define PRAGMA(x) _Pragma(#x)
PRAGMA(castell task frob)
void g(void);
