/*
 * mpi_plain.c - MPI alone, between processes that do nothing else: a small
 * message there and back, which a task on another node is compared with; and
 * MPI_Allreduce of floats that are filled before, as castell_allreduce does.
 *
 *     mpirun -n 2 mpi_plain [COUNT]
 *     mpirun -n N mpi_plain allreduce BYTES
 */
#include "bench/bench.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 64, BATCHES = 20, STEPS = 25 };

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

static int reduce_all(int self, size_t count)
{
    float *mine = malloc(count * sizeof(*mine));
    float *sum = malloc(count * sizeof(*sum));
    int cold = bench_cold_steps(count * sizeof(*mine));
    double times[STEPS];

    if (!mine || !sum)
        exit(EXIT_FAILURE);
    for (int step = -cold; step < STEPS; step++) {
        uint64_t begun_ns;

        (void)MPI_Barrier(MPI_COMM_WORLD);
        begun_ns = bench_now_ns();
        for (size_t i = 0; i < count; i++)
            mine[i] = (float)(step + cold + 1);
        (void)MPI_Allreduce(mine, sum, (int)count, MPI_FLOAT, MPI_SUM,
                            MPI_COMM_WORLD);
        if (step >= 0)
            times[step] = (double)(bench_now_ns() - begun_ns) / 1e3;
    }
    qsort(times, STEPS, sizeof(*times), compare);
    if (self == 0)
        printf("allreduce %.1f us\n", times[STEPS / 2]);
    free(mine);
    free(sum);
    (void)fflush(stdout);
    return MPI_Finalize() == MPI_SUCCESS ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool reduces = argc > 2 && strcmp(argv[1], "allreduce") == 0;
    size_t count = argc > 1 ? strtoul(argv[reduces ? 2 : 1], NULL, 10) : 1000;
    double times[BATCHES];
    int provided;
    int self;

    /* As the runtime does. */
    (void)MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &self);
    if (reduces)
        return reduce_all(self, count / sizeof(float));
    (void)go_round(self, count);
    for (int i = 0; i < BATCHES; i++)
        times[i] = go_round(self, count);
    qsort(times, BATCHES, sizeof(*times), compare);
    if (self == 0)
        printf("round %.2f us\n", times[BATCHES / 2]);
    (void)fflush(stdout);
    return MPI_Finalize() == MPI_SUCCESS ? 0 : 1;
}
