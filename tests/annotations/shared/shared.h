/* A task with reductions that two files submit, and one without a body. */
#ifndef SHARED_H
#define SHARED_H

#include <castell.h>

#pragma castell task in(x[0:1]) reduction(+ : sum[0:1]) reduction(max : top[0:1])
void gather(const int *x, long *sum, int *top);

#pragma castell task inout(x [0:1])
void bodiless(int *x);

#pragma castell implements(bodiless)
void add_ten(int *x);

void submit_first(int *x, int n, long *sum, int *top);
void submit_second(int *x, int n, long *sum, int *top);

#endif
