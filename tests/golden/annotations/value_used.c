#include <castell.h>
#pragma castell task
int f(int n)
{
    return n > 3;
}
int main(void)
{
    int r = f(1), s;
    f(2);
    (void)f(3);
    if (f(4))
        f(5);
    s = 1, f(6);
    for (f(7); r < s; r++)
        f(8);
    while (f(9) + 1)
        ;
    return f(10);
}
