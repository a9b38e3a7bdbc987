#include <castell.h>
#pragma castell task constraint(cores=0)
void a(void);
#pragma castell task constraint(memory=64XB)
void b(void);
#pragma castell task constraint(cores=4MiB)
void c(void);
#pragma castell task constraint(wall_time=5parsecs)
void d(void);
#pragma castell task constraint(memory=-1)
void e(void);
#pragma castell task constraint(cores="two")
void f(void);
#pragma castell task constraint(arch=1+f())
void g(void);
#pragma castell task constraint(cores=many)
void h(void);
#pragma castell task constraint(gpus=1.5)
void i(void);
#pragma castell task constraint(gpus=2, gpu_memory=1GiB)
void j(void);
