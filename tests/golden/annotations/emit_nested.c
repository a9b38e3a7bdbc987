#include <castell.h>
#define CALL(n, x) half((n) / 2, x); half((n) - (n) / 2, (x) + (n) / 2)
#pragma castell task inout(x[0:n])
void half(int n, double *x)
{
    if (n > 2) {
        CALL(n, x);
#pragma castell barrier
    } else {
        (half)(n, x), (void)n;
    }
}
