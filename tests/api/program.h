/*
 * program.h - what the tests of the public interface share: short ways to write
 * the calls that must succeed, and gates to hold a body until something has
 * happened.
 */
#ifndef CST_TEST_API_PROGRAM_H
#define CST_TEST_API_PROGRAM_H

#include "castell.h"
#include "harness/tap.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Accesses to an object, and to `count` elements from a pointer on. */
#define ACCESS(how, object)                                                    \
    {                                                                          \
        .base = &(object), .size = sizeof(object), .mode = CASTELL_##how       \
    }
#define ELEMENTS(how, pointer, count)                                          \
    {                                                                          \
        .base = (pointer), .size = (count) * sizeof(*(pointer)),               \
        .mode = CASTELL_##how                                                  \
    }

/* Submit a call of a kind with an argument (an object) and its accesses. */
#define SUBMIT(kind, argument, ...)                                            \
    submit(&(kind), &(argument), sizeof(argument),                             \
           (struct castell_access[]){__VA_ARGS__},                             \
           sizeof((struct castell_access[]){__VA_ARGS__}) /                    \
               sizeof(struct castell_access))

/* The same without an argument. */
#define SUBMIT_PLAIN(kind, ...)                                                \
    submit(&(kind), NULL, 0, (struct castell_access[]){__VA_ARGS__},           \
           sizeof((struct castell_access[]){__VA_ARGS__}) /                    \
               sizeof(struct castell_access))

struct castell_task submit(struct castell_kind *kind, const void *argument,
                           size_t argument_size,
                           const struct castell_access *accesses,
                           size_t accesses_count);

/* A call that must succeed: else the program ends with the error text. */
#define GO(call) go((call), #call, __FILE__, __LINE__)
void go(enum castell_status status, const char *call, const char *file,
        int line);

/* What must hold for the test to make sense; says nothing when it does. */
#define NEED(condition, why) ((condition) ? (void)0 : tap_bail(why))

/* Start with so many executors, and stop, which must return 0. */
void start(uint32_t cores);
void stop(void);

/* Has the call failed so, with a text that contains all of `words`? */
bool failed_with(enum castell_status status, enum castell_status wanted,
                 const char *words);

/* A body may wait here until it is opened; others see how many do. */
struct gate {
    atomic_uint open;
    atomic_uint waiting;
};
void gate_pass(struct gate *gate);
void gate_open(struct gate *gate);
void gate_shut(struct gate *gate);
/* Wait until `count` are or were at the gate. */
void gate_await(struct gate *gate, unsigned count);

/* Let others run. */
void pass_time(void);

/* The highest value that a counter had. */
struct level {
    atomic_long now;
    atomic_long highest;
};
void level_raise(struct level *level, long by);
void level_lower(struct level *level, long by);

/* Catch what is written to standard error between the two; the text is valid
   until the next catch. Also what child processes write. */
void catch_begin(void);
const char *catch_end(void);

/* Does a text contain all of `words`? Shows it if not. */
bool has_words(const char *text, const char *words);

/* Are we under a sanitizer that makes everything slow? */
bool is_slow(void);

/* May a process with several threads fork? Under gcc 12's address sanitizer its
   child may hang: the lock of the allocator may be another thread's. */
bool may_fork(void);

#endif
