#include <castell.h>
#pragma castell task device(cuda)
void a(void);
#pragma castell task device(opencl)
void b(void);
#pragma castell task device(abacus)
void e(void);
