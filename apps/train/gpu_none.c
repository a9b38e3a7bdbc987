/* In place of gpu.c, in programs without bodies for devices. */
#include "common/app.h"
#include "train/gpu.h"

void gpu_choose(const char *device)
{
    if (strcmp(device, "cpu"))
        app_die(2,
                "--device %s is for train-gpu: this program has bodies for "
                "cores only",
                device);
}

struct gpu *gpu_create(struct trainer *t)
{
    (void)t;
    return NULL;
}

void gpu_destroy(struct gpu *gpu)
{
    (void)gpu;
}

void gpu_submit_shard(struct trainer *t, struct data_part part, long row,
                      int shard)
{
    (void)t;
    (void)part;
    (void)row;
    (void)shard;
}

void gpu_submit_sum(struct trainer *t, int shards)
{
    (void)t;
    (void)shards;
}

void gpu_submit_move(struct trainer *t, struct rates rates)
{
    (void)t;
    (void)rates;
}
