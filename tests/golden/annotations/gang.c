#include <castell.h>
#pragma castell task constraint(nodes=4)
void a(void);
#pragma castell task inout(x[0:n]) constraint(nodes=n)
void b(int n, double *x);
#pragma castell implements(b) device(mpi)
void b_mpi(int n, double *x);
#pragma castell task device(mpi) constraint(nodes=0)
void c(void);
#pragma castell task device(mpi) command("true")
void d(void);
#pragma castell task constraint(nodes=1)
void e(void);
