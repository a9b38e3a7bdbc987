/*
 * call.h - what a body of several nodes is called with, and how it went, in
 * memory that the lead and rank 0 share.
 *
 * Layer: gang, private to it.
 *
 * Both are the same program on the same machine, so it holds plain structs.
 * First comes all that each member needs to know (`known` bytes), then the
 * content of the buffers, rows without gaps.
 */
#ifndef CST_GANG_CALL_H
#define CST_GANG_CALL_H

#include "gang/gang.h"

enum { CST_CALL_TEXT_SIZE = 200 };

enum cst_call_state {
    CST_CALL_MADE = 1,
    CST_CALL_ENDED,   /* the body has returned 0 everywhere */
    CST_CALL_REFUSED, /* text says why it could not be run */
};

struct cst_call_buffer {
    uint64_t at; /* of its content */
    uint64_t size;
    uint64_t rows;
    uint64_t pitch;
    uint8_t reads;
    uint8_t writes;
};

struct cst_call_head {
    uint64_t size;  /* of all */
    uint64_t known; /* bytes, from here on */
    uint64_t name_at;
    uint64_t argument_at;
    uint64_t buffers_at; /* struct cst_call_buffer */
    uint32_t buffers_count;
    uint32_t choice;
    uint32_t attempt;
    uint32_t cores;
    uint32_t state; /* enum cst_call_state; written last */
    char text[CST_CALL_TEXT_SIZE];
};

struct cst_call {
    struct cst_call_head *head; /* mapped, or in a member's own memory */
    int file;                   /* or -1 */
};

/* The lead makes it, with what is read; and takes what was written. */
CASTELL_MUST_CHECK enum castell_status
cst_call_create(const struct cst_gang_request *request,
                struct cst_call *ret_call);
void cst_call_take(const struct cst_call *call,
                   const struct cst_gang_request *request);

/* Rank 0 opens it by the name that the lead has for it. */
CASTELL_MUST_CHECK enum castell_status cst_call_open(const char *path,
                                                     struct cst_call *ret_call);
void cst_call_close(struct cst_call *call);

static inline struct cst_call_buffer *
cst_call_buffers(const struct cst_call *call)
{
    return (struct cst_call_buffer *)(void *)((char *)call->head +
                                              call->head->buffers_at);
}

static inline char *cst_call_content(const struct cst_call *call, uint32_t i)
{
    return (char *)call->head + cst_call_buffers(call)[i].at;
}

/* Between rows without gaps and rows with. */
void cst_call_pack(char *packed, const char *rows,
                   const struct cst_call_buffer *buffer);
void cst_call_unpack(char *rows, const char *packed,
                     const struct cst_call_buffer *buffer);

#endif
