/*
 * A stand-in for OpenBLAS on its own threads: it only keeps the number. So the
 * order of bodies is seen where the library is missing, and with sanitizers,
 * for which it is not built.
 */
#include "api/counts.h"

#include <stdatomic.h>
#include <stddef.h>

static atomic_int number = 8;

/* The runtime finds them in the program, as it would in a library. */
#define EXPORTED __attribute__((visibility("default")))

EXPORTED void openblas_set_num_threads(int count);
EXPORTED int openblas_get_num_threads(void);
EXPORTED int openblas_get_parallel(void);

void openblas_set_num_threads(int count)
{
    atomic_store(&number, count);
}

int openblas_get_num_threads(void)
{
    return atomic_load(&number);
}

int openblas_get_parallel(void)
{
    return 1; /* on its own threads */
}

bool counts_load(const char **ret_why)
{
    *ret_why = NULL;
    return true;
}

int counts_now(void)
{
    return openblas_get_num_threads();
}

bool counts_compute(void)
{
    return true;
}
