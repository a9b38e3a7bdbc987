/* One section that is several regions: a block of each of several planes. */
#include <castell.h>
#include <stdio.h>
enum { P = 3, Q = 40, R = 50 };
#pragma castell task inout(a [0:P] [i:10] [j:10])
void f(int i, int j, int (*a)[Q][R]);
void f(int i, int j, int (*a)[Q][R])
{
    for (int p = 0; p < P; p++)
        for (int q = i; q < i + 10; q++)
            for (int r = j; r < j + 10; r++)
                a[p][q][r] += p * 10000 + q * 100 + r;
}
static int a[P][Q][R];
int main(int argc, char **argv)
{
    int bad = 0;
    castell_start(&argc, &argv);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < Q; i += 10)
            for (int j = 0; j < R; j += 10)
                f(i, j, a);
    if (castell_barrier())
        return 3;
    for (int p = 0; p < P; p++)
        for (int q = 0; q < Q; q++)
            for (int r = 0; r < R; r++)
                bad += a[p][q][r] != 3 * (p * 10000 + q * 100 + r);
    printf("%d wrong\n", bad);
    return castell_stop() || bad;
}
