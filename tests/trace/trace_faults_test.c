/*
 * Whatever happens to the disk, to memory or to the file, the run goes on: a
 * trace that cannot be opened is refused with a sentence, one that cannot be
 * written ends with a warning, and any bytes are read as some trace or none.
 */
#include "base/memory.h"
#include "harness/tap.h"
#include "history/history.h"
#include "report/report.h"
#include "trace/trace.h"
#include "trace/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ALLOCATIONS_MAX = 100, MUTATIONS = 3000, NAME_SIZE = 128 };

static char directory[WORLD_PATH_SIZE];
static FILE *nowhere;

static void test_no_directory(void)
{
    struct cst_trace *trace = NULL;
    const char *file = world_path(directory, "graph");
    const char *below = world_path(directory, "graph/traces");

    world_write(file, "", 0);
    ok(cst_trace_open(below, 1, &trace) == CASTELL_ERR_SYSTEM &&
           strstr(castell_error_text(), below),
       "below a file: %s", castell_error_text());
    ok(cst_trace_open(file, 1, &trace) == CASTELL_ERR_SYSTEM, "a file: %s",
       castell_error_text());
    ok(cst_trace_open("", 1, &trace) == CASTELL_ERR_SYSTEM, "no name: %s",
       castell_error_text());
    ok(cst_trace_open("/proc/castell", 1, &trace) == CASTELL_ERR_SYSTEM,
       "no place for one: %s", castell_error_text());
    ok(trace == NULL, "a failing call leaves its ret_ arguments alone");
}

static void test_nested_directory(void)
{
    struct cst_trace *trace = NULL;
    char below[WORLD_PATH_SIZE];
    char deeper[WORLD_PATH_SIZE];

    (void)snprintf(below, sizeof(below), "%s", world_path(directory, "a"));
    (void)snprintf(deeper, sizeof(deeper), "%s", world_path(below, "b/"));
    must(cst_trace_open(deeper, 1, &trace) == CASTELL_OK,
         "directories are made as needed");
    cst_trace_close(trace);
    ok(world_find(deeper, "events-") != NULL, "and its file is there");
    world_close(deeper);
    (void)rmdir(below);
}

/* The file that the first trace of this process is going to have. */
static const char *events_path(void)
{
    char host[NAME_SIZE] = "";
    char name[2 * NAME_SIZE];

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(name, sizeof(name), "events-%s-%ld.bin", host,
                   (long)getpid());
    return world_path(directory, name);
}

static int open_on_full_disk(void)
{
    struct cst_trace *trace = NULL;

    if (symlink("/dev/full", events_path()) != 0)
        return EXIT_FAILURE;
    if (cst_trace_open(directory, 1, &trace) != CASTELL_ERR_SYSTEM)
        return EXIT_FAILURE;
    (void)fprintf(stderr, "%s", castell_error_text());
    return EXIT_SUCCESS;
}

static void write_tasks(struct cst_trace *trace, int count)
{
    for (int i = 0; i < count; i++) {
        cst_trace_event(trace, CST_TRACE_STARTED, (uint64_t)i, 0, 1);
        cst_trace_event(trace, CST_TRACE_ENDED, (uint64_t)i, 0, 0);
    }
}

/* The disk fills up while the trace is written. */
static int write_to_full_disk(void)
{
    struct cst_trace *trace = NULL;

    if (!world_limit_files(100000) ||
        cst_trace_open(directory, 1, &trace) != CASTELL_OK)
        return EXIT_FAILURE;
    write_tasks(trace, 10000);
    while (cst_trace_lost(trace) == 0) /* another thread writes */
        write_tasks(trace, 10);
    write_tasks(trace, 1000);
    cst_trace_close(trace);
    return EXIT_SUCCESS;
}

static void test_full_disk(void)
{
    char *said = world_said_by(directory, open_on_full_disk);

    must(said != NULL, "a full disk: no trace opens");
    ok(strstr(said, "No space left"), "and it says why: %s", said);
    free(said);
    world_close(directory);
    world_open(directory);

    said = world_said_by(directory, write_to_full_disk);
    must(said != NULL, "a disk that fills up ends a trace, and no run");
    ok(world_lines(said) == 2 && strstr(said, "the trace ends here") &&
           strstr(said, "events are not in the trace"),
       "it is said once, and how much is missing");
    printf("# %s", said);
    ok(world_find(directory, "events-"), "and what was written stays");
    free(said);
}

/* A small trace with all kinds of chunks and events in it. */
static char *small_trace(size_t *ret_size)
{
    static const struct cst_trace_node node = {0, 2, 1 << 20, 1 << 20};
    static const struct cst_trace_sync sync = {100, 200, 30};
    struct cst_trace_record group[] = {
        {.task = 8, .event = CST_TRACE_SUBMITTED, .kind = 100, .value = 3},
        {.ticks = 7, .event = CST_TRACE_PARENT},
        {4096, 64, CST_TRACE_ACCESS, CASTELL_INOUT, 3},
        {.ticks = 128, .event = CST_TRACE_PITCH}};
    struct cst_trace *trace = NULL;
    const char *path;

    must(cst_trace_open(directory, 1, &trace) == CASTELL_OK, "a trace opens");
    cst_trace_thread(trace, 0);
    cst_trace_kind(trace, 0, "a kind");
    cst_trace_kind(trace, 100, "another");
    cst_trace_node(trace, &node, "a run");
    cst_trace_sync(trace, &sync);
    cst_trace_text(trace, CST_TRACE_MARK, 7, "a mark");
    cst_trace_text(trace, CST_TRACE_NODE_GONE, 3, "why");
    cst_trace_write_group(trace, group, 4);
    for (int event = CST_TRACE_SUBMITTED; event < CST_TRACE_EVENTS_END; event++)
        cst_trace_event(trace, (enum cst_trace_event)event, 7, 100, 1);
    for (int event = CST_TRACE_PARENT; event <= CST_TRACE_SIZE; event++)
        cst_trace_event(trace, (enum cst_trace_event)event, 7, 100, 1);
    write_tasks(trace, 5);
    cst_trace_close(trace);
    path = world_find(directory, "events-");
    must(path != NULL, "there is its file");
    return world_read(path, ret_size);
}

/* Is what is in the directory a history, or none? */
static bool is_total(const void *bytes, size_t size)
{
    const char *events = world_path(directory, "events-x.bin");
    struct cst_history *history = NULL;
    enum castell_status status;

    /* A new file: some file systems wait for the disk when one is replaced. */
    (void)unlink(events);
    world_write(events, bytes, size);
    status = cst_history_open(directory, &history);
    if (status < 0)
        return status == CASTELL_ERR_INVALID;
    cst_report_json(history, nowhere);
    status = cst_report_chrome(history, nowhere);
    cst_history_close(history);
    return status == CASTELL_OK;
}

static void test_damaged(void)
{
    size_t size;
    char *bytes = small_trace(&size);
    char *changed = malloc(size);
    struct cst_history *none = NULL;
    uint32_t seed = 12345;
    size_t bad = 0;

    must(changed != NULL, "memory");
    must((nowhere = fopen("/dev/null", "we")) != NULL, "/dev/null");
    world_close(directory);
    world_open(directory);
    for (size_t i = 0; i < size; i += i < 200 ? 1 : 7)
        bad += !is_total(bytes, i);
    ok(bad == 0, "a file cut short anywhere is a trace or none");
    for (int i = 0; i < MUTATIONS; i++) {
        memcpy(changed, bytes, size);
        for (int change = 0; change < 1 + i % 4; change++) {
            seed = seed * 1664525 + 1013904223;
            changed[(seed >> 8) % size] ^= (char)(1 << (seed >> 4) % 8);
        }
        bad += !is_total(changed, size);
    }
    ok(bad == 0, "so is one with bits changed, %d times", MUTATIONS);
    ok(cst_history_open("/nonexistent", &none) == CASTELL_ERR_SYSTEM && !none,
       "and no directory is an error: %s", castell_error_text());
    (void)fclose(nowhere);
    free(changed);
    free(bytes);
}

static void test_no_memory(void)
{
    bool failed = true;
    int n;
    size_t size;
    char *bytes;

    for (n = 1; n < ALLOCATIONS_MAX && failed; n++) {
        struct cst_trace *trace = NULL;
        enum castell_status status;

        cst_alloc_fail_after((uint64_t)n);
        status = cst_trace_open(directory, 1, &trace);
        if (status == CASTELL_OK) {
            cst_trace_kind(trace, 1, "kind");
            write_tasks(trace, 3);
            cst_trace_close(trace);
        } else if (status != CASTELL_ERR_NO_MEMORY || trace) {
            break;
        }
        failed = !cst_alloc_fail_pending();
        cst_alloc_fail_after(0);
    }
    ok(!failed, "each of %d allocations of a trace may fail", n - 2);
    world_close(directory);
    world_open(directory);

    bytes = small_trace(&size);
    world_close(directory);
    world_open(directory);
    world_write(world_path(directory, "events-x.bin"), bytes, size);
    free(bytes);
    failed = true;
    for (n = 1; n < ALLOCATIONS_MAX && failed; n++) {
        struct cst_history *history = NULL;
        enum castell_status status;

        cst_alloc_fail_after((uint64_t)n);
        status = cst_history_open(directory, &history);
        failed = !cst_alloc_fail_pending();
        cst_alloc_fail_after(0);
        if (status == CASTELL_OK)
            cst_history_close(history);
        if (failed && status != CASTELL_ERR_NO_MEMORY)
            break;
    }
    ok(!failed, "and each of %d of reading one", n - 2);
}

int main(void)
{
    /* The first must be first: the names of later traces are longer. */
    void (*const tests[])(void) = {test_full_disk, test_no_directory,
                                   test_nested_directory, test_damaged,
                                   test_no_memory};

    for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
        world_open(directory);
        tests[i]();
        world_close(directory);
    }
    return tap_done();
}
