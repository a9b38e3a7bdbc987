#include <castell_opencl.h>
#include <castell_cuda.h>
extern const char *const text;
#pragma castell task inout(x[0:n])
void scale(int n, float a, float *x);
#pragma castell implements(scale) device(opencl) kernel(scale) range((n + 63) / 64 * 64) \
    local(64) source("scale.cl") constraint(gpus=1) async
void scale_opencl(int n, float a, float *x);
#pragma castell implements(scale) device(cuda) constraint(gpus=0.5) async
void scale_cuda(int n, float a, float *x);
#pragma castell task device(opencl) kernel(fill) range(n, 2) source(text) out(x[0:2*n]) async
void fill(int n, float *x);
void scale(int n, float a, float *x)
{
    for (int i = 0; i < n; i++)
        x[i] = a * x[i];
}
#pragma castell task out(y[n:n])
void count(int n, long from, double *y);
#pragma castell implements(count) device(cuda) kernel(count) range(n, 3) local(16, 3) source(text) async
void count_cuda(int n, long from, double *y);
void f(float *x, double *y)
{
    fill(10, x);
    count(11, 7, y);
    scale(20, 2, x);
}
