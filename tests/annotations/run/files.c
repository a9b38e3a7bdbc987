/* Files, and programs as bodies. */
#include <castell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma castell task file_out(path)
static void make(const char *path, int count)
{
    FILE *stream = fopen(path, "w");

    if (!stream)
        abort();
    for (int i = 0; i < count; i++)
        fprintf(stream, "%d line %d\n", i * 7 % count, i);
    fclose(stream);
}

struct text {
    char bytes[5];
};

#pragma castell task file_inout(path)
static int append(const char *path, struct text text)
{
    FILE *stream = fopen(path, "a");

    if (!stream)
        return 1;
    fprintf(stream, "%s\n", text.bytes);
    return fclose(stream);
}

#ifdef CASTELL_SEQUENTIAL
static void sort_file(const char *from, const char *to, int column)
{
    const char *const argv[] = {"sort", "-n", "-k", column == 1 ? "1,1" : "3,3",
                                "-o", to, from, NULL};

    if (castell_execute(argv, NULL, NULL, NULL) != 0)
        abort();
}

static void count_lines(const char *from, const char *to)
{
    const char *const argv[] = {"wc", "-l", NULL};

    if (castell_execute(argv, from, to, NULL) != 0)
        abort();
}
#else
#pragma castell task device(binary) file_in(from) file_out(to)                 \
    command("sort -n -k '{column},{column}' -o \"{to}\" {from}")
void sort_file(const char *from, const char *to, int column);

#pragma castell task device(binary) file_in(from) file_out(to) command("wc -l")\
    stdin(from) stdout(to)
int count_lines(const char *from, const char *to);
#endif

#pragma castell task file_in(path)
static void show(const char *path)
{
    FILE *stream = fopen(path, "r");
    char line[80];

    if (!stream)
        abort();
    while (fgets(line, sizeof(line), stream))
        fputs(line, stdout);
    fclose(stream);
}

int main(int argc, char **argv)
{
    char names[3][64];

    castell_start(&argc, &argv);
    for (int i = 0; i < 3; i++)
        snprintf(names[i], sizeof(names[i]), "castell files %d.%ld", i,
                 (long)getpid());
    make(names[0], 20);
    append(names[0], (struct text){"30 x"});
    sort_file(names[0], names[1], 1);
    count_lines(names[1], names[2]);
#pragma castell barrier
    show(names[1]);
#pragma castell barrier
    show(names[2]);
#pragma castell barrier
    for (int i = 0; i < 3; i++)
        remove(names[i]);
    return castell_stop();
}
