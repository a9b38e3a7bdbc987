#include <castell.h>
void f(int n);
void g(void)
{
    f(1);
}
#pragma castell task
void f(int n)
{
    (void)n;
}
