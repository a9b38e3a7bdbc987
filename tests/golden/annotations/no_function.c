#include <castell.h>
#pragma castell task
int variable;
#pragma castell task
typedef void f(void);
void g(void)
{
#pragma castell task
    g();
}
#pragma castell task
