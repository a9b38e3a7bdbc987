#include <castell.h>
enum { TRIES = 4 };
struct point { int x, y; double *data; };
#pragma castell task in(p.data[0:p.x]) label("point " "task") priority(p.x) \
    deadline(20) cost(p.x * 0.5) if(p.y > 3) final(p.y) isolated replicated \
    on_failure(retry(TRIES), cancel_successors) timeout(2s) \
    constraint(cores=p.x/1024, memory=1.5GiB + p.y * 64KiB, wall_time=10min, arch=x86_64, feature="big mem")
void at(const struct point p)
{
    (void)p;
}
#pragma castell task timeout(5000) on_failure(ignore) distributed constraint(gpus=0, gpu_memory=1GB, storage=2TB, wall_time=90)
int plain(int n)
{
    return n;
}
void f(struct point p)
{
    at(p);
    plain(3);
}
