#include <castell.h>
#pragma castell task on_failure(again)
void a(void);
#pragma castell task on_failure(retry)
void b(void);
#pragma castell task on_failure(retry(2), fail, ignore)
void c(void);
#pragma castell task on_failure(retry(n))
void d(int n);
#pragma castell task on_failure(retry(-1))
void e(int n);
#pragma castell task timeout(n)
void f(int n);
#pragma castell task timeout(5MiB)
void g(int n);
