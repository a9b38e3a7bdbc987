/*
 * used.h - which threads of this process have worked, and where they may.
 */
#ifndef CST_TEST_DEVICE_USED_H
#define CST_TEST_DEVICE_USED_H

#include <sched.h>

enum { USED_THREADS_MAX = 256 };

/* What each thread has had of the processors, at some moment. */
struct used {
    int count;
    struct {
        int thread;
        unsigned long long ns;
    } threads[USED_THREADS_MAX];
};

void used_now(struct used *ret_used);

/* How many threads have worked since, for at least a tenth of the time of the
   one that worked the longest. Their CPU sets are united in *ret_cpus. */
int used_since(const struct used *before, cpu_set_t *ret_cpus);

#endif
