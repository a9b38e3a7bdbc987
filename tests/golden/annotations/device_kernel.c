#include <castell_opencl.h>
#pragma castell task inout(x[0:n])
void f(int n, float *x);
#pragma castell implements(f) device(opencl) kernel(scale) range(n) source("nowhere.cl")
void f_nowhere(int n, float *x);
#pragma castell implements(f) device(opencl) kernel(scale) range(n, 1, 1, 1) source("scale.cl")
void f_four(int n, float *x);
#pragma castell implements(f) device(opencl) kernel(scale) range(m) source("scale.cl")
void f_unknown(int n, float *x);
#pragma castell implements(f) device(opencl) kernel(scale) range(n, 2) local(8) source("scale.cl")
void f_local(int n, float *x);
#pragma castell implements(f) device(opencl) kernel(scale) range(n) source(1 + 2)
void f_source(int n, float *x);
#pragma castell implements(f) device(opencl) kernel(scale) range(n) source("scale.cl")
void f_two(int n, float *x)
{
    x[0] = (float)n;
}
#pragma castell task in(y[n:n])
void g(int n, float *y);
#pragma castell implements(g) device(opencl)
void g_later(int n, float *y);
