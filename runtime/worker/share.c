/*
 * Bodies that share a device (gpus=0.5): each enqueues in a queue of its own, so
 * that what they enqueue runs at the same time. All of a device, and parts of it,
 * are never held at one time.
 */
#include "worker/hand.h"

bool cst_hand_may_launch(const struct cst_hand *hand,
                         const struct cst_at_hand *at)
{
    if (at->share == 0)
        return hand->sharing == 0 && hand->launched < CST_LAUNCHED_MAX;
    return hand->launched == hand->sharing &&
           hand->sharing < CST_DEVICE_LANES &&
           hand->shares + at->share <= CST_SHARES;
}

void cst_share_take(struct cst_hand *hand, struct cst_at_hand *at)
{
    uint32_t lane = 0;

    at->queue = CST_DEVICE_RUN;
    if (at->share == 0)
        return;
    while (hand->lanes >> lane & 1)
        lane++;
    hand->sharing++;
    hand->shares += at->share;
    hand->lanes |= UINT32_C(1) << lane;
    at->lane = lane;
}

void cst_share_drop(struct cst_hand *hand, const struct cst_at_hand *at)
{
    if (at->share == 0)
        return;
    hand->sharing--;
    hand->shares -= at->share;
    hand->lanes &= ~(UINT32_C(1) << at->lane);
}

enum castell_status cst_share_use(struct cst_hand *hand, struct cst_at_hand *at)
{
    const struct cst_device_ops *ops = hand->device->ops;
    void *device = hand->device->handle;
    enum cst_device_queue queue =
        (enum cst_device_queue)(CST_DEVICE_LANE + at->lane);
    enum castell_status status;
    void *come = NULL;

    if (!ops->lane)
        return CASTELL_OK;
    status = ops->lane(device, queue);
    if (status == CASTELL_OK)
        status = ops->record(device, CST_DEVICE_RUN, &come);
    if (status == CASTELL_OK) {
        status = ops->queue_wait(device, queue, come);
        ops->event_destroy(device, come);
    }
    if (status == CASTELL_OK)
        at->queue = queue;
    return status == CASTELL_ERR_NODE_LOST ? status : CASTELL_OK;
}
