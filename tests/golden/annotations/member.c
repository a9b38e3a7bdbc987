#include <castell.h>
struct matrix { int n; double *data; struct { int *rows; } index; };
#pragma castell task in(m.data[0:m.n]) out(m.index.rows[0:m.n]) in(m.none[0:1])
void f(struct matrix m);
#pragma castell task in(m->data[0:1])
void g(struct matrix *m);
#pragma castell task in(m.n[0:1])
void h(struct matrix m);
