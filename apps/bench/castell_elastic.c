/*
 * castell_elastic.c - a burst of tasks for a run that may grow.
 *
 * `castell_elastic TASKS MS [PAUSE_MS [BURSTS]]`: that many tasks that each sleep so
 * long, as one burst or several with a pause before each but the first. They
 * sleep, so that nodes that share a machine do not share its cores. Each adds its
 * number to a total of its own, and says where it ran. It prints
 *     elastic.ended  the number of a burst that has ended, at once
 *     elastic.burst  seconds that a burst took; the median
 *     elastic.nodes  different processes that ran a task
 *     elastic.lost   tasks whose result is not there: 0
 */
#include "bench.h"
#include "castell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BURSTS_MAX = 1000, NODES_MAX = 4096, HOST_SIZE = 64 };

struct task {
    uint32_t number;
    uint32_t ms;
};

struct result {
    uint64_t value;
    char where[HOST_SIZE]; /* "HOST PID" */
};

static void sleep_ms(uint32_t ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

    (void)nanosleep(&time, NULL);
}

static uint64_t value_of(uint32_t number)
{
    return (uint64_t)number * UINT64_C(2654435761) + 1;
}

static int run_task(void *const *buffers, const void *argument)
{
    struct result *result = buffers[0];
    const struct task *task = argument;
    char host[HOST_SIZE / 2] = "";

    sleep_ms(task->ms);
    (void)gethostname(host, sizeof(host) - 1);
    result->value = value_of(task->number);
    (void)snprintf(result->where, sizeof(result->where), "%s %ld", host,
                   (long)getpid());
    return 0;
}

static struct castell_kind kind = {.name = "elastic_task", .body = run_task};

static void submit(struct result *result, uint32_t number, uint32_t ms)
{
    struct task task = {.number = number, .ms = ms};
    struct castell_access access = {
        .base = result, .size = sizeof(*result), .mode = CASTELL_OUT};

    castell_must(castell_task_submit(
                     &(struct castell_submission){
                         .kind = &kind,
                         .accesses = &access,
                         .accesses_count = 1,
                         .argument = &task,
                         .argument_size = sizeof(task),
                     },
                     NULL),
                 "castell_task_submit");
}

static double run_burst(struct result *results, uint32_t tasks, uint32_t ms)
{
    uint64_t begun_ns = bench_now_ns();

    memset(results, 0, tasks * sizeof(*results));
    for (uint32_t i = 0; i < tasks; i++)
        submit(&results[i], i, ms);
    castell_must(castell_barrier(), "castell_barrier");
    return (double)(bench_now_ns() - begun_ns) / 1e9;
}

static uint32_t count_lost(const struct result *results, uint32_t tasks)
{
    uint32_t lost = 0;

    for (uint32_t i = 0; i < tasks; i++)
        lost += results[i].value != value_of(i);
    return lost;
}

/* How many processes ran tasks: those of the list, and new ones. */
static size_t count_nodes(const struct result *results, uint32_t tasks,
                          char nodes[][HOST_SIZE], size_t count)
{
    for (uint32_t i = 0; i < tasks; i++) {
        size_t k = 0;

        while (k < count && strcmp(nodes[k], results[i].where) != 0)
            k++;
        if (k == count && count < NODES_MAX)
            memcpy(nodes[count++], results[i].where, HOST_SIZE);
    }
    return count;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static uint32_t argument_of(int argc, char **argv, int which, uint32_t usual)
{
    return argc > which ? (uint32_t)strtoul(argv[which], NULL, 10) : usual;
}

int main(int argc, char **argv)
{
    static char nodes[NODES_MAX][HOST_SIZE];
    static double seconds[BURSTS_MAX];
    uint32_t tasks = argument_of(argc, argv, 1, 2000);
    uint32_t ms = argument_of(argc, argv, 2, 50);
    uint32_t pause_ms = argument_of(argc, argv, 3, 0);
    uint32_t bursts = argument_of(argc, argv, 4, 1);
    struct result *results = NULL;
    size_t nodes_count = 0;
    uint32_t lost = 0;

    if (tasks > 0 && bursts > 0 && bursts <= BURSTS_MAX)
        results = calloc(tasks, sizeof(*results));
    if (!results) {
        (void)fprintf(stderr, "usage: castell_elastic TASKS MS [PAUSE_MS "
                              "[BURSTS]]\n");
        return 2;
    }
    castell_must(castell_kind_declare(&kind), "castell_kind_declare");
    castell_start(NULL, NULL);
    for (uint32_t i = 0; i < bursts; i++) {
        if (i > 0)
            sleep_ms(pause_ms);
        seconds[i] = run_burst(results, tasks, ms);
        printf("elastic.ended %u\n", i + 1);
        (void)fflush(stdout);
        lost += count_lost(results, tasks);
        nodes_count = count_nodes(results, tasks, nodes, nodes_count);
    }
    qsort(seconds, bursts, sizeof(*seconds), compare);
    printf("elastic.burst %.3f s\n", seconds[bursts / 2]);
    printf("elastic.nodes %zu\n", nodes_count);
    printf("elastic.lost %u\n", lost);
    if (castell_stop() != 0)
        return 1;
    free(results);
    return fflush(stdout) == 0 && lost == 0 ? 0 : 1;
}
