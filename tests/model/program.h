/*
 * program.h - random task programs, and what they must compute.
 *
 * A program is main(): a list of steps, one of which submits a task whose body
 * is a list of steps as well. All tasks work on one small buffer. What a body
 * writes depends on all that it may read, so two tasks that run in the wrong
 * order, or at the same time, very likely leave other bytes behind.
 *
 * The result that counts is that of running every task where it is submitted:
 * model_sequential(). A harness runs the same program in another way, calls
 * the same two halves of each body, and compares.
 */
#ifndef CST_TEST_MODEL_PROGRAM_H
#define CST_TEST_MODEL_PROGRAM_H

#include "castell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MODEL_BYTES = 192,
    MODEL_TASKS_MAX = 160,
    MODEL_STEPS_MAX = 512,
    MODEL_ACCESSES_MAX = 8,
    MODEL_DEPTH_MAX = 3, /* of nesting */
};

enum model_operation { MODEL_ADD, MODEL_XOR, MODEL_MAX, MODEL_OPERATIONS };

/* A region of the buffer. */
struct model_access {
    uint32_t offset;
    uint32_t size;
    uint32_t rows;
    uint32_t pitch;
    enum castell_mode mode;
    enum model_operation operation; /* of a CASTELL_REDUCTION */
};

/* What a task does about failing. */
enum model_fate {
    MODEL_SUCCEEDS,
    MODEL_IGNORED, /* fails after it has written, and is ignored */
    MODEL_CANCELS, /* fails after it has written, and cancels its readers */
    MODEL_RETRIED, /* fails twice, and succeeds then */
};

enum model_step_kind {
    MODEL_SUBMIT,
    MODEL_BARRIER,
    MODEL_WAIT_ON,   /* and read the region */
    MODEL_WAIT_TASK, /* one submitted before in the same list */
    MODEL_DELETE,
    MODEL_GROUP_BEGIN,
    MODEL_GROUP_END,
    MODEL_GROUP_WAIT,
    MODEL_TOUCH, /* in bodies, after a barrier: change what may be written */
};

struct model_step {
    enum model_step_kind kind;
    int next; /* in the same list; -1: the last */
    int task; /* MODEL_SUBMIT, MODEL_WAIT_TASK */
    int group;
    struct model_access access; /* MODEL_WAIT_ON, MODEL_DELETE */
};

struct model_task {
    int steps; /* the first of its body's; -1: none */
    uint32_t accesses_count;
    struct model_access accesses[MODEL_ACCESSES_MAX];
    enum model_fate fate;
    int32_t priority;
    uint32_t cores; /* of its constraint; 0: none */
    bool undeferred;
    bool final;
    bool deadline;
};

struct model_program {
    uint64_t seed;
    int steps; /* main's first */
    int steps_count;
    int tasks_count;
    bool fails; /* some tasks fail */
    struct model_step all_steps[MODEL_STEPS_MAX];
    struct model_task tasks[MODEL_TASKS_MAX];
};

/* What one run of a program left behind. */
struct model_outcome {
    unsigned char bytes[MODEL_BYTES];
    uint32_t seen[MODEL_STEPS_MAX];     /* what a MODEL_WAIT_ON read */
    bool cancelled[MODEL_STEPS_MAX];    /* what it returned */
    unsigned char ran[MODEL_TASKS_MAX]; /* how often each body succeeded */
};

void model_generate(uint64_t seed, struct model_program *program);

/* The bytes that all programs start with. */
void model_start_bytes(unsigned char bytes[MODEL_BYTES]);

void model_sequential(const struct model_program *program,
                      struct model_outcome *outcome);

/* Say the first difference; returns whether there is none. */
bool model_same(const struct model_program *program,
                const struct model_outcome *expected,
                const struct model_outcome *outcome);

/* Print the program, for somebody who looks for a fault. */
void model_print(const struct model_program *program);

/* ---- bodies ---------------------------------------------------------- */

/* What the first half of a body found. */
struct model_read {
    uint32_t hash; /* of all that it may read and nobody else may change */
    unsigned char old[MODEL_ACCESSES_MAX][MODEL_BYTES];
};

/* buffers[i] is where the i-th access starts. */
void model_read(const struct model_program *program, int task,
                void *const *buffers, struct model_read *read);
void model_write(const struct model_program *program, int task,
                 void *const *buffers, const struct model_read *read);

/* MODEL_TOUCH. */
void model_touch(const struct model_program *program, int task,
                 void *const *buffers);

/* What a MODEL_WAIT_ON sees. */
uint32_t model_look(const struct model_access *access, const void *start);

unsigned char model_combine(enum model_operation operation, unsigned char a,
                            unsigned char b);

#endif
