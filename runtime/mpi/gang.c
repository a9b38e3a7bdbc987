/*
 * gang.c - the module that knows MPI, for the members of a gang: what
 * gang/gang_ops.h asks for.
 */
#include "gang/gang_ops.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

extern const struct cst_gang_ops castell_gang_ops;

enum { EXIT_MPI = 1 };

struct cst_gang_world {
    MPI_Comm ours;   /* the runtime's own messages */
    MPI_Comm theirs; /* the body's */
    MPI_Request request;
    int offered;
    int greatest;
};

/* Errors are fatal, as MPI has it: then the gang ends. */
static struct cst_gang_world *start(uint32_t *ret_rank, uint32_t *ret_size)
{
    struct cst_gang_world *world = calloc(1, sizeof(*world));
    int provided, running = 0;
    int rank = 0;
    int size = 1;

    if (!world) {
        (void)fprintf(stderr, "castell: a process of a gang has no memory\n");
        _exit(EXIT_MPI);
    }
    (void)MPI_Initialized(&running);
    if (!running)
        (void)MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided);
    (void)MPI_Comm_dup(MPI_COMM_WORLD, &world->ours);
    (void)MPI_Comm_dup(MPI_COMM_WORLD, &world->theirs);
    (void)MPI_Comm_rank(world->ours, &rank);
    (void)MPI_Comm_size(world->ours, &size);
    *ret_rank = (uint32_t)rank;
    *ret_size = (uint32_t)size;
    return world;
}

/* ---- In the world of the run ---------------------------------------------- */

static bool may_join(void)
{
    int running = 0, over = 0;
    int level = MPI_THREAD_SINGLE;

    return MPI_Initialized(&running) == MPI_SUCCESS && running &&
           MPI_Finalized(&over) == MPI_SUCCESS && !over &&
           MPI_Query_thread(&level) == MPI_SUCCESS &&
           level == MPI_THREAD_MULTIPLE;
}

/*
 * An error in the body is fatal, as MPI has it, to this process and not, as by
 * MPI_ERRORS_ARE_FATAL, to the whole world of the run.
 */
/* NOLINTNEXTLINE(readability-non-const-parameter): MPI's type */
static void on_error(MPI_Comm *comm, int *error, ...)
{
    char text[MPI_MAX_ERROR_STRING] = "an unknown error";
    int length;

    (void)comm;
    (void)MPI_Error_string(*error, text, &length);
    (void)fprintf(stderr,
                  "castell: this process ends: MPI failed in a body of "
                  "device(mpi): %s\n",
                  text);
    (void)fflush(NULL);
    _exit(EXIT_MPI);
}

/* Members only; a world that lost another process does not hinder them. */
static MPI_Comm make(const uint32_t *ranks, uint32_t count, uint32_t tag)
{
    int *numbers = calloc(count, sizeof(*numbers));
    MPI_Comm made = MPI_COMM_NULL;
    MPI_Group all, group;

    for (uint32_t i = 0; numbers && i < count; i++)
        numbers[i] = (int)ranks[i];
    if (numbers && MPI_Comm_group(MPI_COMM_WORLD, &all) == MPI_SUCCESS) {
        if (MPI_Group_incl(all, (int)count, numbers, &group) == MPI_SUCCESS) {
            if (MPI_Comm_create_group(MPI_COMM_WORLD, group, (int)tag, &made) !=
                MPI_SUCCESS)
                made = MPI_COMM_NULL;
            (void)MPI_Group_free(&group);
        }
        (void)MPI_Group_free(&all);
    }
    free(numbers);
    return made;
}

static struct cst_gang_world *join(const uint32_t *ranks, uint32_t count,
                                   uint32_t tag, uint32_t *ret_rank)
{
    struct cst_gang_world *world = calloc(1, sizeof(*world));
    MPI_Errhandler handler;
    int rank = 0;

    if (!world)
        return NULL;
    world->request = MPI_REQUEST_NULL;
    world->ours = make(ranks, count, tag);
    if (world->ours == MPI_COMM_NULL ||
        MPI_Comm_set_errhandler(world->ours, MPI_ERRORS_RETURN) !=
            MPI_SUCCESS ||
        MPI_Comm_dup(world->ours, &world->theirs) != MPI_SUCCESS ||
        MPI_Comm_create_errhandler(on_error, &handler) != MPI_SUCCESS) {
        free(world);
        return NULL;
    }
    (void)MPI_Comm_set_errhandler(world->theirs, handler);
    (void)MPI_Errhandler_free(&handler);
    (void)MPI_Comm_rank(world->ours, &rank);
    *ret_rank = (uint32_t)rank;
    return world;
}

static void leave(struct cst_gang_world *world, bool whole)
{
    if (!whole)
        return; /* MPI may still write to it */
    (void)MPI_Comm_free(&world->theirs);
    (void)MPI_Comm_free(&world->ours);
    free(world);
}

/* ---- Among the members ------------------------------------------------------ */

static bool spread(struct cst_gang_world *world, void *bytes, size_t size)
{
    const size_t most = (size_t)1 << 30; /* its count is an int */

    for (size_t at = 0; at < size; at += most) {
        size_t left = size - at;

        if (MPI_Bcast((char *)bytes + at, (int)(left < most ? left : most),
                      MPI_BYTE, 0, world->ours) != MPI_SUCCESS)
            return false;
    }
    return true;
}

static bool greatest(struct cst_gang_world *world, int *number)
{
    int mine = *number;

    return MPI_Allreduce(&mine, number, 1, MPI_INT, MPI_MAX, world->ours) ==
           MPI_SUCCESS;
}

static bool offer(struct cst_gang_world *world, int number)
{
    world->offered = number;
    return MPI_Iallreduce(&world->offered, &world->greatest, 1, MPI_INT,
                          MPI_MAX, world->ours, &world->request) == MPI_SUCCESS;
}

static bool is_known(struct cst_gang_world *world, int *ret_greatest)
{
    int done = 0;

    if (MPI_Test(&world->request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS ||
        !done)
        return false;
    *ret_greatest = world->greatest;
    return true;
}

static void comm(const struct cst_gang_world *world, void *ret_comm)
{
    memcpy(ret_comm, &world->theirs, sizeof(world->theirs));
}

static void finish(struct cst_gang_world *world)
{
    int finished = 0;

    (void)MPI_Finalized(&finished);
    if (!finished)
        (void)MPI_Finalize();
    free(world);
}

EXPORT const struct cst_gang_ops castell_gang_ops = {
    .version = CST_GANG_OPS_VERSION,
    .start = start,
    .may_join = may_join,
    .join = join,
    .spread = spread,
    .greatest = greatest,
    .offer = offer,
    .is_known = is_known,
    .comm = comm,
    .leave = leave,
    .finish = finish,
};
