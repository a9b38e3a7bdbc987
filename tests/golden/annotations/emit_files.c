#include <castell.h>
#pragma castell task file_in(from) file_out(to) device(binary) stdout(to) command("sort -k'{column} {column}' --weight={weight} {from}")
void sort_file(const char *from, const char *to, unsigned column, float weight);
void f(void)
{
    sort_file("a", "b", 2, 0.5f);
}
