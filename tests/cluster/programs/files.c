/*
 * Files and directories as data: `files mix DIR` names all kinds of them in DIR
 * and says what they come to; `files slow DIR` lengthens some for a while; `files
 * die DIR` takes a worker down that has written half of one;
 * `files bad WHAT PATH` does what cannot be done.
 */
#include <castell.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 5, CHAINS = 4, STEPS = 12, LONG = 200000 };

/* ---- Lines of numbers ---------------------------------------------------------- */

static long sum_here(const char *path)
{
    FILE *file = fopen(path, "r");
    long line, all = 0;

    while (file && fscanf(file, "%ld", &line) == 1)
        all += line;
    if (!file || fclose(file) != 0)
        return -1;
    return all;
}

/* Nothing is there, whatever was. */
static int write_lines(const char *path, int lines, int first)
{
    FILE *file = fopen(path, "wx");

    if (!file)
        return 1;
    for (int i = 0; i < lines; i++)
        fprintf(file, "%d\n", first + i * 7 % lines);
    return fclose(file);
}

static int add_line(const char *path, int number)
{
    FILE *file = fopen(path, "a");

    if (!file)
        return 1;
    fprintf(file, "%d\n", number);
    return fclose(file);
}

/* ---- Tasks ----------------------------------------------------------------- */

#pragma castell task file_out(path)
static int make(const char *path, int lines, int first)
{
    return write_lines(path, lines, first);
}

#pragma castell task file_in(path) out(sum [0:1])
static int sum_of(const char *path, int pause_us, long *sum)
{
    usleep((useconds_t)pause_us);
    *sum = sum_here(path);
    return *sum < 0;
}

/* The first attempt leaves rubbish, and fails. */
#pragma castell task file_inout(path) on_failure(retry(1), fail)
static int append(const char *path, int number, int pause_us, int stumbles)
{
    usleep((useconds_t)pause_us);
    if (add_line(path, number) != 0)
        return 1;
    if (!stumbles || castell_task_attempt() != 1)
        return 0;
    return add_line(path, 1000000) + 2;
}

#pragma castell task device(binary) file_in(from) file_out(to)                 \
    command("sort -n") stdin(from) stdout(to)
int sort_lines(const char *from, const char *to);

#pragma castell task device(binary) file_in(from) file_out(to)                 \
    command("sh -c 'head -n {count} \"$0\" >\"$1\"' '{from}' '{to}'")
int head_of(const char *from, const char *to, int count);

static char *in(const char *directory, const char *name)
{
    char *path = malloc(strlen(directory) + strlen(name) + 2);

    if (!path)
        abort();
    sprintf(path, "%s/%s", directory, name);
    return path; /* a few bytes until the end */
}

#pragma castell task dir_out(path)
static int plant(const char *path, int leaves)
{
    char name[32];

    if (mkdir(in(path, "deep"), 0755) != 0 || chmod(path, 0751) != 0 ||
        symlink("deep/leaf 1", in(path, "link")) != 0)
        return 1;
    for (int i = 0; i < leaves; i++) {
        snprintf(name, sizeof(name), "deep/leaf %d", i);
        if (write_lines(in(path, name), 10 + i, i) != 0 ||
            chmod(in(path, name), i % 2 ? 0750 : 0604) != 0)
            return 2;
    }
    return 0;
}

/* Changes a file where it is, which others still read. */
#pragma castell task dir_inout(path)
static int grow(const char *path, int by)
{
    return add_line(in(path, "deep/leaf 0"), by);
}

/* Counts, sizes, permissions and the link of a directory that was planted. */
#pragma castell task dir_in(path) out(sum [0:1])
static int weigh(const char *path, int leaves, int pause_us, long *sum)
{
    struct stat status;
    char name[32], target[64] = "";

    usleep((useconds_t)pause_us);
    if (stat(path, &status) != 0 || (status.st_mode & 0777) != 0751 ||
        readlink(in(path, "link"), target, sizeof(target) - 1) < 0 ||
        strcmp(target, "deep/leaf 1") != 0)
        return 1;
    *sum = 0;
    for (int i = 0; i < leaves; i++) {
        snprintf(name, sizeof(name), "deep/leaf %d", i);
        if (stat(in(path, name), &status) != 0 ||
            (status.st_mode & 0777) != (i % 2 ? 0750u : 0604u))
            return 2;
        *sum = *sum * 31 + sum_here(in(path, name));
    }
    return 0;
}

/* ---- All kinds ---------------------------------------------------------------- */

static void mix(const char *directory)
{
    static long sums[FILES][6], weights[4];
    char *long_one = in(directory, "long.txt");
    char *tree = in(directory, "tree");
    struct castell_access waited = {.is_file = true};

    for (int i = 0; i < FILES; i++) {
        char name[32];
        char *from, *to;

        snprintf(name, sizeof(name), "from %d.txt", i);
        from = in(directory, name);
        snprintf(name, sizeof(name), "to %d.txt", i);
        to = in(directory, name);
        make(from, 10 + i, i);
        sum_of(from, 50000, &sums[i][0]);
        make(from, 20 + i, i); /* while that one still reads */
        append(from, 5, 0, i % 2);
        sum_of(from, 0, &sums[i][1]);
        sort_lines(from, to);
        append(from, 7, 0, 0);
        sum_of(from, 0, &sums[i][2]);
        sum_of(to, 0, &sums[i][3]);
        head_of(to, from, 3);
        sum_of(from, 0, &sums[i][4]);
        waited.base = to;
    }
    make(long_one, LONG, 1);
    append(long_one, 3, 0, 1);
    sum_of(long_one, 0, &sums[0][5]);
    plant(tree, 6);
    weigh(tree, 6, 50000, &weights[0]);
    grow(tree, 100);
    weigh(tree, 6, 0, &weights[1]);
    append(in(tree, "deep/leaf 1"), 1000, 0, 1);
    make(in(tree, "deep/leaf 2"), 5, 1);
    sum_of(in(tree, "link"), 0, &sums[1][5]);
    sum_of(in(tree, "deep/leaf 2"), 0, &sums[2][5]);
    castell_must(castell_wait_on(&waited, 1), "wait");
    printf("waited %ld\n", sum_here(waited.base));
#pragma castell barrier
    for (int i = 0; i < FILES; i++)
        for (int j = 0; j < 6; j++)
            printf("%ld%c", sums[i][j], j < 5 ? ' ' : '\n');
    printf("%ld %ld %ld %ld\n", weights[0], weights[1], sum_here(long_one),
           sum_here(in(tree, "deep/leaf 1")));
    /* What main() has changed itself is what tasks read. */
    if (remove(long_one) != 0 || write_lines(long_one, 10, 1) != 0)
        abort();
    sum_of(long_one, 0, &sums[0][0]);
#pragma castell wait_on(sums [0:FILES] [0:6])
    printf("then %ld\n", sums[0][0]);
}

static void slow(const char *directory)
{
    static long sums[CHAINS][STEPS];
    char *paths[CHAINS];

    for (int i = 0; i < CHAINS; i++) {
        char name[32];

        snprintf(name, sizeof(name), "chain %d", i);
        paths[i] = in(directory, name);
        make(paths[i], 1000, i);
    }
    for (int step = 0; step < STEPS; step++)
        for (int i = 0; i < CHAINS; i++) {
            append(paths[i], step, 40000, 0);
            if (step % 3 == 0)
                sum_of(paths[i], 30000, &sums[i][step]);
            if (step == STEPS / 2)
                make(paths[i], 500 + i, step);
        }
#pragma castell barrier
    for (int i = 0; i < CHAINS; i++) {
        long all = sum_here(paths[i]);

        for (int step = 0; step < STEPS; step += 3)
            all = all * 31 + sums[i][step];
        printf("%ld\n", all);
    }
}

/* ---- A worker dies ------------------------------------------------------------- */

/* The first attempt takes its process along. */
#pragma castell task file_out(path) out(scratch [0:1])
static int make_late(const char *path, int lines, int *scratch)
{
    *scratch = strstr(path, "/castell-scratch-") != NULL;
    if (castell_task_attempt() > 1)
        return write_lines(path, lines, 0);
    (void)write_lines(path, lines / 2, 0);
    return raise(SIGKILL);
}

static void die(const char *directory)
{
    char *path = in(directory, "late");
    static int scratch;

    make_late(path, 10, &scratch);
#pragma castell barrier
    printf("%s %ld\n", scratch ? "scratch" : "seen", sum_here(path));
}

/* ---- What cannot be done ------------------------------------------------------- */

#pragma castell task file_out(path) on_failure(fail)
static int make_directory(const char *path)
{
    return mkdir(path, 0755);
}

#pragma castell task file_out(path) on_failure(fail)
static int make_large(const char *path, int mebibytes)
{
    static char block[1 << 20];
    FILE *file = fopen(path, "w");

    for (int i = 0; file && i < mebibytes; i++)
        if (fwrite(block, sizeof(block), 1, file) != 1)
            return 3;
    return file ? fclose(file) : 1;
}

#pragma castell task file_in(path) on_failure(fail)
static int read_once(const char *path)
{
    return access(path, R_OK);
}

#pragma castell task file_inout(path) on_failure(fail)
static int change(const char *path)
{
    return access(path, W_OK);
}

#pragma castell task dir_in(path) on_failure(fail)
static int list(const char *path)
{
    return access(path, R_OK);
}

static void bad(const char *what, const char *path)
{
    if (strcmp(what, "read") == 0)
        read_once(path);
    else if (strcmp(what, "change") == 0)
        change(path);
    else if (strcmp(what, "list") == 0)
        list(path);
    else if (strcmp(what, "directory") == 0)
        make_directory(path);
    else if (strcmp(what, "large") == 0) {
        make_large(path, 4);
        read_once(path);
    } else {
        make(path, 3, 1);
    }
}

int main(int argc, char **argv)
{
    castell_start(&argc, &argv);
    if (argc == 3 && strcmp(argv[1], "mix") == 0)
        mix(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "slow") == 0)
        slow(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "die") == 0)
        die(argv[2]);
    else if (argc == 4 && strcmp(argv[1], "bad") == 0)
        bad(argv[2], argv[3]);
    return castell_stop();
}
