#include <castell.h>
struct pair { int a, b; };
void merge(struct pair *into, const struct pair *from, size_t count);
#pragma castell task reduction(+: sum[0:1]) reduction(max: top[0:n]) reduction(merge: pairs[0:n]) reduction(&&: all[0:1])
void reduce(int n, double *sum, int *top, struct pair *pairs, _Bool *all)
{
    *sum += n + top[0] + pairs[0].a + all[0];
}
void f(double *sum, int *top, struct pair *pairs, _Bool *all)
{
    reduce(4, sum, top, pairs, all);
}
