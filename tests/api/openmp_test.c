/*
 * OpenMP in bodies: as many threads as the task holds cores. A program of its
 * own, for with OpenMP in it each task of several cores opens a parallel region.
 */
#include "api/program.h"

#if defined(_OPENMP) && !defined(__SANITIZE_THREAD__)
static int openmp_body(void *const *buffers, const void *argument)
{
    int *threads = buffers[0];
    int seen = 0;

    (void)argument;
#pragma omp parallel reduction(+ : seen)
    seen += 1;
    *threads = seen;
    return 0;
}

static struct castell_kind openmp_one_kind = {.name = "openmp_one",
                                              .body = openmp_body};
static struct castell_kind openmp_two_kind = {
    .name = "openmp_two", .body = openmp_body, .constraint = {.cores = 2}};

static void test_openmp(void)
{
    int threads[8] = {0};
    bool right = true;

    start(2);
    for (int i = 0; i < 8; i++)
        submit(i % 2 ? &openmp_two_kind : &openmp_one_kind, NULL, 0,
               &(struct castell_access)ACCESS(OUT, threads[i]), 1);
    GO(castell_barrier());
    for (int i = 0; i < 8; i++)
        right = right && threads[i] == 1 + i % 2;
    ok(right, "OpenMP in bodies has as many threads as the task has cores");
    stop();
}
#else
static void test_openmp(void)
{
    tap_skip("OpenMP in bodies", "no OpenMP, or none that the sanitizer sees");
}
#endif

int main(void)
{
    test_openmp();
    return tap_done();
}
