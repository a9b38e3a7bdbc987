#include <castell.h>
#pragma castell task
void f(void), g(void);
