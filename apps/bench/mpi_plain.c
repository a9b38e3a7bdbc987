/*
 * mpi_plain.c - a small message there and back between two processes that do
 * nothing but poll: what a task on another node is compared with.
 *
 *     mpirun -n 2 mpi_plain [COUNT]
 */
#include "bench/bench.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIZE = 64, BATCHES = 20 };

static void wait_for(MPI_Request *request)
{
    int done = 0;

    while (!done)
        (void)MPI_Test(request, &done, MPI_STATUS_IGNORE);
}

static double go_round(int self, size_t count)
{
    uint64_t begun_ns = bench_now_ns();
    char bytes[SIZE] = "";

    for (size_t i = 0; i < count; i++)
        for (int half = 0; half < 2; half++) {
            MPI_Request request;

            if (half == self)
                (void)MPI_Isend(bytes, SIZE, MPI_BYTE, !self, 1, MPI_COMM_WORLD,
                                &request);
            else
                (void)MPI_Irecv(bytes, SIZE, MPI_BYTE, !self, 1, MPI_COMM_WORLD,
                                &request);
            wait_for(&request);
        }
    return (double)(bench_now_ns() - begun_ns) / 1e3 / (double)count;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    double times[BATCHES];
    int provided;
    int self;

    /* As the runtime does. */
    (void)MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &self);
    (void)go_round(self, count);
    for (int i = 0; i < BATCHES; i++)
        times[i] = go_round(self, count);
    qsort(times, BATCHES, sizeof(*times), compare);
    if (self == 0)
        printf("round %.2f us\n", times[BATCHES / 2]);
    (void)fflush(stdout);
    return MPI_Finalize() == MPI_SUCCESS ? 0 : 1;
}
