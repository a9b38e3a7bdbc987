/*
 * Why a task started when and where it did, in runs whose answer is known: it
 * waited for another, for data, for a core, for memory, for a retry.
 */
#include "harness/tap.h"
#include "history/forge.h"
#include "report/report.h"
#include "trace/world.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000000ULL

enum { PLACE = 4096, MB = 1000000 };

static char directory[WORLD_PATH_SIZE];

/* What is said of a task, or a kind; free() it. */
static char *explain(const char *what)
{
    struct cst_history *history = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    must(to && cst_history_open(directory, &history) == CASTELL_OK,
         "a history");
    must(cst_report_explain(history, what, to) == CASTELL_OK, "explained");
    (void)fclose(to);
    cst_history_close(history);
    return text;
}

static void says(const char *what, const char *sentence)
{
    char *text = explain(what);
    bool good = strstr(text, sentence) != NULL;

    ok(good, "of %s: %s", what, sentence);
    if (!good)
        (void)printf("# but:\n# %s\n", text);
    free(text);
}

static void next_run(void)
{
    world_close(directory);
    world_open(directory);
}

/* 2 waits for 1, and then for the core, where 3 runs; 4 waits for 2. */
static void test_others_and_core(void)
{
    const struct forge_access write = {CASTELL_INOUT, PLACE};
    struct forge *forge = forge_open(directory, 0, 1, 0, 0);

    forge_submit(forge, 0, 1, &write, 1);
    forge_submit(forge, 0, 2, &write, 1);
    forge_submit(forge, 0, 3, NULL, 0);
    forge_submit(forge, 0, 4, &write, 1);
    forge_event(forge, 0, 0, CST_TRACE_WAIT_BEGIN, 0, 0);
    forge_run(forge, 0, 1, 0, 0, 10 * MS);
    forge_run(forge, 0, 3, 0, 10 * MS, 25 * MS);
    forge_run(forge, 0, 2, 10 * MS, 25 * MS, 30 * MS);
    forge_run(forge, 0, 4, 30 * MS, 30 * MS, 40 * MS);
    forge_close(forge, 40 * MS);
    says("2", "task 2 (work) was submitted by main(), 0 ns after the run");
    says("2", "It depends on 1 task; the last of them to be complete was task "
              "1 (work), 10 ms after the run began: so it waited 10 ms");
    says("2", "It was ready, and 15 ms later it started on core 0 of node 0, "
              "which until then had run task 3 (work).");
    says("2", "What it waited for last had run on that core.");
    says("2", "Its body ran 5 ms; the median of its kind is 10 ms.");
    says("2", "1 task depends on it; 1 had nothing else to wait for: task 4");
    says("3", "It depends on no other task.");
    says("3", "No task depends on it.");
    says("work", "Bodies of work ran 4 times, 40 ms in all");
    says("work", "2 tasks waited last for one of them.");
    says("work", "3 of them are on the critical path of 3 tasks.");
}

/* 2 needs the memory, and 4 the cores, that 1 and 3 have. */
static void test_resources(void)
{
    struct forge *forge = forge_open(directory, 0, 3, 0, 0);

    for (uint64_t task = 1; task <= 4; task++)
        forge_submit(forge, 0, task, NULL, 0);
    forge_event(forge, 1, 0, CST_TRACE_READY, 1, 0);
    forge_start(forge, 1, 0, 1, 700000, 1);
    forge_event(forge, 1, 20 * MS, CST_TRACE_ENDED, 1, 0);
    forge_event(forge, 2, 5 * MS, CST_TRACE_READY, 2, 0);
    forge_start(forge, 2, 20 * MS, 2, 500000, 1);
    forge_event(forge, 2, 30 * MS, CST_TRACE_ENDED, 2, 0);
    forge_event(forge, 1, 30 * MS, CST_TRACE_READY, 3, 0);
    forge_start(forge, 1, 30 * MS, 3, 0, 2);
    forge_event(forge, 1, 50 * MS, CST_TRACE_ENDED, 3, 0);
    forge_event(forge, 2, 35 * MS, CST_TRACE_READY, 4, 0);
    forge_start(forge, 2, 50 * MS, 4, 0, 3);
    forge_event(forge, 2, 60 * MS, CST_TRACE_ENDED, 4, 0);
    forge_close(forge, 60 * MS);
    says("2", "It asks for 500 kB of memory, and of the 1.05 MB of its node "
              "too much was promised to others until task 1 (work) ended.");
    says("4", "It asks for 3 cores, and of the 3 of its node too many were "
              "taken until task 3 (work) ended.");
    says("3", "It was ready, and 0 ns later it started on core 1");
    says("work", "Of the first 4 that ask for more than a core, 1 waited for "
                 "memory and 1 for cores that others had.");
}

/* 2 reads on node 1 what 1 has written on node 0; 1 is done once more. */
static void test_nodes(void)
{
    const struct forge_access write = {CASTELL_OUT, PLACE};
    const struct forge_access read = {CASTELL_IN, PLACE};
    struct forge *master = forge_open(directory, 0, 1, 0, 0);
    struct forge *worker = forge_open(directory, 1, 1, 0, 0);

    forge_submit(master, 0, 1, &write, 1);
    forge_submit(master, 0, 2, &read, 1);
    forge_event(master, 0, 0, CST_TRACE_ASSIGNED, 1, 1 << 16);
    forge_run(master, 0, 1, 0, 0, 10 * MS);
    forge_event(master, 0, 10 * MS, CST_TRACE_DONE, 1, 1 << 16);
    forge_event(master, 0, MS, CST_TRACE_ASSIGNED, 2, 1 << 16 | 1);
    forge_transfer(worker, 0, 10 * MS, 30 * MS, 0, 3 * MB);
    forge_event(worker, 0, 30 * MS, CST_TRACE_READY, 2, 0);
    forge_event(worker, 0, 30 * MS, CST_TRACE_FIRED, 0, 0);
    forge_event(worker, 0, 31 * MS, CST_TRACE_STARTED, 2, 1);
    forge_event(worker, 0, 40 * MS, CST_TRACE_ENDED, 2, 1);
    forge_text(worker, 40 * MS, CST_TRACE_ENDED, 2, "its body returned 1");
    forge_event(master, 0, 41 * MS, CST_TRACE_DONE, 2, 1 << 16 | 1);
    forge_event(master, 0, 41 * MS, CST_TRACE_ASSIGNED, 2, 2 << 16);
    forge_event(master, 0, 41 * MS, CST_TRACE_RETRIED, 2, 1);
    forge_event(master, 0, 41 * MS, CST_TRACE_STARTED, 2, 2);
    forge_event(master, 0, 45 * MS, CST_TRACE_ENDED, 2, 0);
    forge_event(master, 0, 50 * MS, CST_TRACE_ASSIGNED, 1, 2 << 16);
    forge_event(master, 0, 50 * MS, CST_TRACE_RECOMPUTED, 1, 2 << 16);
    forge_event(master, 0, 50 * MS, CST_TRACE_STARTED, 1, 2);
    forge_event(master, 0, 55 * MS, CST_TRACE_ENDED, 1, 0);
    forge_close(master, 60 * MS);
    forge_close(worker, 60 * MS);
    says("2", "The master sent it to node 1, 1 ms after the run began.");
    says("2", "The last of its data, 3 MB, came from node 0 and took 20 ms to "
              "come.");
    says("2", "Of 1 task whose results it reads, 0 ran on its node too.");
    says("2", "It failed: its body returned 1.");
    says("2", "The master sent it to node 0, 41 ms after the run began, "
              "because its body had failed.");
    says("1", "because what it had made was lost with its node.");
    says("1", "It depends on no other task.");
    says("work", "1 of them waited last for data from another node, which "
                 "took 20 ms in the mean to come.");
    says("work", "They ran on node 0 (3), node 1 (1).");
}

int main(void)
{
    world_open(directory);
    test_others_and_core();
    next_run();
    test_resources();
    next_run();
    test_nodes();
    world_close(directory);
    return tap_done();
}
