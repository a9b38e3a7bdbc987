/* Parameters of all kinds: structs, typedefs, qualifiers, arrays. */
#include <castell.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct vector {
    int n;
    double *data;
    struct {
        int *at;
        int count;
    } index;
} vector;

enum color { RED, GREEN = 5 };
typedef const char *restrict const_name;
typedef long double wide;
typedef int row[4];

#pragma castell task inout(v.data[0:v.n]) in(v.index.at[0:v.index.count])
static void scale(const vector v, const double by)
{
    for (int i = 0; i < v.index.count; i++)
        v.data[v.index.at[i]] *= by;
}

#pragma castell task out(text[0:32]) in(name[0:4])
static void print(char *const text, const_name name, enum color c, bool b,
                  wide w, unsigned char u)
{
    snprintf(text, 32, "%.4s%d%d%d%d", name, c, b, (int)w, u);
}

#pragma castell task in(rows[1:2], same) out(sums[0:2])
static void add_rows(row *rows, int same[2], int *sums)
{
    for (int r = 1; r < 3; r++) {
        sums[r - 1] = same[r - 1];
        for (int c = 0; c < 4; c++)
            sums[r - 1] += rows[r][c];
    }
}

#pragma castell task in(x[0:sizeof(vector) / sizeof(vector)]) out(*y)          \
    priority(n > 2 ? -1 : 1)
static void cast(register int n, const volatile int x[static 1], int *y)
{
    *y = x[0] + n;
}

#pragma castell task inout(x[(n ? 1 : 0):n ? 2 : 3])
static void choose(int n, long *x)
{
    x[1] += n ? 100 : 200;
    if (!n)
        x[0]++;
}

int main(int argc, char **argv)
{
    double data[5] = {1, 2, 3, 4, 5};
    int at[2] = {4, 1}, one[1] = {41}, two;
    vector v = {5, data, {at, 2}};
    row rows[3] = {{1}, {1, 2, 3, 4}, {5, 6, 7, 8}};
    int same[2] = {1000, 2000}, sums[2];
    long l[3] = {0};
    char text[32];

    castell_start(&argc, &argv);
    scale(v, 0.5);
    scale(v, 3);
    v.index.count = 0;
    scale(v, 7);
    print(text, "abcd", GREEN, true, 3.7L, 9);
    add_rows(rows, same, sums);
    cast(1, one, &two);
    choose(0, l);
    choose(1, l);
#pragma castell wait_on(data, text, sums, two, l)
    for (int i = 0; i < 5; i++)
        printf("%g ", data[i]);
    printf("%s %d %d %d %ld %ld\n", text, sums[0], sums[1], two, l[0], l[1]);
    return castell_stop();
}
