/*
 * The policy of elastic nodes over days of bursty work: what must never happen,
 * on thousands of random ones; and what it costs, beside others.
 *
 *     days.t [--days N]  checks
 *     days.t --table     prints the table of runtime/elastic/README.md
 *     days.t --day SEED  one of the random days
 */
#include "data/random.h"
#include "harness/tap.h"
#include "simulate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_THREAD__
enum { DAYS = 100 }; /* of one thread */
#else
enum { DAYS = 1000 };
#endif
enum { TABLE_DAYS = 4 };

/* ---- The table -------------------------------------------------------------------- */

struct row {
    const char *name;
    enum simulate_policy policy;
    uint32_t nodes_min;
};

struct cell {
    double work_s;
    double paid_s;
    double burst_s;
    double end_s;
    double asked;
    uint32_t undone;
};

static const double queues_s[] = {1, 30, 300};
enum { NODES_MAX = 64, QUEUES = sizeof(queues_s) / sizeof(queues_s[0]) };

/* A burst keeps all nodes busy for minutes; between them the run waits. */
static struct simulate_day usual_day(uint64_t seed, double queue_s)
{
    return (struct simulate_day){
        .seed = seed,
        .hours = 24,
        .patience_s = 1e7,
        .gap_s = 1800,
        .burst_s = 20000,
        .task_s = 20,
        .queue_s = queue_s,
        .queue_sigma = 0.7,
        .boot_s = 3,
        .classes_count = 1,
        .cores = 8,
        .nodes_max = NODES_MAX,
    };
}

static struct cell measure(const struct row *row, double queue_s)
{
    struct cell cell = {0};

    for (uint64_t seed = 1; seed <= TABLE_DAYS; seed++) {
        struct simulate_day day = usual_day(seed, queue_s);
        struct simulate_result result;

        day.policy = row->policy;
        day.nodes_min = row->nodes_min;
        result = simulate(&day);
        if (result.broken)
            (void)printf("# %s\n", result.broken);
        cell.work_s += result.work_s / TABLE_DAYS;
        cell.paid_s += result.paid_s / TABLE_DAYS;
        cell.burst_s += result.burst_s / TABLE_DAYS;
        cell.end_s += result.end_s / TABLE_DAYS;
        cell.asked += (double)result.asked / TABLE_DAYS;
        cell.undone += result.undone;
    }
    return cell;
}

static int print_table(void)
{
    static const struct row rows[] = {
        {"1 node all day", SIMULATE_FIXED, 1},
        {"64 nodes all day", SIMULATE_FIXED, NODES_MAX},
        {"COMPSs' policy, 1 to 64", SIMULATE_COMPSS, 1},
        {"Castell, 1 to 64", SIMULATE_OURS, 1},
    };

    (void)puts("| queue, median | policy | node-hours | of the work | a burst "
               "takes, mean | makespan | nodes asked for |\n"
               "| --- | --- | --- | --- | --- | --- | --- |");
    for (size_t q = 0; q < QUEUES; q++)
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct cell cell = measure(&rows[i], queues_s[q]);

            (void)printf("| %.0f s | %s | %.1f | %.2f | %.0f s | %.2f h | %.0f "
                         "|\n",
                         queues_s[q], rows[i].name, cell.paid_s / 3600,
                         cell.paid_s / cell.work_s, cell.burst_s,
                         cell.end_s / 3600, cell.asked);
        }
    return 0;
}

/* ---- Random days -------------------------------------------------------------------- */

static double among(uint64_t *random, const double *values, uint32_t count)
{
    return values[random_below(random, count)];
}

#define AMONG(random, ...)                                                     \
    among(random, (const double[]){__VA_ARGS__},                               \
          sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

static struct simulate_day random_day(uint64_t seed)
{
    uint64_t random = random_start(seed);
    struct simulate_day day = {
        .seed = seed,
        .hours = AMONG(&random, 0.5, 1, 3),
        .patience_s = 20000,
        .gap_s = AMONG(&random, 60, 600, 1800),
        .burst_s = AMONG(&random, 10, 100, 1000),
        .task_s = AMONG(&random, 1, 10, 100),
        .queue_s = AMONG(&random, 0.1, 10, 100, 1000),
        .queue_sigma = AMONG(&random, 0, 0.5, 1.5),
        .boot_s = AMONG(&random, 0.1, 3, 30),
        .trouble = AMONG(&random, 0, 0, 0.1, 0.5, 1),
        .gpu_share = AMONG(&random, 0, 0, 0.3),
        .classes_count = 1,
        .cores = 1 + random_below(&random, 8),
        .nodes_min = 1 + random_below(&random, 3),
        .node_hours = AMONG(&random, 0, 0, 0.1, 1, 10),
    };

    /* So that a day does not take long. */
    if (day.burst_s > 100 * day.task_s)
        day.task_s = day.burst_s / 100;
    if (day.gpu_share > 0) {
        day.classes_count = 2;
        day.class_max = random_below(&random, 4);
    }
    day.nodes_max = day.nodes_min + 1 + random_below(&random, 16);
    day.end_s = AMONG(&random, 0, 0, 0, 2000);
    return day;
}

/* Why the day is not as it has to be; NULL: it is. */
static const char *judge(const struct simulate_day *day,
                         const struct simulate_result *result)
{
    if (result->broken)
        return result->broken;
    /* Where no more nodes come the others work on, for however long. */
    if (result->still_s > day->patience_s / 4 && day->end_s <= 0 &&
        result->given_up == 0 && day->node_hours <= 0)
        return "tasks were not done, and nobody says why";
    if (result->given_up > day->classes_count)
        return "a class was given up twice";
    /* A burst may be asked for once as a whole, and some more as estimates get
       better; what comes to a bad end is asked for again. */
    if (result->asked >
            result->bursts * (day->nodes_max - day->nodes_min) * 4 + 20 &&
        day->trouble <= 0)
        return "it asks again and again";
    return NULL;
}

static bool try_day(uint64_t seed, bool tell)
{
    struct simulate_day day = random_day(seed);
    struct simulate_result result = simulate(&day);
    const char *why = judge(&day, &result);

    if (why || tell)
        (void)printf("# day %llu: %s: work %.0f, paid %.0f (extra %.0f), end "
                     "%.0f, bursts %u, undone %u of %u, asked %u, joined %u, "
                     "cancelled %u, given up %u\n",
                     (unsigned long long)seed, why ? why : "well",
                     result.work_s, result.paid_s, result.extra_s, result.end_s,
                     result.bursts, result.undone, result.tasks, result.asked,
                     result.joined, result.cancelled, result.given_up);
    return !why;
}

static void check_days(uint64_t days)
{
    uint32_t bad = 0;

    for (uint64_t seed = 1; seed <= days && bad < 5; seed++)
        bad += !try_day(seed, false);
    ok(bad == 0, "%llu random days go as they must", (unsigned long long)days);
}

static void check_cost(void)
{
    static const struct row ours = {"ours", SIMULATE_OURS, 1};
    static const struct row most = {"most", SIMULATE_FIXED, NODES_MAX};
    static const struct row theirs = {"COMPSs", SIMULATE_COMPSS, 1};
    struct cell cell = measure(&ours, 1);
    struct cell best = measure(&most, 1);
    struct cell compss = measure(&theirs, 1);

    (void)printf("# node-seconds of work %.0f; paid %.0f; a burst takes %.0f "
                 "s, with all nodes %.0f s, with COMPSs' policy %.0f s\n",
                 cell.work_s, cell.paid_s, cell.burst_s, best.burst_s,
                 compss.burst_s);
    ok(cell.undone == 0, "all is done");
    ok(cell.paid_s <= 1.15 * cell.work_s,
       "a day costs at most 15 %% more than its work");
    ok(cell.burst_s <= 1.4 * best.burst_s,
       "bursts take at most 1.4 times as long as with all nodes");
    ok(cell.burst_s < compss.burst_s, "... and less than one node at a time");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--table") == 0)
        return print_table();
    if (argc > 2 && strcmp(argv[1], "--day") == 0)
        return !try_day(strtoull(argv[2], NULL, 10), true);
    check_days(argc > 2 ? strtoull(argv[2], NULL, 10) : DAYS);
    check_cost();
    return tap_done();
}
