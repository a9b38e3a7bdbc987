// What cholesky.c does with tiles, which are stored by columns.
#pragma OPENCL EXTENSION cl_khr_fp64 : enable

// a = a l'^-1, of an m x n tile: rows do not know one another.
__kernel void solve(int m, int n, __global const double *l, __global double *a,
                    int urgency)
{
    int row = get_global_id(0);

    if (row >= m)
        return;
    for (int j = 0; j < n; j++) {
        double value = a[(long)j * m + row];

        for (int p = 0; p < j; p++)
            value -= a[(long)p * m + row] * l[(long)p * n + j];
        a[(long)j * m + row] = value / l[(long)j * n + j];
    }
}

// The lower half of c = c - a a', of an n x n tile.
__kernel void update_diagonal(int n, int k, __global const double *a,
                              __global double *c, int urgency)
{
    int row = get_global_id(0);
    int column = get_global_id(1);
    double sum = 0;

    if (row >= n || column > row)
        return;
    for (int p = 0; p < k; p++)
        sum += a[(long)p * n + row] * a[(long)p * n + column];
    c[(long)column * n + row] -= sum;
}

// c = c - a b', of an m x n tile.
__kernel void update(int m, int n, int k, __global const double *a,
                     __global const double *b, __global double *c, int urgency)
{
    int row = get_global_id(0);
    int column = get_global_id(1);
    double sum = 0;

    if (row >= m || column >= n)
        return;
    for (int p = 0; p < k; p++)
        sum += a[(long)p * m + row] * b[(long)p * n + column];
    c[(long)column * m + row] -= sum;
}
