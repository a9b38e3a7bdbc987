#include <castell.h>
#pragma castell taskwait
#pragma castell
#pragma castell in(x[0:n]) task
void f(int n, double *x);
void g(void)
{
#pragma castell wait
}
