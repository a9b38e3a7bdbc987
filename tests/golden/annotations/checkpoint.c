#include <castell.h>

void save(const char *path, int n, double *x, double (*m)[4][4])
{
    int step = 0;

#pragma castell checkpoint(path)
#pragma castell checkpoint(: x[0:n])
#pragma castell checkpoint(path, : x[0:n])
#pragma castell checkpoint(path, step, n: x[0:n])
#pragma castell checkpoint(path, step: )
#pragma castell checkpoint(path, step: x)
#pragma castell checkpoint(path, step: m[0:n][0:4][0:4])
#pragma castell checkpoint(path, none: x[0:n])
#pragma castell restore
#pragma castell task checkpoint(path: x[0:n])
}
