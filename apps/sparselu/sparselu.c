/*
 * sparselu - A = L U of a sparse matrix of dense blocks, by tasks on blocks.
 *
 * Most blocks are zero and are not stored, so the number of tasks and who waits
 * for whom follow from the matrix: there is no loop nest that a compiler could
 * make parallel, and levels or barriers would leave cores idle. Blocks that
 * become non-zero are made when the task that fills them is submitted.
 *
 * There is no pivoting: the matrix has a heavy diagonal.
 */
#include "common/app.h"

#include <castell.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* blocks x blocks pointers to b x b row-major blocks; NULL is a block of
   zeros. */
struct matrix {
    int blocks, b;
    double **block;
};

static double **block(const struct matrix *a, int i, int j)
{
    return &a->block[(long)i * a->blocks + j];
}

/* ---- Tasks -------------------------------------------------------------- */

/* Random numbers, with something heavy added on the block's diagonal. */
#pragma castell task out(a[0:b*b])
static void fill(int seed, int b, double heavy, double *a)
{
    uint64_t state = (uint64_t)seed;

    for (int i = 0; i < b * b; i++)
        a[i] = app_random_real(&state) - 0.5;
    for (int i = 0; i < b; i++)
        a[i * b + i] += heavy;
}

#pragma castell task out(a[0:b*b])
static void clear(int b, double *a)
{
    memset(a, 0, sizeof(*a) * (size_t)b * (size_t)b);
}

/* d = L U, L below the diagonal, which is 1, and U above. */
#pragma castell task inout(d[0:b*b]) priority(3)
static void factor(int b, double *d)
{
    for (int k = 0; k < b; k++) {
        for (int i = k + 1; i < b; i++) {
            double l = d[i * b + k] /= d[k * b + k];

            for (int j = k + 1; j < b; j++)
                d[i * b + j] -= l * d[k * b + j];
        }
    }
}

/* a = L^-1 a: a block to the right of the diagonal block d. */
#pragma castell task in(d[0:b*b]) inout(a[0:b*b]) priority(2)
static void solve_right(int b, const double *restrict d, double *restrict a)
{
    for (int k = 0; k < b; k++) {
        for (int i = k + 1; i < b; i++) {
            double l = d[i * b + k];

            for (int j = 0; j < b; j++)
                a[i * b + j] -= l * a[k * b + j];
        }
    }
}

/* a = a U^-1: a block below the diagonal block d. */
#pragma castell task in(d[0:b*b]) inout(a[0:b*b]) priority(2)
static void solve_below(int b, const double *restrict d, double *restrict a)
{
    for (int i = 0; i < b; i++) {
        for (int k = 0; k < b; k++) {
            double l = a[i * b + k] /= d[k * b + k];

            for (int j = k + 1; j < b; j++)
                a[i * b + j] -= l * d[k * b + j];
        }
    }
}

/* c = c - l u */
#pragma castell task in(l[0:b*b], u[0:b*b]) inout(c[0:b*b])
static void update(int b, const double *restrict l, const double *restrict u,
                   double *restrict c)
{
    for (int i = 0; i < b; i++) {
        for (int k = 0; k < b; k++) {
            double factor_of_row = l[i * b + k];

            for (int j = 0; j < b; j++)
                c[i * b + j] -= factor_of_row * u[k * b + j];
        }
    }
}

/* ---- The factorisation -------------------------------------------------- */

/* Returns the number of tasks that it made. */
static int update_row(const struct matrix *a, int k, int i)
{
    double *l = *block(a, i, k);
    int updates = 0;

    for (int j = k + 1; l && j < a->blocks; j++) {
        double *u = *block(a, k, j);
        double **c = block(a, i, j);

        if (!u)
            continue;
        if (!*c) {
            *c = app_alloc((long)a->b * a->b, sizeof(**c));
            clear(a->b, *c);
        }
        update(a->b, l, u, *c);
        updates++;
    }
    return updates;
}

/* Returns the number of floating-point operations. */
static double factor_matrix(const struct matrix *a)
{
    int factors = 0, solves = 0, updates = 0;

    for (int k = 0; k < a->blocks; k++) {
        double *d = *block(a, k, k);

        factor(a->b, d);
        factors++;
        for (int j = k + 1; j < a->blocks; j++) {
            if (*block(a, k, j)) {
                solve_right(a->b, d, *block(a, k, j));
                solves++;
            }
        }
        for (int i = k + 1; i < a->blocks; i++) {
            if (*block(a, i, k)) {
                solve_below(a->b, d, *block(a, i, k));
                solves++;
            }
        }
        for (int i = k + 1; i < a->blocks; i++)
            updates += update_row(a, k, i);
    }
    #pragma castell barrier
    return (2.0 / 3 * factors + solves + 2.0 * updates) * a->b * a->b * a->b;
}

/* ---- The same without tasks, blocks or holes ---------------------------- */

/* A dense row-major copy; main() may read only what it has waited for. */
static double *dense(const struct matrix *a)
{
    long n = (long)a->blocks * a->b;
    double *copy = app_alloc(n * n, sizeof(*copy));

    for (long i = 0; i < n; i++) {
        for (int j = 0; j < a->blocks; j++) {
            const double *from = *block(a, (int)(i / a->b), j);
            double *to = copy + i * n + (long)j * a->b;
            size_t size = sizeof(*to) * (size_t)a->b;

            if (from)
                memcpy(to, from + i % a->b * a->b, size);
            else
                memset(to, 0, size);
        }
    }
    return copy;
}

static void plain_factor(long n, double *a)
{
    for (long k = 0; k < n; k++) {
        for (long i = k + 1; i < n; i++) {
            double l = a[i * n + k] /= a[k * n + k];

            for (long j = k + 1; j < n; j++)
                a[i * n + j] -= l * a[k * n + j];
        }
    }
}

static int verify(const struct matrix *a, double *plain)
{
    long n = (long)a->blocks * a->b;
    double *ours = dense(a);
    double error;

    plain_factor(n, plain);
    error = app_difference(ours, plain, n * n);
    castell_free(ours);
    return app_verdict("||LU - plain|| / ||plain|| is", error, 1e-12);
}

/* ---- The program -------------------------------------------------------- */

/* The diagonal, its neighbours, and others with the probability `density`. */
static void make_matrix(const struct matrix *a, double density, int seed)
{
    uint64_t state = (uint64_t)seed;

    for (int i = 0; i < a->blocks; i++) {
        for (int j = 0; j < a->blocks; j++) {
            bool is_random = app_random_real(&state) < density;
            double **new = block(a, i, j);

            *new = NULL;
            if (!is_random && abs(i - j) > 1)
                continue;
            *new = app_alloc((long)a->b * a->b, sizeof(**new));
            fill((int)(app_random(&state) >> 33), a->b,
                 i == j ? sqrt((double)a->blocks * a->b) : 0, *new);
        }
    }
    #pragma castell barrier
}

static int count_blocks(const struct matrix *a)
{
    int count = 0;

    for (long i = 0; i < (long)a->blocks * a->blocks; i++)
        count += a->block[i] != NULL;
    return count;
}

static void free_matrix(struct matrix *a)
{
    for (long i = 0; i < (long)a->blocks * a->blocks; i++)
        castell_free(a->block[i]);
    castell_free(a->block);
}

static const struct app_about about = {
    .name = "sparselu",
    .usage = "[OPTION]...",
    .text = "Factor a random sparse matrix of N x N blocks, B x B numbers each,"
            "\nof which most are zero.",
};

int main(int argc, char **argv)
{
    struct matrix a = {.blocks = 32, .b = 64};
    double density = 0.1;
    int seed = 1;
    int check = -1;
    double *plain = NULL;
    double seconds, operations;
    int made, wrong = 0;
    const struct app_option options[] = {
        {"blocks", "N", "blocks in a row", APP_WHOLE, &a.blocks, 1, 4096},
        {"block", "B", "rows and columns of a block", APP_WHOLE, &a.b, 1, 4096},
        {"density", "D", "part of the blocks that is not zero", APP_REAL,
         &density, 0, 1},
        {"seed", "S", "of the random numbers", APP_WHOLE, &seed, 0, 1e9},
        {"verify", NULL, "check against a plain loop [for N B up to 2048]",
         APP_SWITCH, &check, 0, 0},
        {0},
    };

    app_options(argc, argv, &about, options);
    castell_start(&argc, &argv);

    a.block = app_alloc((long)a.blocks * a.blocks, sizeof(*a.block));
    make_matrix(&a, density, seed);
    made = count_blocks(&a);
    if (check == 1 || (check < 0 && (long)a.blocks * a.b <= 2048))
        plain = dense(&a);

    seconds = app_now();
    operations = factor_matrix(&a);
    seconds = app_now() - seconds;
    app_begin_line();
    printf("sparselu blocks=%d block=%d cores=%u: %.4f s, %.2f Gflop/s, "
           "%d blocks and %d filled\n",
           a.blocks, a.b, castell_executors_count(), seconds,
           operations / seconds * 1e-9, made, count_blocks(&a) - made);

    if (plain)
        wrong = verify(&a, plain);
    castell_free(plain);
    free_matrix(&a);
    return castell_stop() || wrong;
}
