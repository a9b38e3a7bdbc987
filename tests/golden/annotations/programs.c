#include <castell.h>
#pragma castell task device(container) command("sort {file}") file_in(file)
void a(const char *file);
#pragma castell task device(container) image("debian")
void b(void)
{
}
#pragma castell task device(binary) image("debian") command("true")
void c(void);
#pragma castell task prolog("true") epilog("false")
void d(void)
{
}
#pragma castell task device(container) image("") command("true") prolog(" ")
void e(void);
#pragma castell task device(binary) command("sort {file}") prolog("{what}") file_in(file)
void f(const char *file);
