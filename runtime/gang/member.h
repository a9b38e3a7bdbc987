/*
 * member.h - a member of a gang: what it hears of the call, and its buffers.
 *
 * Layer: gang, private to it.
 *
 * Two kinds of processes are members: fresh ones (serve.c), and those of the
 * run itself that share an MPI world (join.c). Both do this, in this order.
 * What returns false in a fresh one ends it.
 */
#ifndef CST_GANG_MEMBER_H
#define CST_GANG_MEMBER_H

#include "gang/call.h"
#include "gang/gang_ops.h"

struct cst_member {
    const struct cst_gang_ops *ops;
    struct cst_gang_world *world;
    struct cst_call call; /* rank 0 has it from the lead, and others hear it */
    castell_body *body;
    char **buffers; /* as the body gets them */
    char **packed;  /* rows without gaps; the call's, in rank 0 */
    uint32_t rank;
    uint32_t cores;
    uint32_t attempt;
    char text[CST_CALL_TEXT_SIZE]; /* why it could not be run */
};

/* What does for gangs what MPI does; or NULL, and why. Any thread. */
const struct cst_gang_ops *cst_member_ops(char *why, size_t why_size);

/* Get the call. */
CASTELL_MUST_CHECK bool cst_member_hear(struct cst_member *member);

/* Find the body, get memory; ready: so did everybody. */
CASTELL_MUST_CHECK bool cst_member_prepare(struct cst_member *member,
                                           const struct cst_gang_body *body,
                                           bool *ret_ready);

/* Get what the body reads. */
CASTELL_MUST_CHECK bool cst_member_fill(struct cst_member *member);

/* What the body wrote is in the call. */
void cst_member_put_back(struct cst_member *member);

/* Not the call of rank 0. */
void cst_member_release(struct cst_member *member);

/* This thread runs its body; NULL: it does no more. */
void cst_member_runs(const struct cst_member *member);

/* The process was started for it: all threads run its body. */
void cst_member_is_fresh(const struct cst_member *member);

#endif
