#include <castell.h>
#pragma castell task in(x[0:n]) out(y[0:n]) device(mpi) constraint(nodes=2, cores=4)
void solve(int n, const double *x, double *y);
#pragma castell task inout(x[0:n]) device(mpi) constraint(nodes=n / 100)
void spread(int n, double *x);
void f(double *x, double *y)
{
    solve(10, x, y);
    spread(300, y);
}
