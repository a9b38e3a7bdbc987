/*
 * kernel_peak.c - what the kernel reaches on THREADS threads with no runtime:
 * the 100 % of the efficiencies.
 *
 *     kernel_peak [THREADS [ITERATIONS]]
 */
#include "bench/bench.h"
#include "bench/kernel.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS_MAX = 1024 };

static uint64_t iterations = 20000000;
static pthread_barrier_t all_ready;
static double sums[THREADS_MAX];

static void *run_thread(void *argument)
{
    double *result = argument;

    (void)pthread_barrier_wait(&all_ready);
    *result = kernel_run(iterations, (uint32_t)(result - sums));
    return NULL;
}

int main(int argc, char **argv)
{
    static pthread_t threads[THREADS_MAX];
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 2;
    uint64_t begun_ns;
    double flops;

    if (argc > 2)
        iterations = strtoul(argv[2], NULL, 10);
    if (argc > 3 || count < 1 || count > THREADS_MAX || iterations < 1) {
        (void)fprintf(stderr, "usage: kernel_peak [THREADS [ITERATIONS]]\n");
        return 2;
    }
    if (pthread_barrier_init(&all_ready, NULL, (unsigned)count + 1) != 0)
        return 1;
    for (unsigned long i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, run_thread, &sums[i]) != 0)
            return 1;
    (void)pthread_barrier_wait(&all_ready);
    begun_ns = bench_now_ns();
    for (unsigned long i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    flops = (double)KERNEL_FLOPS * (double)iterations * (double)count;
    printf("peak %.3f Gflop/s\n", flops / (double)(bench_now_ns() - begun_ns));
    return 0;
}
