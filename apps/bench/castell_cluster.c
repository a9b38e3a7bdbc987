/*
 * castell_cluster.c - what the table does not see in one process: waiting for a
 * task on another node, nodes that wait, and what the master keeps of tasks
 * that have not ended. To be run by `castell run --no-master-tasks`, with one
 * worker of one core.
 *
 *     castell_cluster round | idle | memory [COUNT]
 *
 * round: COUNT times a task that depends on the one before is submitted and
 * waited for: at once (round), and after both processes have slept (round.cold).
 * Between the cold ones, as cold, a message goes there and back over a socket
 * between this process and one that does nothing else: on the worker's core
 * (round.bare), and on this process's own (round.same), where it wakes no other.
 * idle: for COUNT seconds nobody has anything to do.
 * memory: COUNT tasks wait while another holds the worker, as many again for
 * these. Prints lines "name value unit".
 */
#include "bench/bench.h"

#include <castell.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    COLD_ROUNDS = 40,
    COLD_NS = 20000000,
    GATE_US = 1000,
    DATUM_SIZE = 64,
    PATH_SIZE = 64,
    NUMBER_SIZE = 16,
    EVER = -1,
};

static double cpu_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Kinds ------------------------------------------------------------------ */

static int run_nothing(void *const *buffers, const void *argument)
{
    return 0;
}

/* What its process has used so far. */
static int run_clock(void *const *buffers, const void *argument)
{
    double seconds = cpu_seconds();

    memcpy(buffers[0], &seconds, sizeof(seconds));
    return 0;
}

/* The core that it is run on. */
static int run_where(void *const *buffers, const void *argument)
{
    int core = sched_getcpu();

    memcpy(buffers[0], &core, sizeof(core));
    return 0;
}

/* Until the file is gone that the argument names. */
static int run_gate(void *const *buffers, const void *argument)
{
    while (access(argument, F_OK) == 0)
        (void)usleep(GATE_US);
    return 0;
}

static struct castell_kind nothing = {.name = "nothing", .body = run_nothing};
static struct castell_kind clock_kind = {.name = "clock", .body = run_clock};
static struct castell_kind where = {.name = "where", .body = run_where};
static struct castell_kind gate = {.name = "gate", .body = run_gate};

static void submit(struct castell_kind *kind, void *base,
                   enum castell_mode mode, const char *argument)
{
    struct castell_access access = {
        .base = base, .size = DATUM_SIZE, .mode = mode};

    castell_must(castell_task_submit(
                     &(struct castell_submission){
                         .kind = kind,
                         .accesses = &access,
                         .accesses_count = 1,
                         .argument = argument,
                         .argument_size = argument ? strlen(argument) + 1 : 0,
                     },
                     NULL),
                 "castell_task_submit");
}

static void wait_on(void *base)
{
    struct castell_access access = {
        .base = base, .size = DATUM_SIZE, .mode = CASTELL_IN};

    castell_must(castell_wait_on(&access, 1), "castell_wait_on");
}

/* ---- Round trips ------------------------------------------------------------ */

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static void print_rounds(const char *name, double *times, size_t count)
{
    qsort(times, count, sizeof(*times), compare);
    printf("%s %.2f us\n", name, times[count / 2]);
    printf("%s.p90 %.2f us\n", name, times[count * 9 / 10]);
}

static double go_round(void)
{
    uint64_t begun_ns = bench_now_ns();

    submit(&nothing, &bench_cells[0], CASTELL_INOUT, NULL);
    wait_on(&bench_cells[0]);
    return (double)(bench_now_ns() - begun_ns) / 1e3;
}

/* ---- The same over a bare socket --------------------------------------------- */

/* False: the other side has ended. */
static bool take_message(int fd)
{
    struct pollfd file = {.fd = fd, .events = POLLIN};
    char bytes[DATUM_SIZE];
    ssize_t got = -1;

    while (got < 0) {
        (void)poll(&file, 1, EVER);
        got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    }
    return got > 0;
}

static void put_message(int fd)
{
    char bytes[DATUM_SIZE] = "";

    if (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) != sizeof(bytes))
        exit(1);
}

static int find_core_of_worker(void)
{
    int core;

    submit(&where, &bench_cells[0], CASTELL_OUT, NULL);
    wait_on(&bench_cells[0]);
    memcpy(&core, &bench_cells[0], sizeof(core));
    return core;
}

/* What the other process does. */
static int echo(const char *core)
{
    cpu_set_t cores;

    CPU_ZERO(&cores);
    CPU_SET(strtoul(core, NULL, 10), &cores);
    if (sched_setaffinity(0, sizeof(cores), &cores))
        return 1;
    while (take_message(STDIN_FILENO))
        put_message(STDIN_FILENO);
    return 0;
}

static int start_echo(int core, pid_t *ret_pid)
{
    char name[] = "castell_cluster";
    char what[] = "echo";
    char where_to[NUMBER_SIZE];
    char *argv[] = {name, what, where_to, NULL};
    posix_spawn_file_actions_t actions;
    int files[2];

    (void)snprintf(where_to, sizeof(where_to), "%d", core);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, files) ||
        posix_spawn_file_actions_init(&actions) ||
        posix_spawn_file_actions_adddup2(&actions, files[1], STDIN_FILENO) ||
        posix_spawn(ret_pid, "/proc/self/exe", &actions, NULL, argv, environ))
        exit(1);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(files[1]);
    return files[0];
}

static double go_bare(int fd)
{
    uint64_t begun_ns = bench_now_ns();

    put_message(fd);
    (void)take_message(fd);
    return (double)(bench_now_ns() - begun_ns) / 1e3;
}

static void let_all_sleep(void)
{
    struct timespec time = {0, COLD_NS};

    (void)nanosleep(&time, NULL);
}

static void measure_cold(void)
{
    double cold[COLD_ROUNDS];
    double bare[COLD_ROUNDS];
    double same[COLD_ROUNDS];
    pid_t there;
    pid_t here;
    int to_there = start_echo(find_core_of_worker(), &there);
    int to_here = start_echo(sched_getcpu(), &here);

    (void)go_bare(to_there);
    (void)go_bare(to_here);
    for (size_t i = 0; i < COLD_ROUNDS; i++) {
        let_all_sleep();
        bare[i] = go_bare(to_there);
        let_all_sleep();
        cold[i] = go_round();
        let_all_sleep();
        same[i] = go_bare(to_here);
    }
    (void)close(to_there);
    (void)close(to_here);
    (void)waitpid(there, NULL, 0);
    (void)waitpid(here, NULL, 0);
    print_rounds("round.cold", cold, COLD_ROUNDS);
    print_rounds("round.bare", bare, COLD_ROUNDS);
    print_rounds("round.same", same, COLD_ROUNDS);
}

static void measure_round(size_t count)
{
    double *times = calloc(count, sizeof(*times));

    if (!times)
        exit(1);
    for (size_t i = 0; i < count / 10 + 1; i++)
        (void)go_round();
    for (size_t i = 0; i < count; i++)
        times[i] = go_round();
    print_rounds("round", times, count);
    free(times);
    measure_cold();
}

/* ---- Nothing to do ---------------------------------------------------------- */

static double worker_seconds(void)
{
    double seconds;

    submit(&clock_kind, &bench_cells[0], CASTELL_OUT, NULL);
    wait_on(&bench_cells[0]);
    memcpy(&seconds, &bench_cells[0], sizeof(seconds));
    return seconds;
}

static void measure_idle(size_t seconds)
{
    double worker = worker_seconds();
    double master = cpu_seconds();
    uint64_t begun_ns = bench_now_ns();
    double wall;

    (void)sleep((unsigned)seconds);
    wall = (double)(bench_now_ns() - begun_ns) / 1e9;
    printf("idle.master %.3f %%\n", 100 * (cpu_seconds() - master) / wall);
    printf("idle %.3f %%\n", 100 * (worker_seconds() - worker) / wall);
}

/* ---- Memory ----------------------------------------------------------------- */

static void measure_memory(size_t count)
{
    char path[PATH_SIZE] = "/tmp/castell-gate.XXXXXX";
    char *data = calloc(count, DATUM_SIZE);
    int file = mkstemp(path);
    size_t empty;
    size_t planned;
    size_t queued;

    if (!data || file < 0)
        exit(1);
    memset(data, 1, count * DATUM_SIZE);
    submit(&gate, &bench_gate_cell, CASTELL_INOUT, path);
    empty = bench_memory();
    for (size_t i = 0; i < count; i++)
        submit(&nothing, data + i * DATUM_SIZE, CASTELL_INOUT, NULL);
    (void)sleep(1); /* all that was submitted is dealt with */
    planned = bench_memory();
    for (size_t i = 0; i < count; i++)
        submit(&nothing, data + i * DATUM_SIZE, CASTELL_INOUT, NULL);
    (void)sleep(1);
    queued = bench_memory();
    (void)close(file);
    (void)unlink(path);
    castell_must(castell_barrier(), "castell_barrier");
    printf("memory.ready %.1f bytes\n",
           ((double)planned - (double)empty) / (double)count);
    printf("memory.queued %.1f bytes\n",
           ((double)queued - (double)planned) / (double)count);
    free(data);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

    if (strcmp(name, "echo") == 0)
        return argc > 2 ? echo(argv[2]) : 2;
    memset(bench_cells, 1, sizeof(bench_cells));
    castell_must(castell_kind_declare(&nothing), "castell_kind_declare");
    castell_must(castell_kind_declare(&clock_kind), "castell_kind_declare");
    castell_must(castell_kind_declare(&where), "castell_kind_declare");
    castell_must(castell_kind_declare(&gate), "castell_kind_declare");
    castell_start(NULL, NULL);
    if (strcmp(name, "round") == 0) {
        measure_round(count ? count : 2000);
    } else if (strcmp(name, "idle") == 0) {
        measure_idle(count ? count : 5);
    } else if (strcmp(name, "memory") == 0) {
        measure_memory(count ? count : 50000);
    } else {
        (void)fprintf(stderr,
                      "usage: castell_cluster round | idle | memory [COUNT]\n");
        return 2;
    }
    if (castell_stop() != 0)
        return 1;
    return fflush(stdout) == 0 ? 0 : 1;
}
