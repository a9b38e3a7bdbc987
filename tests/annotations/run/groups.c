/* Blocks as groups, left in every way. */
#include <castell.h>
#include <stdio.h>

#pragma castell task inout(*x)
static void add(int *x, int n)
{
    *x += n;
}

static int x, y;

static int leave(int how)
{
    for (int i = 0; i < 3; i++) {
#pragma castell group(inner)
        {
            add(&x, 1);
            if (how == 0)
                return how;
            if (how == 1)
                break;
            if (how == 2)
                continue;
            if (how == 3)
                goto out;
        }
        add(&x, 1000);
    }
out:
    return how;
}

int main(int argc, char **argv)
{
    const char *names[] = {"even", "odd"};

    castell_start(&argc, &argv);
    /* Each end that is missing would leave a group open. */
#pragma castell group(outer)
    {
        for (int how = 0; how < 5; how++)
            add(&y, leave(how));
    }
#pragma castell wait_group(inner)
#pragma castell wait_group(outer)
    for (int i = 0; i < 6; i++) {
#pragma castell group(names[i % 2])
        {
            add(i % 2 ? &x : &y, 10000);
        }
    }
#pragma castell wait_group("odd")
#pragma castell wait_on(x)
    printf("%d\n", x);
#pragma castell wait_group(names[0])
#pragma castell wait_on(y)
    printf("%d\n", y);
#ifndef CASTELL_SEQUENTIAL
    if (castell_group_end() == CASTELL_OK)
        printf("a group was left open\n");
#endif
#pragma castell cancel_group(outer)
    return castell_stop();
}
