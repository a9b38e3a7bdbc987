/*
 * What tasks and main() see of files and directories, in one process.
 */
#include "api/program.h"
#include "base/memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ALLOCATIONS = 60 };

static struct gate gate;
static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static char seen[256];      /* the last path that a body got */
static char read_text[256]; /* what readers have read, in order of their ends */

/* ---- Bodies ----------------------------------------------------------------- */

struct words {
    char text[32];
    int fails; /* so many attempts */
    bool waits;
};

static bool add_text(const char *path, const char *text, const char *how)
{
    FILE *file = fopen(path, how);

    return file && fputs(text, file) >= 0 && fclose(file) == 0;
}

static int write_body(void *const *buffers, const void *argument)
{
    const struct words *words = argument;

    if (words->fails == 0) {
        (void)pthread_mutex_lock(&seen_lock);
        (void)snprintf(seen, sizeof(seen), "%s", (const char *)buffers[0]);
        (void)pthread_mutex_unlock(&seen_lock);
    }
    if (words->waits)
        gate_pass(&gate);
    if (!add_text(buffers[0], words->text, "a"))
        return 1;
    return castell_task_attempt() <= (unsigned)words->fails;
}

static int read_body(void *const *buffers, const void *argument)
{
    const struct words *words = argument;
    char text[64] = "";
    FILE *file;
    size_t at;

    if (words->waits)
        gate_pass(&gate);
    file = fopen(buffers[0], "r");
    if (!file)
        return 1;
    if (!fgets(text, sizeof(text), file))
        (void)snprintf(text, sizeof(text), "-");
    at = strlen(read_text);
    (void)snprintf(read_text + at, sizeof(read_text) - at, "%s", text);
    return fclose(file);
}

/* Makes a file in a directory that it gets, which is there. */
static int fill_body(void *const *buffers, const void *argument)
{
    const struct words *words = argument;
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/made", (const char *)buffers[0]);
    return !add_text(path, words->text, "a");
}

static struct castell_kind write_kind = {.name = "write", .body = write_body};
static struct castell_kind again_kind = {
    .name = "again", .body = write_body, .retries = 2};
static struct castell_kind cancel_kind = {
    .name = "cancel",
    .body = write_body,
    .on_failure = CASTELL_CANCEL_SUCCESSORS,
};
static struct castell_kind ignore_kind = {
    .name = "ignore", .body = write_body, .on_failure = CASTELL_IGNORE};
static struct castell_kind child_kind = {
    .name = "child", .body = write_body, .flags = CASTELL_ISOLATED};
static struct castell_kind read_kind = {.name = "read", .body = read_body};
static struct castell_kind fill_kind = {.name = "fill", .body = fill_body};

#define FILE_OF(how, path)                                                     \
    {                                                                          \
        .base = (path), .mode = CASTELL_##how, .is_file = true                 \
    }
#define DIRECTORY_OF(how, path)                                                \
    {                                                                          \
        .base = (path), .mode = CASTELL_##how, .is_file = true,                \
        .is_directory = true                                                   \
    }

static void put(const char *path, const char *text)
{
    NEED(add_text(path, text, "w"), "cannot write a file");
}

static bool holds(const char *path, const char *wanted)
{
    char text[64] = "";
    FILE *file = fopen(path, "r");

    if (!file)
        return strcmp(wanted, "nothing") == 0;
    if (!fgets(text, sizeof(text), file))
        text[0] = '\0';
    (void)fclose(file);
    if (strcmp(text, wanted) != 0)
        printf("# %s holds %s\n", path, text);
    return strcmp(text, wanted) == 0;
}

static bool shell(const char *command)
{
    return system(command) == 0; /* NOLINT: the test's own */
}

static struct words say(const char *text)
{
    struct words words = {.fails = 0};

    (void)snprintf(words.text, sizeof(words.text), "%s", text);
    return words;
}

static struct words wait_and_say(const char *text)
{
    struct words words = say(text);

    words.waits = true;
    return words;
}

static struct words fail_and_say(const char *text, int fails)
{
    struct words words = say(text);

    words.fails = fails;
    return words;
}

static enum castell_status wait_for(const char *path)
{
    const struct castell_access access = FILE_OF(IN, path);

    return castell_wait_on(&access, 1);
}

/* ---- Files ------------------------------------------------------------------- */

static void test_publication(void)
{
    struct words one = say("one"), two = say("two");
    struct castell_task task;

    put("file.txt", "old");
    NEED(chmod("file.txt", 0640) == 0, "no permissions");
    start(2);
    task = SUBMIT(write_kind, one, FILE_OF(OUT, "file.txt"));
    GO(castell_task_wait(task));
    ok(holds("file.txt", "old"), "nobody sees what main has not waited for");
    ok(strstr(seen, "/.castell-") &&
           strcmp(seen + strlen(seen) - 4, ".txt") == 0,
       "the body has a private name, of the same ending");
    GO(wait_for("file.txt"));
    ok(holds("file.txt", "one"), "then the file is another");
    ok(shell("test \"$(stat -c %a file.txt)\" = 640"),
       "of the same permissions");
    SUBMIT(write_kind, two, FILE_OF(INOUT, "./file.txt"));
    GO(wait_for("none.txt"));
    ok(holds("file.txt", "one"), "waiting for another one does nothing");
    GO(castell_barrier());
    ok(holds("file.txt", "onetwo"), "a barrier publishes all");
    SUBMIT(write_kind, one, FILE_OF(OUT, "new"));
    stop();
    ok(holds("new", "one"), "so does the end");
    ok(shell("test \"$(ls -A | tr '\\n' ' ')\" = 'file.txt new '"),
       "and nothing is left");
}

static void test_renaming(void)
{
    struct words held = wait_and_say(""), one = say("one"), two = say("two");
    struct castell_task task;

    read_text[0] = '\0';
    put("file", "old");
    gate_shut(&gate);
    start(2);
    SUBMIT(read_kind, held, FILE_OF(IN, "file"));
    gate_await(&gate, 1);
    SUBMIT(write_kind, one, FILE_OF(OUT, "file"));
    task = SUBMIT(read_kind, one, FILE_OF(IN, "file"));
    GO(castell_task_wait(task));
    ok(strcmp(read_text, "one") == 0, "who overwrites waits for no reader");
    task = SUBMIT(write_kind, two, FILE_OF(OUT, "file"));
    GO(castell_task_wait(task));
    ok(holds("file", "old"), "and the file stays");
    gate_open(&gate);
    GO(wait_for("file"));
    ok(strcmp(read_text, "oneold") == 0 && holds("file", "two"),
       "until they have read what it was");
    SUBMIT(read_kind, two, FILE_OF(IN, "file"));
    GO(castell_barrier());
    ok(strcmp(read_text, "oneoldtwo") == 0, "later ones read the new one");
    stop();
    (void)unlink("file");
}

static void test_failures(void)
{
    struct words twice = fail_and_say("x", 2), ever = fail_and_say("y", 9);
    struct words good = say("z");

    put("file", "old");
    put("other", "old");
    put("third", "old");
    start(2);
    SUBMIT(again_kind, twice, FILE_OF(INOUT, "file"));
    SUBMIT(child_kind, good, FILE_OF(INOUT, "file"));
    SUBMIT(cancel_kind, ever, FILE_OF(INOUT, "other"));
    SUBMIT(ignore_kind, ever, FILE_OF(INOUT, "third"));
    SUBMIT(write_kind, good, FILE_OF(INOUT, "third"));
    GO(castell_barrier());
    ok(holds("file", "oldxz"), "each attempt begins with what there was");
    ok(holds("other", "old"), "one that fails leaves nothing");
    ok(failed_with(wait_for("other"), CASTELL_ERR_CANCELLED, "cancel"),
       "which is said");
    ok(holds("third", "oldyz"), "but where failures are ignored");
    SUBMIT(write_kind, good, FILE_OF(OUT, "other"));
    GO(wait_for("other"));
    ok(holds("other", "z"), "it can be written again");
    ok(shell("test \"$(find .castell-* -type f | wc -l)\" = 1"),
       "nothing but the lock of the private directory is left");
    stop();
    (void)!(unlink("file") || unlink("other") || unlink("third"));
}

/* A device, a link, a directory that does not exist yet. */
static void test_kinds(void)
{
    struct words one = say("one"), two = say("two");

    put("target", "old");
    NEED(symlink("target", "link") == 0, "no link");
    start(1);
    SUBMIT(write_kind, one, FILE_OF(OUT, "/dev/null"));
    SUBMIT(write_kind, one, FILE_OF(OUT, "link"));
    SUBMIT(write_kind, two, FILE_OF(INOUT, "target"));
    GO(castell_barrier());
    ok(strcmp(seen, "/dev/null") != 0, "the last one was another");
    ok(holds("link", "onetwo") && shell("test -L link -a -f target"),
       "a link and what it leads to are one file, and it stays a link");
    SUBMIT(write_kind, one, FILE_OF(OUT, "/dev/null"));
    GO(castell_barrier());
    ok(strcmp(seen, "/dev/null") == 0 && shell("test -c /dev/null"),
       "a device is written where it is");
    stop();
    (void)!(unlink("link") || unlink("target"));
}

static void end_in_the_middle(void)
{
    struct words one = say("one");

    start(1);
    GO(castell_task_wait(SUBMIT(write_kind, one, FILE_OF(OUT, "file"))));
    if (!shell("ls -d .castell-* >/dev/null"))
        _exit(9);
    exit(3);
}

/* exit() in main() removes what is private. */
static void test_exit(void)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0) { /* what such a program leaves in memory is no leak */
        (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
        (void)execl("/proc/self/exe", "task", "exit", (char *)NULL);
        _exit(8);
    }
    NEED(child > 0 && waitpid(child, &status, 0) == child, "no child");
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 3 &&
           shell("test -z \"$(ls -A)\""),
       "a program that ends in the middle leaves nothing");
}

/* ---- Directories ---------------------------------------------------------------- */

static void fill(const char *path, struct words words, enum castell_mode mode)
{
    struct castell_access access = DIRECTORY_OF(INOUT, path);

    access.mode = mode;
    (void)submit(&fill_kind, &words, sizeof(words), &access, 1);
}

static void test_directories(void)
{
    struct words one = say("one"), two = say("two"), held = wait_and_say("");

    read_text[0] = '\0';
    start(2);
    fill("tree", one, CASTELL_OUT);
    SUBMIT(write_kind, two, FILE_OF(INOUT, "tree/made"));
    SUBMIT(write_kind, two, FILE_OF(OUT, "tree/more"));
    SUBMIT(read_kind, one, FILE_OF(IN, "tree/made"));
    fill("tree", two, CASTELL_INOUT);
    ok(holds("tree/made", "nothing"), "a directory is not seen before");
    GO(wait_for("tree/more"));
    ok(strcmp(read_text, "onetwo") == 0, "what is in it is in its order");
    ok(holds("tree/made", "onetwotwo") && holds("tree/more", "two"),
       "and is published with it");
    fill("tree", one, CASTELL_OUT);
    GO(castell_barrier());
    ok(holds("tree/made", "one") && holds("tree/more", "nothing"),
       "a directory is replaced as a whole");
    /* Files first, then the directory that they are in. */
    gate_shut(&gate);
    read_text[0] = '\0';
    NEED(mkdir("late", 0755) == 0, "no directory");
    put("late/file", "old");
    SUBMIT(read_kind, held, FILE_OF(IN, "late/file"));
    SUBMIT(write_kind, one, FILE_OF(OUT, "late/file"));
    SUBMIT(write_kind, one, FILE_OF(OUT, "late/made"));
    gate_await(&gate, 1);
    gate_open(&gate);
    fill("late", two, CASTELL_INOUT);
    SUBMIT(read_kind, one, FILE_OF(IN, "late/made"));
    GO(castell_barrier());
    ok(strcmp(read_text, "oldonetwo") == 0,
       "a directory comes after the files in it that tasks have named");
    ok(holds("late/file", "one") && holds("late/made", "onetwo"),
       "all is there");
    stop();
    ok(shell("test -z \"$(find . -name '.castell*')\" && rm -r tree late"),
       "nothing is left in directories");
}

static void refused(struct castell_access *accesses, size_t count,
                    const char *words, const char *what)
{
    struct castell_submission submission = {
        .kind = &write_kind, .accesses = accesses, .accesses_count = count};

    ok(failed_with(castell_task_submit(&submission, NULL), CASTELL_ERR_INVALID,
                   words),
       "%s is refused", what);
}

static void test_refusals(void)
{
    struct words one = say("one");
    struct castell_access both[] = {DIRECTORY_OF(IN, "tree"),
                                    FILE_OF(OUT, "tree/x")};
    struct castell_access inner[] = {FILE_OF(IN, "new/x"),
                                     DIRECTORY_OF(IN, "new")};
    struct castell_access two[] = {FILE_OF(IN, "tree/x"),
                                   FILE_OF(OUT, "tree/y")};
    struct castell_access wrong[] = {FILE_OF(IN, "tree")};

    start(1);
    fill("tree", one, CASTELL_OUT);
    refused(both, 2, "accesses 0 and 1 overlap tree", "a file in a directory");
    refused(inner, 2, "access 1 directory new overlap", "the other way round");
    refused(two, 2, "accesses 0 and 1 overlap tree", "two files, one written");
    refused(wrong, 1, "as a file, and as a directory", "another kind of thing");
    stop();
    (void)shell("rm -r tree");
}

/* ---- Without memory ----------------------------------------------------------------- */

static void test_memory(void)
{
    struct words one = say("one");
    struct castell_access accesses[] = {FILE_OF(INOUT, "file"),
                                        FILE_OF(OUT, "sub/other")};
    struct castell_submission submission = {
        .kind = &write_kind,
        .accesses = accesses,
        .accesses_count = 2,
        .argument = &one,
        .argument_size = sizeof(one),
    };
    int refused_ones = 0, others = 0;

    NEED(mkdir("sub", 0755) == 0, "no directory");
    start(1);
    for (uint64_t i = 0; i < ALLOCATIONS; i++) {
        enum castell_status status;

        cst_alloc_fail_after(i);
        status = castell_task_submit(&submission, NULL);
        cst_alloc_fail_after(UINT64_MAX);
        refused_ones += status == CASTELL_ERR_NO_MEMORY;
        others += status != CASTELL_OK && status != CASTELL_ERR_NO_MEMORY &&
                  status != CASTELL_ERR_SYSTEM;
    }
    GO(castell_barrier());
    ok(refused_ones > 5 && others == 0,
       "submissions fail without memory (%d), and no other way", refused_ones);
    stop();
    ok(shell("rm file && rmdir sub || rm -r sub"), "and nothing is left");
}

int main(int argc, char **argv)
{
    char directory[] = "/tmp/castell-files.XXXXXX";

    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        end_in_the_middle();
    NEED(mkdtemp(directory) && chdir(directory) == 0, "no directory");
    (void)umask(022);
    test_publication();
    NEED(shell("rm file.txt new"), "files are missing");
    test_renaming();
    test_failures();
    test_kinds();
    test_exit();
    test_directories();
    test_refusals();
    test_memory();
    NEED(chdir("/") == 0, "no root");
    ok(rmdir(directory) == 0, "nothing is left");
    return tap_done();
}
