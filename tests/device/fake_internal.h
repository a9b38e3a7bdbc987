/*
 * fake_internal.h - what the files of the driver without a GPU share.
 *
 * Layer: tests.
 */
#ifndef CST_TESTS_FAKE_INTERNAL_H
#define CST_TESTS_FAKE_INTERNAL_H

#include "device/cuda_internal.h"
#include "device/fake_cuda.h"

#include <pthread.h>

#define PUBLIC             __attribute__((visibility("default")))
#define DECLARE(name, ...) PUBLIC int name(__VA_ARGS__);

/* The very declarations that cuda.c calls by. */
CST_CUDA_CALLS(DECLARE)

enum { INVALID_VALUE = 1, INVALID_CONTEXT = 201, INVALID_HANDLE = 400 };

struct block {
    struct block *next;
    char *memory;
    size_t size;
};

struct CUctx_st {
    int device;
    int retained;
    int fatal;
    size_t used;
    struct block *blocks;
    unsigned peers;
};

/* Guards all; begin() takes it, end() lets go of it. */
PUBLIC extern pthread_mutex_t fake_lock;
extern int fake_left;

/* What every call begins with that needs a context: what it is to fail with. */
PUBLIC int fake_begin(const char *call);
PUBLIC int fake_end(int code);

/* The same without a lock, a context and its faults. */
int fake_planned(const char *call);
struct CUctx_st *fake_current(void);

/* fake_host.c, with the lock: a copy of host memory is put in a stream; fails where
   some of it is pinned and some is not. A context ends. */
int fake_host_copy(const char *base, size_t extent);
void fake_host_drop(const struct CUctx_st *context);

/* With the lock: is a copy of any of it still to be done? */
bool fake_is_copied(const char *base, size_t size);

/* With the lock: do one piece of some streams; false: there is none to do. */
bool fake_step(void);

#endif
