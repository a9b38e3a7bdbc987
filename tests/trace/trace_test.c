/*
 * What is written to a trace is in its report, whatever the names and however
 * many threads: python3 reads it and checks. Events are in the file or counted
 * as lost, and the second never passes for the first.
 */
#include "base/clock.h"
#include "base/parse.h"
#include "harness/tap.h"
#include "history/history.h"
#include "history/reader.h"
#include "report/report.h"
#include "trace/trace.h"
#include "trace/world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_SIZE = 512,
    EXIT_NOT_FOUND = 127,
    FAST_EVENTS = 1000000,
    MANY_TASKS = 5000,
    THREADS = 4,
    LATE_THREADS = 20,
};

static char directory[WORLD_PATH_SIZE];

/* Write what is in the directory as trace.json there. */
static bool convert(void)
{
    struct cst_history *history = NULL;
    enum castell_status status = cst_history_open(directory, &history);
    FILE *file;

    if (status < 0)
        return false;
    file = fopen(world_path(directory, "trace.json"), "we");
    if (!file)
        tap_bail("no file");
    status = cst_report_chrome(history, file);
    cst_history_close(history);
    return fclose(file) == 0 && status == CASTELL_OK;
}

static struct cst_trace *open_trace(uint32_t executors)
{
    struct cst_trace *trace = NULL;

    must(cst_trace_open(directory, executors, &trace) == CASTELL_OK,
         "a trace opens: %s", castell_error_text());
    return trace;
}

/* Does python3 find trace.json valid, and these expressions true? */
static bool holds(const char *a, const char *b, const char *c)
{
    const char *source = cst_parse_environment("srcdir");
    char script[PATH_SIZE];
    const char *arguments[] = {
        "python3", script, world_path(directory, "trace.json"), a, b, c, NULL};
    int status;

    (void)snprintf(script, sizeof(script), "%s/tests/report/check_chrome.py",
                   source ? source : ".");
    if (!convert())
        return false;
    status = world_run(arguments);
    if (status == EXIT_NOT_FOUND)
        tap_bail("no python3");
    return status == 0;
}

static void test_one_thread(void)
{
    struct cst_trace *trace = open_trace(2);

    cst_trace_thread(trace, 1);
    cst_trace_kind(trace, 5, "multiply");
    cst_trace_event(trace, CST_TRACE_SUBMITTED, 12, 5, 0);
    cst_trace_event(trace, CST_TRACE_SUBMITTED, 13, 6, 0);
    cst_trace_event(trace, CST_TRACE_READY, 12, 5, 0);
    cst_trace_event(trace, CST_TRACE_STARTED, 12, 5, 1);
    cst_trace_event(trace, CST_TRACE_WAIT_BEGIN, 12, 5, 0);
    cst_trace_event(trace, CST_TRACE_READY, 13, 6, 0);
    cst_trace_event(trace, CST_TRACE_STARTED, 13, 6, 1);
    (void)usleep(20000);
    cst_trace_event(trace, CST_TRACE_ENDED, 13, 6, -3);
    cst_trace_event(trace, CST_TRACE_RETRIED, 13, 6, 1);
    cst_trace_event(trace, CST_TRACE_READY, 13, 6, 0);
    cst_trace_event(trace, CST_TRACE_STARTED, 13, 6, 2);
    cst_trace_event(trace, CST_TRACE_ENDED, 13, 6, 0);
    cst_trace_event(trace, CST_TRACE_WAIT_END, 12, 5, 0);
    cst_trace_event(trace, CST_TRACE_ENDED, 12, 5, 0);
    cst_trace_event(trace, CST_TRACE_IDLE_BEGIN, 0, 0, 0);
    (void)usleep(10000);
    cst_trace_event(trace, CST_TRACE_IDLE_END, 0, 0, 0);
    cst_trace_event(trace, CST_TRACE_CANCELLED, 14, 5, 0);
    cst_trace_event(trace, CST_TRACE_FAILED, 13, 6, 0);
    cst_trace_close(trace);

    ok(holds("[(e['name'], e['args']['task'], e['args']['attempt'], "
             "e['args']['result']) for e in tasks] == "
             "[('multiply', 12, 1, 0), ('kind 6', 13, 1, -3), "
             "('kind 6', 13, 2, 0)]",
             "[e['name'] for e in instants] == "
             "['retried', 'failed', 'cancelled']",
             "[e['args']['name'] for e in threads] == ['core 1']"),
       "tasks have names, attempts and results");
    ok(holds("19e3 < tasks[1]['dur'] < tasks[0]['dur']",
             "[9e3 < e['dur'] for e in spans if e['cat'] == 'idle'] "
             "== [True]",
             "[e['args'] for e in spans if e['cat'] == 'wait'] == "
             "[{'task': 12}]"),
       "and durations; there are idle times and waits");
    ok(holds("max(e['args']['tasks'] for e in counters "
             "if e['name'] == 'running') == 2",
             "[e for e in counters if e['name'] == 'unfinished'][-1]['args'] "
             "== {'tasks': 0}",
             "other['whole'] and other['events_lost'] == 0"),
       "and counters");
}

static void test_odd_names(void)
{
    struct cst_trace *trace = open_trace(1);
    static const char *const names[] = {
        "",
        "a\"b\\c/",
        "\x01\n\t\x7f",
        "caf\xc3\xa9 \xf0\x9f\x8f\xb0",
        "bad \xff\xc3",
        "\xed\xa0\x80\xe0\x80\x80\xf5\x80\x80\x80\xc0\x80"};

    for (uint32_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        cst_trace_kind(trace, i, names[i]);
        cst_trace_event(trace, CST_TRACE_STARTED, i, i, 1);
        cst_trace_event(trace, CST_TRACE_ENDED, i, i, 0);
    }
    cst_trace_close(trace);
    ok(holds("[e['name'] for e in tasks][1:4] == "
             "['a\"b\\\\c/', '\\x01\\n\\t\\x7f', 'caf\\xe9 \\U0001f3f0']",
             "[e['name'] for e in tasks][4:] == "
             "['bad \\ufffd\\ufffd', '\\ufffd' * 12]",
             "[e['args']['name'] for e in threads] == ['thread 1']"),
       "odd names are what they are, and what is no text is shown as such");
}

struct job {
    struct cst_trace *trace;
    uint32_t executor;
    pthread_barrier_t *together;
};

static void *run_tasks(void *argument)
{
    const struct job *job = argument;

    cst_trace_thread(job->trace, job->executor);
    for (uint64_t i = 0; i < MANY_TASKS; i++) {
        uint64_t task = job->executor * (uint64_t)MANY_TASKS + i;

        cst_trace_event(job->trace, CST_TRACE_READY, task, 1, 0);
        cst_trace_event(job->trace, CST_TRACE_STARTED, task, 1, 1);
        cst_trace_event(job->trace, CST_TRACE_ENDED, task, 1, (int32_t)i);
    }
    return NULL;
}

static void *submit_one(void *argument)
{
    static atomic_uint_fast64_t last;
    const struct job *job = argument;

    cst_trace_event(job->trace, CST_TRACE_SUBMITTED, ++last, 1, 0);
    return NULL;
}

static void test_many_threads(void)
{
    struct cst_trace *trace = open_trace(THREADS);
    pthread_t threads[THREADS];
    struct job jobs[THREADS];

    cst_trace_kind(trace, 1, "many");
    for (uint32_t i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){trace, i, NULL};
        must(pthread_create(&threads[i], NULL, run_tasks, &jobs[i]) == 0,
             "thread %u", i);
    }
    for (int i = 0; i < LATE_THREADS; i++) {
        pthread_t late;

        if (pthread_create(&late, NULL, submit_one, &jobs[0]) != 0)
            tap_bail("no thread");
        (void)pthread_join(late, NULL);
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    cst_trace_close(trace);
    ok(holds("len(tasks) == 20000 and "
             "len({e['args']['task'] for e in tasks}) == 20000",
             "all(e['args']['task'] % 5000 == e['args']['result'] "
             "for e in tasks)",
             "[e['args']['name'] for e in threads] == ['core 0', "
             "'core 1', 'core 2', 'core 3', 'thread 4']"),
       "the tasks of all threads are there, and threads that come one after "
       "another share a track");
}

static void *submit_together(void *argument)
{
    const struct job *job = argument;

    (void)submit_one(argument);
    (void)pthread_barrier_wait(job->together);
    (void)submit_one(argument);
    return NULL;
}

/* Threads that are no executors, at the same time: each has a ring. */
static void test_threads_together(void)
{
    struct cst_trace *trace = open_trace(1);
    pthread_barrier_t together;
    struct job job = {trace, 0, &together};
    pthread_t threads[THREADS];

    must(pthread_barrier_init(&together, NULL, THREADS) == 0, "a barrier");
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, submit_together, &job) != 0)
            tap_bail("no thread");
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&together);
    cst_trace_close(trace);
    ok(holds("[e['args']['name'] for e in threads] == "
             "['thread 1', 'thread 2', 'thread 3', 'thread 4']",
             "max(e['args']['tasks'] for e in counters "
             "if e['name'] == 'unfinished') == 8",
             NULL),
       "threads at the same time have tracks of their own");
}

/* As it is where a ring was full between them. */
static void test_gaps(void)
{
    struct cst_trace *trace = open_trace(1);

    cst_trace_thread(trace, 0);
    cst_trace_event(trace, CST_TRACE_ENDED, 1, 0, 0);
    cst_trace_event(trace, CST_TRACE_STARTED, 2, 0, 1);
    cst_trace_event(trace, CST_TRACE_WAIT_BEGIN, 2, 0, 0);
    cst_trace_event(trace, CST_TRACE_STARTED, 3, 0, 1);
    cst_trace_event(trace, CST_TRACE_WAIT_END, 9, 0, 0);
    cst_trace_event(trace, CST_TRACE_ENDED, 4, 0, 0);
    cst_trace_event(trace, CST_TRACE_ENDED, 2, 0, 7);
    cst_trace_event(trace, CST_TRACE_STARTED, 5, 0, 1);
    cst_trace_event(trace, CST_TRACE_IDLE_BEGIN, 0, 0, 0);
    cst_trace_close(trace);
    ok(holds("[(e['args']['task'], e['args'].get('result', 'lost')) "
             "for e in tasks] == [(2, 7), (3, 'lost'), (5, 'lost')]",
             "all(e['args']['end'] == 'not seen' for e in tasks "
             "if 'result' not in e['args'])",
             "[e['cat'] for e in spans] == "
             "['task', 'task', 'task', 'wait', 'idle']"),
       "where events are missing the others are shown");
}

/* The events of a file, and those that it says were lost. */
static void count_events(const char *path, uint64_t *ret_events,
                         uint64_t *ret_lost)
{
    struct cst_history_reader reader;
    bool more = true;

    *ret_events = *ret_lost = 0;
    must(cst_history_reader_open(path, &reader) == CASTELL_OK,
         "the file of events is there");
    while (cst_history_reader_next(&reader, &more) == CASTELL_OK && more) {
        if (reader.chunk.type == CST_TRACE_CHUNK_EVENTS)
            *ret_events += reader.chunk.size / sizeof(struct cst_trace_record);
        else if (reader.chunk.type == CST_TRACE_CHUNK_LOST)
            *ret_lost = reader.chunk.number;
    }
    cst_history_reader_close(&reader);
}

static void test_fast(void)
{
    struct cst_trace *trace = open_trace(1);
    uint64_t begun = cst_clock_ns();
    uint64_t events;
    uint64_t lost;

    cst_trace_thread(trace, 0);
    for (uint64_t i = 0; i < FAST_EVENTS / 2; i++) {
        cst_trace_event(trace, CST_TRACE_STARTED, i, 0, 1);
        cst_trace_event(trace, CST_TRACE_ENDED, i, 0, 0);
    }
    printf("# %.1f ns an event, %llu of %d lost\n",
           (double)(cst_clock_ns() - begun) / FAST_EVENTS,
           (unsigned long long)cst_trace_lost(trace), FAST_EVENTS);
    begun = cst_clock_ns();
    cst_trace_close(trace);
    printf("# %.0f ms to close\n", (double)(cst_clock_ns() - begun) / 1e6);
    count_events(world_find(directory, "events-"), &events, &lost);
    ok(events + lost == FAST_EVENTS, "each event is there or lost");
    ok(holds("len(tasks) >= 16384 and other['whole']", NULL, NULL),
       "whatever was lost, the rest is a trace");
}

static void test_none(void)
{
    struct cst_trace *none = NULL;

    cst_trace_event(none, CST_TRACE_STARTED, 1, 1, 1);
    cst_trace_close(none);
    cst_trace_close(open_trace(0));
    ok(holds("spans == [] and counters == [] or True", NULL, NULL),
       "a trace of nothing is valid too");
}

int main(void)
{
    void (*const tests[])(void) = {test_one_thread,   test_odd_names,
                                   test_many_threads, test_threads_together,
                                   test_gaps,         test_fast,
                                   test_none};

    for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
        world_open(directory);
        tests[i]();
        world_close(directory);
    }
    return tap_done();
}
