#include <castell.h>
#pragma castell task device(abacus)
void e(void);
#pragma castell task inout(x[0:n]) async
void f(int n, float *x);
#pragma castell implements(f) device(cuda) kernel(k) range(n) source("scale.cl")
void f_cuda(int n, float *x);
#pragma castell implements(f) device(opencl) kernel(k) range(n)
void f_no_source(int n, float *x);
#pragma castell implements(f) device(opencl) kernel(k) range(n) source("scale.cl")
void f_no_header(int n, float *x);
#pragma castell implements(f) device(opencl) range(n) source("scale.cl") local(4)
void f_no_kernel(int n, float *x);
#pragma castell implements(f) device(cpu) kernel(k) range(n) source("scale.cl")
void f_cpu(int n, float *x);
