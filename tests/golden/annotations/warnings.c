#include <castell.h>
#include <stdio.h>
static int counter;
static const int limit = 3;
static _Thread_local int scratch;
int table[4];
struct holder { double *inside; };
#pragma castell task inout(x[0:n]) out(list[0:n])
void f(int n, double *x, double **list)
{
    static int calls;
    scratch = counter++;
    counter++;
    calls += limit + table[0];
    x[0] = n + calls + scratch;
    list[0] = 0;
    fprintf(stderr, "%d\n", n);
}
static int prepared;
#pragma castell task replicated out(*token)
void prepare(int *token)
{
    prepared = *token = counter;
}
#pragma castell task in(*token)
void use(const int *token)
{
    fprintf(stderr, "%d\n", prepared + *token + limit);
}
#pragma castell task
void g(struct holder h)
{
    (void)h;
}
void (*pointer)(struct holder) = g;
int main(void)
{
    double x[4], *list[4];
    f(1, x, list);
    pointer = &g;
    return 0;
}
