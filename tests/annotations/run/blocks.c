/* Sections in one, two and three dimensions, with indices, offsets, nothing. */
#include <castell.h>
#include <stdio.h>
#include <string.h>

enum { N = 24, B = 6 };

#pragma castell task out(A[i:b][j:b])
static void fill(int ld, double (*A)[ld], int i, int j, int b)
{
    for (int r = i; r < i + b; r++) {
        for (int c = j; c < j + b; c++)
            A[r][c] = r * 100 + c;
    }
}

#pragma castell task inout(A[i:b][j:b]) in(A[i - 1][j:b], A[i:b][j - 1])
static void relax(int ld, double A[][ld], int i, int j, int b)
{
    for (int r = i; r < i + b; r++) {
        for (int c = j; c < j + b; c++)
            A[r][c] += 0.5 * A[r - 1][c] + 0.25 * A[r][c - 1];
    }
}

#pragma castell task in(A[row][0:ld]) out(sum[row:1])
static void add_row(int ld, const double A[ld][ld], int row, double *sum)
{
    sum[row] = 0;
    for (int c = 0; c < ld; c++)
        sum[row] += A[row][c];
}

#pragma castell task inout(cube[x:2][y:2][z:2])
static void corner(int n, float (*cube)[n][n], int x, int y, int z, float by)
{
    for (int i = x; i < x + 2; i++) {
        for (int j = y; j < y + 2; j++) {
            for (int k = z; k < z + 2; k++)
                cube[i][j][k] += by;
        }
    }
}

#pragma castell task in(cube[0:n][at][0:n]) out(sum[0:1])
static void add_slice(int n, float (*cube)[n][n], int at, float *sum)
{
    *sum = 0;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < n; k++)
            *sum += cube[i][at][k];
    }
}

/* With n == 0 or n < 0 there is nothing of x. */
#pragma castell task in(x[0:n]) inout(y[1:m]) in(*z)
static void maybe(int n, int m, const int *x, int *y, const int *z)
{
    for (int i = 0; i < n; i++)
        y[1] += x[i];
    for (int i = 1; i < 1 + m; i++)
        y[i] += *z;
    if (n <= 0 && x)
        y[1] = -1;
}

/* Without rows, what is added to may be where they would be. */
#pragma castell task in(A[0:rows][0:ld]) inout(*to)
static void add_rows(int ld, int rows, double (*A)[ld], double *to)
{
    for (int i = 0; i < rows; i++)
        *to += A[i][0] + A[i][ld - 1];
    *to += 1;
}

static double A[N][N], sums[N];
static float cube[4][4][4];

int main(int argc, char **argv)
{
    float sum[4];
    int x[3] = {1, 2, 3}, y[4] = {0}, z = 10;

    castell_start(&argc, &argv);
    for (int i = 0; i < N; i += B) {
        for (int j = 0; j < N; j += B)
            fill(N, A, i, j, B);
    }
    for (int step = 0; step < 3; step++) {
        for (int i = 1; i + B <= N; i += B - 1) {
            for (int j = 1; j + B <= N; j += B - 1)
                relax(N, A, i, j, B);
        }
    }
    for (int i = 0; i < N; i++)
        add_row(N, A, i, sums);
    add_rows(N, 2, A, &sums[0]);
    add_rows(N, 0, A, &A[0][0]);
    add_rows(N, -1, A, &A[0][1]);
    add_rows(N, 1, A, &sums[1]);
    for (int i = 0; i < 3; i++)
        corner(4, cube, i, (i + 1) % 3, (i + 2) % 3, (float)i + 1);
    for (int i = 0; i < 4; i++)
        add_slice(4, cube, i, &sum[i]);
    maybe(3, 2, x, y, &z);
    maybe(0, 2, NULL, y, &z);
    maybe(-5, 0, NULL, y, &z);
    maybe(2, 1, x, y, &z);
#pragma castell wait_on(sums[0:N], sum, y, A[N - 1][0:N])
    for (int i = 0; i < N; i++)
        printf("%.17g\n", sums[i]);
    printf("%g %g %g %g\n", (double)sum[0], (double)sum[1], (double)sum[2],
           (double)sum[3]);
    printf("%d %d %d %d\n", y[0], y[1], y[2], y[3]);
    printf("%.17g\n", A[N - 1][N - 1]);
    return castell_stop();
}
