/*
 * mpi.c - the module that knows MPI: what link/mpi_ops.h asks for.
 *
 * It is loaded where a process was started under MPI and its owner wants it; so
 * no other program ever loads an MPI library. Nothing else includes <mpi.h>.
 */
#include "link/mpi_ops.h"

#include <mpi.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

_Static_assert(sizeof(MPI_Request) <= sizeof(uintptr_t),
               "a request fits in a word");

#define EXPORT __attribute__((visibility("default")))

extern const struct cst_mpi_ops castell_mpi_ops;

static MPI_Comm links = MPI_COMM_NULL; /* ours alone: no message of others */

static uintptr_t wrap(MPI_Request request)
{
    uintptr_t word = 0;

    memcpy(&word, &request, sizeof(request));
    return word;
}

static MPI_Request unwrap(uintptr_t word)
{
    MPI_Request request;

    memcpy(&request, &word, sizeof(request));
    return request;
}

static int describe(int error, const char *call, char *why, size_t why_size)
{
    char text[MPI_MAX_ERROR_STRING];
    int length;

    if (MPI_Error_string(error, text, &length) != MPI_SUCCESS)
        strcpy(text, "an unknown error");
    (void)snprintf(why, why_size, "%s: %s", call, text);
    return -1;
}

/* Everybody in it, with a number that only they know. */
static int make_world(struct cst_mpi_world *world, char *why, size_t why_size)
{
    int error = MPI_Comm_dup(MPI_COMM_WORLD, &links);
    int rank = 0;
    int size = 1;

    if (error != MPI_SUCCESS)
        return describe(error, "MPI_Comm_dup", why, why_size);
    (void)MPI_Comm_set_errhandler(links, MPI_ERRORS_RETURN);
    (void)MPI_Comm_rank(links, &rank);
    (void)MPI_Comm_size(links, &size);
    world->rank = (uint32_t)rank;
    world->size = (uint32_t)size;
    world->id = 0;
    if (rank == 0 &&
        getrandom(&world->id, sizeof(world->id), 0) != sizeof(world->id))
        world->id = 0;
    error = MPI_Bcast(&world->id, 1, MPI_UINT64_T, 0, links);
    if (error != MPI_SUCCESS)
        return describe(error, "MPI_Bcast", why, why_size);
    if (world->id == 0) {
        (void)snprintf(why, why_size, "no random number for the MPI world");
        return -1;
    }
    return 0;
}

static int start(struct cst_mpi_world *ret_world, bool shared, char *why,
                 size_t why_size)
{
    int level = shared ? MPI_THREAD_MULTIPLE : MPI_THREAD_SERIALIZED;
    int provided = MPI_THREAD_SINGLE;
    int running = 0;
    int error;

    /* A send to a process that died must not be the end of this one. */
    (void)signal(SIGPIPE, SIG_IGN);
    /* UCX reads the memory of another process on the same machine, and aborts
       when that one has died meanwhile: without that way it has others. */
    (void)setenv("UCX_TLS", "^cma", 0); /* NOLINT(concurrency-mt-unsafe) */
    /* Nor may UCX abort (tcp_ep.c, in 1.13) since the peer of a put over TCP died
       before it said that all of it came: messages go another way. */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    (void)setenv("UCX_TCP_PUT_ENABLE", "n", 0);
    error = MPI_Initialized(&running);
    if (error == MPI_SUCCESS && !running)
        error = MPI_Init_thread(NULL, NULL, level, &provided);
    else if (error == MPI_SUCCESS)
        error = MPI_Query_thread(&provided);
    if (error != MPI_SUCCESS)
        return describe(error, "MPI_Init_thread", why, why_size);
    (void)MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    (void)MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    if (provided < MPI_THREAD_SERIALIZED) {
        (void)snprintf(why, why_size,
                       "this MPI cannot be used by one thread at a time");
        return -1;
    }
    return make_world(ret_world, why, why_size);
}

/* The type of a piece of several parts, at absolute addresses. */
static int make_type(const struct cst_mpi_piece *piece, MPI_Datatype *ret_type)
{
    MPI_Datatype types[3] = {MPI_BYTE, MPI_BYTE, MPI_BYTE};
    int counts[3] = {(int)piece->first_size, 1, (int)piece->last_size};
    MPI_Aint where[3] = {0, 0, 0};
    int error;

    (void)MPI_Get_address(piece->first, &where[0]);
    (void)MPI_Get_address(piece->rows, &where[1]);
    (void)MPI_Get_address(piece->last, &where[2]);
    error =
        MPI_Type_create_hvector((int)piece->rows_count, (int)piece->row_size,
                                (MPI_Aint)piece->pitch, MPI_BYTE, &types[1]);
    if (error != MPI_SUCCESS)
        return error;
    error = MPI_Type_create_struct(3, counts, where, types, ret_type);
    (void)MPI_Type_free(&types[1]);
    if (error == MPI_SUCCESS)
        error = MPI_Type_commit(ret_type);
    return error;
}

/* Is it one row of bytes? Then where, and how many. */
static bool is_plain(const struct cst_mpi_piece *piece, char **ret_bytes,
                     int *ret_size)
{
    if (piece->rows_count > 0 || piece->last_size > 0)
        return false;
    *ret_bytes = piece->first;
    *ret_size = (int)piece->first_size;
    return true;
}

static int send(uint32_t rank, int tag, const struct cst_mpi_piece *piece,
                uintptr_t *ret_request)
{
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Datatype type;
    char *bytes;
    int size;
    int error;

    if (is_plain(piece, &bytes, &size)) {
        error =
            MPI_Isend(bytes, size, MPI_BYTE, (int)rank, tag, links, &request);
    } else {
        error = make_type(piece, &type);
        if (error == MPI_SUCCESS) {
            error =
                MPI_Isend(MPI_BOTTOM, 1, type, (int)rank, tag, links, &request);
            (void)MPI_Type_free(&type);
        }
    }
    *ret_request = wrap(request);
    return error == MPI_SUCCESS ? 0 : -1;
}

static int receive(int rank, int tag, const struct cst_mpi_piece *piece,
                   uintptr_t *ret_request)
{
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Datatype type;
    char *bytes;
    int size;
    int error;

    if (rank == CST_MPI_ANY_RANK)
        rank = MPI_ANY_SOURCE;
    if (is_plain(piece, &bytes, &size)) {
        error = MPI_Irecv(bytes, size, MPI_BYTE, rank, tag, links, &request);
    } else {
        error = make_type(piece, &type);
        if (error == MPI_SUCCESS) {
            error = MPI_Irecv(MPI_BOTTOM, 1, type, rank, tag, links, &request);
            (void)MPI_Type_free(&type);
        }
    }
    *ret_request = wrap(request);
    return error == MPI_SUCCESS ? 0 : -1;
}

static int test(uintptr_t *word, uint32_t *ret_rank, size_t *ret_size)
{
    MPI_Request request = unwrap(*word);
    MPI_Status status;
    int cancelled = 0;
    int count = 0;
    int flag = 0;
    int error;

    if (request == MPI_REQUEST_NULL)
        return CST_MPI_DONE;
    error = MPI_Test(&request, &flag, &status);
    *word = wrap(request);
    if (error != MPI_SUCCESS) {
        if (request != MPI_REQUEST_NULL)
            (void)MPI_Request_free(&request);
        *word = wrap(MPI_REQUEST_NULL);
        return CST_MPI_FAILED;
    }
    if (!flag)
        return CST_MPI_PENDING;
    if (MPI_Test_cancelled(&status, &cancelled) != MPI_SUCCESS || cancelled)
        return CST_MPI_FAILED;
    (void)MPI_Get_count(&status, MPI_BYTE, &count);
    *ret_rank = (uint32_t)status.MPI_SOURCE;
    *ret_size = count > 0 ? (size_t)count : 0;
    return CST_MPI_DONE;
}

static void cancel(uintptr_t *word)
{
    MPI_Request request = unwrap(*word);

    if (request == MPI_REQUEST_NULL)
        return;
    (void)MPI_Cancel(&request);
    *word = wrap(request);
}

static void finish(void)
{
    int over = 0;

    if (MPI_Finalized(&over) == MPI_SUCCESS && !over)
        (void)MPI_Finalize();
}

EXPORT const struct cst_mpi_ops castell_mpi_ops = {
    .version = CST_MPI_OPS_VERSION,
    .start = start,
    .send = send,
    .receive = receive,
    .test = test,
    .cancel = cancel,
    .finish = finish,
};
