#include <castell.h>
#pragma castell task label("a") label("b")
void f(void);
