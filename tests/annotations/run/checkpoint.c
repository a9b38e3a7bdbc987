/* expected: step 4: 3 3.5 41; back at 2: 1 1.5 21; none: 9 */
#define _XOPEN_SOURCE 700
#include <castell.h>
#include <castell_checkpoint.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 30 };

#pragma castell task inout(x[0:n])
static void add(int n, double *x)
{
    for (int i = 0; i < n; i++)
        x[i] += 1;
}

#pragma castell task inout(m[2:4][3:5]) inout(*count)
static void mix(double (*m)[10], long *count)
{
    for (int i = 2; i < 6; i++)
        for (int j = 3; j < 8; j++)
            m[i][j] += 1;
    *count += 10;
}

static int forget(const char *path, const struct stat *about, int type,
                  struct FTW *place)
{
    (void)about;
    (void)type;
    (void)place;
    return remove(path);
}

int main(int argc, char **argv)
{
    static double x[2][N], m[8][10];
    char where[] = "checkpoint.XXXXXX";
    double *p = x[1];
    long count = 1, step = 0, none = 9;

    if (!mkdtemp(where))
        return 1;
    m[3][4] = 0.5;
    castell_start(&argc, &argv);
    while (step < 4) {
        add(N, x[0]);
        add(N, x[1]);
        mix(m, &count);
        step++;
        if (step == 2) {
#pragma castell checkpoint(where, step: x[0], p[0:N], m[2:4][3:5], *&count)
        }
        if (step == 1) {
#pragma castell checkpoint(argc > 100 ? "" : where: x[0], p[0:N], m[2:4][3:5])
        }
        if (step == 3) {
#pragma castell wait_on(x[0], m[3][4])
        }
    }
#pragma castell wait_on(x, m, count)
    printf("step %ld: %g %g %ld; ", step, x[1][7] - 1, m[3][4] - 1, count);
#pragma castell restore(where, step: x[0], p[0:N], m[2:4][3:5], *&count)
#pragma castell wait_on(x, m, count)
    printf("back at %ld: %g %g %ld; ", step, x[1][7] - 1, m[3][4] - 1, count);
#pragma castell restore("checkpoint.none", none: x[0])
    printf("none: %ld\n", none);
    (void)nftw(where, forget, 8, FTW_DEPTH);
    return castell_stop();
}
