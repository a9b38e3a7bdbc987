/*
 * gang.h - a body that processes on several nodes run together, each a member
 * of one MPI world that is theirs alone.
 *
 * Layer: gang. May include base, topo and sched.
 *
 * The processes are fresh: mpirun starts the program's own executable once for
 * each node of the gang. In each, castell_start() finds that it is called for,
 * runs the body instead of going on, and does not return. So what main() does
 * before castell_start() they do as well; and a member that crashes takes its
 * gang with it and nothing else.
 *
 * What the body is called with goes through memory that the caller, the gang's
 * *lead*, shares with the process of rank 0, and from there to the others.
 *
 * Threads: any may lead, many at once. A member has one thread.
 */
#ifndef CST_GANG_GANG_H
#define CST_GANG_GANG_H

#include "castell.h"
#include "topo/topo.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One of the body's buffers. */
struct cst_gang_buffer {
    void *base;  /* of a file, its name */
    size_t size; /* of a row */
    size_t rows;
    size_t pitch; /* from row to row */
    bool reads;
    bool writes;
    bool is_file;
};

/* Who runs together. */
struct cst_gang_crew {
    const char *hosts;  /* "here:2,there:1", the lead's first; NULL: this one */
    uint32_t nodes;     /* at least 1 */
    _Atomic(bool) stop; /* set by anybody: end it, it has failed */
};

struct cst_gang_request {
    const char *kind; /* its name */
    uint32_t choice;  /* which of its bodies */
    uint32_t attempt;
    uint32_t cores; /* for each node */
    const struct cst_gang_buffer *buffers;
    uint32_t buffers_count;
    const void *argument;
    size_t argument_size;
    uint64_t timeout_ns;              /* 0: none */
    const struct cst_gang_crew *crew; /* NULL: this process's node alone */
    const struct cst_topo *topo;
};

/*
 * Lead a gang. When its body has returned 0 in every member, what rank 0 wrote
 * is in the buffers that are written, and true is returned. Else they are as
 * they were, and *how says why, in words that go on from "failed: ".
 */
bool cst_gang_run(const struct cst_gang_request *request, char *how,
                  size_t how_size);

/* Was this process started to be a member? */
bool cst_gang_is_member(void);

/* Be one, and end. */
_Noreturn void cst_gang_serve(void);

/* Of the body that runs in this member; false: it is none. */
bool cst_gang_inside(uint32_t *ret_cores, uint32_t *ret_attempt);

/* Write the members' communicator to an MPI_Comm. Fails outside of a member. */
CASTELL_MUST_CHECK enum castell_status cst_gang_comm(void *ret_comm);

#endif
