/*
 * wordcount - how often each word stands in some text files, by tasks on files.
 *
 * A task's arguments may be files: file_in(path) is read, file_out(path) is
 * written, and tasks that name the same path wait for each other as they would
 * for the same memory. One task counts the words of one text and leaves a
 * table; others merge two tables, in a tree.
 */
#include "common/app.h"
#include "wordcount/words.h"

#include <castell.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#pragma castell task file_in(text) file_out(table) on_failure(fail)
static int count_words(const char *text, const char *table)
{
    return words_count(text, table);
}

#pragma castell task file_in(a, b) file_out(table) on_failure(fail)
static int merge_tables(const char *a, const char *b, const char *table)
{
    return words_merge(a, b, table);
}

/* ---- The tables' files -------------------------------------------------- */

/* A directory for tables, and the paths of those that were named so far. They
   are removed when the program ends, however it does. */
static struct {
    char path[1024];
    char **tables;
    int count, room;
} directory;

static void remove_tables(void)
{
    for (int i = 0; i < directory.count; i++) {
        unlink(directory.tables[i]);
        free(directory.tables[i]);
    }
    free(directory.tables);
    rmdir(directory.path);
}

static void make_directory(int tables)
{
    const char *parent = getenv("TMPDIR");

    snprintf(directory.path, sizeof(directory.path), "%s/wordcount.XXXXXX",
             parent && *parent ? parent : "/tmp");
    directory.tables = calloc((size_t)tables, sizeof(*directory.tables));
    directory.room = tables;
    if (!directory.tables)
        app_die(1, "no memory for %d paths", tables);
    if (!mkdtemp(directory.path))
        app_die(1, "cannot make %s: %s", directory.path, strerror(errno));
    atexit(remove_tables);
}

/* The path of one more table. */
static const char *new_table(void)
{
    char *path = NULL;

    if (directory.count == directory.room ||
        asprintf(&path, "%s/%d", directory.path, directory.count) < 0)
        app_die(1, "no memory for a path");
    directory.tables[directory.count++] = path;
    return path;
}

/* ---- The result --------------------------------------------------------- */

/* A table in memory: counts and, in `text`, words as strings. */
struct row {
    unsigned long count;
    char *word;
};
struct rows {
    char *text;
    struct row *row;
    size_t count;
    unsigned long words; /* the sum of the counts */
};

static struct rows read_table(const char *path)
{
    struct rows rows = {0};
    size_t size, lines = 0;

    if (words_read(path, &rows.text, &size))
        exit(1);
    for (size_t i = 0; i < size; i++)
        lines += rows.text[i] == '\n';
    rows.row = calloc(lines + 1, sizeof(*rows.row));
    if (!rows.row)
        app_die(1, "no memory for %zu words", lines);
    for (char *at = rows.text; rows.count < lines; rows.count++) {
        struct row *row = &rows.row[rows.count];

        row->count = strtoul(at, &row->word, 10);
        row->word++;
        rows.words += row->count;
        at = strchr(row->word, '\n');
        *at++ = '\0';
    }
    return rows;
}

static void free_rows(struct rows *rows)
{
    free(rows->text);
    free(rows->row);
}

/* Often met words first; of two met as often, the one that sorts first. */
static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->word, y->word);
}

static void print_top(struct rows *rows, int top)
{
    qsort(rows->row, rows->count, sizeof(*rows->row), compare_rows);
    for (size_t i = 0; i < rows->count && i < (size_t)top; i++)
        printf("%8lu %s\n", rows->row[i].count, rows->row[i].word);
}

/* ---- The same without tasks --------------------------------------------- */

/* All texts, one after another, with a byte that is no letter behind each. */
static char *join_texts(char **texts, int count, size_t *ret_size)
{
    char *all = NULL;
    size_t used = 0;

    for (int i = 0; i < count; i++) {
        char *text, *larger;
        size_t size;

        if (words_read(texts[i], &text, &size))
            exit(1);
        larger = realloc(all, used + size + 1);
        if (!larger)
            app_die(1, "no memory for all texts");
        all = larger;
        memcpy(all + used, text, size);
        used += size;
        all[used++] = '\n';
        free(text);
    }
    *ret_size = used;
    return all;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sort all words: equal ones then stand side by side, in the table's order. */
static int verify(char **texts, int count, const struct rows *rows)
{
    size_t size, length;
    size_t at = 0, words_count = 0, row = 0, wrong = 0;
    char *all = join_texts(texts, count, &size);
    char **words = calloc(size / 2 + 1, sizeof(*words));

    if (!words)
        app_die(1, "no memory for all words");
    while ((length = words_next(all, size, &at)) > 0) {
        words[words_count++] = all + at - length;
        all[at++] = '\0';
    }
    qsort(words, words_count, sizeof(*words), compare_strings);
    for (size_t first = 0, next; first < words_count; first = next, row++) {
        next = first + 1;
        while (next < words_count && strcmp(words[next], words[first]) == 0)
            next++;
        wrong += row >= rows->count || rows->row[row].count != next - first ||
                 strcmp(rows->row[row].word, words[first]) != 0;
    }
    wrong += row < rows->count ? rows->count - row : 0;
    free(words);
    free(all);
    return app_verdict("rows of the table that differ:", (double)wrong, 0);
}

/* ---- The program -------------------------------------------------------- */

/* Refuse at once what a task would fail on; returns the size in bytes. */
static double check_texts(char **texts, int count)
{
    double bytes = 0;

    if (count == 0)
        app_die(2, "no file is named; --help tells more");
    for (int i = 0; i < count; i++) {
        struct stat status;

        if (stat(texts[i], &status) || access(texts[i], R_OK))
            app_die(2, "cannot read %s: %s", texts[i], strerror(errno));
        if (S_ISDIR(status.st_mode))
            app_die(2, "%s is a directory", texts[i]);
        bytes += (double)status.st_size;
    }
    return bytes;
}

/* Returns the path of the table of all words. */
static const char *count_texts(char **texts, int count)
{
    int first = 0; /* of the tables not yet merged */

    for (int i = 0; i < count; i++)
        count_words(texts[i], new_table());
    for (; directory.count - first > 1; first += 2)
        merge_tables(directory.tables[first], directory.tables[first + 1],
                     new_table());
    #pragma castell barrier
    return directory.tables[first];
}

static const struct app_about about = {
    .name = "wordcount",
    .usage = "[OPTION]... FILE...",
    .text = "Count the words of text files by tasks.",
    .takes_files = true,
};

int main(int argc, char **argv)
{
    int top = 10;
    int check = -1;
    const struct app_option options[] = {
        {"top", "N", "print the N words that are met most", APP_WHOLE, &top, 0,
         1e9},
        {"verify", NULL, "check by sorting all words [up to 64 MB]", APP_SWITCH,
         &check, 0, 0},
        {0},
    };
    int first = app_options(argc, argv, &about, options);
    char **texts = argv + first;
    int count = argc - first;
    double bytes = check_texts(texts, count);
    const char *table;
    struct rows rows;
    double seconds;
    int wrong = 0;

    castell_start(&argc, &argv);
    make_directory(2 * count);
    seconds = app_now();
    table = count_texts(texts, count);
    seconds = app_now() - seconds;

    rows = read_table(table);
    app_begin_line();
    printf("wordcount files=%d cores=%u: %.4f s, %.2f MB/s, %lu words, "
           "%zu different\n",
           count, castell_executors_count(), seconds, bytes / seconds * 1e-6,
           rows.words, rows.count);
    if (check == 1 || (check < 0 && bytes <= 64e6))
        wrong = verify(texts, count, &rows);
    print_top(&rows, top);
    free_rows(&rows);
    return castell_stop() || wrong;
}
