/*
 * Reading options: what is meant by a word, where the program's own arguments
 * begin, and which sentence refuses the rest. And quoting: a shell reads back
 * what was quoted.
 */
#include "harness/tap.h"
#include "launch/launch_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct target {
    char said[256];
};

static enum castell_status note(void *target, const char *name,
                                const char *value)
{
    struct target *t = target;
    size_t used = strlen(t->said);

    (void)snprintf(t->said + used, sizeof(t->said) - used, "%s=%s;", name,
                   value ? value : "-");
    return CASTELL_OK;
}

static const struct cst_option options[] = {
    {"workers", 'n', "N", note},
    {"label", 0, NULL, note},
    {"no-master-tasks", 0, NULL, note},
    {NULL, 0, NULL, NULL},
};

/* Does reading `line` note `said` and leave `rest`? */
static void reads(const char *line, const char *said, const char *rest)
{
    struct cst_words words = {0};
    struct target target = {{0}};
    char **left = NULL;

    cst_words_split(&words, line, " ");
    cst_words_add(&words, "%s", "end");
    ok(cst_options_read(options, &target, words.list, &left) == CASTELL_OK,
       "\"%s\" is read", line);
    ok(strcmp(target.said, said) == 0, "as %s: %s", said, target.said);
    ok(left && strcmp(*left, rest) == 0, "up to %s", rest);
    cst_words_release(&words);
}

/* With options anywhere, are those noted, and these words left? */
static void reads_all(const char *line, const char *said, const char *rest)
{
    struct cst_words words = {0};
    struct target target = {{0}};
    char left[256] = {0};
    char *list[16] = {0}; /* it is left in another order */
    char **at = NULL;

    cst_words_split(&words, line, " ");
    must(words.count < sizeof(list) / sizeof(list[0]), "a short line");
    memcpy(list, words.list, words.count * sizeof(list[0]));
    ok(cst_options_read_all(options, &target, list, &at) == CASTELL_OK &&
           strcmp(target.said, said) == 0,
       "\"%s\" with options anywhere: %s", line, target.said);
    for (; *at; at++)
        (void)snprintf(left + strlen(left), sizeof(left) - strlen(left), "%s;",
                       *at);
    ok(strcmp(left, rest) == 0, "and the words %s", left);
    cst_words_release(&words);
}

static void refuses(const char *line, const char *sentence)
{
    struct cst_words words = {0};
    struct target target = {{0}};
    char **left = NULL;

    cst_words_split(&words, line, " ");
    ok(cst_options_read(options, &target, words.list, &left) ==
           CASTELL_ERR_INVALID,
       "\"%s\" is refused", line);
    ok(strstr(castell_error_text(), sentence) != NULL, "with \"%s\": %s",
       sentence, castell_error_text());
    ok(left == NULL, "and nothing was left over");
    cst_words_release(&words);
}

static void test_options(void)
{
    reads("-n 3", "-n=3;", "end");
    reads("-n3 x", "-n=3;", "x");
    reads("--workers=3 --label", "--workers=3;--label=-;", "end");
    reads("--workers 3", "--workers=3;", "end");
    reads("--workers=", "--workers=;", "end");
    reads("-n -3", "-n=-3;", "end");
    reads("app --label", "", "app");
    reads("- --label", "", "-");
    reads("--label -- --label", "--label=-;", "--label");
    reads_all("dir", "", "dir;");
    reads_all("dir -n 3", "-n=3;", "dir;");
    reads_all("--label a -n3 b --no-master-tasks",
              "--label=-;-n=3;--no-master-tasks=-;", "a;b;");
    reads_all("a --label -- --label -n", "--label=-;", "a;--label;-n;");
    refuses("--wrokers=3", "no option --wrokers; did you mean --workers?");
    refuses("--no-tasks", "there is no option --no-tasks; --help");
    refuses("--work", "did you mean --workers?");
    refuses("-x", "there is no option -x; --help");
    refuses("--label=3", "--label takes no value");
    refuses("--label -n", "-n needs a value: -n N");
    refuses("--an-option-that-is-far-longer-than-any-that-there-is=1",
            "there is no option --an-option-that-is-far-longer");
}

static void test_distance(void)
{
    ok(cst_word_distance("run", "run") == 0, "the same word");
    ok(cst_word_distance("rnu", "run") == 1, "two letters swapped");
    ok(cst_word_distance("submt", "submit") == 1, "one is missing");
    ok(cst_word_distance("", "run") == 3, "all are missing");
    ok(cst_word_distance("kitten", "sitting") == 3, "some of each");
    ok(!cst_word_is_near("top", "run"), "another word is not near");
}

/* What a shell makes of a quoted word. */
static void survives(const char *text)
{
    struct cst_words words = {0};
    char output[256] = "";
    const char *command[] = {"sh", "-c", NULL, NULL};
    struct cst_words line = {0};

    cst_words_add(&line, "printf");
    cst_words_add(&line, "%%s");
    cst_words_add_quoted(&line, text);
    cst_words_add_joined(&words, &line, ' ');
    command[2] = words.list[0];
    ok(cst_capture(command, output, sizeof(output)) == 0 &&
           strcmp(output, text) == 0,
       "the quoted %.*s", (int)strcspn(text, "\n#"), text);
    cst_words_release(&words);
    cst_words_release(&line);
}

static void test_quoting(void)
{
    survives("plain-word_1.0/a:b,c=d@e+f%");
    survives("");
    survives("two words");
    survives("it's");
    survives("'''");
    survives("$HOME `id` \\ \" * ? ; & | < > ( ) # ~ !");
    survives("a\nb\tc");
}

static void put(const char *root, const char *path, const char *text)
{
    char name[256];
    FILE *file;

    (void)snprintf(name, sizeof(name), "mkdir -p %s/$(dirname %s)", root, path);
    if (system(name) != 0) /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
        tap_bail("no directory");
    (void)snprintf(name, sizeof(name), "%s/%s", root, path);
    file = fopen(name, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        tap_bail("no file");
}

static void test_fabric(void)
{
    char root[] = "/tmp/castell-sys.XXXXXX";
    char command[64];

    if (!mkdtemp(root))
        tap_bail("no directory");
    ok(!cst_fabric_find(root), "no network but ordinary ones");
    put(root, "class/infiniband/mlx5_0/ports/1/state", "1: DOWN\n");
    ok(!cst_fabric_find(root), "InfiniBand, but it is down");
    put(root, "class/infiniband/mlx5_1/ports/1/state", "4: ACTIVE\n");
    ok(cst_fabric_find(root), "another port of it is up");
    put(root, "class/infiniband/mlx5_1/ports/1/state", "2: INIT\n");
    ok(!cst_fabric_find(root), "and down");
    put(root, "class/cxi/cxi0", "");
    ok(cst_fabric_find(root), "Slingshot");
    (void)snprintf(command, sizeof(command), "rm -rf %s", root);
    (void)!system(command); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

int main(void)
{
    test_fabric();
    test_options();
    test_distance();
    test_quoting();
    return tap_done();
}
