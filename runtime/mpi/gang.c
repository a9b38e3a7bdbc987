/*
 * gang.c - the module that knows MPI, for the members of a gang: what
 * gang/gang_ops.h asks for.
 */
#include "gang/gang_ops.h"

#include <mpi.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

extern const struct cst_gang_ops castell_gang_ops;

static MPI_Comm ours = MPI_COMM_NULL;   /* the runtime's own messages */
static MPI_Comm theirs = MPI_COMM_NULL; /* the body's */

/* Errors are fatal, as MPI has it: then the gang ends. */
static void start(uint32_t *ret_rank, uint32_t *ret_size)
{
    int provided, running = 0;
    int rank = 0;
    int size = 1;

    (void)MPI_Initialized(&running);
    if (!running)
        (void)MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided);
    (void)MPI_Comm_dup(MPI_COMM_WORLD, &ours);
    (void)MPI_Comm_dup(MPI_COMM_WORLD, &theirs);
    (void)MPI_Comm_rank(ours, &rank);
    (void)MPI_Comm_size(ours, &size);
    *ret_rank = (uint32_t)rank;
    *ret_size = (uint32_t)size;
}

static void spread(void *bytes, size_t size)
{
    const size_t most = (size_t)1 << 30; /* its count is an int */

    for (size_t at = 0; at < size; at += most) {
        size_t left = size - at;

        (void)MPI_Bcast((char *)bytes + at, (int)(left < most ? left : most),
                        MPI_BYTE, 0, ours);
    }
}

static int greatest(int number)
{
    int all = number;

    (void)MPI_Allreduce(&number, &all, 1, MPI_INT, MPI_MAX, ours);
    return all;
}

static void comm(void *ret_comm)
{
    memcpy(ret_comm, &theirs, sizeof(theirs));
}

static void finish(void)
{
    int finished = 0;

    (void)MPI_Finalized(&finished);
    if (!finished)
        (void)MPI_Finalize();
}

EXPORT const struct cst_gang_ops castell_gang_ops = {
    .version = CST_GANG_OPS_VERSION,
    .start = start,
    .spread = spread,
    .greatest = greatest,
    .comm = comm,
    .finish = finish,
};
