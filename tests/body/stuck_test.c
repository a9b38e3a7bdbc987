/*
 * stuck_test.c - a child that inherits a lock of OpenBLAS, held by a thread that
 * it has not, is given up before its body begins, and another one is forked. The
 * OpenBLAS is of this file: that a real one is caught holding it is rare.
 */
#include "body/child.h"
#include "body/threads.h"
#include "harness/tap.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ON_OPENMP = 2, HANGS = 2, ANSWER = 7 };

struct shared {
    _Atomic(int) hangs; /* so many children more */
    _Atomic(int) bodies;
};

static struct shared *shared;
static pid_t parent;

/* What the library looks for by dlsym(). */
#pragma GCC visibility push(default)
void openblas_set_num_threads(int number);
int openblas_get_num_threads(void);
int openblas_get_parallel(void);
void *blas_memory_alloc(int position);
void blas_memory_free(void *buffer);
#pragma GCC visibility pop

void openblas_set_num_threads(int number)
{
    (void)number;
}

int openblas_get_num_threads(void)
{
    return 1;
}

int openblas_get_parallel(void)
{
    return ON_OPENMP;
}

void *blas_memory_alloc(int position)
{
    (void)position;
    if (getpid() != parent && atomic_load(&shared->hangs) > 0) {
        atomic_fetch_sub(&shared->hangs, 1);
        for (;;)
            (void)pause();
    }
    return malloc(1);
}

void blas_memory_free(void *buffer)
{
    free(buffer);
}

static int body(void *const *buffers, const void *argument)
{
    (void)buffers;
    (void)argument;
    atomic_fetch_add(&shared->bodies, 1);
    return ANSWER;
}

int main(void)
{
    const struct cst_child_request request = {
        .body = body, .cores = 1, .label = "stuck"};
    struct cst_child_result result;

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(shared != MAP_FAILED, "memory that children see");
    parent = getpid();
    cst_threads_init();
    atomic_store(&shared->hangs, HANGS);
    cst_child_run(&request, &result);
    ok(result.outcome == CST_CHILD_RETURNED && result.number == ANSWER,
       "the third child runs the body");
    ok(atomic_load(&shared->hangs) == 0, "after %d had hung", HANGS);
    ok(atomic_load(&shared->bodies) == 1, "which ran once");
    cst_child_run(&request, &result);
    ok(result.outcome == CST_CHILD_RETURNED &&
           atomic_load(&shared->bodies) == 2,
       "one that does not hang runs it at once");
    cst_threads_release();
    return tap_done();
}
