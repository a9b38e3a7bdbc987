#include <castell.h>
#pragma castell task in(a[0:b*b], x[0:b*b]) inout(c[0:b*b]) constraint(cores=1, memory=64MiB)
void multiply(int b, const double *a, const double *x, double *c)
{
    for (int i = 0; i < b * b; i++)
        c[i] += a[i] * x[i];
}

#pragma castell task out(x[0:64]) in(*y)
static int set(double *restrict x, const float *y, const int n)
{
    x[0] = *y + n;
    return 0;
}

#pragma castell task
void nothing(void)
{
}

#pragma castell task
void never_called(void)
{
}

int main(int argc, char **argv)
{
    double a[64], c[64];
    float y = 1;

    castell_start(&argc, &argv);
    set(a, &y, 3);
    if (argc > 1)
        multiply(8,
                 a, a,
                 c);
    else
        nothing();
    return castell_stop();
}
