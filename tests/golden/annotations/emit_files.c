#include <castell.h>
#pragma castell task file_in(from) file_out(to) device(binary) stdout(to) command("sort -k'{column} {column}' --weight={weight} {from}")
void sort_file(const char *from, const char *to, unsigned column, float weight);
#pragma castell task dir_in(a) dir_out(b) dir_inout(c)
void mix(const char *a, const char *b, const char *c);
void f(void)
{
    mix("a", "b", "c");
    sort_file("a", "b", 2, 0.5f);
}
