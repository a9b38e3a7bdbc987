#include <castell.h>
void f(int n);
#pragma castell implements(f)
void g(int n);
