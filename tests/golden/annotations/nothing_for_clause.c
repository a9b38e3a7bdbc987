#include <castell.h>
#pragma castell task isolated(1) priority
void f(void);
#pragma castell task priority(1, 2) implements(f, g)
void g(void);
