#include <castell.h>
#pragma castell task device(binary) command("sort {file} {") file_in(file)
void a(const char *file);
#pragma castell task device(binary) command("sort {nothing}") file_in(file)
void b(const char *file);
#pragma castell task command("sort {file}") file_in(file)
void c(const char *file);
#pragma castell task device(binary) command("true")
void d(void)
{
}
struct s { int a; };
#pragma castell task device(binary) command("show {s}")
void e(struct s s);
#pragma castell task stdin(file) file_in(file)
void f(const char *file);
#pragma castell task device(binary) command(sort)
void g(void);
#pragma castell task device(binary) command("cat") stdout(n)
void h(int n);
