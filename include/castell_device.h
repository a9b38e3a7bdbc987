/*
 * castell_device.h - inside a body that runs on a device with its own memory.
 *
 * Reductions and concurrent accesses are not for devices: tasks that have them
 * run on cores. Where several implementations may run a task it is the one that
 * should end first, what has to be copied for it included.
 *
 * buffers[i] is then the block of device memory with the task's i-th access: a
 * cl_mem for device(opencl), a device pointer for device(cuda). Its rows lie
 * packed, whatever their distance in main memory. A file is its path, as ever.
 *
 * constraint(gpus=2) gives such a body two devices of its kind for itself alone.
 * Bodies with gpus=0.5 share one, two at a time, and at most four with less: what
 * they enqueue is in queues of their own and runs at the same time; called they
 * are one after the other.
 * A body on cores with gpus= holds that amount among its like, not towards bodies
 * of devices.
 *
 * A body enqueues; what it has enqueued is waited for after it has returned. Of
 * a kind that is CASTELL_ASYNC (`async`) the next body is called meanwhile, so
 * that the device never waits for the host: such a body itself must wait for
 * nothing, and its argument and its stack are gone when its kernels run.
 */
#ifndef CASTELL_DEVICE_H
#define CASTELL_DEVICE_H

#include "castell.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef CASTELL_SEQUENTIAL

static inline __attribute__((unused)) size_t
castell_device_pitch(uint32_t access)
{
    (void)access;
    return 0;
}

static inline __attribute__((unused)) int castell_device_number(void)
{
    return -1;
}

static inline __attribute__((unused)) uint32_t castell_device_count(void)
{
    return 0;
}

static inline __attribute__((unused)) enum castell_status
castell_device_use(uint32_t index)
{
    (void)index;
    return CASTELL_ERR_INVALID;
}

#else

/*
 * Bytes from one row of the calling body's i-th access to the next, on the
 * device; in a body on a CPU and elsewhere 0.
 */
extern size_t castell_device_pitch(uint32_t access);

/* The number of the device on its node, from 0, that the calling body runs on;
   -1 in a body on a CPU and elsewhere. Of several, that in use. */
extern int castell_device_number(void);

/* How many devices the calling body has: those of constraint(gpus=N), and 1 for
   a part of one; in a body on a CPU and elsewhere 0. */
extern uint32_t castell_device_count(void);

/*
 * Let the calls of castell_cuda.h and castell_opencl.h, what is current for
 * CUDA, and castell_device_number() be for the index-th device of the calling
 * body, from 0, until it returns or the next call. It begins with the first,
 * whose memory has the buffers: what another is to compute on, the body copies
 * there itself. When the body has returned, what it has enqueued on any of them
 * is waited for, also where it is `async`.
 * Fails with CASTELL_ERR_INVALID (no body of a device, or it has not so many),
 * or as the device does; then the one in use stays.
 */
CASTELL_MUST_CHECK extern enum castell_status
castell_device_use(uint32_t index);

#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
