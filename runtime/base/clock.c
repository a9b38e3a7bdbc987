#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

enum { CALIBRATION_NS = 100000, PAIR_ATTEMPTS = 5, SOURCE_NAME_SIZE = 32 };

uint64_t cst_clock_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__) || defined(__i386__)

static uint64_t counter(void)
{
    return __rdtsc();
}

/*
 * The system watches the counters of all processors, and stops using them as
 * its clock when they stop, drift apart, or a virtual machine has moved.
 */
static bool counter_is_good(void)
{
    char source[SOURCE_NAME_SIZE] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/"
                       "current_clocksource",
                       "re");

    if (!file)
        return false;
    if (!fgets(source, sizeof(source), file))
        source[0] = '\0';
    (void)fclose(file);
    return strcmp(source, "tsc\n") == 0;
}

#elif defined(__aarch64__)

static uint64_t counter(void)
{
    uint64_t ticks;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}

/* The architecture promises one rate and one time for all processors. */
static bool counter_is_good(void)
{
    return true;
}

#else

static uint64_t counter(void)
{
    return cst_clock_ns();
}

static bool counter_is_good(void)
{
    return false;
}

#endif

enum trust { TRUST_UNKNOWN = 0, TRUST_COUNTER, TRUST_SYSTEM };

static atomic_int trust;

static int find_trust(void)
{
    int found = counter_is_good() ? TRUST_COUNTER : TRUST_SYSTEM;

    atomic_store_explicit(&trust, found, memory_order_relaxed);
    return found;
}

static int whom_to_trust(void)
{
    int known = atomic_load_explicit(&trust, memory_order_relaxed);

    return __builtin_expect(known == TRUST_UNKNOWN, 0) ? find_trust() : known;
}

uint64_t cst_ticks(void)
{
    if (__builtin_expect(whom_to_trust() == TRUST_COUNTER, 1))
        return counter();
    return cst_clock_ns();
}

/* An interrupt between two readings spoils them; the closest pair is taken. */
void cst_clock_read_pair(struct cst_clock_pair *ret_pair)
{
    uint64_t closest = UINT64_MAX;

    if (whom_to_trust() == TRUST_SYSTEM) {
        ret_pair->ticks = ret_pair->ns = cst_clock_ns();
        return;
    }
    for (int i = 0; i < PAIR_ATTEMPTS; i++) {
        uint64_t before = counter();
        uint64_t ns = cst_clock_ns();
        uint64_t after = counter();

        if (after - before < closest) {
            closest = after - before;
            ret_pair->ticks = before + (after - before) / 2;
            ret_pair->ns = ns;
        }
    }
}

void cst_clock_refine(struct cst_clock *clock)
{
    struct cst_clock_pair now;

    if (whom_to_trust() == TRUST_SYSTEM) {
        clock->ns_per_tick = 1;
        return;
    }
    cst_clock_read_pair(&now);
    if (now.ticks > clock->start.ticks)
        clock->ns_per_tick = (double)(now.ns - clock->start.ns) /
                             (double)(now.ticks - clock->start.ticks);
}

void cst_clock_start(struct cst_clock *ret_clock)
{
    cst_clock_read_pair(&ret_clock->start);
    ret_clock->ns_per_tick = 1;
    if (whom_to_trust() == TRUST_SYSTEM)
        return;
    while (cst_clock_ns() - ret_clock->start.ns < CALIBRATION_NS)
        continue;
    cst_clock_refine(ret_clock);
}

uint64_t cst_clock_ns_at(const struct cst_clock *clock, uint64_t ticks)
{
    if (ticks >= clock->start.ticks)
        return clock->start.ns +
               cst_clock_duration_ns(clock, ticks - clock->start.ticks);
    return clock->start.ns -
           cst_clock_duration_ns(clock, clock->start.ticks - ticks);
}
