/*
 * clock.h - what time it is: right, or fast.
 *
 * Layer: base. Any thread.
 *
 * cst_clock_ns() is the system's monotonic clock, about 20 ns a call. A *tick*
 * is one step of the processor's own counter, about 10 ns to read, at a rate
 * that only measuring tells: a struct cst_clock turns ticks into the time of
 * cst_clock_ns(). Where the counter cannot be trusted (the system itself does
 * not) a tick is a nanosecond of the system's clock, and all of this holds too.
 */
#ifndef CST_BASE_CLOCK_H
#define CST_BASE_CLOCK_H

#include <stdint.h>

/* The same moment on both clocks. */
struct cst_clock_pair {
    uint64_t ticks;
    uint64_t ns;
};

/* Owner: the caller; cst_clock_refine() excludes the others. */
struct cst_clock {
    struct cst_clock_pair start;
    double ns_per_tick;
};

/* Nanoseconds since some moment in the past; never goes back. */
uint64_t cst_clock_ns(void);

/* The counter. Never goes back in one thread; threads agree to about 50 ns. */
uint64_t cst_ticks(void);

void cst_clock_read_pair(struct cst_clock_pair *ret_pair);

/* Measure the rate of ticks, in 0.1 ms, to about 1 in 5,000. */
void cst_clock_start(struct cst_clock *ret_clock);

/* Measure it again, from the start until now; the later the better. */
void cst_clock_refine(struct cst_clock *clock);

/* The time of cst_clock_ns() at that tick, which may be before the start. */
uint64_t cst_clock_ns_at(const struct cst_clock *clock, uint64_t ticks);

/* How long that many ticks take. */
static inline uint64_t cst_clock_duration_ns(const struct cst_clock *clock,
                                             uint64_t ticks)
{
    return (uint64_t)((double)ticks * clock->ns_per_tick);
}

#endif
