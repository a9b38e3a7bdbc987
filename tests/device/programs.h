/*
 * programs.h - random programs of tasks that run on devices with room for a few
 * buffers only, on cores, or on either, in rows and blocks that overlap.
 *
 * Layer: tests. main() waits for pieces, and reads and writes what it may; tasks
 * submit others; bodies fail after they have enqueued, and are tried again. Each
 * program must end, with what its tasks come to one after the other. A number on
 * the command line runs the program of that seed alone.
 */
#ifndef CST_TESTS_PROGRAMS_H
#define CST_TESTS_PROGRAMS_H

#include "castell.h"

#include <stdbool.h>

enum { PROGRAMS_USES_MAX = 3 };

/* One access: of 32-bit words. Also what OpenCL's kernel gets. */
struct programs_use {
    uint32_t words, rows, pitch; /* from row to row */
};

/* What a task does to the first of what it names, with the others. */
struct programs_shape {
    uint32_t number;
    uint32_t count;
    uint32_t keeps; /* so many times what was in the first; 0: it is written
                       only; 1: in whatever order */
    struct programs_use uses[PROGRAMS_USES_MAX];
};

void programs_compute(const struct programs_shape *shape,
                      uint32_t *const *buffers);

struct programs_device {
    const char *name; /* for CASTELL_DEVICES */
    enum castell_device device;
    uint32_t programs;
    /* Enqueue that; its pitches are the device's. 0: done. */
    int (*enqueue)(void *const *buffers, const struct programs_shape *shape);
    /* Before each run of some programs, the first of which has that seed; or NULL. */
    void (*vary)(uint64_t seed);
};

/* Returns what main() should. */
int programs_main(const struct programs_device *of, int argc, char **argv);

#endif
