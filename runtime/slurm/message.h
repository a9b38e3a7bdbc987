/*
 * message.h - what the master and its helper say to each other.
 *
 * Layer: slurm, private. Pure; the readers are total. One message is one packet
 * of a socket; a message that is no good is a bug of the other's, or another
 * version of it, and ends the connection.
 */
#ifndef CST_SLURM_MESSAGE_H
#define CST_SLURM_MESSAGE_H

#include "slurm/slurm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CST_MESSAGE_VERSION = 3,
    CST_MESSAGE_MAX = 3072, /* bytes */
    CST_MESSAGE_PATH_SIZE = 2048,
};

enum cst_order_kind {
    CST_ORDER_NONE, /* of what could not be read */
    CST_ORDER_OPEN, /* the first one, and only that */
    CST_ORDER_REQUEST,
    CST_ORDER_CANCEL,
    CST_ORDER_ADOPT, /* another helper has asked for these, maybe */
};

/* From the master. What a kind has no use for is 0. */
struct cst_order {
    enum cst_order_kind kind;
    bool expand;                      /* OPEN */
    uint32_t look_ms;                 /* OPEN */
    uint32_t command_ms;              /* OPEN */
    uint32_t id;                      /* REQUEST, CANCEL, ADOPT */
    uint32_t nodes;                   /* REQUEST, ADOPT */
    uint32_t minutes;                 /* REQUEST */
    char text[CST_MESSAGE_PATH_SIZE]; /* OPEN: run_dir; REQUEST: options */
    char job[CST_SLURM_NAME_SIZE];    /* OPEN: our own; "": none */
};

/* Returns the size; `bytes` has CST_MESSAGE_MAX. */
size_t cst_order_write(const struct cst_order *order, void *bytes);
bool cst_order_read(const void *bytes, size_t size,
                    struct cst_order *ret_order);

size_t cst_event_write(const struct cst_slurm_event *event, void *bytes);
bool cst_event_read(const void *bytes, size_t size,
                    struct cst_slurm_event *ret_event);

#endif
