/*
 * All drivers, and what the calling thread's body runs on.
 */
#include "base/fail.h"
#include "castell_device.h"
#include "device/device.h"

const struct cst_device_ops *const cst_device_drivers[] = {
    &cst_device_cuda,
    &cst_device_opencl,
    NULL,
};

static _Thread_local struct cst_device_here *here;

const struct cst_device_here *cst_device_here(void)
{
    return here;
}

void cst_device_set_here(struct cst_device_here *now)
{
    here = now;
}

size_t castell_device_pitch(uint32_t access)
{
    return here && access < here->accesses_count ? here->pitches[access] : 0;
}

int castell_device_number(void)
{
    return here ? (int)here->now.number : -1;
}

uint32_t castell_device_count(void)
{
    return here ? here->team_count : 0;
}

enum castell_status castell_device_use(uint32_t index)
{
    enum castell_status status;

    if (!here)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_device_use() was not called by a body that "
                        "runs on a device");
    if (index >= here->team_count)
        return cst_fail(CASTELL_ERR_INVALID,
                        "castell_device_use(%u): the body has %u, counted from "
                        "0",
                        index, here->team_count);
    status = here->ops->leave(here->now.device);
    if (status != CASTELL_OK)
        return status;
    status = here->ops->enter(here->team[index].device);
    if (status == CASTELL_OK)
        here->now = here->team[index];
    else if (here->ops->enter(here->now.device) != CASTELL_OK)
        return CASTELL_ERR_NODE_LOST;
    return status;
}
