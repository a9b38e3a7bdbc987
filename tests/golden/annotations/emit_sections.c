#include <castell.h>
#define BS 4
typedef double block[BS][BS];
#pragma castell task in(A[i:bs][j:bs], B[k][0:ld]) inout(C[0:2][i:bs][j:bs])
void update(int ld, double (*A)[ld], double (*B)[ld], double (*C)[ld][ld], int i, int j, int k, int bs)
{
    C[0][i][j] = A[i][j] + B[k][0] + bs;
}
#pragma castell task in(b[0:n]) out(whole)
void blocks(int n, block *b, float whole[16])
{
    whole[0] = b[n][0][0];
}
void f(int ld, double (*A)[ld], block *b)
{
    double cube[2][ld][ld];
    float w[16];

    update(ld, A, A, cube, 0, 0, 1, ld);
    blocks(ld, b, w);
}
