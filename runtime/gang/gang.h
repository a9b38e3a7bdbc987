/*
 * gang.h - a body that processes on several nodes run together, each a member
 * of one MPI world that is theirs alone.
 *
 * Layer: gang. May include base, topo and sched.
 *
 * Mostly the processes are fresh: mpirun starts the program's own executable once
 * for each node of the gang. In each, castell_start() finds that it is called for,
 * runs the body instead of going on, and does not return. So what main() does
 * before castell_start() they do as well; and a member that crashes takes its
 * gang with it and nothing else.
 *
 * What the body is called with goes through memory that the caller, the gang's
 * *lead*, shares with the process of rank 0, and from there to the others.
 *
 * Or they are those of the run, where they share an MPI world (crew->ranks): then
 * the body runs in the thread that leads or joins.
 *
 * Threads: any may lead, many at once. A fresh member has one thread.
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

/* Who runs together: fresh processes, or those of the run that share an MPI
   world, which do not end when it fails. */
struct cst_gang_crew {
    const char *hosts;  /* "here:2,there:1", the lead's first; NULL: this one */
    uint32_t *ranks;    /* in the world, the lead's first; NULL: fresh ones */
    uint32_t nodes;     /* at least 1 */
    uint32_t tag;       /* with ranks: of this gang, below 2^15 */
    _Atomic(bool) stop; /* set by anybody: end it, it has failed */
};

/* How a member finds the body of that name, or NULL and why; and calls it. */
struct cst_gang_body {
    castell_body *(*find)(void *context, const char *name, uint32_t choice,
                          char *why, size_t why_size);
    int (*run)(void *context, castell_body *body, void *const *buffers,
               const void *argument);
    void *context;
};

/* From a failure, or from asking to end, until nobody is waited for. */
#define CST_GANG_GRACE_NS (UINT64_C(5) * 1000000000)

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
    const struct cst_gang_body *body; /* used where the crew has ranks */
    const struct cst_topo *topo;
};

/*
 * Lead a gang. When its body has returned 0 in every member, what rank 0 wrote
 * is in the buffers that are written, and true is returned. Else they are as
 * they were, and *how says why, in words that go on from "failed: ".
 */
bool cst_gang_run(const struct cst_gang_request *request, char *how,
                  size_t how_size);

/* Can this process join gangs of the MPI world that it is in? Any thread. */
bool cst_gang_may_join(void);

/*
 * Be one of a crew that has ranks, not the lead, until the body has ended in all
 * of them. False: it has not, or could not be begun, and the others may wait in
 * it for this one. It is bound to come back only when all others do; who gives
 * up on it ends the process.
 */
bool cst_gang_join(const struct cst_gang_crew *crew,
                   const struct cst_gang_body *body);

/* A body that this thread ran was left by a jump. */
void cst_gang_escaped(void);

/* What a thread of the run calls when it begins to be a member, and ends. Set
   before any does. */
void cst_gang_around(void (*around)(bool begins));

/* Was this process started to be a member? */
bool cst_gang_is_member(void);

/* Be one, and end. */
_Noreturn void cst_gang_serve(void);

/* Of the body that runs in this member; false: it is none. */
bool cst_gang_inside(uint32_t *ret_cores, uint32_t *ret_attempt);

/* Write the members' communicator to an MPI_Comm. Fails outside of a member. */
CASTELL_MUST_CHECK enum castell_status cst_gang_comm(void *ret_comm);

#endif
