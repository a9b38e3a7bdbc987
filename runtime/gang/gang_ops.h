/*
 * gang_ops.h - what the module that knows MPI does for the members of a gang.
 *
 * Layer: gang. The module (room mpi) includes this and nothing else of gang.
 *
 * Threads: the member's own. All members call each function but comm(), in the
 * same order; what fails there ends the gang, as MPI does by itself.
 */
#ifndef CST_GANG_GANG_OPS_H
#define CST_GANG_GANG_OPS_H

#include <stddef.h>
#include <stdint.h>

#define CST_GANG_MODULE "castell_mpi.so"
#define CST_GANG_SYMBOL "castell_gang_ops"

enum { CST_GANG_OPS_VERSION = 1 };

struct cst_gang_ops {
    uint32_t version; /* CST_GANG_OPS_VERSION */

    /* Start MPI. */
    void (*start)(uint32_t *ret_rank, uint32_t *ret_size);

    /* Bytes of rank 0 to everybody. */
    void (*spread)(void *bytes, size_t size);

    /* The greatest of everybody's numbers. */
    int (*greatest)(int number);

    /* Write the members' communicator, an MPI_Comm. */
    void (*comm)(void *ret_comm);

    /* Finalize. */
    void (*finish)(void);
};

#endif
