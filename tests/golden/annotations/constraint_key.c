#include <castell.h>
#pragma castell task constraint(core=2)
void f(void);
#pragma castell task constraint(cores=2, memory=1GiB, cores=3)
void g(void);
#pragma castell task constraint(cores)
void h(void);
