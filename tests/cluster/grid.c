/*
 * A program for tests of whole runs: tasks on the blocks of a grid, each of
 * which needs all that came before, and a result that is compared with that of
 * a plain loop, bit for bit. It takes as long as it is told, mostly asleep.
 *
 *   grid steps STEPS [FILE]      so many times all blocks; with a FILE, only
 *                                until it is there
 *   grid arch NAME...            tasks that may run on nodes of those
 *                                architectures only, then tasks for all nodes
 *
 * GRID_VERSION in the environment makes it a program with another task.
 */
#include <castell.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCKS = 8,
    SIZE = 512,
    STEPS_MAX = 1000000,
    STEPS_AT_ONCE = 20,
    ARCH_TASKS = 20,
    ARCH_SIZE = 65,
    NAP_NS = 1000000,
};

static void nap(void)
{
    const struct timespec time = {0, NAP_NS};

    (void)nanosleep(&time, NULL);
}

/* ---- The grid -------------------------------------------------------------- */

struct grid {
    double blocks[2][BLOCKS][SIZE];
};

static void mix(double *middle, const double *left, const double *right,
                int step)
{
    for (int i = 0; i < SIZE; i++)
        middle[i] = sqrt(middle[i] * 0.7 + left[i] / 3 + right[SIZE - 1 - i]) +
                    1.0 / (step + i + 1);
}

static int mix_body(void *const *buffers, const void *argument)
{
    int32_t step;

    memcpy(&step, argument, sizeof(step));
    mix(buffers[0], buffers[1], buffers[2], step);
    nap();
    return 0;
}

static struct castell_kind mix_kind = {.name = "grid:mix", .body = mix_body};

static void fill(struct grid *grid)
{
    for (int b = 0; b < BLOCKS; b++)
        for (int i = 0; i < SIZE; i++)
            grid->blocks[0][b][i] = grid->blocks[1][b][i] = b + 1.0 / (i + 1);
}

static struct castell_access access_of(const void *base, size_t size,
                                       enum castell_mode mode)
{
    return (struct castell_access){.base = base, .size = size, .mode = mode};
}

static void submit_mix(struct grid *grid, int32_t step, int b)
{
    double(*now)[SIZE] = grid->blocks[step % 2];
    double(*before)[SIZE] = grid->blocks[(step + 1) % 2];
    const struct castell_access accesses[] = {
        access_of(now[b], sizeof(now[0]), CASTELL_INOUT),
        access_of(before[(b + BLOCKS - 1) % BLOCKS], sizeof(now[0]),
                  CASTELL_IN),
        access_of(before[(b + 1) % BLOCKS], sizeof(now[0]), CASTELL_IN),
    };
    const struct castell_submission submission = {.kind = &mix_kind,
                                                  .accesses = accesses,
                                                  .accesses_count = 3,
                                                  .argument = &step,
                                                  .argument_size =
                                                      sizeof(step)};

    castell_must(castell_task_submit(&submission, NULL), NULL);
}

/* By tasks; returns how many steps there were. */
static int run_by_tasks(struct grid *grid, int steps, const char *until)
{
    int step;

    for (step = 0; step < steps; step++) {
        if (until && step % STEPS_AT_ONCE == 0) {
            castell_must(castell_barrier(), NULL);
            if (access(until, F_OK) == 0)
                break;
        }
        for (int b = 0; b < BLOCKS; b++)
            submit_mix(grid, step, b);
    }
    castell_must(castell_barrier(), NULL);
    return step;
}

static int run_steps(const char *count, const char *until)
{
    static struct grid grid, want;
    long steps = strtol(count, NULL, 10);
    bool right;

    if (steps < 0 || steps > STEPS_MAX)
        return 2;
    fill(&grid);
    fill(&want);
    steps = run_by_tasks(&grid, (int)steps, until);
    for (int step = 0; step < steps; step++)
        for (int b = 0; b < BLOCKS; b++)
            mix(want.blocks[step % 2][b],
                want.blocks[(step + 1) % 2][(b + BLOCKS - 1) % BLOCKS],
                want.blocks[(step + 1) % 2][(b + 1) % BLOCKS], step);
    right = memcmp(&grid, &want, sizeof(grid)) == 0;
    (void)printf("%s\n", right ? "right" : "WRONG");
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- Architectures --------------------------------------------------------- */

static int where_body(void *const *buffers, const void *argument)
{
    struct utsname system;

    (void)argument;
    if (uname(&system) != 0)
        return 1;
    (void)snprintf(buffers[0], ARCH_SIZE, "%s", system.machine);
    nap();
    return 0;
}

static struct castell_kind where_kind = {.name = "grid:where",
                                         .body = where_body};

/* Where the tasks ran, as text; submitted one beside the other. */
static void run_where(const char *arch, char places[ARCH_TASKS][ARCH_SIZE])
{
    const struct castell_constraint constraint = {.cores = 1, .arch = arch};

    memset(places, 0, ARCH_TASKS * sizeof(places[0]));
    for (int i = 0; i < ARCH_TASKS; i++) {
        const struct castell_access access =
            access_of(places[i], sizeof(places[i]), CASTELL_OUT);
        const struct castell_submission submission = {
            .kind = &where_kind,
            .accesses = &access,
            .accesses_count = 1,
            .constraint = arch ? &constraint : NULL};

        castell_must(castell_task_submit(&submission, NULL), NULL);
    }
    castell_must(castell_barrier(), NULL);
}

static int run_arches(char **names)
{
    static char places[ARCH_TASKS][ARCH_SIZE];

    for (char **name = names; *name; name++) {
        int there = 0;

        run_where(*name, places);
        for (int i = 0; i < ARCH_TASKS; i++)
            there += strcmp(places[i], *name) == 0;
        (void)printf("constraint %s: %d of %d there\n", *name, there,
                     ARCH_TASKS);
    }
    run_where(NULL, places);
    for (char **name = names; *name; name++) {
        int there = 0;

        for (int i = 0; i < ARCH_TASKS; i++)
            there += strcmp(places[i], *name) == 0;
        (void)printf("no constraint, %s: %d of %d there\n", *name, there,
                     ARCH_TASKS);
    }
    return EXIT_SUCCESS;
}

/* ---- Life ------------------------------------------------------------------ */

__attribute__((constructor)) static void declare(void)
{
    static struct castell_kind other_kind = {.name = "grid:other",
                                             .body = mix_body};

    castell_must(castell_kind_declare(&mix_kind), NULL);
    castell_must(castell_kind_declare(&where_kind), NULL);
    if (getenv("GRID_VERSION"))
        castell_must(castell_kind_declare(&other_kind), NULL);
}

int main(int argc, char **argv)
{
    int status = 2;

    castell_start(&argc, &argv);
    if (argc > 2 && strcmp(argv[1], "steps") == 0)
        status = run_steps(argv[2], argv[3]);
    else if (argc > 1 && strcmp(argv[1], "arch") == 0)
        status = run_arches(argv + 2);
    if (castell_stop() != 0 && status == 0)
        status = 1;
    return status;
}
