/*
 * Programs as bodies: `binary DIR` counts lines of files through sed, with
 * what comes before and after; `binary DIR fail CODE` has one that fails.
 */
#include <castell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES = 6 };

#pragma castell task file_out(path)
static int make(const char *path, int lines)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return 1;
    for (int i = 0; i < lines; i++)
        fprintf(file, "line %d\n", i);
    return fclose(file);
}

/* What it reads and writes are its streams; who runs it is in the note. */
#pragma castell task device(binary) distributed file_in(from)                  \
    in(word [0:strlen(word) + 1]) file_out(to, errors,                         \
                                           note) stdin(from) stdout(to)        \
        stderr(errors) prolog("sh -c 'echo before {number} >\"$0\"' '{note}'") \
            command("sh -c 'sed \"s/line/$0 $1/\"; echo \"$2\" >&2; "          \
                    "echo $PPID >>\"$3\"' {word} {number} {factor} {note}")    \
                epilog("sh -c 'echo after {number} >>\"$0\"' '{note}'")
int filter(const char *from, const char *to, const char *errors,
           const char *note, const char *word, int number, double factor);

#pragma castell task file_in(to, errors, note) out(pid [0:1]) on_failure(fail)
static int check(const char *to, const char *errors, const char *note,
                 int number, long *pid)
{
    char line[100], expected[100];
    FILE *file = fopen(to, "r");
    int lines = 0;

    while (file && fgets(line, sizeof(line), file)) {
        snprintf(expected, sizeof(expected), "row %d %d\n", number, lines++);
        if (strcmp(line, expected) != 0)
            return 2;
    }
    if (!file || fclose(file) != 0 || lines != 10 + number)
        return 3;
    file = fopen(errors, "r");
    snprintf(expected, sizeof(expected), "%d.5\n", number);
    if (!file || !fgets(line, sizeof(line), file) ||
        strcmp(line, expected) != 0)
        return 4;
    fclose(file);
    file = fopen(note, "r");
    if (!file || !fgets(line, sizeof(line), file) ||
        strncmp(line, "before ", 7) != 0 || fscanf(file, "%ld\n", pid) != 1 ||
        !fgets(line, sizeof(line), file) || strncmp(line, "after ", 6) != 0)
        return 5;
    return fclose(file);
}

/* Its note is no file of its own, for those of a task that fails are gone. */
#pragma castell task device(binary) command("sh -c 'exit {code}'")             \
    epilog("touch {note}") in(note [0:strlen(note) + 1])                       \
        on_failure(retry(1), fail)
int leave(const char *note, int code);

/* Not run, because what comes before it fails. */
#pragma castell task device(binary) prolog("sh -c 'exit {code}'")              \
    command("touch {note}") in(note [0:strlen(note) + 1]) on_failure(fail)
int never(const char *note, int code);

static const char *name(const char *directory, const char *what, int number)
{
    char *path = malloc(strlen(directory) + 40);

    if (!path)
        abort();
    sprintf(path, "%s/%s %d", directory, what, number);
    return path; /* a few bytes until the end */
}

static void work(const char *directory)
{
    long pids[FILES];
    int others = 0, different = 0;

    for (int i = 0; i < FILES; i++) {
        const char *to = name(directory, "to", i);
        const char *errors = name(directory, "errors", i);
        const char *note = name(directory, "note", i);

        make(name(directory, "from", i), 10 + i);
        filter(name(directory, "from", i), to, errors, note, "row", i, i + 0.5);
        check(to, errors, note, i, &pids[i]);
    }
#pragma castell wait_on(pids [0:FILES])
    for (int i = 0; i < FILES; i++) {
        others += pids[i] != (long)getpid();
        different += pids[i] != pids[0];
    }
    printf("%d on other nodes, %s\n", others,
           different ? "several" : "all on one");
}

int main(int argc, char **argv)
{
    castell_start(&argc, &argv);
    if (argc == 2)
        work(argv[1]);
    else if (strcmp(argv[2], "fail") == 0)
        leave(name(argv[1], "left", 0), atoi(argv[3]));
    else
        never(name(argv[1], "never", 0), atoi(argv[3]));
    return castell_stop();
}
