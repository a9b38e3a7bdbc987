/*
 * heat - Gauss-Seidel relaxation of the heat on a square plate, by tasks on
 * blocks of one row-major grid.
 *
 * A point becomes the mean of its four neighbours, two of which are of this
 * sweep already. So a block waits for the blocks above and to the left in this
 * sweep, and below and to the right in the one before: the tasks that may run
 * together form a diagonal wave front, and several sweeps are under way at one
 * time. All of this follows from five sections of the grid, without a barrier.
 *
 * The edge of the plate is held at fixed temperatures.
 */
#include "common/app.h"

#include <castell.h>
#include <stdio.h>
#include <string.h>

struct range {
    int first, count;
};

/* The points of block (i, j) get new values; each of its four sides reads the
   line of points beside it. */
#pragma castell task inout(u[i.first:i.count][j.first:j.count]) \
    in(u[i.first - 1:1][j.first:j.count], \
    u[i.first + i.count:1][j.first:j.count], \
    u[i.first:i.count][j.first - 1:1], \
    u[i.first:i.count][j.first + j.count:1])
static void relax(int width, struct range i, struct range j, double (*u)[width])
{
    for (int r = i.first; r < i.first + i.count; r++) {
        for (int c = j.first; c < j.first + j.count; c++)
            u[r][c] =
                0.25 * (u[r - 1][c] + u[r + 1][c] + u[r][c + 1] + u[r][c - 1]);
    }
}

/* The points 1 .. n in pieces of b; the last may be smaller. */
static struct range piece(int n, int b, int i)
{
    return (struct range){1 + i * b, i * b + b < n ? b : n - i * b};
}

static void sweep(int n, int b, double (*u)[n + 2])
{
    for (int i = 0; i * b < n; i++) {
        for (int j = 0; j * b < n; j++)
            relax(n + 2, piece(n, b, i), piece(n, b, j), u);
    }
}

/* The same by one loop over the whole grid. */
static void plain_sweep(int n, double (*u)[n + 2])
{
    for (int r = 1; r <= n; r++) {
        for (int c = 1; c <= n; c++)
            u[r][c] =
                0.25 * (u[r - 1][c] + u[r + 1][c] + u[r][c + 1] + u[r][c - 1]);
    }
}

/* Cold, but for the upper edge, and the left one that gets colder downwards. */
static void start_temperatures(int n, double (*u)[n + 2])
{
    memset(u, 0, sizeof(*u) * (size_t)(n + 2));
    for (int r = 0; r < n + 2; r++) {
        memset(u[r], 0, sizeof(*u));
        u[r][0] = 1 - (double)r / (n + 1);
    }
    for (int c = 0; c < n + 2; c++)
        u[0][c] = 1;
}

static int verify(int n, int sweeps, double (*u)[n + 2])
{
    long points = (long)(n + 2) * (n + 2);
    double(*plain)[n + 2] = app_alloc(points, sizeof(double));
    double error;

    start_temperatures(n, plain);
    for (int s = 0; s < sweeps; s++)
        plain_sweep(n, plain);
    error = app_difference(u[0], plain[0], points);
    castell_free(plain);
    return app_verdict("||u - plain|| / ||plain|| is", error, 0);
}

static const struct app_about about = {
    .name = "heat",
    .usage = "[OPTION]...",
    .text = "Relax the temperatures of N x N points by tasks on B x B blocks.",
};

int main(int argc, char **argv)
{
    int n = 2048;
    int b = 256;
    int sweeps = 20;
    int check = -1;
    double seconds, updates;
    double *grid;
    int wrong = 0;
    const struct app_option options[] = {
        {"n", "N", "inner points in a row", APP_WHOLE, &n, 1, 65536},
        {"block", "B", "points in a row of a block", APP_WHOLE, &b, 1, 65536},
        {"sweeps", "S", "times that each point is relaxed", APP_WHOLE, &sweeps,
         1, 1e6},
        {"verify", NULL, "check against a plain loop [for N up to 4096]",
         APP_SWITCH, &check, 0, 0},
        {0},
    };

    app_options(argc, argv, &about, options);
    castell_start(&argc, &argv);

    grid = app_alloc((long)(n + 2) * (n + 2), sizeof(*grid));
    start_temperatures(n, (double(*)[n + 2]) grid);
    seconds = app_now();
    for (int s = 0; s < sweeps; s++)
        sweep(n, b, (double(*)[n + 2]) grid);
    #pragma castell barrier
    seconds = app_now() - seconds;
    updates = (double)n * n * sweeps;
    app_begin_line();
    printf("heat n=%d block=%d sweeps=%d cores=%u: %.4f s, %.2f Gflop/s, "
           "%.1f million points/s\n",
           n, b, sweeps, castell_executors_count(), seconds,
           4e-9 * updates / seconds, 1e-6 * updates / seconds);

    if (check == 1 || (check < 0 && n <= 4096))
        wrong = verify(n, sweeps, (double(*)[n + 2]) grid);
    castell_free(grid);
    return castell_stop() || wrong;
}
