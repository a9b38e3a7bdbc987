#include "shared.h"

void submit_first(int *x, int n, long *sum, int *top)
{
    for (int i = 0; i < n; i++) {
        bodiless(&x[i]);
        gather(&x[i], sum, top);
    }
}
