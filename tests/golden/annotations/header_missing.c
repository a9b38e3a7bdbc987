#pragma castell task
void f(void);
