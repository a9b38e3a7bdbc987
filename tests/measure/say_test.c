/*
 * The sentences about a run, for runs whose answer is known: they never were,
 * and each is limited by one thing.
 */
#include "harness/tap.h"
#include "history/forge.h"
#include "measure/measure.h"
#include "trace/world.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000000ULL

enum { PLACE = 4096, WHOLE = 100 };

static char directory[WORLD_PATH_SIZE];

/* ---- What a run says --------------------------------------------------------- */

/* All its sentences, one a line; free() it. */
static char *sentences(const struct cst_measure *measure)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    char sentence[CST_SENTENCE_SIZE];

    must(to != NULL, "memory");
    for (int i = 0; cst_measure_sentence(measure, i, sentence); i++)
        (void)fprintf(to, "%s\n", sentence);
    (void)fclose(to);
    return text;
}

static void says(const char *text, const char *what)
{
    bool good = strstr(text, what) != NULL;

    ok(good, "it says: %s", what);
    if (!good)
        (void)printf("# it says:\n# %s\n", text);
}

static struct cst_measure *read_run(struct cst_history **ret_history)
{
    struct cst_measure *measure = NULL;

    must(cst_history_open(directory, ret_history) == CASTELL_OK, "a history");
    must(cst_measure_create(*ret_history, &measure) == CASTELL_OK, "measured");
    return measure;
}

/* Is that share of the cores' time where it was meant to go? */
static void went(const struct cst_measure *measure, enum cst_measure_use use,
                 double percent)
{
    double wall = (double)(measure->end_ns - measure->begin_ns);
    double share = 100 * measure->use_ns[use] / wall / (double)measure->cores;

    ok(share > percent - 1 && share < percent + 1, "%.1f %% of use %d, not %g",
       share, (int)use, percent);
}

/* Read the run, check that sentence and that use, and the sum of all. */
static void check(const char *what, enum cst_measure_use use, double percent)
{
    struct cst_history *history;
    struct cst_measure *measure = read_run(&history);
    char *text = sentences(measure);
    double all = 0;

    for (int i = 0; i < CST_USES_COUNT; i++)
        all += measure->use_ns[i];
    says(text, what);
    went(measure, use, percent);
    ok(all > 0.99 * (double)((measure->end_ns - measure->begin_ns) *
                             measure->cores) &&
           all < 1.01 * (double)((measure->end_ns - measure->begin_ns) *
                                 measure->cores),
       "each core's time is somewhere, once");
    free(text);
    cst_measure_destroy(measure);
    cst_history_close(history);
    world_close(directory);
    world_open(directory);
}

/* ---- Runs -------------------------------------------------------------------- */

/* main() waits for all from the beginning to the end. */
static void wait_all(struct forge *master)
{
    forge_event(master, 0, 0, CST_TRACE_WAIT_BEGIN, 0, 0);
}

static void end_all(struct forge *master, uint64_t end)
{
    forge_event(master, 0, end, CST_TRACE_WAIT_END, 0, 0);
    forge_close(master, end);
}

/* `width` chains of ten tasks of 10 ms on so many cores. */
static void run_chains(uint64_t width, uint32_t cores)
{
    struct forge *forge = forge_open(directory, 0, cores, 0, 0);
    uint64_t task = 1;

    wait_all(forge);
    for (uint64_t i = 0; i < 10; i++)
        for (uint64_t chain = 0; chain < width; chain++, task++) {
            const struct forge_access access = {CASTELL_INOUT,
                                                PLACE * (chain + 1)};

            forge_submit(forge, 0, task, &access, 1);
            forge_run(forge, (uint32_t)chain, task, i * 10 * MS, i * 10 * MS,
                      (i + 1) * 10 * MS);
        }
    end_all(forge, WHOLE * MS);
}

static void test_serial(void)
{
    run_chains(1, 4);
    check("the critical path, has 10 tasks that took 100 ms, 100 % of the time",
          CST_USE_PARALLEL, 75);
    run_chains(1, 4);
    check("there was too little parallelism", CST_USE_BODIES, 25);
}

static void test_parallelism(void)
{
    run_chains(2, 4);
    check("What limited the run most: for 50 % of the cores' time the tasks "
          "that were left waited for others",
          CST_USE_PARALLEL, 50);
    run_chains(4, 4);
    check("What limited the run: the work itself", CST_USE_BODIES, 100);
}

/* Ten tasks of 10 ms that are ready at once, all on node 0 of two. */
static void test_imbalance(void)
{
    struct forge *master = forge_open(directory, 0, 1, 0, 0);
    struct forge *worker = forge_open(directory, 1, 1, 0, 0);

    wait_all(master);
    for (uint64_t i = 0; i < 10; i++) {
        forge_submit(master, 0, i + 1, NULL, 0);
        forge_run(master, 0, i + 1, 0, i * 10 * MS, (i + 1) * 10 * MS);
    }
    end_all(master, WHOLE * MS);
    forge_close(worker, WHOLE * MS);
    /* While the last one runs none is to spare. */
    check("for 45 % of the cores' time other nodes had tasks to spare",
          CST_USE_IMBALANCE, 45);
}

/* A chain from node to node, 6 ms of each 10 on its way. */
static void test_transfers(void)
{
    const struct forge_access access = {CASTELL_INOUT, PLACE};
    struct forge *nodes[2];

    for (uint32_t i = 0; i < 2; i++)
        nodes[i] = forge_open(directory, i, 1, 0, 0);
    wait_all(nodes[0]);
    for (uint64_t i = 0; i < 10; i++) {
        uint32_t node = (uint32_t)(i % 2);
        uint64_t begin = i * 10 * MS, came = begin + 6 * MS;

        forge_submit(nodes[0], 0, i + 1, &access, 1);
        forge_event(nodes[0], 0, begin, CST_TRACE_ASSIGNED, i + 1,
                    (int32_t)(1 << 16 | node));
        forge_transfer(nodes[node], 0, begin, came, 1 - node, 1000000);
        forge_event(nodes[node], 0, came, CST_TRACE_READY, i + 1, 0);
        forge_event(nodes[node], 0, came, CST_TRACE_FIRED, 0, 0);
        forge_event(nodes[node], 0, came, CST_TRACE_STARTED, i + 1, 1);
        forge_event(nodes[node], 0, begin + 10 * MS, CST_TRACE_ENDED, i + 1, 0);
    }
    end_all(nodes[0], WHOLE * MS);
    forge_close(nodes[1], WHOLE * MS);
    check("10 MB moved between nodes, in 10 transfers", CST_USE_DATA, 30);
}

/* The same with two cores' worth of waiting: it is what limits most. */
static void test_waiting_for_data(void)
{
    struct forge *master = forge_open(directory, 0, 1, 0, 0);
    struct forge *worker = forge_open(directory, 1, 4, 0, 0);

    wait_all(master);
    for (uint64_t i = 0; i < 4; i++) {
        forge_submit(master, 0, i + 1, NULL, 0);
        forge_event(master, 0, 0, CST_TRACE_ASSIGNED, i + 1, 1 << 16 | 1);
        forge_transfer(worker, 0, 0, 80 * MS, 0, 1000);
        forge_run(worker, (uint32_t)i, i + 1, 80 * MS, 80 * MS, WHOLE * MS);
    }
    end_all(master, WHOLE * MS);
    forge_close(worker, WHOLE * MS);
    check("tasks were waiting for data from other nodes", CST_USE_DATA, 64);
}

/* Ready at once, but each one starts 9 ms late. */
static void test_runtime(void)
{
    struct forge *forge = forge_open(directory, 0, 1, 0, 0);

    wait_all(forge);
    for (uint64_t i = 0; i < 10; i++) {
        forge_submit(forge, i * 10 * MS, i + 1, NULL, 0);
        forge_run(forge, 0, i + 1, i * 10 * MS, (i * 10 + 9) * MS,
                  (i + 1) * 10 * MS);
    }
    end_all(forge, WHOLE * MS);
    check("a task was ready and a core free", CST_USE_RUNTIME, 90);
}

/* main() computes between tasks, or is away and has submitted none. */
static void test_main(bool away)
{
    struct forge *forge = forge_open(directory, 0, 1, 0, 0);
    uint64_t waits_since = away ? 0 : 80;

    for (uint64_t i = 0; i < 2; i++) {
        uint64_t at = i * WHOLE * MS;

        if (away && i == 0)
            forge_event(forge, 0, 0, CST_TRACE_WAIT_BEGIN, 0, 0);
        forge_submit(forge, away ? at + 80 * MS : at, i + 1, NULL, 0);
        if (!away)
            forge_event(forge, 0, at + waits_since * MS, CST_TRACE_WAIT_BEGIN,
                        0, 0);
        forge_run(forge, 0, i + 1, at + 80 * MS, at + 80 * MS, at + WHOLE * MS);
        if (!away || i == 1)
            forge_event(forge, 0, at + WHOLE * MS, CST_TRACE_WAIT_END, 0, 0);
    }
    forge_close(forge, 2 * WHOLE * MS);
    if (away) /* from the first submission on */
        check("there was no task: main() had submitted none", CST_USE_NOTHING,
              100 * 80.0 / 120);
    else
        check("main() itself used a core", CST_USE_PROGRAM, 80);
}

/* Node 1 dies with one task, and what one had made is computed again. */
static void test_failures(void)
{
    struct forge *master = forge_open(directory, 0, 1, 0, 0);
    struct forge *worker = forge_open(directory, 1, 1, 0, 0);

    wait_all(master);
    forge_event(master, 0, 0, CST_TRACE_NODE_JOINED, 1, 1);
    for (uint64_t task = 1; task <= 6; task++)
        forge_submit(master, 0, task, NULL, 0);
    /* 1 is done on node 1, as the master heard and no trace tells; again. */
    forge_event(master, 0, 0, CST_TRACE_ASSIGNED, 1, 1 << 16 | 1);
    forge_event(master, 0, 10 * MS, CST_TRACE_DONE, 1, 1 << 16 | 1);
    forge_event(master, 0, 20 * MS, CST_TRACE_NODE_GONE, 1, 3);
    forge_text(master, 20 * MS, CST_TRACE_NODE_GONE, 1, "it died");
    forge_event(master, 0, 20 * MS, CST_TRACE_ASSIGNED, 1, 2 << 16);
    forge_event(master, 0, 20 * MS, CST_TRACE_RECOMPUTED, 1, 2 << 16);
    forge_event(master, 0, 20 * MS, CST_TRACE_READY, 1, 0);
    forge_event(master, 0, 20 * MS, CST_TRACE_STARTED, 1, 2);
    forge_event(master, 0, 30 * MS, CST_TRACE_ENDED, 1, 0);
    /* 2 fails, and is tried again; 3 fails for good; 4 and 5 with it. */
    forge_event(master, 0, 30 * MS, CST_TRACE_STARTED, 2, 1);
    forge_event(master, 0, 40 * MS, CST_TRACE_ENDED, 2, 1);
    forge_event(master, 0, 40 * MS, CST_TRACE_RETRIED, 2, 1);
    forge_event(master, 0, 40 * MS, CST_TRACE_STARTED, 2, 2);
    forge_event(master, 0, 50 * MS, CST_TRACE_ENDED, 2, 0);
    forge_event(master, 0, 50 * MS, CST_TRACE_STARTED, 3, 1);
    forge_event(master, 0, 60 * MS, CST_TRACE_ENDED, 3, 1);
    forge_event(master, 0, 60 * MS, CST_TRACE_FAILED, 3, 0);
    forge_event(master, 0, 60 * MS, CST_TRACE_CANCELLED, 4, 0);
    forge_event(master, 0, 60 * MS, CST_TRACE_CANCELLED, 5, 0);
    forge_run(master, 0, 6, 60 * MS, 60 * MS, WHOLE * MS);
    end_all(master, WHOLE * MS);
    forge_close(worker, UINT64_MAX);
}

static void check_failures(void)
{
    struct cst_history *history;
    struct cst_measure *measure;
    char *text;

    test_failures();
    measure = read_run(&history);
    text = sentences(measure);
    says(text, "1 task failed for good, 2 were cancelled, 1 attempt failed and "
               "was made again; 1 node was lost, and 1 task was computed "
               "again.");
    says(text, "This is not all: the traces of 1 node are missing or without "
               "an end; 1 body that ended there is not in them.");
    says(text, "6 tasks of 1 kind ran on 2 cores of 2 nodes");
    free(text);
    cst_measure_destroy(measure);
    cst_history_close(history);
    world_close(directory);
}

/* The n-th of 100 durations of 1 to 100 ms. */
static void test_kinds(void)
{
    struct forge *forge = forge_open(directory, 0, 1, 0, 0);
    struct cst_history *history;
    struct cst_measure *measure;
    uint64_t at = 0;

    wait_all(forge);
    for (uint64_t i = 1; i <= WHOLE; i++) {
        forge_submit(forge, 0, i, NULL, 0);
        forge_run(forge, 0, i, 0, at, at + i * MS);
        at += i * MS;
    }
    end_all(forge, at);
    measure = read_run(&history);
    ok(measure->kinds[0].count == WHOLE && measure->kinds[0].nodes[0] == WHOLE,
       "a hundred bodies, on one node");
    ok(measure->kinds[0].median_ns / MS == 51 &&
           measure->kinds[0].p99_ns / MS == 99 &&
           measure->kinds[0].most_ns / MS == 100,
       "their median, the 99th of 100 and the longest: %d, %d, %d ms",
       (int)(measure->kinds[0].median_ns / MS),
       (int)(measure->kinds[0].p99_ns / MS),
       (int)(measure->kinds[0].most_ns / MS));
    cst_measure_destroy(measure);
    cst_history_close(history);
    world_close(directory);
    world_open(directory);
}

int main(void)
{
    world_open(directory);
    test_serial();
    test_parallelism();
    test_imbalance();
    test_transfers();
    test_waiting_for_data();
    test_runtime();
    test_main(false);
    test_main(true);
    test_kinds();
    check_failures();
    return tap_done();
}
