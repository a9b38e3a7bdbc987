#include <castell.h>
#pragma castell task collection_in(tiles[0:k])
void a(int k, double **tiles);
#pragma castell task collection_in(tiles[0:k] : 4)
void b(int k, double *tiles);
#pragma castell task collection_in(tiles[0:k][0:k] : 4)
void c(int k, double **tiles);
#pragma castell task collection_inout(tiles[0:k] : 4)
void d(int k, const double *const *tiles);
