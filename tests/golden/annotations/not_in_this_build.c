#include <castell.h>
#pragma castell task dir_in(path)
void b(const char *path);
#pragma castell task dir_out(path)
void c(const char *path);
#pragma castell task dir_inout(path)
void d(const char *path);
