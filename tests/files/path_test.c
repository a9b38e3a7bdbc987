/*
 * What paths say: against tables, and against a plain model of directories.
 */
#include "files/path.h"
#include "harness/tap.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 200000, PARTS = 8, SIZE = 128 };

static uint64_t state = 5;

static uint32_t draw(uint32_t below)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(state >> 33) % below;
}

static bool cleans(const char *path, const char *wanted)
{
    char text[SIZE];

    (void)snprintf(text, sizeof(text), "%s", path);
    cst_path_clean(text);
    if (strcmp(text, wanted) == 0)
        return true;
    printf("# %s became %s\n", path, text);
    return false;
}

static void test_clean(void)
{
    ok(cleans("/a/b", "/a/b") && cleans("a", "a"), "clean ones stay");
    ok(cleans("//a///b//", "/a/b") && cleans("a/", "a"), "slashes");
    ok(cleans("./a/./b/.", "a/b") && cleans("/./", "/"), "dots");
    ok(cleans("/a/../b", "/b") && cleans("/a/b/../..", "/"), "up again");
    ok(cleans("a/..", ".") && cleans("", ".") && cleans("./.", "."), "nothing");
    ok(cleans("/../a", "/a") && cleans("../a/../..", "../.."), "too far up");
    ok(cleans("/...a/..b", "/...a/..b"), "names that only begin so");
}

/* The parts that a path comes to, by a stack. */
struct model {
    char parts[2 * PARTS][4];
    int count;
};

static void model_walk(struct model *model, const char *path)
{
    char text[SIZE];
    char *next = text;
    char *part;

    (void)snprintf(text, sizeof(text), "%s", path);
    while ((part = strsep(&next, "/"))) {
        bool up = strcmp(part, "..") == 0;

        if (!*part || strcmp(part, ".") == 0)
            continue;
        if (up && model->count > 0)
            model->count--;
        else if (!up)
            (void)snprintf(model->parts[model->count++],
                           sizeof(model->parts[0]), "%s", part);
    }
}

static void append(char *path, const char *part)
{
    size_t at = strlen(path);

    (void)snprintf(path + at, SIZE - at, "%s", part);
}

static void draw_path(char *path, bool absolute)
{
    static const char *const parts[] = {"a", "b", "..", ".", "", "c.d"};
    uint32_t count = draw(PARTS);

    path[0] = '\0';
    if (absolute)
        append(path, "/");
    for (uint32_t i = 0; i < count; i++) {
        append(path, parts[draw(6)]);
        if (i + 1 < count)
            append(path, "/");
    }
}

static void test_model(void)
{
    int wrong = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct model first = {.count = 0}, second = {.count = 0};
        char path[SIZE], clean[SIZE];

        draw_path(path, true);
        memcpy(clean, path, sizeof(clean));
        cst_path_clean(clean);
        model_walk(&first, path);
        model_walk(&second, clean);
        wrong += first.count != second.count || strstr(clean, "//") ||
                 strstr(clean, "..") || strlen(clean) > strlen(path);
        for (int j = 0; j < first.count; j++)
            wrong += strcmp(first.parts[j], second.parts[j]) != 0;
    }
    ok(wrong == 0, "cleaned, a path leads where it led (%d)", wrong);
}

/* Follow a link at `path` by hand, saying when it leaves the top. */
static bool model_escapes(const char *path, const char *target)
{
    char text[SIZE];
    char *next = text;
    char *part;
    int depth = -1; /* of the directory that the link is in */

    if (target[0] == '/')
        return true;
    (void)snprintf(text, sizeof(text), "%s", path);
    while ((part = strsep(&next, "/")))
        depth += *part != '\0';
    (void)snprintf(text, sizeof(text), "%s", target);
    next = text;
    while ((part = strsep(&next, "/"))) {
        if (strcmp(part, "..") == 0)
            depth--;
        else if (*part && strcmp(part, ".") != 0)
            depth++;
        if (depth < 0)
            return true;
    }
    return false;
}

static void test_escapes(void)
{
    int wrong = 0, out = 0;

    for (int i = 0; i < ROUNDS; i++) {
        static const char *const places[] = {"l", "a/l", "a/b/l"};
        const char *place = places[draw(3)];
        char target[SIZE];
        bool escapes;

        draw_path(target, draw(10) == 0);
        escapes = cst_path_escapes(place, target);
        wrong += escapes != model_escapes(place, target);
        out += escapes;
    }
    ok(wrong == 0 && out > 0 && out < ROUNDS, "links that lead out are known");
    ok(cst_path_escapes("l", "..") && cst_path_escapes("l", "a/../..") &&
           !cst_path_escapes("a/l", "../b") && !cst_path_escapes("l", "."),
       "by one step");
}

static void test_in(void)
{
    const char *rest = "";

    ok(cst_path_is_in("/a/b/c", "/a", &rest) && strcmp(rest, "b/c") == 0,
       "below");
    ok(cst_path_is_in("/a", "/a", &rest) && strcmp(rest, "") == 0, "the same");
    ok(!cst_path_is_in("/ab", "/a", NULL) && !cst_path_is_in("/", "/a", NULL),
       "beside");
    ok(cst_path_is_in("/a", "/", &rest) && strcmp(rest, "a") == 0, "the root");
    ok(cst_path_is_inner("a/b") && !cst_path_is_inner("") &&
           !cst_path_is_inner("/a") && !cst_path_is_inner("a/..") &&
           !cst_path_is_inner("a/./b") && cst_path_is_inner("a..b"),
       "what a stream may make");
}

static void test_private(void)
{
    char longest[CST_PATH_NAME_MAX + 1];
    char name[CST_PATH_NAME_MAX + 1];

    cst_path_private("/d/e/f.tar.gz", 12, name);
    ok(strcmp(name, "12-f.tar.gz") == 0, "a private name ends as the file's");
    memset(longest, 'x', sizeof(longest) - 1);
    memcpy(longest + sizeof(longest) - 5, ".txt", 5);
    cst_path_private(longest, UINT64_MAX, name);
    ok(strlen(name) < 140 && strcmp(name + strlen(name) - 4, ".txt") == 0,
       "also when that is too long");
}

int main(void)
{
    test_clean();
    test_model();
    test_escapes();
    test_in();
    test_private();
    return tap_done();
}
