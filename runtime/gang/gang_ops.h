/*
 * gang_ops.h - what the module that knows MPI does for the members of a gang.
 *
 * Layer: gang. The module (room mpi) includes this and nothing else of gang.
 *
 * Threads: a gang's own in each member, but may_join(), for any. All members
 * call each function that has no other comment, in the same order. A process
 * that was started for its gang ends when MPI fails, and the gang with it; in
 * one that has joined, what cannot be done returns false.
 */
#ifndef CST_GANG_GANG_OPS_H
#define CST_GANG_GANG_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CST_GANG_MODULE "castell_mpi.so"
#define CST_GANG_SYMBOL "castell_gang_ops"

enum { CST_GANG_OPS_VERSION = 2 };

/* The communicators of one gang. */
struct cst_gang_world;

struct cst_gang_ops {
    uint32_t version; /* CST_GANG_OPS_VERSION */

    /* Start MPI: all that it started together are a gang. Ends the process
       where it fails. */
    struct cst_gang_world *(*start)(uint32_t *ret_rank, uint32_t *ret_size);

    /* Does MPI run here, for several threads at once? */
    bool (*may_join)(void);

    /*
     * Be a gang with these of MPI_COMM_WORLD, rank 0 of the gang first, by
     * MPI_Comm_create_group (MPI 4.0, 7.4.2). The tag is that of no other gang
     * with two of them. NULL: it could not be.
     */
    struct cst_gang_world *(*join)(const uint32_t *ranks, uint32_t count,
                                   uint32_t tag, uint32_t *ret_rank);

    /* Bytes of rank 0 to everybody. */
    bool (*spread)(struct cst_gang_world *world, void *bytes, size_t size);

    /* The greatest of everybody's numbers. */
    bool (*greatest)(struct cst_gang_world *world, int *number);

    /* The same, and does not wait: offer, then ask until it is known. */
    bool (*offer)(struct cst_gang_world *world, int number);
    bool (*is_known)(struct cst_gang_world *world, int *ret_greatest);

    /* Write the communicator of the body, an MPI_Comm. Any member alone. */
    void (*comm)(const struct cst_gang_world *world, void *ret_comm);

    /* No more of it; whole: all that was begun in it has ended. */
    void (*leave)(struct cst_gang_world *world, bool whole);

    /* Finalize, after start(). */
    void (*finish)(struct cst_gang_world *world);
};

#endif
