/*
 * Start and stop again and again: nothing is left.
 */
#include "api/program.h"

#include <dirent.h>
#include <string.h>

enum { TIMES = 50 };

static int count_entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;

    NEED(directory != NULL, "no /proc");
    while (readdir(directory))
        count++;
    (void)closedir(directory);
    return count;
}

static int add_body(void *const *buffers, const void *argument)
{
    long add;

    memcpy(&add, argument, sizeof(add));
    *(long *)buffers[0] += add;
    return 0;
}

static void zero(void *into, size_t count)
{
    memset(into, 0, count * sizeof(long));
}

static void sum(void *into, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((long *)into)[i] += ((const long *)from)[i];
}

static const struct castell_reduction plus = {sizeof(long), zero, sum};
static struct castell_kind add_kind = {.name = "add", .body = add_body};
static struct castell_kind far_kind = {
    .name = "far", .body = add_body, .flags = CASTELL_ISOLATED, .retries = 1};
static struct castell_task old;

static void run_once(int time)
{
    long one = 1;
    long total = 0;
    long far = 0;
    bool goes_far = time % 10 == 0 && may_fork();
    long *block;

    start((uint32_t)time % 4 + 1);
    if (time > 0)
        ok(castell_task_wait(old) == CASTELL_OK,
           "a task of the run before has ended");
    block = castell_alloc(sizeof(*block) * 1000);
    NEED(block != NULL, "no memory");
    *block = 0;
    GO(castell_group_begin("some"));
    for (int i = 0; i < 50; i++) {
        old = SUBMIT(add_kind, one, ELEMENTS(INOUT, block, (size_t)1));
        SUBMIT(add_kind, one,
               {.base = &total,
                .size = sizeof(total),
                .mode = CASTELL_REDUCTION,
                .reduction = &plus});
    }
    GO(castell_group_end());
    if (goes_far)
        SUBMIT(far_kind, one, ACCESS(INOUT, far));
    GO(castell_wait_on(&(struct castell_access)ELEMENTS(IN, block, (size_t)1),
                       1));
    NEED(*block == 50, "a chain was wrong");
    if (time % 2 == 0)
        castell_free(block);
    stop();
    NEED(total == 50 && far == goes_far, "a sum was wrong");
}

int main(void)
{
    int threads;
    int files;

    run_once(0);
    run_once(1); /* some sanitizers have a thread, once there are several */
    threads = count_entries("/proc/self/task");
    files = count_entries("/proc/self/fd");
    for (int time = 2; time < TIMES; time++)
        run_once(time);
    /* The system takes a moment to forget a thread that was joined. */
    for (int i = 0; i < 100000 && count_entries("/proc/self/task") > threads;
         i++)
        pass_time();
    ok(count_entries("/proc/self/task") <= threads,
       "no thread is left after %d runs", TIMES);
    ok(count_entries("/proc/self/fd") == files, "and no file");
    return tap_done();
}
