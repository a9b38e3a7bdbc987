/*
 * state.h - what the tests of checkpoints save: some vectors and a block of a
 * matrix, changed by tasks, in runs of one or of several processes.
 */
#ifndef CST_TEST_CHECKPOINT_STATE_H
#define CST_TEST_CHECKPOINT_STATE_H

#include "castell_checkpoint.h"
#include "cluster/party.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    VECTORS = 6,
    LENGTH = 40000,
    SIDE = 64, /* of the matrix, of which the block is the middle */
    BLOCK = 20,
    EDGE = 22,
};

struct state {
    double *vectors[VECTORS];
    double *matrix;
    struct castell_checkpoint *saved;
    struct party party;
    int workers;
};

/* The directory of this test, and a path in it. */
const char *state_directory(void);
const char *state_path(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Start a run of so many workers (0: one process); the state is zero, and no
   task has run. */
void state_begin(struct state *state, int workers);

/* Stop it; true: it has ended well, workers too. */
bool state_end(struct state *state);

/* One more step by tasks, each of which takes so long. */
void state_step(struct state *state, int64_t microseconds);

/* Is it what so many steps give? Waits for it. */
bool state_is(struct state *state, int steps);

/* Save, and wait: true when that was done. */
bool state_save(struct state *state, uint64_t step);

/* Restore: the step, or -1: none was there; -2: it failed. */
int state_restore(struct state *state);

/* Run with `workers`, restore: is that what so many steps gave, with that step?
   0: none is there; -2: none can be used. */
bool state_comes_back(int workers, int steps);

/* Make so many steps from the start and save each; the next test's directory. */
void state_make(int steps, uint32_t keep);

/* Remove the directory and all in it. */
void state_forget(void);

/* Stops the test when a call fails. */
void state_go(enum castell_status status);

#endif
