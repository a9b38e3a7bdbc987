#include <castell.h>

void save(const char *path, int n, double *x, double (*m)[16])
{
    static long total;
    unsigned step = 0;

#pragma castell restore(path, step: x[0:n], m[2:4][3:5], total)
#pragma castell checkpoint("state": x[1:n], *x)
#pragma castell checkpoint(n ? path : "", step + 1: m[n])
}
