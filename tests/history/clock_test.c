/*
 * One clock for all nodes, though each has its own: a worker whose clock is
 * ahead and too fast, whose questions to the master take different times, and
 * answers that took long are wrong. What happened at one moment on both nodes
 * is at one moment in the history, from the beginning of the run to its end.
 */
#include "harness/tap.h"
#include "history/forge.h"
#include "history/history.h"
#include "trace/world.h"

#include <math.h>

#define S 1000000000ULL

enum { ROUND_NS = 20000, MOMENTS = 50, EARLY = 8 };

static char directory[WORLD_PATH_SIZE];

/* As a worker asks: often at first, then twice a second; some take long. */
static void ask(struct forge *worker, uint64_t until)
{
    uint64_t ns = 0;

    for (int i = 0; ns < until; i++) {
        bool slow = i % 5 == 2;
        double wrong = slow ? 900000 : (i % 2 ? 4000 : -4000);

        forge_sync(worker, ns, slow ? 2000000 : (uint64_t)ROUND_NS, wrong);
        ns += i < EARLY ? S / 500 : S / 2;
    }
}

/* The largest difference of what was at one moment; ns. */
static uint64_t measure(double offset, double drift, uint64_t length,
                        double *ret_drift)
{
    struct forge *master = forge_open(directory, 0, 1, 0, 0);
    struct forge *worker = forge_open(directory, 1, 1, offset, drift);
    struct cst_history *history = NULL;
    uint64_t worst = 0;

    for (uint64_t i = 0; i < MOMENTS; i++) {
        uint64_t ns = length / MOMENTS * i + 1000;

        forge_run(master, 0, 1 + i, ns, ns, ns + 10);
        forge_run(worker, 0, 1001 + i, ns, ns, ns + 10);
    }
    ask(worker, length);
    forge_close(master, length);
    forge_close(worker, length);
    must(cst_history_open(directory, &history) == CASTELL_OK, "a history");
    for (uint64_t i = 0; i < MOMENTS; i++) {
        uint32_t one = cst_history_find(history, 1 + i);
        uint32_t two = cst_history_find(history, 1001 + i);
        uint64_t a = history->attempts[history->tasks[one].attempts].started_ns;
        uint64_t b = history->attempts[history->tasks[two].attempts].started_ns;
        uint64_t by = a > b ? a - b : b - a;

        if (by > worst)
            worst = by;
    }
    ok(history->nodes[1].clock_error_ns <= ROUND_NS / 2 + 1,
       "the answers that took long are not believed");
    *ret_drift = history->nodes[1].drift;
    cst_history_close(history);
    return worst;
}

int main(void)
{
    static const struct {
        double offset;
        double drift;
        uint64_t length;
    } clocks[] = {
        {3e6, 0, 20 * S},    {-5e8, 50e-6, 20 * S}, {7e9, -200e-6, 60 * S},
        {1e3, 50e-6, 1 * S}, {0, 20e-6, 10 * S},
    };
    double drift = 0;

    world_open(directory);
    for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        uint64_t worst = measure(clocks[i].offset, clocks[i].drift,
                                 clocks[i].length, &drift);

        ok(worst <= ROUND_NS / 2,
           "%g ms ahead, %g parts in a million too fast, for %d s: off by at "
           "most %d us",
           clocks[i].offset / 1e6, clocks[i].drift * 1e6,
           (int)(clocks[i].length / S), (int)(worst / 1000));
        ok(fabs(drift + clocks[i].drift / (1 + clocks[i].drift)) < 10e-6,
           "its drift is found: %.1f parts in a million", -drift * 1e6);
    }
    world_close(directory);
    return tap_done();
}
