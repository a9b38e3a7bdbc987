/*
 * mpi_ops.h - what the module that knows MPI does for the carrier.
 *
 * Layer: link. The module (room mpi) includes this and nothing else of link.
 *
 * Threads: one at a time, as for the net. Nothing blocks but start() and
 * finish(), which all processes of the world call.
 */
#ifndef CST_LINK_MPI_OPS_H
#define CST_LINK_MPI_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CST_MPI_MODULE "castell_mpi.so"
#define CST_MPI_SYMBOL "castell_mpi_ops"

enum {
    CST_MPI_OPS_VERSION = 2,
    CST_MPI_ANY_RANK = -1,
    CST_MPI_DONE = 1,
    CST_MPI_PENDING = 0,
    CST_MPI_FAILED = -1, /* or cancelled */
};

struct cst_mpi_world {
    uint64_t id; /* the same in all its processes, and in no other world */
    uint32_t rank;
    uint32_t size;
};

/* Some bytes, then rows of bytes, then some bytes. Each may be missing. */
struct cst_mpi_piece {
    char *first;
    size_t first_size;
    char *rows;
    size_t row_size;
    size_t rows_count;
    size_t pitch;
    char *last;
    size_t last_size;
};

struct cst_mpi_ops {
    uint32_t version; /* CST_MPI_OPS_VERSION */

    /* Start MPI; shared: ask that other threads may use it at the same time.
       Returns 0, or not, with a sentence. */
    int (*start)(struct cst_mpi_world *ret_world, bool shared, char *why,
                 size_t why_size);

    /*
     * Begin to send or receive; 0, or an error. The memory is MPI's until
     * test() has said that the request is done or failed.
     */
    int (*send)(uint32_t rank, int tag, const struct cst_mpi_piece *piece,
                uintptr_t *ret_request);
    int (*receive)(int rank, int tag, const struct cst_mpi_piece *piece,
                   uintptr_t *ret_request);

    /* CST_MPI_DONE, and from whom and how much; or another of these. A request
       that is done or failed is no more. */
    int (*test)(uintptr_t *request, uint32_t *ret_rank, size_t *ret_size);

    /* Ask for its end; test() will tell. */
    void (*cancel)(uintptr_t *request);

    /* Finalize. */
    void (*finish)(void);
};

#endif
