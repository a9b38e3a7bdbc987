/*
 * Ticks turn into the time of the system's clock, to one part in a thousand at
 * once and better later, at any moment before or after the start; a thread of
 * our own has its name and takes no signals.
 */
#include "base/clock.h"
#include "base/thread.h"
#include "harness/tap.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 100000, NAME_SIZE = 16 };

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* How far off is the clock now? The least of some attempts: the system may
   take the processor away between the two readings. */
static uint64_t error_now(const struct cst_clock *clock)
{
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < 100; i++) {
        struct cst_clock_pair now;
        uint64_t error;

        cst_clock_read_pair(&now);
        error = apart(cst_clock_ns_at(clock, now.ticks), now.ns);
        if (error < least)
            least = error;
    }
    return least;
}

static void test_ticks(void)
{
    uint64_t last = cst_ticks();
    uint64_t back = 0;
    uint64_t begun = cst_clock_ns();
    uint64_t ended;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t now = cst_ticks();

        back += now < last;
        last = now;
    }
    ended = cst_clock_ns();
    ok(back == 0, "ticks never go back");
    printf("# %.1f ns to read them\n", (double)(ended - begun) / ROUNDS);
}

static void test_conversion(void)
{
    struct cst_clock_pair before;
    struct cst_clock clock;
    uint64_t elapsed;
    uint64_t error;

    cst_clock_read_pair(&before);
    (void)usleep(1000);
    cst_clock_start(&clock);
    ok(error_now(&clock) < 1000, "right at the start");
    elapsed = cst_clock_ns() - before.ns;
    ok(apart(cst_clock_ns_at(&clock, before.ticks), before.ns) < elapsed / 50,
       "a moment before the start has a time too");
    (void)usleep(50000);
    error = error_now(&clock);
    elapsed = cst_clock_ns() - before.ns;
    printf("# off by %llu ns after %llu\n", (unsigned long long)error,
           (unsigned long long)elapsed);
    ok(error < elapsed / 500, "and 50 ms later to one in 500");
    cst_clock_refine(&clock);
    printf("# off by %llu ns when refined\n",
           (unsigned long long)error_now(&clock));
    ok(error_now(&clock) < 2000, "and better when refined");
    ok(apart(cst_clock_duration_ns(&clock, 0), 0) == 0,
       "no ticks take no time");
}

struct seen {
    char name[NAME_SIZE];
    bool takes_signals;
    bool may_crash;
};

static void *look(void *argument)
{
    struct seen *seen = argument;
    sigset_t mask;

    /* The name is given by the one who started us. */
    for (int i = 0; i < 10000 && strcmp(seen->name, "castell-test") != 0; i++) {
        (void)usleep(1000);
        (void)pthread_getname_np(pthread_self(), seen->name,
                                 sizeof(seen->name));
    }
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    seen->takes_signals = sigismember(&mask, SIGTERM) == 0;
    seen->may_crash = sigismember(&mask, SIGSEGV) == 0;
    return NULL;
}

static void test_thread(void)
{
    struct seen seen = {.takes_signals = true};
    sigset_t mask;
    pthread_t thread;

    must(cst_thread_start("castell-test", look, &seen, &thread) == CASTELL_OK,
         "a thread starts");
    (void)pthread_join(thread, NULL);
    ok(strcmp(seen.name, "castell-test") == 0, "it has its name");
    ok(!seen.takes_signals && seen.may_crash,
       "it takes no signals but those that it brings on itself");
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ok(sigismember(&mask, SIGTERM) == 0, "its maker still does");
    ok(strcmp(cst_reason(ENOSPC), "No space left on device") == 0,
       "an error has a reason: %s", cst_reason(ENOSPC));
}

int main(void)
{
    test_ticks();
    test_conversion();
    test_thread();
    return tap_done();
}
