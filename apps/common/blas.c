#include "common/blas.h"

#include <cblas.h>
#include <time.h>

void app_blas_begin(int threads)
{
    openblas_set_num_threads(threads);
}

void app_blas_end(void)
{
    const struct timespec while_they_spin = {.tv_nsec = 100000000};

    openblas_set_num_threads(1);
    nanosleep(&while_they_spin, NULL);
}
