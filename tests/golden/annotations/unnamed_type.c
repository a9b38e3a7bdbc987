#include <castell.h>
#pragma castell task
void f(struct { int a; } s);
