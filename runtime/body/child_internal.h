/*
 * child_internal.h - what the two processes of cst_child_run() share.
 *
 * Layer: body, private to child*.c.
 *
 * `report` lies in memory that both see. A pipe from the child to its parent
 * carries one byte whenever report.state has changed (and the regions' bytes,
 * where the parent may not read them itself); a semaphore carries the
 * parent's answer. Other children may hold copies of the pipe's ends, so its
 * end of file means nothing: the parent watches the process itself.
 */
#ifndef CST_BODY_CHILD_INTERNAL_H
#define CST_BODY_CHILD_INTERNAL_H

#include "body/child.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { CST_CHILD_FRAMES_MAX = 48 };

enum cst_child_state {
    CST_CHILD_RUNS = 0,
    CST_CHILD_HAS_RETURNED, /* the body; the child waits for an answer */
    CST_CHILD_HAS_EXITED,   /* the body has called exit() */
    CST_CHILD_HAS_CRASHED,
    CST_CHILD_NO_THREAD, /* for the body */
    CST_CHILD_HAS_DECLINED,
};

/* Who comes first: the child begins its body, or the parent gives it up. */
enum cst_child_start { CST_CHILD_TRIES, CST_CHILD_BEGINS, CST_CHILD_GIVEN_UP };

struct cst_child_report {
    _Atomic(int) start; /* enum cst_child_start */
    _Atomic(int) state; /* enum cst_child_state; what is below is set before */
    int number;         /* what was returned, exit()'s argument, or an errno */
    sem_t send;         /* posted by the parent: write the regions' bytes */
    _Atomic(int) crashes;
    bool may_decline;
    int signal;
    int signal_code;
    void *address; /* that the signal was about */
    int frames_count;
    void *frames[CST_CHILD_FRAMES_MAX];
};

/* A place among the bytes of regions, for going through them in order. */
struct cst_child_cursor {
    const struct cst_rows *regions;
    size_t regions_count;
    size_t region;
    size_t row;
    size_t offset; /* in the row */
};

/* The pieces of memory from the cursor on, at most pieces_max. */
size_t cst_child_pieces(const struct cst_child_cursor *cursor,
                        struct iovec *pieces, size_t pieces_max);

/* Move the cursor on by that many bytes of the pieces told. */
void cst_child_advance(struct cst_child_cursor *cursor, size_t bytes);

/* The child's half: run the body, tell about it, never come back. */
_Noreturn void cst_child_main(const struct cst_child_request *request,
                              struct cst_child_report *report, int pipe_end,
                              pid_t parent);

#endif
