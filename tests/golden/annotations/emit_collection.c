#include <castell.h>
#pragma castell task collection_in(tiles[first:k] : n * n) out(sum[0:1])
void add(int first, int k, int n, double *const *tiles, double *sum)
{
    *sum = tiles[first][n] + k;
}
void f(double **tiles, double *sum)
{
    add(0, 3, 4, tiles, sum);
}
