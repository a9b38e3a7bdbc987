/* x = a x + "b" */
__kernel void scale(int n, float a, __global float *x)
{
    size_t i = get_global_id(0);
    if (i < (size_t)n)
        x[i] = a * x[i];
}
