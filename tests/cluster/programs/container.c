/* `container IMAGE INPUT OUTPUT`: a program in a container sorts lines. */
#include <castell.h>
#include <string.h>

#pragma castell task device(container) image("{image}") on_failure(fail)       \
    command("sort -k {column} {from}") file_in(from) file_out(to) stdout(to)   \
        in(image [0:strlen(image) + 1])
int sort_in(const char *image, const char *from, const char *to, int column);

#pragma castell task device(container) image("localhost/castell-test")         \
    command("wc -l") file_in(from) file_out(to) stdin(from) stdout(to)
int count_in(const char *from, const char *to);

int main(int argc, char **argv)
{
    castell_start(&argc, &argv);
    if (argc == 4)
        sort_in(argv[1], argv[2], argv[3], 2);
    else if (argc == 3)
        count_in(argv[1], argv[2]);
    return castell_stop();
}
