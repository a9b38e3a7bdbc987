#include "bench/bench.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS_MAX = 200, ROUNDS_DEFAULT = 3, FLIGHT_TASKS_IN_ALL = 200000 };

struct bench_cell bench_cells[BENCH_CELLS];
struct bench_cell bench_gate_cell;

static atomic_bool gate_held;
static atomic_bool gate_opened;

uint64_t bench_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

size_t bench_memory(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    char line[128];
    char *resident = NULL;

    if (!file)
        return 0;
    if (fgets(line, sizeof(line), file))
        resident = strchr(line, ' ');
    (void)fclose(file);
    if (!resident)
        return 0;
    return strtoul(resident, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

void bench_nothing(void)
{
}

void bench_gate_reset(void)
{
    atomic_store(&gate_held, false);
    atomic_store(&gate_opened, false);
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

void bench_gate_hold(void)
{
    atomic_store(&gate_held, true);
    while (!atomic_load_explicit(&gate_opened, memory_order_acquire))
        pause_briefly();
}

void bench_gate_wait_held(void)
{
    while (!atomic_load_explicit(&gate_held, memory_order_acquire))
        pause_briefly();
}

void bench_gate_open(void)
{
    atomic_store(&gate_opened, true);
}

static const struct {
    const char *name;
    enum bench_shape shape;
    unsigned width_max; /* 0: the name has no "-WIDTH" */
    size_t tasks;
} shapes[] = {
    {"start", BENCH_START, 0, 0},
    {"independent", BENCH_INDEPENDENT, 0, 200000},
    {"chains", BENCH_CHAINS, BENCH_CELLS, 100000},
    {"in", BENCH_IN, BENCH_WIDTH_MAX, 100000},
    {"inout", BENCH_INOUT, BENCH_WIDTH_MAX, 100000},
    {"flight", BENCH_FLIGHT, 0, 100000},
    {"fan", BENCH_FAN, 0, 30000},
};

/* Read a decimal number of at least 1; 0 when it is none. */
static size_t parse_number(const char *text)
{
    char *end = NULL;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-')
        return 0;
    return value;
}

static bool parse_name(const char *name, struct bench *bench)
{
    const char *dash = strchr(name, '-');
    size_t length = dash ? (size_t)(dash - name) : strlen(name);

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        size_t width = dash ? parse_number(dash + 1) : 0;

        if (strlen(shapes[i].name) != length ||
            strncmp(shapes[i].name, name, length) != 0)
            continue;
        if (width > shapes[i].width_max ||
            (width == 0) != (shapes[i].width_max == 0))
            return false;
        bench->name = name;
        bench->shape = shapes[i].shape;
        bench->width = (unsigned)width;
        bench->tasks = shapes[i].tasks;
        return true;
    }
    return false;
}

static bool has_gate(const struct bench *bench)
{
    return bench->shape == BENCH_FLIGHT || bench->shape == BENCH_FAN;
}

/* Few tasks in flight are over soon, so that many rounds of them are due. */
static size_t rounds_default(const struct bench *bench)
{
    size_t rounds = ROUNDS_DEFAULT;

    if (has_gate(bench)) {
        rounds = FLIGHT_TASKS_IN_ALL / bench->tasks;
        rounds = rounds < 1 ? 1 : rounds;
    }
    return rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
}

bool bench_parse(int argc, char **argv, struct bench *ret_bench)
{
    struct bench bench = {0};

    if (argc < 2 || argc > 4 || !parse_name(argv[1], &bench)) {
        (void)fprintf(stderr,
                      "usage: %s start | independent | chains-N | in-K | "
                      "inout-K | flight | fan [TASKS [ROUNDS]], K at most %d\n",
                      argv[0], BENCH_WIDTH_MAX);
        return false;
    }
    if (argc > 2)
        bench.tasks = parse_number(argv[2]);
    if (bench.tasks == 0 && bench.shape != BENCH_START) {
        (void)fprintf(stderr, "%s: TASKS is a number from 1\n", argv[0]);
        return false;
    }
    if (bench.shape != BENCH_START)
        bench.rounds = rounds_default(&bench);
    if (argc > 3)
        bench.rounds = parse_number(argv[3]);
    if (bench.rounds > ROUNDS_MAX ||
        (bench.rounds == 0 && bench.shape != BENCH_START)) {
        (void)fprintf(stderr, "%s: ROUNDS is a number from 1 to %d\n", argv[0],
                      ROUNDS_MAX);
        return false;
    }
    *ret_bench = bench;
    return true;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static double per_task(const struct bench *bench, uint64_t from_ns,
                       uint64_t to_ns)
{
    return (double)(to_ns - from_ns) / (double)bench->tasks;
}

static void run_rounds(const struct bench *bench,
                       const struct bench_runtime *runtime)
{
    static double total[ROUNDS_MAX];
    static double create[ROUNDS_MAX];
    struct bench_round round = {0};

    runtime->round(bench, &round);
    printf("%s.cold %.1f ns\n", bench->name,
           per_task(bench, round.begun_ns, round.done_ns));
    if (has_gate(bench))
        printf("%s.bytes %.1f bytes\n", bench->name,
               ((double)round.memory_created - (double)round.memory_before) /
                   (double)bench->tasks);

    for (size_t i = 0; i < bench->rounds; i++) {
        runtime->round(bench, &round);
        total[i] = per_task(bench, round.begun_ns, round.done_ns);
        create[i] = per_task(bench, round.begun_ns, round.created_ns);
    }
    printf("%s %.1f ns\n", bench->name, median(total, bench->rounds));
    printf("%s.create %.1f ns\n", bench->name, median(create, bench->rounds));
}

int bench_main(int argc, char **argv, const struct bench_runtime *runtime)
{
    struct bench bench;
    uint64_t begun_ns;

    if (!bench_parse(argc, argv, &bench))
        return 2;

    /* Pages of the cells are there before anything is timed. */
    memset(bench_cells, 1, sizeof(bench_cells));

    begun_ns = bench_now_ns();
    runtime->start();
    if (bench.shape != BENCH_START)
        run_rounds(&bench, runtime);
    runtime->stop();
    if (bench.shape == BENCH_START)
        printf("start %.3f ms\n", (double)(bench_now_ns() - begun_ns) / 1e6);
    return fflush(stdout) == 0 ? 0 : 1;
}
