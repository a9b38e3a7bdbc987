/*
 * A second run of a program knows which implementation is best; not when it is
 * told not to, and not from a file that is torn.
 */
#include "base/thread.h"
#include "castell.h"
#include "harness/tap.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TASKS = 20, PATH_SIZE = 600 };

static int slow_runs;

static int slow(void *const *buffers, const void *argument)
{
    const struct timespec pause = {0, 3000000};

    (void)buffers;
    (void)argument;
    slow_runs++;
    return nanosleep(&pause, NULL);
}

static int fast(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    return 0;
}

static struct castell_kind kind = {.name = "work", .body = slow};
static const struct castell_implementation better = {.name = "fast",
                                                     .body = fast};

/* How often the slow one is chosen by a run. */
static int run(void)
{
    const struct castell_options one = {.cores = 1};
    static int x;
    const struct castell_access access = {
        .base = &x, .size = sizeof(x), .mode = CASTELL_INOUT};
    const struct castell_submission task = {
        .kind = &kind, .accesses = &access, .accesses_count = 1};

    slow_runs = 0;
    must(castell_start_with(&one) == CASTELL_OK, "it starts: %s",
         castell_error_text());
    for (int i = 0; i < TASKS; i++)
        must(castell_task_submit(&task, NULL) == CASTELL_OK, "a task");
    must(castell_stop() == 0, "it stops");
    return slow_runs;
}

/* The one file in the directory; how many there are. */
static int find(const char *directory, char path[static PATH_SIZE])
{
    DIR *listing = opendir(directory);
    const struct dirent *entry;
    int count = 0;

    while (listing && (entry = readdir(listing)) != NULL)
        if (strncmp(entry->d_name, "measures-", 9) == 0) {
            (void)snprintf(path, PATH_SIZE, "%s/%s", directory, entry->d_name);
            count++;
        }
    if (listing)
        (void)closedir(listing);
    return count;
}

static void test_all(const char *cache)
{
    char path[PATH_SIZE] = "";

    (void)unsetenv("CASTELL_MEASURES");
    ok(run() == 3, "a first run tries each");
    if (find(cache, path) == 0) {
        tap_skip("a second run", "built without libsodium");
        return;
    }
    ok(find(cache, path) == 1, "it leaves one file");
    ok(run() == 0, "a second one knows");
    ok(find(cache, path) == 1, "and has the same file");
    (void)setenv("CASTELL_MEASURES", "off", 1);
    ok(run() == 3, "unless it is told not to");
    (void)unsetenv("CASTELL_MEASURES");
    must(truncate(path, 40) == 0, "the file is torn");
    ok(run() == 3, "then it tries again");
    ok(run() == 0, "and the file is whole again");
    (void)unlink(path);
}

int main(void)
{
    char cache[] = "/tmp/castell-remember.XXXXXX";

    must(mkdtemp(cache) && setenv("CASTELL_CACHE", cache, 1) == 0 &&
             castell_kind_implement("work", &better) == CASTELL_OK,
         "a place");
    test_all(cache);
    (void)rmdir(cache);
    return tap_done();
}
