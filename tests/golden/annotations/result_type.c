#include <castell.h>
#pragma castell task
double f(double x);
#pragma castell task
int main(void)
{
    return 0;
}
