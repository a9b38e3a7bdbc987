/*
 * Files and directories are copied, and go as bytes, whatever the pieces; bytes
 * without sense make nothing outside of the name that they are for.
 */
#include "base/fail.h"
#include "files/stream.h"
#include "files/tree.h"
#include "harness/tap.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STREAM_MAX = 1 << 20, GARBAGE = 3000 };

static uint64_t state = 3;

static uint32_t draw(uint32_t below)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(state >> 33) % below;
}

static bool shell(const char *command)
{
    return system(command) == 0; /* NOLINT: the test's own */
}

static void make_tree(void)
{
    if (!shell("mkdir -p t/a/b t/empty && seq 30000 >t/a/large && : >t/none && "
               "echo x >'t/a b' && ln -s a/large t/link && "
               "ln -s ../../none t/a/b/up && ln -s nowhere t/a/dangling && "
               "chmod 700 t/a && chmod 444 t/none && chmod 4755 t/a/large && "
               "chmod 555 t/empty && chmod 751 t"))
        tap_bail("no tree");
}

/* The same names, contents, permissions, links. */
static bool same_trees(const char *a, const char *b)
{
    char command[512];

    (void)snprintf(
        command, sizeof(command),
        "cd %s && find . ! -type d -printf '%%P %%m %%s %%l\\n' -o -printf "
        "'%%P %%m\\n' | sort >../one && cd ../%s && find . ! -type d -printf "
        "'%%P %%m %%s %%l\\n' -o -printf '%%P %%m\\n' | sort >../two && cd .. "
        "&& diff one two && diff -r --no-dereference %s %s",
        a, b, a, b);
    return shell(command);
}

static bool error_says(const char *words)
{
    bool good = strstr(castell_error_text(), words) != NULL;

    if (!good)
        printf("# %s\n", castell_error_text());
    return good;
}

static void test_copy(void)
{
    ok(cst_tree_copy("t", "copy") == CASTELL_OK && same_trees("t", "copy"),
       "a directory is copied");
    ok(cst_tree_bytes("copy") == cst_tree_bytes("t") &&
           cst_tree_bytes("t") > 100000,
       "its files are counted");
    ok(cst_tree_sync("copy") == CASTELL_OK, "it is written to disk");
    ok(cst_tree_copy("t", "copy") != CASTELL_OK && error_says("copy: File"),
       "not over another");
    cst_tree_remove("copy");
    ok(access("copy", F_OK) != 0, "a directory is removed");
    ok(cst_tree_copy("t/a/large", "copy") == CASTELL_OK &&
           shell("cmp t/a/large copy && test \"$(stat -c %a copy)\" = 4755"),
       "a file is copied");
    cst_tree_remove("copy");
    cst_tree_remove("copy");
    ok(cst_tree_copy("no", "copy") != CASTELL_OK && error_says("No such file"),
       "not what is not there");
    if (!shell("ln -s /etc t/a/out"))
        tap_bail("no link");
    ok(cst_tree_copy("t", "copy") != CASTELL_OK &&
           error_says("link t/a/out leads out of its directory, to /etc") &&
           access("copy", F_OK) != 0,
       "not links that lead out");
    (void)unlink("t/a/out");
    if (mkfifo("t/a/pipe", 0600) != 0)
        tap_bail("no pipe");
    ok(cst_tree_copy("t", "copy") != CASTELL_OK &&
           error_says("t/a/pipe is neither") && access("copy", F_OK) != 0,
       "nor pipes");
    (void)unlink("t/a/pipe");
}

/* All of a stream, read in pieces; 0: it failed. */
static size_t read_all(const char *path, uint8_t *into, uint32_t piece)
{
    struct cst_stream *stream;
    bool last = false;
    size_t all = 0;

    if (cst_stream_open(path, &stream) != CASTELL_OK)
        return 0;
    while (!last) {
        size_t size = 0;

        if (cst_stream_read(stream, into + all, 1 + draw(piece), &size,
                            &last) != CASTELL_OK) {
            all = 0;
            break;
        }
        all += size;
    }
    cst_stream_close(stream);
    return all;
}

static bool write_all(const char *path, const uint8_t *bytes, size_t size,
                      uint32_t piece)
{
    struct cst_unstream *unstream;
    enum castell_status status = CASTELL_OK;
    bool whole;

    if (cst_unstream_open(path, "it", &unstream) != CASTELL_OK)
        return false;
    while (size > 0 && status == CASTELL_OK) {
        size_t some = 1 + draw(piece);

        if (some > size)
            some = size;
        status = cst_unstream_write(unstream, bytes, some);
        bytes += some;
        size -= some;
    }
    whole = cst_unstream_close(unstream);
    return whole && status == CASTELL_OK;
}

static void test_streams(uint8_t *bytes)
{
    bool good = true, cut = true;
    size_t size = 0;

    for (uint32_t piece = 1; piece < 300000; piece *= 7) {
        size = read_all("t", bytes, piece);
        good = good && size > 0 && write_all("copy", bytes, size, piece) &&
               same_trees("t", "copy");
        cst_tree_remove("copy");
    }
    ok(good, "a directory goes as bytes, in pieces of any size");
    for (size_t end = 0; end < size; end += 1 + draw(2000)) {
        cut = cut && !write_all("copy", bytes, end, 4000);
        cst_tree_remove("copy");
    }
    ok(cut, "a part of them is not whole");
    bytes[size] = 0;
    ok(!write_all("copy", bytes, size + 1, 4000) && error_says("no sense"),
       "nor more of them");
    cst_tree_remove("copy");
    size = read_all("t/a/large", bytes, 5000);
    ok(size > 0 && write_all("copy", bytes, size, 5000) &&
           shell("cmp t/a/large copy"),
       "a file goes as bytes");
    cst_tree_remove("copy");
    size = read_all("t/none", bytes, 5000);
    ok(size > 0 && write_all("copy", bytes, size, 1) &&
           shell("test -f copy -a ! -s copy"),
       "an empty one too");
    cst_tree_remove("copy");
    ok(symlink("../..", "t/a/out") == 0 && read_all("t", bytes, 5000) == 0 &&
           error_says("leads out"),
       "not a link that leads out");
    (void)unlink("t/a/out");
}

/* A record, as they come. */
static size_t put_record(uint8_t *at, uint8_t what, const char *path,
                         const char *target)
{
    uint64_t target_size = target ? strlen(target) : 0;
    uint16_t path_size = (uint16_t)strlen(path);
    uint32_t mode = 0700;

    memset(at, 0, 16);
    at[0] = what;
    memcpy(at + 2, &path_size, 2);
    memcpy(at + 4, &mode, 4);
    memcpy(at + 8, &target_size, 8);
    /* Their sizes are with them. NOLINTBEGIN(bugprone-not-null-*) */
    memcpy(at + 16, path, path_size);
    if (target)
        memcpy(at + 16 + path_size, target, target_size);
    /* NOLINTEND(bugprone-not-null-*) */
    return 16 + path_size + (size_t)target_size;
}

static void refuses(uint8_t what, const char *path, const char *target,
                    const char *name)
{
    uint8_t bytes[256];
    size_t size = put_record(bytes, 2, "", NULL); /* a directory */

    size += put_record(bytes + size, what, path, target);
    ok(!write_all("copy", bytes, size, 100) && access("out", F_OK) != 0 &&
           error_says("no sense"),
       "%s is refused", name);
    cst_tree_remove("copy");
}

static void test_garbage(uint8_t *bytes)
{
    size_t size;
    int whole = 0;

    refuses(2, "../out", NULL, "a directory outside");
    refuses(2, "a/../../out", NULL, "also by a way round");
    refuses(2, "/tmp/out", NULL, "an absolute one");
    refuses(4, "link", "../out", "a link that leads out");
    refuses(4, "", "x", "a link in place of all");
    refuses(9, "x", NULL, "what there is not");
    if (!shell("mkdir -p small/d && echo 1 >small/d/e && "
               "ln -s d/e small/link"))
        tap_bail("no tree");
    (void)!chdir("nest");
    size = read_all("../small", bytes, 5000);
    if (size == 0)
        tap_bail("no stream");
    for (int i = 0; i < GARBAGE; i++) {
        uint32_t changes = 1 + draw(4);

        for (uint32_t j = 0; j < changes; j++)
            bytes[draw((uint32_t)size)] = (uint8_t)draw(256);
        whole += write_all("copy", bytes, size, 50);
        cst_tree_remove("copy");
        if (i % 4 == 0)
            size = read_all("../small", bytes, 5000);
    }
    ok(shell("test -z \"$(ls -A .)\"") && chdir("..") == 0 &&
           shell("test \"$(ls -A | tr '\\n' ' ')\" = 'nest one small t two '"),
       "of garbage nothing is left (%d were whole)", whole);
}

int main(void)
{
    char directory[] = "/tmp/castell-stream.XXXXXX";
    uint8_t *bytes = malloc(STREAM_MAX);

    if (!bytes || !mkdtemp(directory) || chdir(directory) != 0 ||
        mkdir("nest", 0700) != 0)
        tap_bail("no directory");
    (void)umask(022);
    make_tree();
    test_copy();
    test_streams(bytes);
    test_garbage(bytes);
    free(bytes);
    cst_tree_remove(directory);
    ok(access(directory, F_OK) != 0, "all is removed");
    return tap_done();
}
