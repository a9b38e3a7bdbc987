#include <castell.h>
#pragma castell task
void f(int n, ...);
