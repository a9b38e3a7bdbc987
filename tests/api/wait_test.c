/*
 * What waits wait for, and what they do not; memory, files, forgetting.
 */
#include "api/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = 32 };

static struct gate gate;
static long values[COUNT];

static int set_body(void *const *buffers, const void *argument)
{
    long *into = buffers[0];
    long number;

    memcpy(&number, argument, sizeof(number));
    *into = number;
    return 0;
}

static int gated_body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    gate_pass(&gate);
    return 0;
}

static struct castell_kind set_kind = {.name = "set", .body = set_body};
static struct castell_kind gated_kind = {.name = "gated", .body = gated_body};

/* A gate that is shut holds back whoever waits for too much: a hang. */
static void hold_back(const long *what, size_t count)
{
    gate_shut(&gate);
    SUBMIT_PLAIN(gated_kind, ELEMENTS(OUT, what, count));
    gate_await(&gate, 1); /* not on top of a wait of main's */
}

static void test_wait_on(void)
{
    struct castell_access one = ACCESS(IN, values[3]);
    struct castell_access several[3] = {
        ACCESS(IN, values[1]),
        ELEMENTS(IN, values + 2, (size_t)4),
        {.base = values + 8,
         .size = 8,
         .rows = 3,
         .pitch = 16,
         .mode = CASTELL_IN},
    };
    long sum = 0;

    start(3);
    hold_back(values + COUNT / 2, COUNT / 2);
    for (long i = 0; i < COUNT / 2; i++)
        SUBMIT(set_kind, i, ACCESS(OUT, values[i]));
    GO(castell_wait_on(&one, 1));
    ok(values[3] == 3, "wait_on waits for the writer of its region");
    GO(castell_wait_on(several, 3));
    for (int i = 1; i < 6; i++)
        sum += values[i];
    ok(sum == 15 && values[8] + values[10] + values[12] == 30,
       "for all writers of several regions, and for no other task");
    gate_open(&gate);
    GO(castell_barrier());
    stop();
}

static void test_partial(void)
{
    struct castell_access low = ELEMENTS(IN, values, (size_t)4);
    struct castell_access across = ELEMENTS(IN, values + 6, (size_t)4);
    long seven = 7;

    start(3);
    memset(values, 0, sizeof(values));
    hold_back(values + 8, 8);
    SUBMIT(set_kind, seven, ELEMENTS(INOUT, values, (size_t)8));
    GO(castell_wait_on(&low, 1));
    ok(values[0] == 7, "a part of what a task writes");
    ok(atomic_load(&gate.open) == 0, "without what lies beside it");
    gate_open(&gate);
    GO(castell_wait_on(&across, 1));
    ok(true, "a region across two tasks' data");
    stop();
}

static void test_task_wait(void)
{
    struct castell_task first;
    struct castell_task task = {0};
    long number = 5;

    start(3);
    first = SUBMIT(set_kind, number, ACCESS(OUT, values[0]));
    hold_back(values + 1, 1);
    GO(castell_task_wait(first));
    ok(values[0] == 5, "a wait for a task is for that one");
    for (long i = 0; i < 3000; i++)
        task = SUBMIT(set_kind, i, ACCESS(OUT, values[2]));
    GO(castell_task_wait(task));
    ok(values[2] == 2999, "for the last of many");
    ok(castell_task_wait(first) == CASTELL_OK && first.slot,
       "a task that ended long ago stays a task");
    gate_open(&gate);
    GO(castell_barrier());
    stop();
}

/* ---- forgetting ----------------------------------------------------------- */

static void test_delete(void)
{
    enum { MANY = 300, ROUNDS = 20 };
    static long many[ROUNDS][MANY];
    struct castell_access first = ACCESS(IN, many[0]);
    struct castell_counters after;
    long one = 1;

    start(2);
    for (int round = 0; round < ROUNDS; round++) {
        struct castell_access all = ACCESS(IN, many[round]);
        bool in_use = round % 2 == 1;

        if (in_use)
            hold_back(many[round], 1);
        for (int i = 0; i < MANY; i++)
            SUBMIT(set_kind, one, ACCESS(OUT, many[round][i]));
        if (!in_use)
            GO(castell_barrier());
        GO(castell_delete(&all, 1));
        if (in_use)
            gate_open(&gate);
        GO(castell_barrier());
        if (in_use) /* then it is kept for a while */
            GO(castell_delete(&all, 1));
    }
    castell_counters(&after);
    ok(after.regions == 0, "what was deleted is forgotten: %d of %d",
       (int)after.regions, ROUNDS * MANY);
    ok(failed_with(castell_delete(&first, 1), CASTELL_ERR_INVALID, "task"),
       "what is forgotten is not known");
    ok(many[0][7] == 1 && many[ROUNDS - 1][MANY - 1] == 1,
       "the memory is the program's");
    stop();
}

/* ---- castell_alloc -------------------------------------------------------- */

static int check_body(void *const *buffers, const void *argument)
{
    const unsigned char *bytes = buffers[0];
    int wanted;

    memcpy(&wanted, argument, sizeof(wanted));
    for (int i = 0; i < 1000; i++)
        if (bytes[i] != wanted)
            return 1;
    return 0;
}

static int fill_body(void *const *buffers, const void *argument)
{
    int wanted;

    memcpy(&wanted, argument, sizeof(wanted));
    memset(buffers[0], wanted, 1000);
    return 0;
}

static struct castell_kind fill_kind = {.name = "fill", .body = fill_body};
static struct castell_kind check_kind = {.name = "check", .body = check_body};

/* Freed at once, while the tasks that use the block have not even started. */
static void test_alloc(uint32_t cores)
{
    start(cores);
    for (int i = 0; i < 2000; i++) {
        int number = i % 251;
        char *block = castell_alloc(1000);

        NEED(block != NULL, "no memory");
        SUBMIT(fill_kind, number, ELEMENTS(OUT, block, (size_t)1000));
        SUBMIT(check_kind, number, ELEMENTS(IN, block, (size_t)1000));
        castell_free(block);
        if (i % 500 == 0)
            GO(castell_barrier());
    }
    GO(castell_barrier());
    ok(castell_barrier() == CASTELL_OK,
       "blocks are freed when the tasks that use them are done, %u executors",
       cores);
    stop();
}

/* ---- files ----------------------------------------------------------------- */

static int write_body(void *const *buffers, const void *argument)
{
    FILE *file = fopen(buffers[0], "a");
    int number;

    memcpy(&number, argument, sizeof(number));
    if (!file)
        return 1;
    (void)fprintf(file, "%d ", number);
    return fclose(file);
}

static struct castell_kind write_kind = {.name = "write", .body = write_body};

static void test_files(void)
{
    char directory[] = "/tmp/castell-wait.XXXXXX";
    char path[64];
    char text[512] = "";
    char wanted[512] = "";
    struct castell_access region = {
        .base = path, .is_file = true, .mode = CASTELL_IN};
    FILE *file;

    NEED(mkdtemp(directory) && chdir(directory) == 0, "no directory");
    start(3);
    for (int i = 0; i < 60; i++) {
        const char *names[] = {"a", "./a", path, ".//a"};

        (void)snprintf(path, sizeof(path), "%s/a", directory);
        SUBMIT(write_kind, i,
               {.base = names[i % 4], .is_file = true, .mode = CASTELL_INOUT});
        (void)snprintf(wanted + strlen(wanted), 8, "%d ", i);
    }
    GO(castell_wait_on(&region, 1));
    file = fopen("a", "r");
    NEED(file && fgets(text, sizeof(text), file), "no file");
    (void)fclose(file);
    ok(strcmp(text, wanted) == 0, "a, ./a and the whole path are one file");
    GO(castell_barrier());
    stop();
    NEED(unlink("a") == 0 && chdir("/") == 0 && rmdir(directory) == 0,
         "the directory stays");
}

int main(void)
{
    test_wait_on();
    test_partial();
    test_task_wait();
    test_delete();
    test_alloc(1);
    test_alloc(4);
    test_files();
    return tap_done();
}
