#include <castell.h>
#pragma castell task file_in(from) file_out(to) device(container) image("debian:{release}") stdout(to) prolog("mkdir -p spool") command("sort {from}") epilog("rm -r spool{release}")
void sort_file(const char *from, const char *to, int release);
void f(void)
{
    sort_file("a", "b", 12);
}
