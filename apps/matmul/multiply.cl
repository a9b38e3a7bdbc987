// c = a x, or c += a x, of an m x n tile stored by rows.
#pragma OPENCL EXTENSION cl_khr_fp64 : enable

__kernel void multiply(int m, int n, int k, __global const double *a,
                       __global const double *x, uchar add, __global double *c)
{
    int column = get_global_id(0);
    int row = get_global_id(1);
    double sum = 0;

    if (row >= m || column >= n)
        return;
    for (int i = 0; i < k; i++)
        sum += a[(long)row * k + i] * x[(long)i * n + column];
    c[(long)row * n + column] = add ? c[(long)row * n + column] + sum : sum;
}
