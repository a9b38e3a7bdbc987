/*
 * net.h - letters between the processes of a simulation.
 */
#ifndef CST_TEST_SIM_NET_H
#define CST_TEST_SIM_NET_H

#include "sim/sim.h"

enum letter_what {
    LETTER_MESSAGE,
    LETTER_SENT,
    LETTER_JOINED,
    LETTER_GONE,
    LETTER_LEFT, /* gone, in order */
    LETTER_OVER
};

struct sim_letter {
    struct sim_letter *next;
    enum letter_what what;
    uint32_t about; /* JOINED, GONE: a node */
    uint64_t stamp;
    bool has_payload;
    bool begun;  /* its payload */
    bool wanted; /* ... by who gets it */
    bool broken; /* the rest of it is lost */
    bool arrived;
    struct cst_rows from;
    struct cst_rows into;
    void *cookie;
    size_t size;
    uint8_t bytes[];
};

struct sim_letter *sim_letter_new(enum letter_what what, const void *bytes,
                                  size_t size);
void sim_letter_put(struct sim *sim, struct sim_lane *lane,
                    struct sim_letter *letter);
/* The first of that lane can come now: let it. */
bool sim_letter_is_due(const struct sim *sim, uint32_t from, uint32_t to,
                       uint32_t lane);
void sim_letter_deliver(struct sim_net *net, uint32_t from, uint32_t lane);

#endif
