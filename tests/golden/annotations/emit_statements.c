#include <castell.h>
#pragma castell task out(*x)
void set(int *x)
{
    *x = 1;
}
int f(int n, int (*m)[n], int *p, const char *names[])
{
    int one, many[8];
    struct { int *list; } s = {p};

    set(&one);
#pragma castell wait_on(one, many, *p, m[1:2][0:n], s.list[0:n])
#pragma castell group(step)
    {
        set(p);
        if (n)
            return one;
    }
    switch (n) {
    case 1:
#pragma castell barrier
    }
#pragma castell group(names[0])
    { set(p); }
#pragma castell wait_group(step)
#pragma castell cancel_group(names[0])
#pragma castell delete(m[0][0:n])
    return 0;
}
